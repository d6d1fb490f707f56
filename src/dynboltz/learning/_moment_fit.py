"""Coefficients of visible models whose moments are given along paths."""

from __future__ import annotations

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float64

from dynboltz._arguments import check_range, checked
from dynboltz._numbers import check_finite, check_precision
from dynboltz.distributions import (
    ClampedStatistics,
    LatticeModel,
    TransferMatrix,
    in_batches,
)
from dynboltz.sampling import Chains, GibbsSampler, advance, start_random

from ._natural_gradient import SnapshotFit, natural_gradient_fit
from ._natural_step import fading_rate, natural_step, remembered
from ._sampled_fit import DAMPING, FIRST, LARGEST_STEP, MEMORY, RIDGE

NEWTON_STEPS = 60
"""Most steps of an exact fit; ten are usual from afar, two along a path. At the edge of what is
possible a coefficient grows by one a step."""

PRIOR = 1e-11
"""Strength of the prior of exact fits around their start, per site: below the rounding of moments,
but it keeps coefficients in their place that have no effect."""

LARGEST_NEWTON_STEP = 3.0
"""Of a coefficient in an exact fit."""

FAILED = 1e-3
"""Difference of a moment, per site, from which on an exact fit has not come to its end, and is no
start for the next time."""

CHAINS = 64
"""Chains of each path."""

STEPS = 25
"""Steps of a sampled fit along a path; the first one of a path has `FIRST` times as many."""

SWEEPS = 20
"""Sweeps of the chains between two steps. A sweep costs less than the counting of states."""

ROUNDS = 4
"""Most rounds of steps at one time, each with twice as many as the one before, until what is left
is within the noise of the chains."""

WITHIN = 3.0
"""Standard errors of coefficients that count as that."""

RATE = 0.25
"""Share of a natural step that is taken in the first half of the steps. Chains need some sweeps to
follow the coefficients; whole steps would overshoot meanwhile."""

BURN_IN = 1000
"""Sweeps of the chains of a path before its first step."""


class MomentFits(NamedTuple):
    r"""Coefficients of given moments.

    Attributes
    ----------
    theta
        The coefficients.
    error
        Standard deviations of their Monte Carlo errors; 0 for exact fits.
    difference
        Moments of the model minus the given ones, per site: the gradient that is left. Means over
        the second half of the steps for sampled fits.
    noise
        Standard deviations of the Monte Carlo errors of the moments; 0 for exact fits.
    """

    theta: Float64[np.ndarray, "paths times coefficients"]
    error: Float64[np.ndarray, "paths times coefficients"]
    difference: Float64[np.ndarray, "paths times coefficients"]
    noise: Float64[np.ndarray, "paths times coefficients"]


@checked
def fit_moments(
    model: LatticeModel,
    moments: Float64[np.ndarray, "paths times coefficients"],
    guess: Float64[np.ndarray, "paths times coefficients"],
    *,
    seed: int | np.random.SeedSequence = 1,
) -> MomentFits:
    r"""Coefficients for which a visible model has given moments, along paths.

    They minimise the convex function $\tfrac1N \ln Z(\theta) - \theta \cdot \mu$. Each fit starts
    from the one at the time before, moved by the change of the guess; the first one from its guess.
    Models with an exact solution are fitted by `natural_gradient_fit`, others by natural-gradient
    steps with the moments and the metric of persistent Gibbs chains, which go on from one time to
    the next; the steps shrink over their second half, and the fit is the mean over it.

    Parameters
    ----------
    model
        A visible model.
    moments
        Its moments $\mu$ per site. Where no distribution of the model has them, coefficients
        become large, and `difference` stays.
    guess
        Coefficients that have about these moments.
    seed
        Seed of the chains.

    Raises
    ------
    ValueError
        If the model has hidden layers, numbers are not finite, there is no path or time, or JAX is
        in single precision.
    """
    where = "fit_moments"
    check_precision(where)
    check_range(where, "paths", len(moments), 1)
    check_range(where, "times", moments.shape[1], 1)
    if not model.is_visible:
        raise ValueError(
            f"{where}: `model` must be visible, got the hidden layers {model.species[1:]}; "
            "`fit_initial` fits models with hidden layers to summaries of states."
        )
    for name, values in (("`moments`", moments), ("`guess`", guess)):
        check_finite(where, name, values, ("path", "time", "coefficient"))
    try:
        solution = TransferMatrix(model)
    except ValueError:
        return _fit_sampled(model, moments, guess, seed)
    clamped = ClampedStatistics(model)
    theta, difference = in_batches(
        lambda targets, guesses: _follow(solution, clamped, targets, guesses),
        moments,
        guess,
        bytes_per_row=solution._bytes_per_row * (1 + len(model.terms)),
    )
    return MomentFits(theta, np.zeros_like(theta), difference, np.zeros_like(theta))


