"""The third stage: the differential equations of the coefficients."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import xarray as xr
from jaxtyping import UInt8

from dynboltz.learning import (
    ReducedModel,
    TrainingData,
    learn,
    load_reduced_model,
    reduced_model_dataset,
)
from dynboltz.store import write_dataset

from ._directory import ResultDirectory
from ._errors import ExperimentError
from ._experiment import Experiment, ReducedModelPlan
from ._fingerprint import fit_fingerprint, model_fingerprint
from ._fit import KIND as FIT_KIND
from ._fit import model_seed
from ._initial_states import LEARNING
from ._progress import Progress, silent
from ._side_by_side import side_by_side
from ._simulate import open_part
from ._stored import is_current, read_current
from ._timings import timed
from ._version import version

KIND = "dynboltz-model"


def train(
    experiment: Experiment, directory: ResultDirectory, *, progress: Progress = silent
) -> None:
    """Learn the differential equations of every model.

    Parameters
    ----------
    experiment
        The models.
    directory
        Holds the trajectories and the fits.
    progress
        Called after every step, with the current errors.

    Raises
    ------
    ExperimentError, StoreError
        If fits or trajectories are missing or of other settings.
    """
    outdated = [
        plan
        for name, plan in experiment.plans.items()
        if not is_current(directory.model(name), KIND, model_fingerprint(experiment, name))
    ]
    if not outdated:
        return
    resumed = len(outdated) < len(experiment.plans)

    def train_one(plan: ReducedModelPlan) -> None:
        learned = _learn(experiment, directory, plan, progress)
        dataset = reduced_model_dataset(learned)
        dataset.attrs |= {
            "kind": KIND,
            "name": plan.name,
            "fingerprint": model_fingerprint(experiment, plan.name),
            "version": version(),
        }
        write_dataset(dataset, directory.model(plan.name))

    with timed(directory, "train", resumed=resumed):
        side_by_side(train_one, outdated)


def load_model(experiment: Experiment, directory: ResultDirectory, name: str) -> ReducedModel:
    """Load a learned model.

    Parameters
    ----------
    experiment
        The experiment.
    directory
        Its results.
    name
        Name of the model.

    Raises
    ------
    ExperimentError
        If there is no such model, it is not learned yet, or belongs to other settings.
    StoreError
        If it is damaged.
    """
    if name not in experiment.plans:
        raise ExperimentError(
            f"{directory.path}: has no model {name!r}; there are {', '.join(experiment.plans)}."
        )
    fingerprint = model_fingerprint(experiment, name)
    return load_reduced_model(read_current(directory.model(name), KIND, fingerprint, "train"))


def _learn(
    experiment: Experiment,
    directory: ResultDirectory,
    plan: ReducedModelPlan,
    progress: Progress,
) -> ReducedModel:
    fits = read_current(
        directory.fit(plan.name), FIT_KIND, fit_fingerprint(experiment, plan.name), "fit"
    )
    n_initial = fits.attrs["n_initial_conditions"]["train"]
    sampled = plan.learning.moments != "exact"
    states = _States(open_part(experiment, directory, "train")) if sampled else None
    data = TrainingData(
        experiment.times,
        fits.initial.sel(part="train").values[:n_initial],
        fits.summary.values[:n_initial],
        states,
        0 if states is None else states.n_replicas,
    )

    def report(step: dict[str, Any]) -> None:
        progress({**step, "model": plan.name})

    return learn(
        plan.model,
        plan.grids,
        data,
        plan.learning,
        theta=fits.theta.values[:n_initial] if "theta" in fits else None,
        seed=model_seed(experiment, "train", LEARNING, plan.name),
        progress=report,
    )


class _States:
    """States of the training set, read into memory when they are first asked for."""

    def __init__(self, trajectories: xr.Dataset) -> None:
        self._trajectories = trajectories
        self._numbers = np.unique(trajectories.initial_condition.values)
        self.n_replicas = trajectories.sizes["replica"] // len(self._numbers)

    def __call__(
        self, initial_condition: int, times: np.ndarray, replicas: np.ndarray
    ) -> UInt8[np.ndarray, "times replicas sites"]:
        chosen = self._states[initial_condition][np.ix_(replicas, times)]
        return np.ascontiguousarray(np.swapaxes(chosen, 0, 1))

    @functools.cached_property
    def _states(self) -> list[UInt8[np.ndarray, "replicas times sites"]]:
        states = self._trajectories.state.values
        flat = states.reshape(*states.shape[:2], -1)
        starts = self._trajectories.initial_condition.values
        return [flat[starts == number] for number in self._numbers]
