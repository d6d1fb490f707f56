"""The last stage: figures and report.

Only this stage loads matplotlib; commands and workers that draw nothing do not wait for it.
"""

from __future__ import annotations

from pathlib import Path

import jax

from ._directory import ResultDirectory


def report(directory: ResultDirectory) -> Path:
    """Draw the figures of lattices and write the report, anew each time."""
    from dynboltz.plot import write_figures  # noqa: PLC0415
    from dynboltz.report import write_report  # noqa: PLC0415

    with jax.enable_x64(True):
        write_figures(directory.path)
        return write_report(directory.path)
