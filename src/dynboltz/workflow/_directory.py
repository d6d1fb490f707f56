"""Result directories: what lies where, and whose they are."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

from dynboltz._contents import contents_of
from dynboltz.experiments import find_results
from dynboltz.store import StoreError
from dynboltz.store._files import os_errors, replacing_file

from ._errors import ExperimentError
from ._load import AnyExperiment, load_experiment
from ._lock import LOCK, OWNER, only_writer
from ._toml import dotted

LEARNED = ("fits", "models", "laws", "predictions", "transfers", "samples", "checkpoints")
"""Folders of what is made from trajectories."""
MAX_DIFFERENCES = 5


@final
@dataclass(frozen=True)
class ResultDirectory:
    """Where the results of an experiment lie.

    Parameters
    ----------
    path
        The directory.
    """

    path: Path

    def __init__(self, path: Path | str) -> None:
        object.__setattr__(self, "path", Path(path))

    @property
    def experiment(self) -> Path:
        """Settings after presets and overrides."""
        return self.path / "experiment.toml"

    def trajectories(self, part: str) -> Path:
        """Trajectories of `"train"` or `"test"`."""
        return self.path / "trajectories" / f"{part}.zarr"

    def fit(self, name: str) -> Path:
        """Coefficients of a model fitted to snapshots."""
        return self.path / "fits" / f"{name}.zarr"

    def model(self, name: str) -> Path:
        """A learned model."""
        return self.path / "models" / f"{name}.zarr"

    def law(self, name: str) -> Path:
        """A learned law of moments."""
        return self.path / "laws" / f"{name}.zarr"

    def checkpoint(self, name: str) -> Path:
        """Where an interrupted training of a model goes on from."""
        return self.path / "checkpoints" / f"{name}.zarr"

    def prediction(self, name: str) -> Path:
        """Predictions of a model."""
        return self.path / "predictions" / f"{name}.zarr"

    def transfer(self, name: str) -> Path:
        """Predictions of a model on another lattice."""
        return self.path / "transfers" / f"{name}.zarr"

    def sample(self, name: str) -> Path:
        """States that a model draws."""
        return self.path / "samples" / f"{name}.zarr"

    @property
    def metrics(self) -> Path:
        """Errors of all models."""
        return self.path / "metrics.json"

    @property
    def timings(self) -> Path:
        """Seconds that each stage took."""
        return self.path / "timings.json"

    @property
    def report(self) -> Path:
        """The report."""
        return self.path / "report.html"

    def load_experiment(self) -> AnyExperiment:
        """Read the experiment that the directory belongs to.

        Raises
        ------
        ExperimentError
            If the directory holds no results.
        """
        try:
            return load_experiment(find_results(self.path))
        except FileNotFoundError as error:
            raise ExperimentError(str(error)) from error


def claim(
    experiment: AnyExperiment, path: Path | str, *, overwrite: bool = False
) -> ResultDirectory:
    """Make a directory the one of an experiment, or find that it is.

    Parameters
    ----------
    experiment
        The experiment.
    path
        A directory: new, empty, or with results of this experiment.
    overwrite
        Whether the directory may hold results of other settings. What does not depend on the
        settings that differ is then kept, everything else is made anew.

    Raises
    ------
    ExperimentError
        If the directory holds results of other settings, or something else, or another process
        writes there.
    StoreError
        If it cannot be written.
    """
    directory = ResultDirectory(path)
    if os.path.isfile(directory.path):
        raise ExperimentError(
            f"{directory.path}: is {contents_of(directory.path)}, where a directory for results is "
            "expected; choose another name with --out."
        )
    with os_errors(directory.path, "read"):
        there = directory.path.iterdir() if directory.path.exists() else ()
        occupied = any(path.name not in (LOCK, OWNER) for path in there)
    if not occupied or directory.experiment.is_file():
        text = experiment.to_toml()
        if occupied and not overwrite and _holds_results(directory):
            _refuse_other_settings(directory, experiment)
        if not occupied or directory.experiment.read_text(encoding="utf-8") != text:
            with os_errors(directory.path, "written"):
                directory.path.mkdir(parents=True, exist_ok=True)
            with only_writer(directory.path):
                _remove_conclusions(directory, experiment)
                with replacing_file(directory.experiment) as temporary:
                    temporary.write_text(text, encoding="utf-8")
        return directory
    raise ExperimentError(
        f"{directory.path}: holds files that are no results of dynboltz (it has no "
        "`experiment.toml`). Choose a new or an empty directory with --out."
    )


def _holds_results(directory: ResultDirectory) -> bool:
    return directory.metrics.exists() or any(
        (directory.path / folder).exists() for folder in ("trajectories", *LEARNED)
    )


def _remove_conclusions(directory: ResultDirectory, experiment: AnyExperiment) -> None:
    """Remove what was concluded from other settings, and models that are no longer there."""
    outputs = [directory.metrics, directory.report]
    outputs += [p for kind in ("png", "svg") for p in directory.path.glob(f"figures/*.{kind}")]
    models = experiment.stored_names
    stores = [
        path
        for folder in LEARNED
        for path in directory.path.glob(f"{folder}/*.zarr")
        if path.stem not in models
    ]
    with os_errors(directory.path, "written"):
        for path in outputs:
            path.unlink(missing_ok=True)
        for path in stores:
            shutil.rmtree(path)


def remove_learned(directory: ResultDirectory) -> None:
    """Remove everything that was made of trajectories which are no longer there."""
    with os_errors(directory.path, "written"):
        for folder in LEARNED:
            if (directory.path / folder).exists():
                shutil.rmtree(directory.path / folder)
        directory.metrics.unlink(missing_ok=True)


def remove_store(path: Path) -> None:
    """Remove a store of trajectories that belongs to other settings."""
    if not (path / "zarr.json").is_file():
        raise StoreError(path, "is not a store; move it away.")
    with os_errors(path, "removed"):
        shutil.rmtree(path)


def _refuse_other_settings(directory: ResultDirectory, experiment: AnyExperiment) -> None:
    theirs = directory.load_experiment().table.model_dump(exclude_none=True)
    differences = _differences(theirs, experiment.table.model_dump(exclude_none=True), ())
    if differences:
        shown = differences[:MAX_DIFFERENCES]
        more = len(differences) - len(shown)
        raise ExperimentError(
            f"{directory.path}: holds results of other settings:\n  "
            + "\n  ".join(shown)
            + (f"\n  ... and {more} more" if more else "")
            + "\nChoose another directory with --out, or replace what depends on these settings "
            "with --overwrite."
        )


def _differences(there: Any, given: Any, path: tuple[str, ...]) -> list[str]:
    if isinstance(there, dict) and isinstance(given, dict):
        keys = dict.fromkeys([*there, *given])
        return [line for k in keys for line in _differences(there.get(k), given.get(k), (*path, k))]
    if there == given:
        return []
    return [f"{dotted(path)}: {_shown(there)} there, {_shown(given)} given"]


def _shown(value: Any) -> str:
    return "not set" if value is None else repr(value)
