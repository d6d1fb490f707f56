"""The second stage: mean statistics of all snapshots, and coefficients at time 0."""

from __future__ import annotations

from functools import partial
from typing import Any

import jax
import numpy as np
import xarray as xr

from dynboltz.evaluation._squared_errors import N_HALVES
from dynboltz.learning import fit_poisson

from .._directory import ResultDirectory
from .._lineage import lineage
from .._parts import PARTS, padded
from .._progress import Progress, silent
from .._stored import outdated, read_current, write_product
from .._timings import timed
from ._experiment import BoxExperiment, FunctionalPlan
from ._fingerprint import fit_fingerprint
from ._known import with_known
from ._model_errors import about_model
from ._pair_fit import fit_pairs
from ._simulate import open_part, patterns_of

KIND = "dynboltz-functional-fit"
HALVES = "initial_of_halves"
"""Coefficients of the test part at time 0 that were fitted to either half of the replicas."""


def fit(
    experiment: BoxExperiment, directory: ResultDirectory, *, progress: Progress = silent
) -> None:
    """Find the mean statistics of every model, and its coefficients at time 0."""
    fingerprint = partial(fit_fingerprint, experiment)
    plans = outdated(experiment.plans, directory.fit, KIND, fingerprint)
    if not plans:
        return
    resumed = len(plans) < len(experiment.plans)
    with timed(directory, "fit", resumed=resumed), jax.enable_x64(True):
        counted = [plan for plan in plans if not plan.has_pairs]
        means = {
            part: _mean_statistics(experiment, directory, part, counted, progress) for part in PARTS
        }
        halves = _half_statistics(experiment, directory, counted)
        origin = lineage(experiment, directory, *map(directory.trajectories, PARTS))
        for plan in plans:
            if plan.has_pairs:
                with about_model(plan.name):
                    initial, of_halves = fit_pairs(experiment, directory, plan, progress)
                fitted = _fitted(experiment, plan, initial, of_halves)
            else:
                progress({"stage": "fit", "model": plan.name, "step": 0, "total": 1})
                own = {part: values[plan.name] for part, values in means.items()}
                initial, of_halves = _poisson(experiment, plan, own, halves[plan.name])
                fitted = _fitted(experiment, plan, initial, of_halves, own)
                progress({"stage": "fit", "model": plan.name, "step": 1, "total": 1})
            write_product(fitted, directory.fit(plan.name), origin)


def read_fit(experiment: BoxExperiment, directory: ResultDirectory, name: str) -> xr.Dataset:
    """Read the fits of a model; raise if there are none of these settings."""
    return read_current(directory.fit(name), KIND, fit_fingerprint(experiment, name), "fit")


def initial_of(fits: xr.Dataset, part: str) -> np.ndarray:
    """Coefficients at time 0 of the initial conditions of one part."""
    return fits.initial.sel(part=part).values[: fits.attrs["n_initial_conditions"][part]]


def initial_of_test(experiment: BoxExperiment, directory: ResultDirectory, name: str) -> np.ndarray:
    """Coefficients of a model at time 0, for the held-out initial conditions."""
    return initial_of(read_fit(experiment, directory, name), "test")


def halves_of_test(experiment: BoxExperiment, directory: ResultDirectory, name: str) -> np.ndarray:
    """Coefficients of held-out initial conditions, fitted to either half of the replicas."""
    fits = read_fit(experiment, directory, name)
    return fits[HALVES].values[:, : fits.attrs["n_initial_conditions"]["test"]]


def _mean_statistics(
    experiment: BoxExperiment,
    directory: ResultDirectory,
    part: str,
    plans: list[FunctionalPlan],
    progress: Progress,
) -> dict[str, np.ndarray]:
    """Means over the replicas [initial condition, time, coefficient] for every model.

    Models with the same elements share what is counted.
    """
    if not plans:
        return {}
    trajectories = open_part(experiment, directory, part)
    models = {plan.model.single[experiment.species[0]]: plan.model for plan in plans}
    found = {space: [] for space in models}
    total = getattr(experiment.table.initial, part)
    for number, patterns in patterns_of(experiment, trajectories):
        for space, model in models.items():
            found[space].append(model.statistics(patterns).mean(axis=0))
        progress({"stage": "summarise", "part": part, "step": number + 1, "total": total})
    return {plan.name: np.array(found[plan.model.single[experiment.species[0]]]) for plan in plans}


def _half_statistics(
    experiment: BoxExperiment, directory: ResultDirectory, plans: list[FunctionalPlan]
) -> dict[str, np.ndarray]:
    """Means of the first time over halves of the test replicas (half, initial condition, ...)."""
    found: dict[str, list[np.ndarray]] = {plan.name: [] for plan in plans}
    if plans:
        for _, patterns in patterns_of(experiment, open_part(experiment, directory, "test")):
            for plan in plans:
                values = plan.model.statistics(patterns[:, 0])
                found[plan.name].append(
                    np.array([values[h::N_HALVES].mean(axis=0) for h in range(N_HALVES)])
                )
    return {name: np.stack(values, axis=1) for name, values in found.items()}


def _poisson(
    experiment: BoxExperiment,
    plan: FunctionalPlan,
    means: dict[str, np.ndarray],
    halves: np.ndarray,
) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Fits to all replicas by part, and to either half of those of the test."""
    replicas = experiment.table.initial.replicas
    initial = {part: fit_poisson(plan.model, v[:, 0], replicas) for part, v in means.items()}
    of_halves = np.array(
        [
            fit_poisson(plan.model, half, len(range(h, replicas, N_HALVES)))
            for h, half in enumerate(halves)
        ]
    )
    return with_known(experiment, plan, initial, of_halves)


def _filled(of_halves: np.ndarray, initial: dict[str, np.ndarray]) -> np.ndarray:
    """Fill up with NaN to as many initial conditions as the larger part has."""
    more = max(map(len, initial.values())) - of_halves.shape[1]
    return np.pad(of_halves, ((0, 0), (0, more), (0, 0)), constant_values=np.nan)


def _fitted(
    experiment: BoxExperiment,
    plan: FunctionalPlan,
    initial: dict[str, np.ndarray],
    of_halves: np.ndarray,
    means: dict[str, np.ndarray] | None = None,
) -> xr.Dataset:
    dims = ("part", "initial_condition")
    variables: dict[str, Any] = {
        "initial": ((*dims, "coefficient"), padded(initial), {"units": "1"}),
        HALVES: (("half", "initial_condition", "coefficient"), _filled(of_halves, initial)),
    }
    if means is not None:
        units = {"units": "per box"}
        variables["summary"] = ((*dims, "time", "coefficient"), padded(means), units)
    return xr.Dataset(
        variables,
        coords={
            "part": list(PARTS),
            "time": ("time", experiment.times, {"units": "1"}),
            "coefficient": list(plan.model.coefficients),
        },
        attrs={
            "kind": KIND,
            "model": plan.name,
            "fingerprint": fit_fingerprint(experiment, plan.name),
            "n_initial_conditions": {part: len(values) for part, values in initial.items()},
        },
    )
