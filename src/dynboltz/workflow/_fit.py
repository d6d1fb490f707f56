"""The second stage: coefficients of single snapshots."""

from __future__ import annotations

from functools import partial
from typing import Any

import jax
import numpy as np
import xarray as xr
from jaxtyping import Float64, Shaped, UInt8

from dynboltz._numbers import check_finite
from dynboltz._warnings import collected
from dynboltz.distributions import ClampedStatistics
from dynboltz.evaluation._squared_errors import N_HALVES
from dynboltz.learning import (
    InitialFits,
    TrainingData,
    clamped_statistics,
    fit_initial,
    fit_initial_contrastive,
    fit_initial_persistent,
    fit_trajectories,
    fit_trajectories_sampled,
    summarise,
)
from dynboltz.learning._static import WORSE

from ._directory import ResultDirectory
from ._experiment import Experiment, ReducedModelPlan
from ._fingerprint import fit_fingerprint
from ._initial_states import known_coefficients
from ._lineage import lineage
from ._parts import PARTS, padded
from ._progress import Progress, silent
from ._seeds import Purpose, derive_seed
from ._side_by_side import side_by_side
from ._simulate import open_part
from ._states import States, blocks_ahead, replicas_by_start
from ._stored import outdated, write_product
from ._timings import timed

KIND = "dynboltz-fit"
HALVES = "initial_of_halves"
"""Coefficients at time 0 that were fitted to either half of the replicas."""


def fit(experiment: Experiment, directory: ResultDirectory, *, progress: Progress = silent) -> None:
    """Find the coefficients of every model at time 0, and over time for a warm start."""
    fingerprint = partial(fit_fingerprint, experiment)
    plans = outdated(experiment.plans, directory.fit, KIND, fingerprint)
    if not plans:
        return
    resumed = len(plans) < len(experiment.plans)
    with timed(directory, "fit", resumed=resumed), jax.enable_x64(True):
        summaries = _summaries(experiment, directory, plans, progress)
        states = {part: initial_states(experiment, directory, part) for part in PARTS}
        training = States(open_part(experiment, directory, "train"))

        origin = lineage(experiment, directory, *map(directory.trajectories, PARTS))

        def fit_one(plan: ReducedModelPlan) -> None:
            progress({"stage": "fit", "model": plan.name, "step": 0, "total": 1})
            train = summaries.get(plan.name)
            with collected() as notes:  # `fit_warnings` says it when the model is evaluated.
                fitted = _fit_model(experiment, plan, train, states, training, progress)
            worse = [note.partition(": ")[2] for note in notes if WORSE in note]
            if worse:
                fitted.attrs["worse"] = list(dict.fromkeys(worse))
            write_product(fitted, directory.fit(plan.name), origin)
            progress({"stage": "fit", "model": plan.name, "step": 1, "total": 1})

        side_by_side(fit_one, plans)


def _summaries(
    experiment: Experiment,
    directory: ResultDirectory,
    plans: list[ReducedModelPlan],
    progress: Progress,
) -> dict[str, Float64[np.ndarray, "initial_conditions times features"]]:
    """Summaries of the training data, for all models whose hidden units can be summed out."""
    trajectories = open_part(experiment, directory, "train")
    n_initial = len(replicas_by_start(trajectories)[0])
    statistics = {plan.name: clamped_statistics(plan.model) for plan in plans}
    n_times = {plan.name: len(plan.learned_times(experiment.times)) for plan in plans}
    clamped = {name: found for name, found in statistics.items() if found is not None}
    found = {name: [np.zeros(())] * n_initial for name in clamped}
    for number, share, states in blocks_ahead(trajectories):
        for name, known in clamped.items():
            means = summarise(known, states[:, : n_times[name]])
            found[name][number] = found[name][number] + share * means
        progress({"stage": "summarise", "step": number + 1, "total": n_initial})
    return {name: np.array(values) for name, values in found.items()}


def initial_states(
    experiment: Experiment, directory: ResultDirectory, part: str
) -> list[UInt8[np.ndarray, "_ sites"]]:
    """States at the first time of each initial condition of one part of the trajectories."""
    trajectories = open_part(experiment, directory, part)
    states = trajectories.state[:, 0].values.reshape(-1, experiment.lattice.n_sites)
    return np.split(states, replicas_by_start(trajectories)[0][1:])


def half_of(replicas: Shaped[np.ndarray, "replicas ..."], half: int) -> Shaped[np.ndarray, "_ ..."]:
    """Half 0 or 1 of the replicas of an initial condition; a single one belongs to both."""
    return replicas[half::N_HALVES] if len(replicas) > 1 else replicas


def _as_many(
    states: list[UInt8[np.ndarray, "_ sites"]],
) -> UInt8[np.ndarray, "initial_conditions replicas sites"]:
    """As many states of each initial condition as the one with the fewest replicas has."""
    fewest = min(map(len, states))
    return np.array([replicas[:fewest] for replicas in states])


