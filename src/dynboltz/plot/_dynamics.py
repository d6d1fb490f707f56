"""The learned dynamics of one model at a glance, Fig. 2 of the paper."""

from __future__ import annotations

import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure

from dynboltz.dynamics import HermiteField

from ._cells import function_of
from ._field import plot_field, plot_vertices
from ._labels import time_unit
from ._select import shown_coefficients
from ._space import plot_trajectories
from ._style import grid_shape, new_figure, panel


def plot_dynamics(
    predictions: xr.Dataset,
    field: HermiteField,
    *,
    part: str = "train",
    figure: Figure | SubFigure | None = None,
) -> list[Axes]:
    """Draw trajectories in coefficient space, the learned functions, and their vertices.

    Parameters
    ----------
    predictions
        Dataset with `theta(part, initial_condition, time, coefficient)` of the model.
    field
        The learned field of the model.
    part
        Whose trajectories: `"train"` or `"test"`.
    figure
        Where to draw, by default a new figure.

    Returns
    -------
    axes
        The trajectories, one function for each of the first three coefficients, the vertices of
        the first.

    References
    ----------
    Ernst et al. (2019), Fig. 2.
    """
    shown = shown_coefficients(predictions, None)
    shape = grid_shape(len(shown) + 2, 3)
    figure = new_figure(figure, shape, len(shown))
    trajectories = panel(figure, shape, 0, len(shown))
    plot_trajectories(predictions, part=part, ax=trajectories)
    trajectories.set_title("learned trajectories")
    trajectories.legend(loc="upper left", handletextpad=0.1, borderpad=0.0)
    axes = [trajectories]
    for place, name in enumerate(shown, start=1):
        ax = panel(figure, shape, place, _dim(field, name))
        axes.append(plot_field(field, name, time_unit=time_unit(predictions), ax=ax))
    last = panel(figure, shape, len(shown) + 1, _dim(field, shown[0]))
    return [*axes, plot_vertices(field, shown[0], ax=last)]


def _dim(field: HermiteField, coefficient: str) -> int:
    return function_of(field, coefficient).grid.dim
