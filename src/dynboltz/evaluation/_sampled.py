"""Moments of models that have no exact solution, by Gibbs sampling."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float64

from dynboltz._arguments import check_range, checked
from dynboltz._numbers import check_finite
from dynboltz.distributions import LatticeModel
from dynboltz.lattices import Lattice, Term, TermCounter, child_seeds, numbered_seed
from dynboltz.sampling import GibbsSampler, advance, start_random

from ._equilibrium import check_counted_on

MONTE_CARLO_SHARE = 0.5
"""Of the noise floor that the Monte Carlo error of a prediction may have: a tenth of the error."""
MOST = 16
"""Times as many chains as asked for, at most, to get there."""
FEWEST = 2
"""Chains that have an error."""
MAX_STATES = 1 << 26
"""Units of all layers of the chains that are sampled at once."""


class ShortRunMoments(NamedTuple):
    """Moments per visible site, from short runs.

    Attributes
    ----------
    mean
        Means over the chains.
    standard_error
        Standard errors of these means; NaN for a single chain.
    """

    mean: Float64[np.ndarray, "... terms"]
    standard_error: Float64[np.ndarray, "... terms"]


@checked
def sampled_prediction(
    model: LatticeModel,
    theta: Float64[np.ndarray, "... coefficients"],
    terms: Sequence[Term],
    *,
    counted_on: Lattice | None = None,
    n_samples: int,
    n_sweeps: int,
    seed: int | np.random.SeedSequence,
) -> ShortRunMoments:
    """Moments per visible site, as means over short runs from random units.

    What a short run gives need not be the equilibrium of a model with strong couplings, see
    `dynboltz.sampling.compare_starts`.

    Parameters
    ----------
    model
        The distribution.
    theta
        Coefficients.
    terms
        Whose moments.
    counted_on
        Lattice whose neighbours count, if not the model's, such as one with another boundary.
    n_samples
        Independent chains for each set of coefficients.
    n_sweeps
        Sweeps of each chain.
    seed
        Seed.

    Raises
    ------
    ValueError
        If there are no samples or a negative number of sweeps, or terms or lattices do not fit.

    References
    ----------
    Ernst et al. (2019), Sec. IV B, takes 100 samples after 25 sweeps.
    """
    check_range("sampled_prediction", "n_samples", n_samples, least=1)
    check_range("sampled_prediction", "n_sweeps", n_sweeps, least=0)
    if counted_on is not None:
        check_counted_on("sampled_prediction", model, counted_on)
    sampler = GibbsSampler(model)
    counter = TermCounter(counted_on or model.lattice, model.species, terms)
    rows = theta.reshape(-1, theta.shape[-1])
    n_units = len(model.layers) * model.lattice.n_sites
    batch = max(1, MAX_STATES // (n_units * n_samples))
    firsts = range(0, len(rows), batch)
    means, errors = [], []
    for first, child in zip(firsts, child_seeds(seed, len(firsts)), strict=True):
        group = rows[first : first + batch]
        start = start_random(model, len(group) * n_samples, seed=child)
        states = advance(sampler, start, group, n_sweeps).states
        counts = counter.count(states).reshape(len(group), n_samples, len(terms))
        means.append(counts.mean(axis=1) / model.lattice.n_sites)
        error = np.full_like(means[-1], np.nan)
        if n_samples > 1:
            error = counts.std(axis=1, ddof=1) / np.sqrt(n_samples) / model.lattice.n_sites
        errors.append(error)
    shape = (*theta.shape[:-1], len(terms))
    if not means:
        return ShortRunMoments(np.zeros(shape), np.zeros(shape))
    return ShortRunMoments(
        np.concatenate(means).reshape(shape), np.concatenate(errors).reshape(shape)
    )


Draw = Callable[[int, np.random.SeedSequence], ShortRunMoments]
"""Samples with a number of chains and a seed."""


@checked
def sample_until(
    draw: Draw,
    floor: Float64[np.ndarray, " terms"],
    *,
    n_samples: int,
    most: int = MOST,
    seed: np.random.SeedSequence,
) -> tuple[ShortRunMoments, int]:
    r"""Draw samples until their error is at most half the noise of what they are compared with.

    Errors of independent draws $i$ of $n_i$ chains are pooled:
    $\mu = \sum_i n_i \mu_i / n$ and $\sigma^2 = \sum_i n_i^2 \sigma_i^2 / n^2$.

    Parameters
    ----------
    draw
        Draws samples; moments have the axes (initial_conditions, times, terms).
    floor
        Noise floor of each term, the mean over time as `error_summary` has it. Terms without
        noise do not count, nor do those whose noise is not known, NaN.
    n_samples
        Chains of the first draw.
    most
        Times `n_samples` chains at which to stop, whatever the error.
    seed
        Of the first draw; the others have seeds of their own.

    Returns
    -------
    found, n_chains
        The samples, and how many chains they come from.

    Raises
    ------
    ValueError
        If `n_samples` is less than 2, as the error of a single chain is not known, or `floor` has
        another number of terms than the samples or is infinite.
    """
    check_range("sample_until", "n_samples", n_samples, FEWEST)
    _check_floor("sample_until", floor)
    found, total = draw(n_samples, seed), n_samples
    if found.standard_error.shape[-1:] != floor.shape:
        raise ValueError(
            f"sample_until: `floor` must have one entry for each of the "
            f"{found.standard_error.shape[-1]} terms that `draw` returns, got shape {floor.shape}."
        )
    attempt = 0
    while total < most * n_samples:
        excess = _excess(found.standard_error, floor)
        if excess <= 1:
            break
        # A tenth more than the error asks for, whose estimate is uncertain.
        wanted = math.ceil(total * (1.1 * excess**2 - 1)) if math.isfinite(excess) else total
        more = max(FEWEST, min(wanted, most * n_samples - total))
        attempt += 1
        new = draw(more, numbered_seed(seed, _LATER + attempt))
        found, total = _pooled(found, total, new, more), total + more
    return found, total


@checked
def reaches(
    standard_error: Float64[np.ndarray, "initial_conditions times terms"],
    floor: Float64[np.ndarray, " terms"],
) -> bool:
    """Whether Monte Carlo errors are at most half the noise floor, see `sample_until`.

    Raises
    ------
    ValueError
        If there is no initial condition or no time, or a noise floor is infinite.
    """
    _check_floor("reaches", floor)
    if 0 in standard_error.shape[:2]:
        raise ValueError(
            "reaches: `standard_error` must have one or more initial conditions and times, got "
            f"shape {standard_error.shape}."
        )
    return _excess(standard_error, floor) <= 1


_LATER = 1 << 20
"""Seeds of later draws are numbered from here on, far from those of the batches of one draw."""


def _check_floor(where: str, floor: np.ndarray) -> None:
    known = np.where(np.isnan(floor), 0.0, floor)
    check_finite(where, "`floor`, where it is known,", known, ("term",))


def _excess(standard_error: np.ndarray, floor: np.ndarray) -> float:
    """Largest error over what it may be; errors of single chains are unknown, hence infinite."""
    noisy = floor > 0
    if not noisy.any():
        return 0.0
    with np.errstate(over="ignore"):  # infinite errors do not reach it
        error = np.sqrt(np.mean(standard_error**2, axis=0)).mean(axis=0)
    ratio = (error[noisy] / (MONTE_CARLO_SHARE * floor[noisy])).max()
    return float(ratio) if np.isfinite(ratio) else math.inf


def _pooled(old: ShortRunMoments, n: int, new: ShortRunMoments, m: int) -> ShortRunMoments:
    share = n / (n + m)
    variance = share**2 * old.standard_error**2 + (1 - share) ** 2 * new.standard_error**2
    return ShortRunMoments(share * old.mean + (1 - share) * new.mean, np.sqrt(variance))
