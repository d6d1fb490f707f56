"""Moments of the simulations over time, Fig. 1(e) of the paper."""

from __future__ import annotations

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure

from ._labels import moment_label, time_label
from ._layout import flat_grid, new_axes, new_figure, panel
from ._select import names, select, select_part
from ._style import SEQUENTIAL, colours


def plot_moment(
    predictions: xr.Dataset,
    moment: str,
    *,
    part: str = "train",
    initial_conditions: int = 10,
    ax: Axes | None = None,
) -> Axes:
    """Draw a moment of the simulations over time, one line an initial condition.

    The lighter a line, the larger the first of the moments at the start.

    Parameters
    ----------
    predictions
        Dataset with `simulated(part, initial_condition, time, moment)` [per site].
    moment
        Name of the moment, such as `A.A`.
    part
        `"train"` or `"test"`.
    initial_conditions
        Largest number of lines.
    ax
        Where to draw, by default a new figure.

    Returns
    -------
    ax
        The axes.

    Raises
    ------
    ValueError
        If there is no such part or moment.

    References
    ----------
    Ernst et al. (2019), Fig. 1(e).
    """
    chosen = select_part(select(predictions, "moment", moment), part)
    lines = chosen["simulated"].isel(initial_condition=slice(initial_conditions))
    ax = new_axes(ax)
    for line, shade in zip(lines, _shades(predictions, part, len(lines)), strict=True):
        ax.plot(chosen["time"], line, color=shade, linewidth=1.2)
    ax.set(xlabel=time_label(chosen), ylabel=moment_label(moment))
    ax.set_ylim(bottom=0.0)
    ax.margins(x=0.01)
    return ax


def plot_moments(
    predictions: xr.Dataset,
    *,
    part: str = "train",
    initial_conditions: int = 10,
    figure: Figure | SubFigure | None = None,
) -> list[Axes]:
    """Draw all moments of the simulations over time, one panel each.

    Parameters
    ----------
    predictions
        Dataset with `simulated(part, initial_condition, time, moment)` [per site].
    part
        `"train"` or `"test"`.
    initial_conditions
        Largest number of lines in a panel; a line has the same colour in all of them.
    figure
        Where to draw, by default a new figure.

    Returns
    -------
    axes
        One for each moment.
    """
    moments = names(predictions, "moment")
    shape = flat_grid(len(moments))
    figure = new_figure(figure, shape)
    return [
        plot_moment(
            predictions,
            moment,
            part=part,
            initial_conditions=initial_conditions,
            ax=panel(figure, shape, place),
        )
        for place, moment in enumerate(moments)
    ]


def _shades(predictions: xr.Dataset, part: str, n: int) -> np.ndarray:
    """Colours of the first initial conditions, by the rank of their first moment at the start."""
    start = select_part(predictions, part)["simulated"].isel(time=0, moment=0).values[:n]
    rank = np.argsort(np.argsort(start, kind="stable"), kind="stable")
    return colours(SEQUENTIAL)(0.92 * rank / max(1, n - 1))
