"""Gauss-Newton learning of the equations of point processes, with moments of chains."""

from __future__ import annotations

from collections.abc import Sequence
from typing import final

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree
from jaxtyping import Array, Float64

from dynboltz._arguments import checked
from dynboltz.distributions import PointProcessModel
from dynboltz.dynamics import AbstractVectorField
from dynboltz.particles import PointPatterns
from dynboltz.sampling import CondensationError

from ._gauss_newton import (
    GaussNewtonResult,
    GaussNewtonSettings,
    Solution,
    check_solver,
    check_start,
    minimise,
)
from ._linearised_likelihood import Linearised, LinearisedLikelihood
from ._natural_step import fading_rate, remembered
from ._point_moments import PointMoments
from ._pseudolikelihood import check_fit, ridge_around_independence
from ._sampled_gauss_newton_settings import SampledGaussNewtonSettings
from ._static import Progress

MEMORY = 0.8
"""Share of the metric that is kept from the looks before; the first is that of the data."""
_LARGEST_DAMPING = 1e6


@checked
def sampled_gauss_newton(
    field: AbstractVectorField,
    initial: Float64[np.ndarray, "initial_conditions coefficients"],
    solution: Solution,
    model: PointProcessModel,
    patterns: Sequence[PointPatterns],
    weights: Float64[np.ndarray, " times"],
    settings: SampledGaussNewtonSettings | None = None,
    *,
    seed: int | np.random.SeedSequence,
    progress: Progress | None = None,
) -> GaussNewtonResult:
    r"""Minimise the action of `gauss_newton` where moments have to be sampled.

    Along the present solutions $\theta_0(t)$, persistent chains at every initial condition and
    time estimate the difference of moments $g = R\,(\mu - \tilde\mu)$ of $R$ replicas and the
    Fisher metric $G = R\,\mathrm{Cov}(s)$. A step is that of `gauss_newton` for the likelihood
    linearised there (`LinearisedLikelihood`), shortened to the learning rate and to
    `largest_step`. If chains condense, the step is taken back and the damping raised. Steps shrink
    over their second half, and what was learned is the mean over it.

    Parameters
    ----------
    field
        Where to start; its inexact arrays are learned.
    initial
        Initial coefficients to start from, such as fits of the first time.
    solution
        Solves the field; differentiable in forward mode.
    model
        The model; its coefficients are those of the field.
    patterns
        Replicas of each initial condition at all times of the solution, with the batch (replicas,
        times).
    weights
        $w_n$ of these times, positive.
    settings
        How to descend.
    seed
        Seed of the chains.
    progress
        Called after every accepted step.

    Returns
    -------
    result
        `history` holds, at every look along the way, `action`: how much lower the action of the
        solutions could be if every snapshot had coefficients of its own,
        $\tfrac12 \sum w\, g^T G^{-1} g$, in which the noise of the chains is included; and
        `damping`.

    Raises
    ------
    ValueError
        If the patterns, the weights and the initial coefficients do not fit one another, or one of
        these numbers is not finite.
    FloatingPointError
        If the solutions are not finite where the search starts.
    CondensationError
        If chains condense where the search starts, or after the shortest steps.
    """
    settings = settings or SampledGaussNewtonSettings()
    check_start("sampled_gauss_newton", initial, weights)
    _check(model, patterns, initial, weights)
    check_solver("sampled_gauss_newton", field, initial, solution, len(weights))
    moments = PointMoments(
        model,
        patterns,
        chains=settings.chains,
        samples=settings.samples,
        proposals=settings.proposals,
        seed=seed,
    )
    search = _Search(field, solution, moments, _priors(model, patterns, settings.ridge), settings)
    u, _ = ravel_pytree(eqx.filter(field, eqx.is_inexact_array))
    at = (np.asarray(u), np.asarray(initial))
    seen = search.look(search.path(*at))
    damping, history = settings.damping, [(search.action(seen, weights), settings.damping)]
    total, half = [np.zeros_like(part) for part in at], settings.steps // 2
    for step in range(settings.steps):
        at, seen, damping = search.step(at, seen, weights, step, damping)
        history.append((search.action(seen, weights), damping))
        if step >= half:
            total = [whole + part for whole, part in zip(total, at, strict=True)]
        if progress:
            report = {"stage": "train", "step": step + 1, "total": settings.steps}
            progress({**report, "action": history[-1][0]})
    u, eta = (whole / (settings.steps - half) for whole in total)
    last = search.descend((u, eta), seen, weights, damping, steps=0)
    columns = np.array(history).T
    return last._replace(history={"action": columns[0], "damping": columns[1]})


_paths = eqx.filter_jit(lambda solution, field, eta: solution(field, eta))


