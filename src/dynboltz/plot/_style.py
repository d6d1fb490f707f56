"""Colours, sizes and empty figures, the same in every plot."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import matplotlib
import matplotlib.ticker
import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.colors import Colormap, Normalize
from matplotlib.figure import Figure, SubFigure
from mpl_toolkits.mplot3d.axes3d import Axes3D

STYLE: Mapping[str, Any] = {
    "font.size": 9.0,
    "axes.titlesize": 9.5,
    "axes.titlepad": 3.0,
    "axes.labelsize": 9.0,
    "xtick.labelsize": 8.0,
    "ytick.labelsize": 8.0,
    "legend.fontsize": 8.0,
    "legend.frameon": False,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.7,
    "lines.linewidth": 1.4,
    "grid.color": "#dddddd",
    "grid.linewidth": 0.5,
    "figure.facecolor": "white",
    "savefig.facecolor": "white",
}
"""Settings under which `write_figures` draws."""

INITIAL, PATH, END = "#00b4d8", "#1a1a1a", "#d6008f"
"""Initial points, trajectories and end points: cyan, black and magenta as in the paper's Fig. 2."""

MODEL_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")
"""The colours of Okabe and Ito, which colour-blind readers tell apart."""

MODEL_LINES = ("-", (0, (5, 1.2)), (0, (3, 1, 1, 1)), (0, (1, 1)))
BASELINE = {"color": "#808080", "linestyle": "-.", "linewidth": 1.1}
NOISE = {"color": "#000000", "linestyle": ":", "linewidth": 1.2}
SIMULATION: dict[str, Any] = {"color": "#000000", "linewidth": 0.8}
BAND: dict[str, Any] = {"color": "#cccccc", "linewidth": 0.0}
EQUILIBRIUM: dict[str, Any] = {"linewidth": 0.7, "marker": "o", "markersize": 2.0}
METASTABLE: dict[str, Any] = {
    "color": "#000000",
    "linestyle": "",
    "marker": "o",
    "markersize": 5.0,
    "markerfacecolor": "none",
    "markeredgewidth": 0.7,
}

SPECIES_COLOURS = ("#cc79a7", "#e69f00", "#56b4e9", "#009e73", "#0072b2", "#d55e00")
"""Of the same set: pink, orange and cyan first, as in the paper's Fig. 4."""

EMPTY = "#f2f2f2"
"""Empty sites."""

SEQUENTIAL = "viridis"
DIVERGING = "coolwarm"


def colours(name: str) -> Colormap:
    """Look a colour map up by its name."""
    return matplotlib.colormaps[name]


def model_style(names: list[str], name: str, baselines: set[str]) -> dict[str, Any]:
    """Colour and dashes of a model; the models that are learned take the colours in turn."""
    if name in baselines:
        return dict(BASELINE)
    place = [other for other in names if other not in baselines].index(name)
    return {
        "color": MODEL_COLOURS[place % len(MODEL_COLOURS)],
        "linestyle": MODEL_LINES[place % len(MODEL_LINES)],
    }


def model_styles(predictions: Mapping[str, xr.Dataset]) -> dict[str, dict[str, Any]]:
    """Colour and dashes of every model; one without coefficients is a baseline."""
    baselines = {name for name, ds in predictions.items() if "theta" not in ds}
    return {name: model_style(list(predictions), name, baselines) for name in predictions}


def species_style(index: int) -> dict[str, Any]:
    """Colour and dashes of a species."""
    return {
        "color": SPECIES_COLOURS[index % len(SPECIES_COLOURS)],
        "linestyle": MODEL_LINES[index % len(MODEL_LINES)],
    }


class Margins(NamedTuple):
    """Size of a panel, and the room around and between panels [inch]."""

    width: float
    height: float
    left: float
    right: float
    bottom: float
    top: float
    gap_x: float
    gap_y: float


FLAT = Margins(2.9, 2.0, left=0.72, right=0.15, bottom=0.48, top=0.35, gap_x=0.8, gap_y=0.6)
SOLID = Margins(3.1, 2.6, left=0.05, right=0.3, bottom=0.2, top=0.3, gap_x=0.25, gap_y=0.4)
MIXED = Margins(3.1, 2.4, left=0.72, right=0.35, bottom=0.48, top=0.35, gap_x=0.6, gap_y=0.6)
"""For figures whose panels are partly flat and partly solid."""

