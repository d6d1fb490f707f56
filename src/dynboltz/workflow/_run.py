"""All stages, one after the other."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ._directory import claim
from ._load import AnyExperiment
from ._lock import only_writer
from ._progress import Progress, silent
from ._sizes import check_sizes
from ._stages import evaluate, fit, report, simulate, train


def run(
    experiment: AnyExperiment,
    out: Path | str,
    *,
    overwrite: bool = False,
    progress: Progress = silent,
) -> dict[str, Any]:
    """Simulate, fit, train, evaluate and report an experiment.

    Stages that are complete are kept, an interrupted one goes on where it was.

    Parameters
    ----------
    experiment
        From `load_experiment`.
    out
        Directory for the results: new, empty, or with results of this experiment.
    overwrite
        Whether results of other settings may be replaced.
    progress
        Called with `stage`, `step`, `total` and the current errors.

    Returns
    -------
    metrics
        What `metrics.json` holds.

    Raises
    ------
    ExperimentError, StoreError
        If the settings need more memory than there is, the directory belongs to other settings,
        another process writes there, or the disk refuses.
    """
    check_sizes(experiment)
    directory = claim(experiment, out, overwrite=overwrite)
    with only_writer(directory.path):
        simulate(experiment, directory, overwrite=overwrite, progress=progress)
        fit(experiment, directory, progress=progress)
        train(experiment, directory, progress=progress)
        metrics = evaluate(experiment, directory, progress=progress)
        progress({"stage": "report", "step": 0, "total": 1})
        report(directory)
        progress({"stage": "report", "step": 1, "total": 1})
    return metrics
