"""The last stage: figures and report."""

from __future__ import annotations

from pathlib import Path

import jax

from dynboltz.plot import write_figures
from dynboltz.report import write_report

from ._directory import ResultDirectory


def report(directory: ResultDirectory) -> Path:
    """Draw the figures of lattices and write the report, anew each time."""
    with jax.enable_x64(True):
        write_figures(directory.path)
        return write_report(directory.path)
