"""Reading an experiment of either kind: on a lattice, or of particles in a box."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from dynboltz.experiments import find_experiment

from ._errors import ExperimentError
from ._experiment import Experiment
from ._read import absolute_paths, checked, read_raw
from ._recorded_times import with_times
from ._schema import ExperimentTable
from .continuous._experiment import BoxExperiment
from .continuous._schema import BoxExperimentTable

AnyExperiment = Experiment | BoxExperiment


def load_experiment(
    experiment: Path | str,
    *,
    preset: str | None = None,
    overrides: Sequence[str] = (),
    seed: int | None = None,
) -> AnyExperiment:
    """Read and check an experiment file.

    Parameters
    ----------
    experiment
        A TOML file, a result directory, or the name of a shipped experiment.
    preset
        Name of a table of changes in `presets`.
    overrides
        Changes such as `"models.visible.learning.steps = 50"`, in TOML syntax.
    seed
        Seed instead of the file's.

    Returns
    -------
    experiment
        Checked: all its parts fit one another. Particles in continuous space if the file has a
        table `box`, a lattice otherwise.

    Raises
    ------
    ExperimentError
        If there is no such file or preset, or anything in it is unknown, out of bounds or does not
        fit the rest; the message names the file and the field.
    """
    try:
        source = find_experiment(experiment)
    except FileNotFoundError as error:
        raise ExperimentError(str(error)) from error
    raw = read_raw(source, preset=preset, overrides=overrides, seed=seed)
    try:
        return experiment_from(raw, source)
    except ExperimentError as error:
        changes = [*([] if preset is None else [f"preset {preset!r}"]), *overrides]
        if not changes:
            raise
        raise ExperimentError(
            f"{error}\nThese are the settings of the file with changes: {'; '.join(changes)}."
        ) from error


def experiment_from(raw: dict[str, Any], source: Path) -> AnyExperiment:
    """Check the tables of an experiment file; `source` names the file in messages."""
    result: AnyExperiment
    if "box" in raw:
        result = BoxExperiment(checked(source, raw, BoxExperimentTable), source)
    else:
        table = checked(source, raw, ExperimentTable)
        result = Experiment(with_times(absolute_paths(table, source.parent), source), source)
    result.check()
    return result
