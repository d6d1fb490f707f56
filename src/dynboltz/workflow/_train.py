"""The third stage: the differential equations of the coefficients."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import jax
import numpy as np
import xarray as xr

from dynboltz._memory import TooLargeError
from dynboltz._warnings import collected
from dynboltz.closures import EntropicMatching, entropic_matching
from dynboltz.learning import (
    ReducedModel,
    TrainingData,
    learn,
    load_reduced_model,
    reduced_model_dataset,
)
from dynboltz.simulation import ContinuousTimeKernel

from ._checkpoints import StoredCheckpoint
from ._coefficient_laws import learn_coefficient_law
from ._directory import ResultDirectory
from ._errors import ExperimentError
from ._experiment import Experiment, ReducedModelPlan
from ._fingerprint import fit_fingerprint, law_fingerprint, model_fingerprint
from ._fit import KIND as FIT_KIND
from ._law_files import law_kind
from ._laws import learn_law
from ._lineage import lineage
from ._progress import Progress, silent
from ._seeds import Purpose, derive_seed
from ._side_by_side import side_by_side
from ._simulate import open_part
from ._states import States
from ._stored import check_known, is_current, outdated, read_current, write_model
from ._timings import timed
from ._toml import dotted

KIND = "dynboltz-model"


def train(
    experiment: Experiment, directory: ResultDirectory, *, progress: Progress = silent
) -> None:
    """Learn the differential equations of every model."""
    fingerprint = partial(model_fingerprint, experiment)
    plans = outdated(experiment.plans, directory.model, KIND, fingerprint)
    laws = [name for name in experiment.law_names if not _is_learned(experiment, directory, name)]
    if not plans and not laws:
        return
    resumed = len(plans) + len(laws) < len(experiment.table.models)

    sampled = any(plan.learning.moments != "exact" for plan in plans)
    states = States(open_part(experiment, directory, "train")) if sampled else None

    def train_one(plan: ReducedModelPlan) -> None:
        own = fingerprint(plan.name)
        checkpoint = StoredCheckpoint(directory.checkpoint(plan.name), own)
        learned = _learn(experiment, directory, plan, states, progress, checkpoint)
        dataset = reduced_model_dataset(learned)
        parents = directory.trajectories("train"), directory.fit(plan.name)
        origin = lineage(experiment, directory, *parents)
        write_model(dataset, directory.model(plan.name), KIND, plan.name, own, origin)
        checkpoint.remove()

    with timed(directory, "train", resumed=resumed):
        if plans:
            side_by_side(train_one, plans)
        with jax.enable_x64(True):
            for name in laws:
                learn_one = learn_law if name in experiment.laws else learn_coefficient_law
                learn_one(experiment, directory, name, progress)


def _is_learned(experiment: Experiment, directory: ResultDirectory, name: str) -> bool:
    """Whether a law is learned with these settings."""
    kind, own = law_kind(experiment, name), law_fingerprint(experiment, name)
    return is_current(directory.law(name), kind, own)


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
    return load_reduced_model(read_model(experiment, directory, name))


def read_model(experiment: Experiment, directory: ResultDirectory, name: str) -> xr.Dataset:
    """Read the store of a learned model; raise if there is none of these settings."""
    check_known(experiment, directory, name)
    return read_current(directory.model(name), KIND, model_fingerprint(experiment, name), "train")


def _learn(
    experiment: Experiment,
    directory: ResultDirectory,
    plan: ReducedModelPlan,
    states: States | None,
    progress: Progress,
    checkpoint: StoredCheckpoint,
) -> ReducedModel:
    fits = read_current(
        directory.fit(plan.name), FIT_KIND, fit_fingerprint(experiment, plan.name), "fit"
    )
    n_initial = fits.attrs["n_initial_conditions"]["train"]
    data = TrainingData(
        fits.time.values,
        fits.initial.sel(part="train").values[:n_initial],
        _given(fits, "summary", n_initial),
        states,
        0 if states is None else states.n_replicas,
        None if states is None else states.expect,
    )

    def report(step: dict[str, Any]) -> None:
        progress({**step, "model": plan.name})

    # The model keeps what is warned of, for `evaluate` to report.
    with collected(), _in_grid(experiment, plan):
        return learn(
            plan.model,
            plan.grids,
            data,
            plan.learning,
            theta=_given(fits, "theta", n_initial),
            metric=_given(fits, "metric", n_initial),
            matching=_matching(experiment, plan),
            seed=derive_seed(experiment, "train", Purpose.LEARNING, name=plan.name),
            progress=report,
            checkpoint=checkpoint,
        )


@contextmanager
def _in_grid(experiment: Experiment, plan: ReducedModelPlan) -> Iterator[None]:
    """Say of what is too large which setting it is, and that nothing that is done is lost."""
    try:
        yield
    except TooLargeError as error:
        raise ExperimentError(
            f"{experiment.source}, `{dotted(('models', plan.name, 'grid'))}`: {error} Trajectories "
            "and fits are kept: run again with the change, in the file or by --set, and with "
            "--overwrite."
        ) from error


def _matching(experiment: Experiment, plan: ReducedModelPlan) -> EntropicMatching | None:
    if plan.learning.velocity_prior != "entropic-matching":
        return None
    kernel = experiment.kernel
    assert isinstance(kernel, ContinuousTimeKernel)
    return entropic_matching(plan.model, experiment.network, hop_rate=kernel.hop_rate)


def _given(fits: xr.Dataset, name: str, n_initial: int) -> np.ndarray | None:
    return fits[name].values[:n_initial] if name in fits else None
