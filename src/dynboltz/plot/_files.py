"""Figures as files whose bytes depend on nothing but what is drawn."""

from __future__ import annotations

from pathlib import Path

import matplotlib
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure, SubFigure

from dynboltz.store import StoreError

DPI = 150


def save_figure(figure: Figure | SubFigure, stem: Path) -> list[Path]:
    """Write a figure as PNG and SVG.

    Parameters
    ----------
    figure
        The figure; of a part of a figure the whole is written.
    stem
        Path of the files without their suffix.

    Returns
    -------
    paths
        The PNG and the SVG.

    Raises
    ------
    StoreError
        If the disk refuses.
    """
    root = figure.figure
    FigureCanvasAgg(root)
    png, svg = (stem.with_name(f"{stem.name}.{kind}") for kind in ("png", "svg"))
    with matplotlib.rc_context({"svg.hashsalt": "dynboltz", "svg.fonttype": "path"}):
        for path, metadata in ((png, {"Software": None}), (svg, {"Date": None, "Creator": None})):
            try:
                root.savefig(path, dpi=DPI, metadata=metadata)
            except OSError as error:
                raise StoreError(path, f"cannot be written: {error.strerror or error}.") from error
    return [png, svg]
