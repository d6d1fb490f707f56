"""The last stage: figures and report."""

from __future__ import annotations

from pathlib import Path

import jax

from dynboltz.plot import write_figures
from dynboltz.report import write_report

from ._directory import ResultDirectory
from ._errors import ExperimentError


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
            f"{directory.path}: has no `metrics.json`; run `dynboltz evaluate DIR` first."
        )
    with jax.enable_x64(True):
        write_figures(directory.path)
        return write_report(directory.path)
