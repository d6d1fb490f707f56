"""Figures as files whose bytes depend on nothing but what is drawn."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import matplotlib
import matplotlib.style
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure, SubFigure

from dynboltz.store import StoreError

from ._style import STYLE

DPI = 150

Figures = Iterator[tuple[str, Callable[[], list[Axes]]]]
"""Names of figures, and how each is drawn."""


def figures_folder(directory: Path) -> Path:
    """Make the folder of the figures of an experiment."""
    folder = directory / "figures"
    try:
        folder.mkdir(exist_ok=True)
    except OSError as error:
        raise StoreError(folder, f"cannot be made: {error.strerror or error}.") from error
    return folder


def save_figures(figures: Figures, folder: Path) -> list[Path]:
    """Draw figures in the style of the package, and write each one under its name."""
    paths = []
    with matplotlib.style.context(["default", dict(STYLE)]):
        for name, draw in figures:
            paths += save_figure(draw()[0].figure, folder / name)
    return paths


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
