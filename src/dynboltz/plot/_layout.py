"""Empty figures: room for panels, colour bars and legends."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure
from matplotlib.ticker import MaxNLocator
from mpl_toolkits.mplot3d.axes3d import Axes3D


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
SOLID = Margins(3.1, 2.6, left=0.25, right=0.4, bottom=0.2, top=0.3, gap_x=0.5, gap_y=0.4)
MIXED = Margins(3.1, 2.4, left=0.72, right=0.4, bottom=0.48, top=0.35, gap_x=0.6, gap_y=0.6)
"""For figures whose panels are partly flat and partly solid."""

MANY = 8
"""Panels that two columns of a figure may hold."""

BAR = 0.55
"""Width of the numbers and the label of a colour bar [inch]."""

BAR_PAD = {2: 0.04, 3: 0.17}
"""Gap between flat or solid axes and their colour bar, a part of the width of the axes."""

HANDLE, CHARACTER, ROW = 0.55, 0.068, 0.19
"""In a legend, room for a line and its gaps, for a character, and for a row [inch]."""


def new_axes(ax: Axes | None, dim: int = 2, *, bar: bool = False) -> Axes:
    """Return `ax`, or axes of `dim` dimensions in a figure of their own, with room for a `bar`."""
    if ax is not None:
        return ax
    return panel(new_figure(None, (1, 1), dim, bar=bar), (1, 1), 0, dim)


def margins_of(dims: Sequence[int], *, bars: bool = False) -> Margins:
    """Room for panels of these dimensions; with `bars` flat ones may have a colour bar each."""
    if min(dims) >= 3:
        return SOLID
    chosen = FLAT if max(dims) < 3 else MIXED
    if not bars:
        return chosen
    return chosen._replace(right=chosen.right + BAR, gap_x=chosen.gap_x + BAR)


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
        axis.set_major_locator(MaxNLocator(3, steps=[1, 2, 5, 10]))
        axis.set_pane_color((0.965, 0.965, 0.965, 1.0))
        axis.set_tick_params(pad=-2, labelsize=7.5)
        axis.labelpad = -4
    ax.zaxis.set_tick_params(pad=1)
    ax.zaxis.labelpad = 1
    return ax


def legend_above(figure: Figure | SubFigure, axes: Sequence[Axes]) -> None:
    """Put one legend of what the panels show above all of them."""
    entries: dict[str, Artist] = {}
    for ax in axes:
        for handle, label in zip(*ax.get_legend_handles_labels(), strict=True):
            entries.setdefault(label, handle)
    columns = _legend_columns(list(entries), figure.bbox.width / figure.figure.dpi)
    figure.legend(
        list(entries.values()),
        list(entries),
        loc="upper center",
        ncols=max(1, min(len(entries), columns)),
        borderaxespad=0.2,
    )


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