@final
class _Search:
    """What does not change from step to step, but for the chains and the running metric."""

    def __init__(
        self,
        field: AbstractVectorField,
        solution: Solution,
        moments: PointMoments,
        priors: tuple[np.ndarray, np.ndarray],
        settings: SampledGaussNewtonSettings,
    ) -> None:
        self._field, self._solution, self._moments = field, solution, moments
        self._priors, self._settings = priors, settings
        self._metric = moments.data_metric

    def path(self, u: np.ndarray, eta: np.ndarray) -> np.ndarray:
        """Coefficients of all initial conditions at all times."""
        return np.asarray(_paths(self._solution, self._with(u), jnp.asarray(eta)))

    def look(self, path: np.ndarray) -> Linearised:
        """The likelihood and the prior of the initial coefficients, as chains show them there."""
        if not np.isfinite(path).all():
            raise FloatingPointError(
                "sampled_gauss_newton: the solutions are not finite where the search starts. Start "
                "from other parameters, or take smaller time steps."
            )
        look, scale = self._moments(path), self._moments.n_replicas[:, None, None]
        self._metric = remembered(self._metric, look.metric, MEMORY)
        difference, metric = scale * look.difference, scale[..., None] * self._metric
        centre, precision = self._priors
        difference[:, 0] += np.einsum("ikl,il->ik", precision, path[:, 0] - centre)
        metric[:, 0] += precision
        return Linearised(path, difference, metric)

    def action(self, seen: Linearised, weights: np.ndarray) -> float:
        """How much lower it could be with free coefficients."""
        inverse = np.linalg.pinv(np.asarray(seen.metric), hermitian=True)
        return 0.5 * float(
            np.einsum("itk,itkl,itl,t->", seen.difference, inverse, seen.difference, weights)
        )

    def descend(
        self,
        at: tuple[np.ndarray, np.ndarray],
        seen: Linearised,
        weights: np.ndarray,
        damping: float,
        steps: int,
    ) -> GaussNewtonResult:
        """Minimise the linearised action."""
        settings = GaussNewtonSettings(
            steps=steps, damping=damping, fit_initial=self._settings.fit_initial
        )
        data = Linearised(*map(jnp.asarray, seen))
        return minimise(
            self._with(at[0]),
            at[1],
            self._solution,
            LinearisedLikelihood(),
            data,
            weights,
            settings,
        )

    def step(
        self,
        at: tuple[np.ndarray, np.ndarray],
        seen: Linearised,
        weights: np.ndarray,
        number: int,
        damping: float,
    ) -> tuple[tuple[np.ndarray, np.ndarray], Linearised, float]:
        """Move on until chains do not condense; return where, what is seen and the damping."""
        rate = fading_rate(self._settings.learning_rate, number, self._settings.steps)
        while True:
            found = self.descend(at, seen, weights, damping, steps=1)
            u, _ = ravel_pytree(eqx.filter(found.field, eqx.is_inexact_array))
            away = (np.asarray(u) - at[0], found.initial - at[1])
            moved = self._shortened(at, away, np.asarray(seen.theta), rate)
            try:
                look = self.look(self.path(*moved))
            except CondensationError:
                damping *= 10.0
                if damping > _LARGEST_DAMPING:
                    raise
            else:
                return moved, look, max(damping / 3.0, self._settings.damping)

    def _shortened(
        self,
        at: tuple[np.ndarray, np.ndarray],
        away: tuple[np.ndarray, np.ndarray],
        path: np.ndarray,
        share: float,
    ) -> tuple[np.ndarray, np.ndarray]:
        """The end of a step that changes the distribution of no snapshot more than allowed."""
        largest = self._settings.largest_step
        while True:
            moved = (at[0] + share * away[0], at[1] + share * away[1])
            by = self.path(*moved) - path
            change = np.sqrt(np.einsum("itk,itkl,itl->it", by, self._metric, by).max())
            if change <= largest:
                return moved
            share *= 0.9 * largest / change if np.isfinite(change) else 0.5

    def _with(self, u: np.ndarray | Array) -> AbstractVectorField:
        parameters, static = eqx.partition(self._field, eqx.is_inexact_array)
        return eqx.combine(ravel_pytree(parameters)[1](jnp.asarray(u)), static)


def _check(
    model: PointProcessModel,
    patterns: Sequence[PointPatterns],
    initial: np.ndarray,
    weights: np.ndarray,
) -> None:
    if len(patterns) != len(initial) or any(own.batch[1:] != (len(weights),) for own in patterns):
        raise ValueError(
            f"sampled_gauss_newton: `patterns` must have one entry for each of the {len(initial)} "
            f"initial conditions, with the batch (replicas, {len(weights)} times of `weights`), "
            f"got {[own.batch for own in patterns]}."
        )
    if not np.all(np.asarray(weights) > 0):
        raise ValueError(
            f"sampled_gauss_newton: `weights` must be positive, got {weights}. Leave out times "
            "that are not looked at, in the patterns and the solution alike."
        )
    for own in patterns:
        model.check_patterns(own)


def _priors(
    model: PointProcessModel, patterns: Sequence[PointPatterns], ridge: float
) -> tuple[np.ndarray, np.ndarray]:
    """Centres and precisions of the priors of all initial coefficients."""
    first = [own[:, 0] for own in patterns]
    for own in first:
        check_fit("sampled_gauss_newton", model, own, ridge)
    found = [ridge_around_independence(model, own, ridge) for own in first]
    return np.stack([own.centre for own in found]), np.stack([own.precision for own in found])
