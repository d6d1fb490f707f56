"""Boltzmann-machine learning of snapshots."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Float64, Shaped, UInt8

from dynboltz._arguments import checked
from dynboltz._numbers import check_finite, check_precision
from dynboltz._typing import AnyArray
from dynboltz._warnings import LearningWarning, warn
from dynboltz.distributions import (
    AbstractSolution,
    ClampedStatistics,
    LatticeModel,
    TransferMatrix,
    in_batches,
)
from dynboltz.lattices import check_states
from dynboltz.sampling import GibbsSampler, contrastive_divergence

from ._data import TrainingData, check_data
from ._natural_gradient import natural_gradient_fit
from ._optimiser import optimiser_step
from ._settings import FitSettings

Progress = Callable[[dict], None]

_MOST_TUPLES = 64
"""States of a transfer matrix up to which sampled fits are compared with their starts."""

WORSE = "fits end worse than they start"
"""What warnings of such fits say."""

SMALLEST = 1e-6
"""Norm of moments that residuals are relative to, at least."""

EDGE = 100.0
"""A coefficient so large leaves no trace of what it forbids: a weight of exp(-100) beside 1."""


class InitialFits(NamedTuple):
    r"""Coefficients of single snapshots.

    Attributes
    ----------
    theta
        Coefficients of each snapshot.
    residual
        $|\langle \mu - \tilde\mu - \pi (\theta - \theta_0) \rangle| / |\langle \mu \rangle|$, means
        over the second half of the steps: 0, but for the noise of the chains, for a fit that has
        come to its end. With contrastive divergence, $\tilde\mu$ is the reconstruction, and there
        is no prior.
    """

    theta: Float64[np.ndarray, "snapshots coefficients"]
    residual: Float64[np.ndarray, " snapshots"]


def starting_point(
    model: LatticeModel, settings: FitSettings
) -> Float64[np.ndarray, " coefficients"]:
    """Coefficients where fits start.

    Raises
    ------
    ValueError
        If `settings.start` names a coefficient that the model lacks.
    """
    unknown = set(settings.start) - set(model.coefficients)
    if unknown:
        raise ValueError(
            f"FitSettings: `start` names {sorted(unknown)}; the coefficients are "
            f"{model.coefficients}."
        )
    return np.array([float(settings.start.get(name, 0.0)) for name in model.coefficients])


def warn_of_idle_units(
    where: str,
    model: LatticeModel,
    starts: Float64[np.ndarray, "*rows coefficients"],
    settings: FitSettings,
) -> None:
    """Warn of hidden species that begin without any weight, which then hardly learns.

    Where all weights of a hidden unit are 0, it is independent of the others: the gradient of the
    weights vanishes as soon as the visible biases fit, and the hidden bias has no gradient at all.
    Weights that `settings.start` names are taken to be meant.
    """
    rows = np.asarray(starts).reshape(-1, len(model.coefficients))
    idle = []
    for species in (name for layer in model.layers[1:] for name in layer.species):
        own = [
            (term.name, column)
            for term, column in zip(model.terms, rows.T, strict=True)
            if any(
                species in {factor.species for factor in product}
                and len({factor.layer for factor in product}) > 1
                for product in term.products
            )
        ]
        without = np.all([column == 0 for _, column in own], axis=0) if own else np.zeros(1, bool)
        if without.any() and not any(name in settings.start for name, _ in own):
            idle += [name for name, _ in own if name not in idle]
    if idle:
        example = f"FitSettings(start={{{idle[0]!r}: 0.5}})"
        warn(
            f"{where}: the fit starts with {', '.join(idle)} at 0, where the gradient of a weight "
            "to hidden units vanishes: they stay without effect, and what is returned is the fit "
            f"of a model without them. Start elsewhere, such as `{example}`.",
            LearningWarning,
        )


@checked
def fit_initial(
    model: LatticeModel,
    summaries: Float64[np.ndarray, "snapshots features"],
    settings: FitSettings,
    *,
    solution: AbstractSolution | None = None,
) -> Float64[np.ndarray, "snapshots coefficients"]:
    """Fit the coefficients of single snapshots with exact moments.

    This is the learning of a Boltzmann machine, one for each snapshot; it makes the initial
    conditions of models with hidden units.

    Parameters
    ----------
    model
        The model.
    summaries
        Summaries of the snapshots, see `ClampedStatistics`.
    settings
        How to fit.
    solution
        Exact solution of the model, by default its transfer matrix.

    Returns
    -------
    theta
        Coefficients of each snapshot.

    Raises
    ------
    ValueError
        If a summary is not finite or not possible, or JAX is in single precision.

    Warns
    -----
    LearningWarning
        If a fit ends so far out that no sample would differ: the summary is at the edge of what is
        possible, or beyond.
    """
    check_precision("fit_initial")
    check_finite("fit_initial", "`summaries`", summaries, ("snapshot", "feature"))
    solution = TransferMatrix(model) if solution is None else solution
    clamped = ClampedStatistics(model)
    if not len(summaries) or summaries.shape[1] != clamped.n_features:
        raise ValueError(
            f"fit_initial: `summaries` must have shape (snapshots, {clamped.n_features}), the "
            f"features of `model`, with one snapshot or more; got {summaries.shape}."
        )
    clamped.check_possible("fit_initial", summaries)
    start = starting_point(model, settings)
    warn_of_idle_units("fit_initial", model, start, settings)
    theta = _fit_all(solution, clamped, summaries, start, settings)
    _warn_of_edges("fit_initial", model, theta)
    return theta


def _fit_all(
    solution: AbstractSolution,
    clamped: ClampedStatistics,
    summaries: Float64[np.ndarray, "snapshots features"],
    start: Float64[np.ndarray, " coefficients"],
    settings: FitSettings,
) -> Float64[np.ndarray, "snapshots coefficients"]:
    if settings.optimiser == "natural":

        def fit(summaries, starts):
            limits = settings.prior_strength, settings.steps
            return _fit(solution, clamped, summaries, starts, *limits)

        return in_batches(fit, summaries, np.tile(start, (len(summaries), 1)))
    targets = jnp.asarray(summaries)
    return np.asarray(_descend(solution, clamped, targets, jnp.asarray(start), settings))


def check_any_states(where: str, states: UInt8[np.ndarray, "snapshots replicas sites"]) -> None:
    """Raise unless there are snapshots, each with a replica."""
    if 0 in states.shape[:2]:
        raise ValueError(
            f"{where}: `states` must have one or more snapshots and replicas, got shape "
            f"{states.shape}."
        )


def _warn_of_edges(
    where: str, model: LatticeModel, theta: Float64[np.ndarray, "snapshots coefficients"]
) -> None:
    far = np.abs(theta) > EDGE
    if far.any():
        row, column = np.argwhere(far)[0]
        warn(
            f"{where}: {far.any(axis=1).sum()} of {len(theta)} fits end at coefficients beyond "
            f"{EDGE:g} (first {model.coefficients[column]} = {theta[row, column]:.3g} of snapshot "
            f"{row}): their summaries are at the edge of what is possible, or such as no "
            "distribution of the model has. Look at the summaries, or set `prior_strength`.",
            LearningWarning,
        )


def warn_of_worse_fits(
    where: str,
    model: LatticeModel,
    states: UInt8[np.ndarray, "snapshots replicas sites"],
    starts: Float64[np.ndarray, "*snapshots coefficients"],
    theta: Float64[np.ndarray, "snapshots coefficients"],
    decay: Float64[np.ndarray, " coefficients"] | float = 0.0,
) -> None:
    r"""Warn if fits end less likely than they start, where likelihoods are known exactly.

    A fit is worse if the states of its snapshot are less likely by more than a factor of $e$, with
    the prior $e^{-\tfrac12 \sum_k d_k \theta_k^2}$ a site of a decay $d$. Nothing is said of models
    without an exact solution, of large transfer matrices, and in single precision.
    """
    try:
        check_precision(where)
        solution, clamped = TransferMatrix(model), ClampedStatistics(model)
    except ValueError:
        return
    if solution.n_labels ** (solution.window - 1) > _MOST_TUPLES:
        return
    n_snapshots, n_replicas, n_sites = states.shape
    summaries = clamped.summarise(states.reshape(-1, n_sites)).reshape(n_snapshots, n_replicas, -1)
    rows = np.broadcast_to(starts, theta.shape)
    before, after = (
        in_batches(
            functools.partial(_negative_log_likelihoods, solution, clamped),
            at,
            summaries.mean(axis=1),
        )
        + 0.5 * np.sum(decay * at**2, axis=1)
        for at in (rows, theta)
    )
    worse = ~((after - before) * n_replicas * n_sites <= 1)
    if worse.any():
        row = int(worse.argmax())
        warn(
            f"{where}: {worse.sum()} of {len(theta)} {WORSE}: the negative "
            f"log-likelihood per site of snapshot {row} rose from {before[row]:.6g} to "
            f"{after[row]:.6g}. Choose a lower `learning_rate`, more `steps`, or exact `moments`.",
            LearningWarning,
        )


@functools.partial(jax.jit, static_argnums=(0, 1))
def _negative_log_likelihoods(solution, clamped, thetas, summaries):
    def value(theta, summary):
        return solution.free_energy(theta) - clamped.log_weight(theta, summary)

    return jax.vmap(value)(thetas, summaries)


@checked
def fit_initial_contrastive(
    model: LatticeModel,
    states: Shaped[AnyArray, "snapshots replicas sites"],
    settings: FitSettings,
    *,
    seed: int | np.random.SeedSequence,
    progress: Progress | None = None,
) -> InitialFits:
    """Fit the coefficients of single snapshots with moments by contrastive divergence.

    Parameters
    ----------
    model
        The model.
    states
        Visible states of each snapshot.
    settings
        How to fit.
    seed
        Seed of the batches and of the samples.
    progress
        Called after each step.

    Returns
    -------
    fits
        Coefficients of each snapshot after the last step, and how far they are from their end.

    Raises
    ------
    TypeError, ValueError
        If the states do not fit the model, or JAX is in single precision.

    Warns
    -----
    LearningWarning
        If the states are less likely after the fit than before, for models with an exact solution.
    """
    check_precision("fit_initial_contrastive")
    shape = ("snapshots", "replicas", model.lattice.n_sites)
    states = check_states("fit_initial_contrastive", states, model.species[0], shape)
    check_any_states("fit_initial_contrastive", states)
    n_snapshots, n_replicas, n_sites = states.shape
    batch = min(settings.batch or n_replicas, n_replicas)
    sampler = GibbsSampler(model)
    start = starting_point(model, settings)
    warn_of_idle_units("fit_initial_contrastive", model, start, settings)
    theta = jnp.asarray(np.tile(start, (n_snapshots, 1)))
    optimiser = _optimiser(settings, settings.learning_rate)
    memory = optimiser.init(theta)
    chosen_by, drawn_by = _sequence(seed).spawn(2)
    choice = np.random.default_rng(chosen_by)
    left, of_data = np.zeros(theta.shape), np.zeros(theta.shape)
    for step, draw in enumerate(drawn_by.spawn(settings.steps)):
        chosen = np.argsort(choice.random((n_snapshots, n_replicas)), axis=1)[:, :batch]
        data = np.take_along_axis(states, chosen[:, :, None], axis=1).reshape(-1, n_sites)
        moments = contrastive_divergence(sampler, np.asarray(theta), data, 1, seed=draw)
        difference = (moments.asleep - moments.awake).reshape(n_snapshots, batch, -1).mean(axis=1)
        if step >= settings.steps // 2:
            left += difference
            of_data += moments.awake.reshape(n_snapshots, batch, -1).mean(axis=1)
        updates, memory = optimiser_step(optimiser, jnp.asarray(difference), memory)
        theta = jnp.add(theta, jnp.asarray(updates))
        if progress:
            error = float(np.sqrt(np.mean(difference**2)))
            progress(
                {"stage": "fit", "step": step + 1, "total": settings.steps, "moment_error": error}
            )
    warn_of_worse_fits("fit_initial_contrastive", model, states, start, np.asarray(theta))
    size = np.maximum(np.linalg.norm(of_data, axis=1), SMALLEST)
    return InitialFits(np.asarray(theta), np.linalg.norm(left, axis=1) / size)


@checked
def fit_trajectories(
    model: LatticeModel,
    data: TrainingData,
    settings: FitSettings,
    *,
    solution: AbstractSolution | None = None,
) -> Float64[np.ndarray, "initial_conditions times coefficients"]:
    """Fit the coefficients of all snapshots, each starting from those of the snapshot before.

    The prior pulls towards the previous snapshot, so that coefficients which the data cannot tell
    apart move as little as possible.

    Parameters
    ----------
    model
        The model.
    data
        The trajectories; `data.initial` are the coefficients of the first snapshot.
    settings
        `steps` and `prior_strength` are used; moments are exact.
    solution
        Exact solution of the model, by default its transfer matrix.

    Returns
    -------
    theta
        Coefficients at all times.

    Raises
    ------
    ValueError
        If a number of the data is not finite, or JAX is in single precision.
    """
    check_precision("fit_trajectories")
    data = check_data("fit_trajectories", data, model.coefficients)
    solution = TransferMatrix(model) if solution is None else solution
    clamped = ClampedStatistics(model)

    if data.summaries is None:
        raise ValueError("fit_trajectories: `data.summaries` is needed, see `summarise`; got None.")
    if data.summaries.shape[2] != clamped.n_features:
        raise ValueError(
            f"fit_trajectories: `data.summaries` must have {clamped.n_features} features, those of "
            f"`model`, got shape {data.summaries.shape}."
        )
    clamped.check_possible("fit_trajectories", data.summaries)
    warn_of_idle_units("fit_trajectories", model, data.initial, settings)
    initial, later = jnp.asarray(data.initial), jnp.asarray(data.summaries[:, 1:])
    theta = _follow(solution, clamped, later, initial, settings.prior_strength, settings.steps)
    return np.concatenate([data.initial[:, None], np.asarray(theta)], axis=1)


@functools.partial(jax.jit, static_argnums=(0, 1))
def _fit(solution, clamped, summaries, starts, prior_strength, steps):
    def fit(summary, start):
        return natural_gradient_fit(solution, clamped, summary, start, prior_strength, steps).theta

    return jax.vmap(fit)(summaries, starts)


@functools.partial(jax.jit, static_argnums=(0, 1))
def _follow(solution, clamped, summaries, starts, prior_strength, steps):
    def advance(thetas, summaries):
        thetas = _fit(solution, clamped, summaries, thetas, prior_strength, steps)
        return thetas, thetas

    thetas = jax.lax.scan(advance, starts, jnp.swapaxes(summaries, 0, 1))[1]
    return jnp.swapaxes(thetas, 0, 1)


def _descend(solution, clamped, summaries, start, settings):
    rate = optax.cosine_decay_schedule(settings.learning_rate, settings.steps)
    optimiser = _optimiser(settings, rate)

    def objective(theta, summary):
        away = 0.5 * settings.prior_strength * jnp.sum((theta - start) ** 2)
        return solution.free_energy(theta) - clamped.log_weight(theta, summary) + away

    def fit(summary):
        def step(carry, _):
            theta, memory, best, least = carry
            value, gradient = jax.value_and_grad(objective)(theta, summary)
            better = value < least
            best, least = jnp.where(better, theta, best), jnp.where(better, value, least)
            updates, memory = optimiser_step(optimiser, gradient, memory)
            return (theta + updates, memory, best, least), None

        carry = (start, optimiser.init(start), start, jnp.asarray(jnp.inf, start.dtype))
        last, _, best, least = jax.lax.scan(step, carry, None, length=settings.steps)[0]
        return jnp.where(objective(last, summary) < least, last, best)

    return jax.jit(jax.vmap(fit))(summaries)


def _optimiser(settings: FitSettings, rate) -> optax.GradientTransformation:
    return optax.adam(rate) if settings.optimiser == "adam" else optax.sgd(rate)


def _sequence(seed: int | np.random.SeedSequence) -> np.random.SeedSequence:
    return seed if isinstance(seed, np.random.SeedSequence) else np.random.SeedSequence(seed)
