"""The learned dynamics of one model at a glance, Fig. 2 of the paper."""

from __future__ import annotations

import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure

from dynboltz.dynamics import HermiteField

from ._cells import function_of
from ._field import plot_field, plot_vertices
from ._labels import time_unit
from ._layout import grid_shape, margins_of, new_figure, panel
from ._select import learned_times
from ._space import plot_trajectories


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
        Dataset with `theta(part, initial_condition, time, coefficient)` of the model; times beyond
        its attribute `learned_until` are left out.
    field
        The learned field of the model.
    part
        Whose trajectories: `"train"` or `"test"`.
    figure
        Where to draw, by default a new figure.

    Returns
    -------
    axes
        The trajectories in the space of the first three arguments of the first function, the
        function of each coefficient, and the vertices of the first.

    References
    ----------
    Ernst et al. (2019), Fig. 2.
    """
    predictions = learned_times(predictions)
    names, unit = field.coefficients, time_unit(predictions)
    arguments = [function_of(field, name).grid.arguments[:3] for name in names]
    dims = [len(shown) for shown in (arguments[0], *arguments, arguments[0])]
    shape = grid_shape(len(dims), 3)
    figure = new_figure(figure, shape, margins=margins_of(dims, bars=True))
    trajectories, *functions, vertices = (
        panel(figure, shape, place, dim) for place, dim in enumerate(dims)
    )
    plot_trajectories(predictions, part=part, coefficients=arguments[0], ax=trajectories)
    trajectories.set_title("learned trajectories")
    place_of_legend = "upper left" if dims[0] == 3 else "best"
    trajectories.legend(loc=place_of_legend, handletextpad=0.1, borderpad=0.0)
    for ax, name in zip(functions, names, strict=True):
        plot_field(field, name, time_unit=unit, ax=ax)
    plot_vertices(field, names[0], ax=vertices)
    return [trajectories, *functions, vertices]
