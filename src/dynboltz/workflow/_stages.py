"""The stages of an experiment, whatever its kind: the one place that tells kinds apart."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from . import _evaluate, _fit, _report, _simulate, _train
from ._blocks import BlockWorkers, simulate_missing
from ._directory import ResultDirectory
from ._ensemble import AbstractEnsemble
from ._errors import ExperimentError
from ._experiment import Experiment
from ._load import AnyExperiment
from ._lock import only_writer
from ._parts import PARTS
from ._progress import Progress, silent
from ._schema import StoreInitial
from ._shard import WHOLE, Shard
from ._simulate import import_trajectories
from ._sizes import check_sizes
from .continuous import _evaluate as _box_evaluate
from .continuous import _fit as _box_fit
from .continuous import _report as _box_report
from .continuous import _simulate as _box_simulate
from .continuous import _train as _box_train


@runtime_checkable
class Stages(Protocol):
    """What a kind of experiment brings: one function a stage.

    Each reads and writes one result directory and keeps what is there of the same settings.
    """

    def ensemble(self, experiment: Any, part: str) -> AbstractEnsemble:
        """Trajectories of one part, to simulate."""
        ...

    def fit(self, experiment: Any, directory: ResultDirectory, *, progress: Progress) -> None:
        """Coefficients of single snapshots."""
        ...

    def train(self, experiment: Any, directory: ResultDirectory, *, progress: Progress) -> None:
        """The differential equations of the coefficients."""
        ...

    def evaluate(
        self, experiment: Any, directory: ResultDirectory, *, progress: Progress
    ) -> dict[str, Any]:
        """Errors against the simulations."""
        ...

    def report(self, directory: ResultDirectory) -> Path:
        """Figures and the report."""
        ...


class _LatticeStages:
    ensemble = staticmethod(_simulate.LatticeEnsemble)
    fit = staticmethod(_fit.fit)
    train = staticmethod(_train.train)
    evaluate = staticmethod(_evaluate.evaluate)
    report = staticmethod(_report.report)


class _BoxStages:
    ensemble = staticmethod(_box_simulate.BoxEnsemble)
    fit = staticmethod(_box_fit.fit)
    train = staticmethod(_box_train.train)
    evaluate = staticmethod(_box_evaluate.evaluate)
    report = staticmethod(_box_report.report)


def stages_of(experiment: AnyExperiment) -> Stages:
    """Stages of the kind of this experiment."""
    return _LatticeStages() if isinstance(experiment, Experiment) else _BoxStages()


def simulate(
    experiment: AnyExperiment,
    directory: ResultDirectory,
    *,
    overwrite: bool = False,
    progress: Progress = silent,
    workers: BlockWorkers | None = None,
    shard: Shard = WHOLE,
) -> None:
    """Simulate the training and the test trajectories, or take them from given files.

    Blocks that are there already are kept; the bytes depend neither on where an earlier run was
    interrupted, nor on the number of threads, processes or shards.

    Parameters
    ----------
    experiment
        What to simulate.
    directory
        Where to.
    overwrite
        Whether trajectories of other settings may be replaced.
    progress
        Called after every block.
    workers
        Processes that simulate, such as those of `dask_workers`; this one if left out.
    shard
        Which share of the blocks to simulate; `merge` joins the shards.

    Raises
    ------
    ExperimentError
        If a file of given trajectories has changed since it was read, shards of given trajectories
        are asked for, or the settings need more memory than there is.
    StoreError
        If there are trajectories of another experiment, given trajectories do not fit, or the disk
        refuses.
    """
    if isinstance(experiment.table.initial, StoreInitial):
        if shard != WHOLE:
            raise ExperimentError(
                f"{experiment.source}, `initial.source`: given trajectories are not simulated; "
                "leave out --shard."
            )
        assert isinstance(experiment, Experiment)
        with only_writer(directory.path):
            import_trajectories(experiment, directory, overwrite=overwrite)
        return
    check_sizes(experiment, ["simulate"])
    stages = stages_of(experiment)
    with only_writer(directory.path):
        simulate_missing(
            [stages.ensemble(experiment, part) for part in PARTS],
            directory,
            overwrite=overwrite,
            progress=progress,
            workers=workers,
            shard=shard,
        )


def fit(
    experiment: AnyExperiment, directory: ResultDirectory, *, progress: Progress = silent
) -> None:
    """Find the coefficients of every model at time 0, and over time for a warm start.

    Parameters
    ----------
    experiment
        The models.
    directory
        Holds the trajectories.
    progress
        Called after every initial condition that was read.

    Raises
    ------
    StoreError
        If trajectories are missing, incomplete, damaged or of another experiment.
    """
    check_sizes(experiment, ["fit"])
    with only_writer(directory.path):
        stages_of(experiment).fit(experiment, directory, progress=progress)


def train(
    experiment: AnyExperiment, directory: ResultDirectory, *, progress: Progress = silent
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
    check_sizes(experiment, ["train"])
    with only_writer(directory.path):
        stages_of(experiment).train(experiment, directory, progress=progress)


def evaluate(
    experiment: AnyExperiment, directory: ResultDirectory, *, progress: Progress = silent
) -> dict[str, Any]:
    """Predict with every model, compare with the simulations and write `metrics.json`.

    Parameters
    ----------
    experiment
        The models.
    directory
        Holds the trajectories, the fits and the models.
    progress
        Called before every model.

    Returns
    -------
    metrics
        What `metrics.json` holds.

    Raises
    ------
    ExperimentError, StoreError
        If something is missing, damaged or of other settings.
    OutsideBoxError
        If a prediction leaves a box with `outside = "error"`.
    """
    check_sizes(experiment, ["evaluate"])
    with only_writer(directory.path):
        return stages_of(experiment).evaluate(experiment, directory, progress=progress)


def report(directory: ResultDirectory) -> Path:
    """Draw the figures and write the report, anew each time.

    Parameters
    ----------
    directory
        Holds everything up to `metrics.json`.

    Returns
    -------
    path
        The report, one self-contained HTML page.

    Raises
    ------
    ExperimentError
        If the models are not evaluated yet.
    """
    if not directory.metrics.is_file():
        raise ExperimentError(
            f"{directory.path}: has no `metrics.json`; run `dynboltz evaluate {directory.path}` "
            "first."
        )
    with only_writer(directory.path):
        return stages_of(directory.load_experiment()).report(directory)
