"""The last stage: figures of particles in a box, and the report."""

from __future__ import annotations

from pathlib import Path

from .._directory import ResultDirectory


def report(directory: ResultDirectory) -> Path:
    """Draw the figures and write the report, anew each time."""
    from dynboltz.plot import write_box_figures  # noqa: PLC0415
    from dynboltz.report import write_report  # noqa: PLC0415

    write_box_figures(directory.path)
    return write_report(directory.path)
