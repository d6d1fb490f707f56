"""The third stage: the functions of the functionals."""

from __future__ import annotations

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr

from dynboltz.distributions import PoissonSolution
from dynboltz.dynamics import FunctionalField, PairField
from dynboltz.learning import GaussNewtonResult, PoissonLikelihood, gauss_newton, robust_covariance

from .._checkpoints import StoredCheckpoint
from .._directory import ResultDirectory
from .._lineage import lineage
from .._progress import Progress, silent
from .._stored import check_known, outdated, read_current, write_model
from .._timings import timed
from ._experiment import BoxExperiment, FunctionalPlan
from ._fingerprint import model_fingerprint
from ._fit import initial_of, read_fit
from ._functions import started_from
from ._model import (
    FunctionalModel,
    functional_dataset,
    implicit_solution,
    load_functional,
    parameters_of,
    with_parameters,
)
from ._model_errors import about_model
from ._occupancy import visited_values
from ._pair_train import learn_pairs
from ._simulate import open_part, patterns_of

KIND = "dynboltz-functional"
COLUMNS = ("action", "damping", "window")
"""Of the history of a training; windows are numbered from 0."""


def train(
    experiment: BoxExperiment, directory: ResultDirectory, *, progress: Progress = silent
) -> None:
    """Learn the functions of every model, and the coefficients at time 0 with them."""
    fingerprint = partial(model_fingerprint, experiment)
    plans = outdated(experiment.plans, directory.model, KIND, fingerprint)
    if not plans:
        return
    resumed = len(plans) < len(experiment.plans)
    with timed(directory, "train", resumed=resumed), jax.enable_x64(True):
        for plan in plans:
            own = fingerprint(plan.name)
            checkpoint = StoredCheckpoint(directory.checkpoint(plan.name), own)
            with about_model(plan.name):
                if plan.has_pairs:
                    learned = learn_pairs(experiment, directory, plan, progress)
                else:
                    learned = _learn(experiment, directory, plan, checkpoint, progress)
            dataset = functional_dataset(learned, plan.table)
            parents = directory.trajectories("train"), directory.fit(plan.name)
            origin = lineage(experiment, directory, *parents)
            write_model(dataset, directory.model(plan.name), KIND, plan.name, own, origin)
            checkpoint.remove()


def load_model(experiment: BoxExperiment, directory: ResultDirectory, name: str) -> FunctionalModel:
    """Load a learned model; raise if there is none of these settings."""
    return load_functional(read_model(experiment, directory, name))


def read_model(experiment: BoxExperiment, directory: ResultDirectory, name: str) -> xr.Dataset:
    """Read the store of a learned model; raise if there is none of these settings."""
    check_known(experiment, directory, name)
    return read_current(directory.model(name), KIND, model_fingerprint(experiment, name), "train")


def _learn(
    experiment: BoxExperiment,
    directory: ResultDirectory,
    plan: FunctionalPlan,
    checkpoint: StoredCheckpoint,
    progress: Progress,
) -> FunctionalModel:
    """Learn from the first window, then from the next one, and so on to all times.

    What was learned from a window is kept in the checkpoint.
    """
    fits = read_fit(experiment, directory, plan.name)
    means = fits.summary.sel(part="train").values[: fits.attrs["n_initial_conditions"]["train"]]
    windows = plan.windows(experiment.times)
    solution = implicit_solution(experiment.times, plan.learning.substeps)
    likelihood = PoissonLikelihood(PoissonSolution(plan.model), experiment.table.initial.replicas)
    state = checkpoint.load() or _start(experiment, directory, plan)
    for number in range(int(state["windows"]), len(windows)):
        weights = (np.arange(len(experiment.times)) < windows[number]).astype(np.float64)
        result = gauss_newton(
            with_parameters(plan.field, state["u"]),
            state["initial"],
            solution,
            likelihood,
            jnp.asarray(means),
            weights,
            plan.settings,
            progress=_reporter(plan, number, len(windows), progress),
        )
        state = _after(state, result)
        checkpoint.save(state)
    field = with_parameters(plan.field, state["u"])
    trajectories = open_part(experiment, directory, "train")
    samples = (plan.model.statistics(p) for _, p in patterns_of(experiment, trajectories))
    everywhere = np.ones(len(experiment.times))
    covariance = robust_covariance(
        field, state["initial"], solution, likelihood, samples, everywhere
    )
    return FunctionalModel(
        plan.model,
        field,
        plan.learning.substeps,
        state["initial"],
        covariance,
        dict(zip(COLUMNS, state["history"].T, strict=True)),
        np.asarray(experiment.times, dtype=np.float64),
    )


def _start(
    experiment: BoxExperiment, directory: ResultDirectory, plan: FunctionalPlan
) -> dict[str, np.ndarray]:
    """Parameters and initial coefficients before the first window."""
    initial = initial_of(read_fit(experiment, directory, plan.name), "train")
    field = plan.field
    if plan.learning.start_from is not None:
        other = load_model(experiment, directory, plan.learning.start_from)
        assert isinstance(field, FunctionalField)
        assert isinstance(other.field, FunctionalField)
        if other.field.space == field.space:
            initial = other.initial
        field = started_from(field, other.field, visited_values(other, experiment.times))
    return {
        "u": parameters_of(field),
        "initial": initial,
        "history": np.zeros((0, len(COLUMNS))),
        "windows": np.array(0),
    }


def _after(state: dict[str, np.ndarray], result: GaussNewtonResult) -> dict[str, np.ndarray]:
    """What is kept after a window."""
    rows = np.column_stack([result.history["action"], result.history["damping"]])
    window = np.full((len(rows), 1), float(state["windows"]))
    assert isinstance(result.field, FunctionalField | PairField)
    return {
        "u": parameters_of(result.field),
        "initial": result.initial,
        "history": np.concatenate([state["history"], np.hstack([rows, window])]),
        "windows": state["windows"] + 1,
    }


def _reporter(plan: FunctionalPlan, window: int, n_windows: int, progress: Progress) -> Progress:
    """Progress over all windows, the steps of earlier ones counted in full."""
    steps = plan.settings.steps

    def report(step: dict[str, Any]) -> None:
        done, total = window * steps + step["step"], n_windows * steps
        progress({**step, "model": plan.name, "step": done, "total": total})

    return report