MANY = 8
"""Panels that two columns of a figure may hold."""

BAR = 0.55
"""Width of the numbers and the label of a colour bar [inch]."""

HANDLE, CHARACTER, ROW = 0.55, 0.068, 0.19
"""In a legend, room for a line and its gaps, for a character, and for a row [inch]."""


def new_axes(ax: Axes | None, dim: int = 2) -> Axes:
    """Return `ax`, or axes of `dim` dimensions in a figure of their own."""
    if ax is not None:
        return ax
    return panel(new_figure(None, (1, 1), dim), (1, 1), 0, dim)


def new_figure(
    figure: Figure | SubFigure | None,
    shape: tuple[int, int],
    dim: int = 2,
    *,
    bar: bool = False,
    margins: Margins | None = None,
    legend: Sequence[str] = (),
    titled: bool = False,
) -> Figure | SubFigure:
    """Return `figure`, or a figure with room for rows and columns of panels of `dim` dimensions.

    With `bar` there is room for the numbers and the label of a colour bar beside all panels, with
    `legend` for these entries above them, in rows of their own if the panels are `titled`. Margins
    are set here rather than by a layout engine, which takes longer than the drawing.
    """
    if figure is not None:
        return figure
    rows, columns = shape
    m = margins or (FLAT if dim < 3 else SOLID)
    right = m.right + (BAR if bar else 0.0)
    width = m.left + columns * m.width + (columns - 1) * m.gap_x + right
    rows_above = math.ceil(len(legend) / _legend_columns(legend, width))
    top = m.top + ROW * max(0, rows_above if titled else rows_above - 1)
    height = m.bottom + rows * m.height + (rows - 1) * m.gap_y + top
    figure = Figure(figsize=(width, height))
    figure.subplots_adjust(
        left=m.left / width,
        right=1.0 - right / width,
        bottom=m.bottom / height,
        top=1.0 - top / height,
        wspace=m.gap_x / m.width,
        hspace=m.gap_y / m.height,
    )
    return figure


def panel(figure: Figure | SubFigure, shape: tuple[int, int], place: int, dim: int = 2) -> Axes:
    """Add the axes number `place` of a grid of panels."""
    if dim < 3:
        return figure.add_subplot(*shape, place + 1)
    ax = figure.add_subplot(*shape, place + 1, projection="3d")
    assert isinstance(ax, Axes3D)
    ax.view_init(elev=24, azim=-56)
    ax.set_box_aspect(None, zoom=0.95)  # type: ignore[arg-type]  # declared as int
    ax.set_anchor("N")  # titles stay level beside axes that a colour bar makes narrower
    ax.patch.set_visible(False)
    for axis in (ax.xaxis, ax.yaxis, ax.zaxis):
        axis.set_major_locator(matplotlib.ticker.MaxNLocator(3, steps=[1, 2, 5, 10]))
        axis.set_pane_color((0.965, 0.965, 0.965, 1.0))
        axis.set_tick_params(pad=-2, labelsize=7.5)
        axis.labelpad = -4
    return ax


def legend_above(figure: Figure | SubFigure, ax: Axes) -> None:
    """Put the legend of one panel above all of them."""
    handles, labels = ax.get_legend_handles_labels()
    columns = min(len(labels), _legend_columns(labels, figure.bbox.width / figure.figure.dpi))
    figure.legend(handles, labels, loc="upper center", ncols=columns, borderaxespad=0.2)


def _legend_columns(labels: Sequence[str], width: float) -> int:
    """Entries that fit beside each other into a figure of this width [inch]."""
    longest = max(map(len, labels), default=0)
    return max(1, int(width / (HANDLE + CHARACTER * longest)))


def grid_shape(n_panels: int, columns: int) -> tuple[int, int]:
    """Rows and columns that hold this many panels."""
    columns = min(columns, n_panels)
    return math.ceil(n_panels / columns), columns


def flat_grid(n_panels: int) -> tuple[int, int]:
    """Rows and columns for panels of time courses: two columns, three if there are many."""
    return grid_shape(n_panels, 2 if n_panels <= MANY else 3)


def normalised(values: np.ndarray) -> Normalize:
    """Colour scale from the least to the largest finite value."""
    finite = values[np.isfinite(values)]
    return Normalize(float(finite.min()), float(finite.max())) if finite.size else Normalize(0, 1)