@functools.partial(jax.jit, static_argnums=(0, 1))
def _follow(
    solution: TransferMatrix, clamped: ClampedStatistics, moments: Array, guess: Array
) -> tuple[Array, Array]:
    """Exact fits of paths, one time after the other."""

    def fit(target: Array, start: Array) -> SnapshotFit:
        return natural_gradient_fit(
            solution, clamped, target, start, PRIOR, NEWTON_STEPS, largest=LARGEST_NEWTON_STEP
        )

    def advance_all(carry: tuple[Array, Array], now: tuple[Array, Array]) -> tuple:
        moved, guess_before = carry
        target, guess_now = now
        found = jax.vmap(fit)(target, moved + guess_now - guess_before)
        has_failed = jnp.abs(found.gradient).max(axis=1, keepdims=True) > FAILED
        moved = jnp.where(has_failed, guess_now, found.theta)
        return (moved, guess_now), (found.theta, found.gradient)

    by_time = jnp.swapaxes(moments, 0, 1), jnp.swapaxes(guess, 0, 1)
    start = by_time[1][0], by_time[1][0]
    _, found = jax.lax.scan(advance_all, start, by_time)
    theta, gradient = (jnp.swapaxes(values, 0, 1) for values in found)
    return theta, gradient


def _fit_sampled(
    model: LatticeModel,
    moments: np.ndarray,
    guess: np.ndarray,
    seed: int | np.random.SeedSequence,
) -> MomentFits:
    """Sampled fits of all paths side by side, each with its own chains."""
    sampler = GibbsSampler(model)
    n_paths, n_times, _ = moments.shape
    chains = start_random(model, n_paths * CHAINS, seed=seed)
    state = _State(advance(sampler, chains, guess[:, 0], BURN_IN), guess[:, 0], None)
    found = []
    for time in range(n_times):
        if time:
            state = state._replace(theta=state.theta + guess[:, time] - guess[:, time - 1])
        for attempt in range(ROUNDS):
            n_steps = (STEPS if time else FIRST * STEPS) * 2**attempt
            fit, state, is_over = _fit_one(sampler, state, moments[:, time], n_steps)
            if is_over:
                break
        found.append(fit)
    return MomentFits(*(np.stack(parts, axis=1) for parts in zip(*found, strict=True)))


class _State(NamedTuple):
    """Chains of all paths, their coefficients, and the running mean of their metrics."""

    chains: Chains
    theta: Float64[np.ndarray, "paths coefficients"]
    metric: Float64[np.ndarray, "paths coefficients coefficients"] | None


def _fit_one(
    sampler: GibbsSampler,
    state: _State,
    target: Float64[np.ndarray, "paths coefficients"],
    n_steps: int,
) -> tuple[MomentFits, _State, bool]:
    """Coefficients of one time for each path, the state after it, and whether it is their end.

    The fit is the mean over the second half of the steps, and one natural step more by the
    gradient that is left on average. The chains of a path see the same coefficients at all steps,
    so that the scatter between their means is the noise of that gradient; the metric turns it into
    the error of the coefficients. Where the last step is within this error, it is the end.
    """
    chains, theta, metric = state
    n_paths, n_coefficients = theta.shape
    n_sites, half = sampler.model.lattice.n_sites, n_steps // 2
    total, metrics = np.zeros_like(theta), np.zeros((*theta.shape, n_coefficients))
    by_chain = np.zeros((n_paths, CHAINS, n_coefficients))
    for step in range(n_steps):
        chains = advance(sampler, chains, theta, SWEEPS)
        values = sampler.model.statistics(chains.states).reshape(n_paths, CHAINS, n_coefficients)
        seen = n_sites * _covariances(values) + RIDGE * np.eye(n_coefficients)
        metric = remembered(metric, seen, MEMORY)
        gradient = target - values.mean(axis=1)
        rate = fading_rate(RATE, step, n_steps)
        if step >= half:
            total, metrics, by_chain = total + theta, metrics + seen, by_chain + values
        theta = theta + rate * np.array(
            [
                natural_step(one + np.diag(DAMPING * np.diag(one)), slope, largest=LARGEST_STEP)
                for one, slope in zip(metric, gradient, strict=True)
            ]
        )
    n_summed = n_steps - half
    by_chain /= n_summed
    inverse = np.linalg.inv(metrics / n_summed)
    noise = _covariances(by_chain) / CHAINS
    spread = np.einsum("pij,pjk,plk->pil", inverse, noise, inverse)
    error, of_moments = (np.sqrt(np.diagonal(c, axis1=1, axis2=2)) for c in (spread, noise))
    difference = by_chain.mean(axis=1) - target
    last_step = -np.einsum("pij,pj->pi", inverse, difference)
    last_step /= np.maximum(1.0, np.abs(last_step).max(axis=1, keepdims=True) / LARGEST_STEP)
    fit = MomentFits(total / n_summed + last_step, error, difference, of_moments)
    is_over = bool(np.all(np.abs(last_step) <= WITHIN * error))
    return fit, _State(chains, fit.theta, metric), is_over


def _covariances(
    values: Float64[np.ndarray, "paths chains coefficients"],
) -> Float64[np.ndarray, "paths coefficients coefficients"]:
    """Covariance of the values of the chains of each path."""
    away = values - values.mean(axis=1, keepdims=True)
    return np.einsum("pci,pcj->pij", away, away) / (values.shape[1] - 1)
