"""Learning the differential equations of a model, from data to a reduced model."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping
from typing import Any

import jax
import numpy as np
from jaxtyping import Float64

from dynboltz._arguments import checked
from dynboltz._numbers import check_finite, check_precision
from dynboltz._speaking import in_name_of, speaking_as
from dynboltz._warnings import LearningWarning, collected, warn
from dynboltz.distributions import LatticeModel, TransferMatrix, in_batches
from dynboltz.dynamics import AbstractVectorField, HermiteField, HermiteGrid, integrate
from dynboltz.sampling import GibbsSampler

from ._chain_moments import ChainMoments
from ._checkpoint import Checkpoint
from ._data import TrainingData, check_data
from ._moment_regression import fit_moment_regression
from ._objective import ExactMoments, MomentSource, SampledMoments
from ._parameters import allocate_with_margin
from ._reduced_model import ReducedModel
from ._settings import FitSettings, LearningSettings
from ._static import Progress, fit_trajectories
from ._times import time_step_of
from ._train import Criterion, train
from ._warm_start import MEMORY, VelocityPrior, warm_start

GIVEN = ("learn", "LearningSettings", "FitSettings", "HermiteGrid")
"""Functions and objects of the caller, which keep their names in messages."""
_FEWEST_POINTS, _MOST_POINTS = 500, 5000
"""Where velocities are expected; between these, one for every second snapshot."""
PRIOR_REACH = 1.0
"""How far from the trajectories velocities are expected, in cells."""
_LARGEST_VELOCITY = 1.2
"""Of those expected there, in units of the largest difference quotient of the trajectories."""
_JUDGING_SWEEPS = 30
"""From random units, where moments are those of persistent chains or of contrastive divergence."""
_NOTHING_EXPECTED = (
    "learn: the velocity prior {!r} has no point left around the trajectories, since all "
    "velocities that it expects there are larger than those of the trajectories, or cannot be "
    "reached by the model: the coefficients hardly move, or the law that it found does not hold. "
    "Learning goes on without the prior. If the data are not in a steady state, give more replicas "
    'or initial conditions that differ; `velocity_prior = "none"` leaves the prior out.'
)


@checked
def learn(
    model: LatticeModel,
    grids: Mapping[str, HermiteGrid],
    data: TrainingData,
    settings: LearningSettings,
    *,
    theta: Float64[np.ndarray, "initial_conditions times coefficients"] | None = None,
    metric: Float64[np.ndarray, "initial_conditions times coefficients coefficients"] | None = None,
    matching: AbstractVectorField | None = None,
    seed: int | np.random.SeedSequence = 0,
    progress: Progress | None = None,
    checkpoint: Checkpoint | None = None,
) -> ReducedModel:
    r"""Learn $F$ in $d\theta/dt = F(\theta; u)$ from trajectories.

    The warm start fits the coefficients to every snapshot, regresses linear moment equations, and
    solves for the degrees of freedom by least squares; Algorithm 1 then
    refines them through the adjoint. What is returned is the best iterate over all initial
    conditions and the whole time axis, the warm start being one of them, see `train`: the one with
    the smallest moment error, or with exact moments of a model with hidden units the largest
    likelihood, since the moments of hidden units depend on the coefficients themselves. Sampled
    moments are compared by short runs from random units, always with the same random numbers.

    Parameters
    ----------
    model
        The distribution.
    grids
        Hermite cells for the right-hand side of each coefficient, by name.
    data
        The trajectories.
    settings
        How to learn.
    theta
        Coefficients of every snapshot (`fit_trajectories`), fitted here if left out.
    metric
        Fisher metric of every snapshot, for models without an exact solution
        (`fit_trajectories_sampled`); their warm start has no velocity prior.
    matching
        The field of entropic matching (`dynboltz.closures.entropic_matching`), for the velocity
        prior of this name, which is part of the warm start alone.
    seed
        Seed of everything random.
    progress
        Called with the state of affairs as learning proceeds.
    checkpoint
        Where the training goes on from, and is kept while it goes on.

    Returns
    -------
    learned
        The reduced model, with the history of its errors, whose last entry is that of the model.

    Raises
    ------
    ValueError
        If grids, settings, data or `matching` do not fit the model or each other, if a number is
        not finite, or if JAX is in single precision.
    OutsideBoxError, FloatingPointError
        If a trajectory leaves its box, or is not finite.

    Warns
    -----
    LearningWarning
        If training improved nothing, or ended worse than the warm start; what was warned of are
        also the `notes` of the model.
    """
    check_precision("learn")
    if settings.moments == "gibbs" and not model.is_visible:
        raise ValueError(
            'LearningSettings: `moments = "gibbs"` is for visible models; use '
            '"contrastive-divergence" or "exact" for a model with hidden layers.'
        )
    if (settings.velocity_prior == "entropic-matching") != (matching is not None):
        raise ValueError(
            'learn: `matching` belongs to `velocity_prior = "entropic-matching"`; give both or '
            f"neither, got velocity_prior {settings.velocity_prior!r}."
        )
    with collected() as said, speaking_as("learn", keep=GIVEN):
        learned = _learn(
            model, grids, data, settings, theta, metric, matching, seed, progress, checkpoint
        )
    notes = [in_name_of("learn", text, GIVEN) for text in said]
    for note in notes:
        warn(note, LearningWarning)
    return dataclasses.replace(learned, notes=tuple(notes))


def _learn(
    model: LatticeModel,
    grids: Mapping[str, HermiteGrid],
    data: TrainingData,
    settings: LearningSettings,
    theta: Float64[np.ndarray, "initial_conditions times coefficients"] | None,
    metric: Float64[np.ndarray, "initial_conditions times coefficients coefficients"] | None,
    matching: AbstractVectorField | None,
    seed: int | np.random.SeedSequence,
    progress: Progress | None,
    checkpoint: Checkpoint | None,
) -> ReducedModel:
    data = check_data("learn", data, model.coefficients)
    if len(data.times) < 2:
        raise ValueError("learn: `data.times` must hold two or more times, got one.")
    snapshots = (len(data.initial), len(data.times))
    for name, array in (("theta", theta), ("metric", metric)):
        if array is not None and array.shape[:2] != snapshots:
            raise ValueError(
                f"learn: `{name}` must have an entry for each initial condition and time of "
                f"`data`, {snapshots}, got shape {array.shape}."
            )
    if theta is not None:
        axes = ("initial condition", "time", "coefficient")
        check_finite("learn", "`theta`", theta, axes)
    if metric is not None:
        axes = ("initial condition", "time", "row", "column")
        check_finite("learn", "`metric`", metric, axes)
    n_times = _times_until(data.times, settings.until)
    data = data._replace(
        times=data.times[:n_times],
        summaries=None if data.summaries is None else data.summaries[:, :n_times],
    )
    theta = None if theta is None else theta[:, :n_times]
    metric = None if metric is None else metric[:, :n_times]
    sequence = seed if isinstance(seed, np.random.SeedSequence) else np.random.SeedSequence(seed)
    for_points, for_samples, for_order, for_judge = sequence.spawn(4)
    report = progress or (lambda _: None)
    time_step = time_step_of(data.times)
    field = HermiteField.zeros(model.coefficients, grids)
    prior = None
    if settings.warm_start:
        report({"stage": "warm start", "step": 0, "total": 1})
        if theta is None:
            theta = fit_trajectories(model, data, FitSettings())
        if metric is not None:
            field = _start_sampled(field, data, theta, metric, settings)
        else:
            field, prior = _start(model, field, data, theta, settings, matching, for_points)
        report({"stage": "warm start", "step": 1, "total": 1})
    source = _source(model, data, settings, for_samples)
    field, history = train(
        field,
        data,
        source,
        settings,
        prior=prior,
        judge=_judge(model, data, settings, source, for_judge),
        criterion=_criterion(model, settings),
        time_step=time_step,
        seed=for_order,
        progress=progress,
        checkpoint=checkpoint,
    )
    learned = (float(data.times[0]), float(data.times[-1]))
    return ReducedModel(
        model, field, time_step, settings.method, settings.substeps, history, learned_times=learned
    )


def _times_until(times: Float64[np.ndarray, " times"], until: float | None) -> int:
    """Number of times up to `until`, those that round to it included."""
    if until is None:
        return len(times)
    n_times = int(np.sum(times <= until + 1e-9 * abs(until)))
    if n_times < 2:
        raise ValueError(
            f"learn: `until` must be at least {times[1]:g}, the second time of the data, got "
            f"{until:g}."
        )
    return n_times


def _source(
    model: LatticeModel,
    data: TrainingData,
    settings: LearningSettings,
    seed: np.random.SeedSequence,
) -> MomentSource:
    if settings.moments == "exact":
        return ExactMoments(TransferMatrix(model), data)
    sampler = GibbsSampler(model)
    if settings.moments in ("short-run", "persistent"):
        return ChainMoments(
            sampler,
            data,
            replicas=settings.replicas,
            chains=settings.chains,
            sweeps=settings.sweeps,
            persistent=settings.moments == "persistent",
            seed=seed,
        )
    return SampledMoments(sampler, data, settings.replicas, settings.sweeps, seed)


def _judge(
    model: LatticeModel,
    data: TrainingData,
    settings: LearningSettings,
    source: MomentSource,
    seed: np.random.SeedSequence,
) -> MomentSource:
    """What compares iterates: moments that are exact, or of short runs that know no data.

    Contrastive divergence is no measure: after few sweeps from the data, a model whose chains
    hardly move agrees with any data.
    """
    if settings.moments == "exact":
        return source
    sweeps = settings.sweeps
    return ChainMoments(
        GibbsSampler(model),
        data,
        replicas=None if data.summaries is not None else settings.replicas,
        chains=settings.chains,
        sweeps=sweeps if settings.moments == "short-run" else max(sweeps, _JUDGING_SWEEPS),
        persistent=False,
        seed=seed,
    )


def _criterion(model: LatticeModel, settings: LearningSettings) -> Criterion:
    """Moments of hidden units depend on the coefficients themselves; a likelihood does not."""
    hidden = not model.is_visible and settings.moments == "exact"
    return "negative_log_likelihood" if hidden else "moment_error"


def _start_sampled(
    field: HermiteField,
    data: TrainingData,
    theta: Float64[np.ndarray, "initial_conditions times coefficients"],
    metric: Float64[np.ndarray, "initial_conditions times coefficients coefficients"],
    settings: LearningSettings,
) -> HermiteField:
    field = allocate_with_margin(field, theta.reshape(-1, theta.shape[-1]))
    return warm_start(
        field,
        data.times,
        theta,
        metric,
        settings.smoothness,
        method=settings.method,
        substeps=settings.substeps,
        time_step=time_step_of(data.times),
    )


def _start(
    model: LatticeModel,
    field: HermiteField,
    data: TrainingData,
    theta: Float64[np.ndarray, "initial_conditions times coefficients"],
    settings: LearningSettings,
    matching: AbstractVectorField | None,
    seed: np.random.SeedSequence,
) -> tuple[HermiteField, VelocityPrior | None]:
    solution = TransferMatrix(model)
    flat = theta.reshape(-1, theta.shape[-1])
    metric = solution.batch_fisher(flat).reshape(*theta.shape, -1)
    prior = None
    time_step = time_step_of(data.times)
    integrator: dict[str, Any] = {
        "method": settings.method,
        "substeps": settings.substeps,
        "time_step": time_step,
    }
    expected = None
    if matching is not None:
        expected = functools.partial(_matched_velocities, matching)
    elif settings.velocity_prior == "moment-regression" and data.summaries is not None:
        expected = fit_moment_regression(
            solution, theta, data.summaries, data.times, **integrator
        ).sample_velocities
    if expected is not None:
        points = _points_around(field, theta, seed)
        step = time_step / settings.substeps if settings.method == "euler" else None
        differences = np.diff(theta, axis=1) / np.diff(data.times)[:, None]
        largest = _LARGEST_VELOCITY * np.abs(differences).max(axis=(0, 1))
        points, velocities = expected(points, step, largest)
        if len(points):
            at_points = solution.batch_fisher(points)
            prior = VelocityPrior(points, velocities, at_points, MEMORY * time_step)
        else:
            warn(_NOTHING_EXPECTED.format(settings.velocity_prior), LearningWarning)
    if prior is None:
        field = allocate_with_margin(field, flat)
    else:
        field = field.allocate(np.concatenate([flat, prior.points]))
    start = warm_start(field, data.times, theta, metric, settings.smoothness, prior, **integrator)
    # Training knows better than entropic matching, which leaves the family's errors in.
    return start, prior if matching is None else None


def _matched_velocities(
    matching: AbstractVectorField,
    points: Float64[np.ndarray, "points coefficients"],
    step: float | None,
    largest: Float64[np.ndarray, " coefficients"],
) -> tuple[Float64[np.ndarray, "kept coefficients"], Float64[np.ndarray, "kept coefficients"]]:
    """Velocities by entropic matching, with a step as Euler's method needs them.

    Points where the velocity of a coefficient is beyond `largest` are left out: in dense lattices
    velocities grow beyond what finite elements follow, who would then err where trajectories are.
    """
    velocities = in_batches(jax.jit(jax.vmap(matching)), points)
    kept = np.all(np.abs(velocities) <= largest, axis=1)
    points, velocities = points[kept], velocities[kept]
    if step is not None:
        moved = integrate(matching, points, np.array([0.0, step]), method="rk4", substeps=4)
        velocities = (np.asarray(moved[:, -1]) - points) / step
    return points, velocities


def prior_points(n_initial: int, n_times: int) -> int:
    """Number of points where velocities are expected."""
    return int(np.clip(n_initial * n_times // 2, _FEWEST_POINTS, _MOST_POINTS))


def _points_around(
    field: HermiteField,
    theta: Float64[np.ndarray, "initial_conditions times coefficients"],
    seed: np.random.SeedSequence,
) -> Float64[np.ndarray, "points coefficients"]:
    """Random points up to a cell away from the trajectories, most of them near their beginnings.

    A third of the points is near the first two times, a third near the next ones up to a twentieth
    of the time axis, the rest anywhere; there trajectories are fast, far apart and short.
    """
    random = np.random.default_rng(seed)
    n_initial, n_times, n_coefficients = theta.shape
    early = max(2, n_times // 20)
    third = prior_points(n_initial, n_times) // 3
    times = np.concatenate([random.integers(0, last, third) for last in (2, early, n_times)])
    near = theta[random.integers(0, n_initial, len(times)), np.minimum(times, n_times - 1)]
    cells = np.ones(n_coefficients)
    for function in field.functions:
        cells[field.arguments(function)] = function.grid.cell
    return near + PRIOR_REACH * cells * random.uniform(-1, 1, near.shape)
