"""Training histories."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure
from matplotlib.ticker import MaxNLocator

from ._labels import moment_symbol, title
from ._layout import flat_grid, legend_above, new_axes, new_figure, panel
from ._style import model_style

PER_SITE = ("moment_error", "negative_log_likelihood")
History = Mapping[str, np.ndarray]


def plot_history(histories: Mapping[str, History], column: str, *, ax: Axes | None = None) -> Axes:
    """Draw one column of the training history of every model that has it.

    Parameters
    ----------
    histories
        History of each model by its name: columns by their names, one value an optimisation step,
        and `step`, their numbers, if they are not 1, 2, 3, ...
    column
        Name of the column, such as `kl` or `rmse.A`.
    ax
        Where to draw, by default a new figure.

    Returns
    -------
    ax
        The axes; the scale is logarithmic if the values are positive and span a decade.

    Raises
    ------
    ValueError
        If no history has the column.
    """
    drawn = {name: h for name, h in histories.items() if column in h}
    if not drawn:
        raise ValueError(f"No history has the column {column!r}; they have {columns(histories)}.")
    ax = new_axes(ax)
    for name, history in drawn.items():
        style = model_style(list(histories), name, set())
        ax.plot(_steps(history, column), history[column], label=title(name), **style)
    values = np.concatenate([history[column] for history in drawn.values()])
    if 0 < 10 * np.nanmin(values, initial=np.inf) <= np.nanmax(values, initial=0):
        ax.set_yscale("log")
    else:
        ax.ticklabel_format(axis="y", useOffset=False)
        ax.yaxis.set_major_locator(MaxNLocator(5))
    quantity, unit = _label(column)
    ax.set(title=quantity, xlabel="optimisation step [-]", ylabel=unit)
    ax.margins(x=0.01)
    return ax


def plot_histories(
    histories: Mapping[str, History], *, figure: Figure | SubFigure | None = None
) -> list[Axes]:
    """Draw all columns of the training histories, one panel each.

    Parameters
    ----------
    histories
        As for `plot_history`.
    figure
        Where to draw, by default a new figure.

    Returns
    -------
    axes
        One for each column; the legend is above them.
    """
    drawn = columns(histories)
    shape = flat_grid(max(1, len(drawn)))
    figure = new_figure(figure, shape, legend=[title(name) for name in histories])
    axes = [
        plot_history(histories, column, ax=panel(figure, shape, place))
        for place, column in enumerate(drawn)
    ]
    if axes:
        legend_above(figure, axes)
    return axes


def columns(histories: Mapping[str, History]) -> list[str]:
    """Names of all columns but the steps, in order of first appearance."""
    found = [name for history in histories.values() for name in history if name != "step"]
    return list(dict.fromkeys(found))


def _steps(history: History, column: str) -> np.ndarray:
    return history["step"] if "step" in history else np.arange(1, len(history[column]) + 1)


def _label(column: str) -> tuple[str, str]:
    """Name of a column, and its unit."""
    quantity, _, moment = column.partition(".")
    if column == "kl":
        return "KL divergence", "[-]"
    if quantity == "rmse":
        return f"RMSE of {moment_symbol(moment)}", "[per site]"
    return title(column), "[per site]" if column in PER_SITE else "[-]"
