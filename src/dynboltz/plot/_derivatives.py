"""Learned time-evolution functions at the vertices they are stored at, Fig. 7 of the paper."""

from __future__ import annotations

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.colors import Normalize
from matplotlib.figure import Figure, SubFigure

from dynboltz.dynamics import HermiteField

from ._cells import allocated_vertices, function_of, vertex_values
from ._field import derivative_title, plot_field
from ._labels import coefficient_label, time_unit
from ._layout import BAR_PAD, grid_shape, margins_of, new_axes, new_figure, panel
from ._paths import face
from ._select import learned_times
from ._space import plot_trajectories, trajectory_paths
from ._style import DIVERGING


def plot_vertex_values(
    field: HermiteField, coefficient: str, *, time_unit: str = "-", ax: Axes | None = None
) -> Axes:
    r"""Draw the learned right-hand side $F$ of one coefficient at the allocated vertices.

    Where few trajectories pass, the cells they visit form a thin tube that planes hardly cut; its
    vertices show all of it. The colours are symmetric about $F = 0$ and end at the 99th percentile
    of $|F|$.

    Parameters
    ----------
    field
        The learned field.
    coefficient
        Whose right-hand side, a function of three or more arguments.
    time_unit
        Unit of time, for the label.
    ax
        Axes of three dimensions, by default in a new figure.

    Returns
    -------
    ax
        The axes; the first three arguments are shown.

    Raises
    ------
    ValueError
        If the field has no such coefficient, or its function fewer than three arguments.

    References
    ----------
    Ernst et al. (2019), Fig. 7.
    """
    function = function_of(field, coefficient)
    arguments = function.grid.arguments[:3]
    if len(arguments) < 3:
        raise ValueError(
            f"plot_vertex_values: the function of {coefficient!r} must have three or more "
            f"arguments, it has {', '.join(arguments)}; use `plot_field`."
        )
    ax = new_axes(ax, 3, bar=True)
    values = vertex_values(function, coefficient)
    limit = float(np.percentile(np.abs(values), 99)) if values.size else 1.0
    points = ax.scatter(
        *allocated_vertices(function)[:, :3].T,
        c=values,
        cmap=DIVERGING,
        norm=Normalize(-limit or -1.0, limit or 1.0),
        s=10,
        alpha=0.75,
        linewidths=0,
        depthshade=False,  # type: ignore[call-arg]
        zorder=1,
    )
    ax.figure.colorbar(
        points, ax=ax, extend="both", shrink=0.6, fraction=0.1, pad=BAR_PAD[3], aspect=16
    )
    ax.set_title(derivative_title(coefficient, time_unit))
    for axis, name in zip("xyz", arguments, strict=True):
        ax.set(**{f"{axis}label": coefficient_label(name)})
    return ax


def plot_derivatives(
    predictions: xr.Dataset,
    field: HermiteField,
    *,
    part: str = "train",
    figure: Figure | SubFigure | None = None,
) -> list[Axes]:
    """Draw the learned right-hand sides of all coefficients, and the trajectories that pass there.

    Parameters
    ----------
    predictions
        Dataset with `theta` of the model; times beyond its attribute `learned_until` are left out.
    field
        The learned field of the model.
    part
        Whose trajectories: `"train"` or `"test"`.
    figure
        Where to draw, by default a new figure.

    Returns
    -------
    axes
        One for each coefficient: `plot_vertex_values`, or `plot_field` for functions of one or two
        arguments.

    References
    ----------
    Ernst et al. (2019), Fig. 7.
    """
    predictions, unit = learned_times(predictions), time_unit(predictions)
    arguments = [function_of(field, name).grid.arguments for name in field.coefficients]
    shape = grid_shape(len(field.coefficients), 3)
    margins = margins_of([len(shown) for shown in arguments], bars=True)
    figure = new_figure(figure, shape, margins=margins)
    axes = []
    for place, (name, shown) in enumerate(zip(field.coefficients, arguments, strict=True)):
        ax = panel(figure, shape, place, len(shown))
        draw = plot_vertex_values if len(shown) >= 3 else plot_field
        draw(field, name, time_unit=unit, ax=ax)
        if len(shown) > 1:
            plot_trajectories(predictions, part=part, coefficients=shown[:3], ax=ax)
            face(ax, trajectory_paths(predictions, shown[:3], part))
        axes.append(ax)
    return axes
