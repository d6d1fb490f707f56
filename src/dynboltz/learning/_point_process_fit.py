"""Maximum likelihood of point processes by natural gradients that chains estimate."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np
from jaxtyping import Float64

from dynboltz._arguments import check_range, checked
from dynboltz._numbers import check_finite
from dynboltz.distributions import PointProcessModel
from dynboltz.lattices import child_seeds
from dynboltz.particles import PointPatterns
from dynboltz.sampling import BirthDeathMove, start_from_patterns

from ._natural_step import fading_rate, natural_step, remembered
from ._pseudolikelihood import (
    PointProcessFit,
    check_fit,
    fit_pseudolikelihood,
    ridge_around_independence,
)

DAMPING = 1e-3
"""Added to the metric, relative to its diagonal."""
LARGEST_STEP = 0.3
"""Of any coefficient; a longer step could make the chains condense."""
MEMORY = 0.9
"""Share of the metric that is kept from the estimates before."""


@final
@checked
@dataclass(frozen=True)
class PointFitSettings:
    """How the coefficients of a point process are learned from chains.

    Parameters
    ----------
    steps
        Number of natural steps.
    learning_rate
        Share of a natural step that is taken in the first half of the steps.
    chains
        Persistent chains, which start from the patterns.
    proposals
        Proposals of a chain between two steps, for each particle of a mean pattern.
    ridge
        Precision of the prior, see `fit_pseudolikelihood`.
    slots
        Slots of a chain; by default twice the largest number of particles, and 50 more.

    Raises
    ------
    ValueError
        If a value is not positive, or there are less than 2 chains.
    """

    steps: int = 60
    learning_rate: float = 0.3
    chains: int = 64
    proposals: float = 4.0
    ridge: float = 0.1
    slots: int | None = None

    def __post_init__(self) -> None:
        for name in ("steps", "learning_rate", "proposals", "ridge"):
            if not getattr(self, name) > 0:
                raise ValueError(
                    f"PointFitSettings: `{name}` must be positive, got {getattr(self, name)}."
                )
            check_finite("PointFitSettings", f"`{name}`", getattr(self, name))
        if self.slots is not None:
            check_range("PointFitSettings", "slots", self.slots, least=1)
        if self.chains < 2:
            raise ValueError(f"PointFitSettings: `chains` must be at least 2, got {self.chains}.")


@checked
def fit_point_process(
    model: PointProcessModel,
    patterns: PointPatterns,
    settings: PointFitSettings | None = None,
    *,
    start: Float64[np.ndarray, " coefficients"] | None = None,
    seed: int | np.random.SeedSequence,
) -> PointProcessFit:
    r"""Fit a model to patterns by maximum likelihood.

    Chains start from the patterns and go on while the coefficients move. A step changes them by

    $$\delta\theta = -\eta\, \big(G + P / N\big)^{-1}
    \big[\mu - \tilde\mu + P (\theta - \theta_0) / N \big]$$

    with the moments $\mu$ of the data and $\tilde\mu$ of the chains, the Fisher metric $G$ that
    the chains show, the number $N$ of patterns, and the precision $P$ and the centre $\theta_0$ of
    the prior. The steps shrink over their second half, and the fit is the mean over it.

    Parameters
    ----------
    model
        The model.
    patterns
        Independent patterns along one batch axis.
    settings
        How to fit.
    start
        Coefficients to start from, by default those of `fit_pseudolikelihood`. Not $-\ln g(r)$,
        see there.
    seed
        Seed.

    Returns
    -------
    fit
        The covariance is $(N G + P)^{-1}$: that of maximum likelihood if the model is right.

    Raises
    ------
    ValueError
        If the patterns or the start do not fit the model.
    CondensationError
        If the number of particles of a chain runs away.
    """
    settings = settings or PointFitSettings()
    check_fit("fit_point_process", model, patterns, settings.ridge)
    n_coefficients = sum(space.size for space in model.spaces.values())
    if start is not None:
        check_finite("fit_point_process", "`start`", start, ("coefficient",))
        if start.shape != (n_coefficients,):
            raise ValueError(
                f"fit_point_process: `start` must have {n_coefficients} entries, one a coefficient "
                f"of the model, got shape {start.shape}."
            )
    for_points, for_chains = child_seeds(seed, 2)
    if start is None:
        ridge = settings.ridge
        start = fit_pseudolikelihood(model, patterns, ridge=ridge, seed=for_points).theta
    return _climb(model, patterns, settings, start, for_chains)


def _climb(
    model: PointProcessModel,
    patterns: PointPatterns,
    settings: PointFitSettings,
    start: Float64[np.ndarray, " coefficients"],
    seed: np.random.SeedSequence,
) -> PointProcessFit:
    n = patterns.batch[0]
    prior = ridge_around_independence(model, patterns, settings.ridge)
    precision = prior.precision / n
    counts = patterns.counts().sum(axis=-1)
    n_proposals = int(np.ceil(settings.proposals * max(1.0, counts.mean())))
    sampler = BirthDeathMove(model)
    chosen = patterns[np.resize(np.arange(n), settings.chains)]
    slots = settings.slots or 2 * int(counts.max()) + 50
    chains = start_from_patterns(model, chosen, slots, seed=seed)
    data = model.statistics(patterns).mean(axis=0)
    theta, metric, total = start, None, np.zeros_like(start)
    half = settings.steps // 2
    for step in range(settings.steps):
        chains = sampler.advance(chains, theta, n_proposals)
        values = model.statistics(chains.patterns)
        seen = np.atleast_2d(np.cov(values.T))
        metric = remembered(metric, seen, MEMORY)
        gradient = data - values.mean(axis=0) + precision @ (theta - prior.centre)
        rate = fading_rate(settings.learning_rate, step, settings.steps)
        damped = metric + precision
        damped = damped + DAMPING * np.diag(np.diag(damped))
        theta = theta - rate * natural_step(damped, gradient, largest=LARGEST_STEP)
        if step >= half:
            total += theta
    assert metric is not None
    return PointProcessFit(
        total / (settings.steps - half), np.linalg.inv(n * metric + prior.precision)
    )