def _fit_model(
    experiment: Experiment,
    plan: ReducedModelPlan,
    train: Float64[np.ndarray, "initial_conditions times features"] | None,
    states: dict[str, list[np.ndarray]],
    training_states: States,
    progress: Progress,
) -> xr.Dataset:
    fits = {part: _initial(experiment, plan, part, states[part]) for part in PARTS}
    initial = {part: fit.theta for part, fit in fits.items()}
    for part, theta in initial.items():
        _check_fit(plan, f"initial coefficients ({part})", theta, ("initial condition",))
    data = TrainingData(
        plan.learned_times(experiment.times),
        initial["train"],
        train,
        training_states,
        training_states.n_replicas,
        training_states.expect,
    )
    dims = ("initial_condition", "time")
    n_rows = max(map(len, initial.values()))
    of_parts = ("part", "initial_condition", "coefficient")
    variables: dict[str, Any] = {
        "initial": (of_parts, padded(initial)),
        "initial_residual": (
            ("part", "initial_condition"),
            padded({part: fit.residual for part, fit in fits.items()}),
        ),
    }
    if plan.initial == "fitted":
        halves = [
            padded(
                {part: _initial(experiment, plan, part, states[part], h).theta for part in PARTS}
            )
            for h in range(N_HALVES)
        ]
        variables[HALVES] = (("half", *of_parts), np.array(halves))
    if train is not None:
        variables["summary"] = ((*dims, "feature"), _rows(train, n_rows))
    if plan.follows_snapshots:
        for name, values in _follow(experiment, plan, data, progress).items():
            more = ("coefficient", "other_coefficient")[: values.ndim - 2]
            variables[name] = ((*dims, *more), _rows(values, n_rows))
    return xr.Dataset(
        variables,
        coords={
            "part": list(PARTS),
            "time": ("time", data.times, {"units": "1"}),
            "coefficient": list(plan.model.coefficients),
        },
        attrs={
            "kind": KIND,
            "model": plan.name,
            "fingerprint": fit_fingerprint(experiment, plan.name),
            "n_initial_conditions": {part: len(values) for part, values in initial.items()},
        },
    )


def _follow(
    experiment: Experiment, plan: ReducedModelPlan, data: TrainingData, progress: Progress
) -> dict[str, np.ndarray]:
    """Coefficients of all snapshots; if sampled, also their metric and what is left to do."""
    axes = ("initial condition", "time")
    if plan.fit.moments != "persistent":
        theta = np.asarray(fit_trajectories(plan.model, data, plan.fit))
        _check_fit(plan, "coefficients of the snapshots", theta, axes)
        return {"theta": theta}

    def report(step: dict[str, Any]) -> None:
        progress({**step, "model": plan.name, "unit": "snapshots"})

    seed = derive_seed(experiment, "train", Purpose.FOLLOWING, name=plan.name)
    fits = fit_trajectories_sampled(plan.model, data, plan.fit, seed=seed, progress=report)
    _check_fit(plan, "coefficients of the snapshots", fits.theta, axes)
    return fits._asdict()


def _check_fit(plan: ReducedModelPlan, what: str, theta: np.ndarray, axes: tuple[str, ...]) -> None:
    """Raise unless fitted coefficients are finite, before they are stored."""
    check_finite(
        f"fit of {plan.name}",
        f"the {what}",
        theta,
        (*axes, "coefficient"),
        advice="Give the fit a prior (`prior_strength`), a smaller `learning_rate` or more states.",
    )


def _rows(
    values: Float64[np.ndarray, "initial_conditions ..."], n_rows: int
) -> Float64[np.ndarray, "rows ..."]:
    """Fill up with rows of NaN."""
    return padded({"values": values, "rows": np.empty((n_rows, *values.shape[1:]))})[0]


def _initial(
    experiment: Experiment,
    plan: ReducedModelPlan,
    part: str,
    states: list[UInt8[np.ndarray, "_ sites"]],
    half: int | None = None,
) -> InitialFits:
    """Coefficients at time 0, known or fitted to all replicas or to a half of them.

    The residual is that of fits by sampling, otherwise NaN.
    """
    if plan.initial != "fitted":
        return _with_residual(_given_or_known(experiment, plan, part, len(states)))
    seed = derive_seed(experiment, part, Purpose.FITS, name=plan.name)
    if half is not None:
        seed = derive_seed(experiment, part, Purpose.FITS_OF_HALVES, name=plan.name, number=half)
        states = [half_of(replicas, half) for replicas in states]
    if plan.fit.moments == "persistent":
        return fit_initial_persistent(plan.model, _as_many(states), plan.fit, seed=seed)
    if plan.fit.moments != "exact":
        return fit_initial_contrastive(plan.model, _as_many(states), plan.fit, seed=seed)
    clamped = ClampedStatistics(plan.model)
    summaries = np.array([clamped.summarise(replicas).mean(axis=0) for replicas in states])
    return _with_residual(fit_initial(plan.model, summaries, plan.fit))


def _with_residual(theta: np.ndarray) -> InitialFits:
    return InitialFits(np.asarray(theta), np.full(len(theta), np.nan))


def _given_or_known(
    experiment: Experiment, plan: ReducedModelPlan, part: str, n_initial: int
) -> Float64[np.ndarray, "initial_conditions coefficients"]:
    if plan.given_initial is not None:
        return np.tile(plan.given_initial, (n_initial, 1))
    return known_coefficients(experiment, plan, part)
