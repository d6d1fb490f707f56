"""Coefficient space: where trajectories start, pass and end; Figs. 2 (left) and 3(a)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import xarray as xr
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure, SubFigure

from ._labels import coefficient_label, moment_label, time_label, title
from ._layout import BAR_PAD, grid_shape, margins_of, new_axes, new_figure, panel
from ._paths import draw_paths, draw_points, label_axes, over_time
from ._select import coefficient_names, neighbour_moment, select, select_part, shown_coefficients
from ._style import SEQUENTIAL, normalised


def plot_trajectories(
    predictions: xr.Dataset,
    *,
    part: str = "train",
    coefficients: Sequence[str] | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw the trajectories of a model in the space of its coefficients.

    Initial points are cyan, learned trajectories black, end points magenta. Two coefficients span
    a plane; a single one is drawn over time.

    Parameters
    ----------
    predictions
        Dataset with `theta(part, initial_condition, time, coefficient)`.
    part
        `"train"` or `"test"`.
    coefficients
        One to three names, by default the first three.
    ax
        Where to draw, for three coefficients axes of three dimensions; by default a new figure.

    Returns
    -------
    ax
        The axes.

    Raises
    ------
    ValueError
        If there is no such part or coefficient, or the dataset is that of a baseline.

    References
    ----------
    Ernst et al. (2019), Fig. 2, left.
    """
    shown = shown_coefficients(predictions, coefficients)
    paths = trajectory_paths(predictions, shown, part)
    ax = new_axes(ax, paths.shape[2])
    draw_paths(ax, paths)
    label_axes(ax, [coefficient_label(name) for name in shown], time_label(predictions))
    return ax


def plot_initial_moment(
    predictions: xr.Dataset,
    moment: str | None = None,
    *,
    part: str = "train",
    coefficients: Sequence[str] | None = None,
    scale: Normalize | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw the initial conditions in coefficient space, coloured by a moment of the simulations.

    Parameters
    ----------
    predictions
        Dataset with `theta` and `simulated` over (part, initial_condition, time, ...).
    moment
        A moment of two neighbouring sites [per site], by default the first.
    part
        `"train"` or `"test"`.
    coefficients
        One to three names, by default the first three; a single one is drawn against the moment.
    scale
        Scale of the colours, by default from the least to the largest value.
    ax
        Where to draw, for three coefficients axes of three dimensions; by default a new figure.

    Returns
    -------
    ax
        The axes.

    References
    ----------
    Ernst et al. (2019), Fig. 3(a).
    """
    shown = shown_coefficients(predictions, coefficients)
    moment = neighbour_moment(predictions, moment)
    start = select_part(predictions, part).isel(time=0)
    values = start["simulated"].sel(moment=moment).values
    points = start["theta"].sel(coefficient=shown).values
    if len(shown) == 1:
        points = np.column_stack([points, values])
    ax = new_axes(ax, len(shown))
    scale = normalised(values) if scale is None else scale
    style = {"cmap": SEQUENTIAL, "norm": scale, "s": 22, "edgecolors": "#333333", "lw": 0.3}
    draw_points(ax, points, c=values, **style)
    labels = [coefficient_label(name) for name in shown]
    label_axes(ax, [*labels, moment_label(moment)][: max(2, len(shown))], time_label(start))
    return ax


def plot_initial_moments(
    predictions: Mapping[str, xr.Dataset],
    moment: str | None = None,
    *,
    part: str = "train",
    figure: Figure | SubFigure | None = None,
) -> list[Axes]:
    """Draw `plot_initial_moment` for several models with one scale of colours.

    Parameters
    ----------
    predictions
        Dataset of each model by its name; all of them learned from the same simulations.
    moment
        A moment of two neighbouring sites [per site], by default the first.
    part
        `"train"` or `"test"`.
    figure
        Where to draw, by default a new figure.

    Returns
    -------
    axes
        One for each model; where three of more coefficients are shown, its title says so.
    """
    first = next(iter(predictions.values()))
    shape = grid_shape(len(predictions), 2)
    dims = [max(2, len(shown_coefficients(ds, None))) for ds in predictions.values()]
    dim = max(dims)
    figure = new_figure(figure, shape, margins=margins_of(dims), bar=True)
    moment = neighbour_moment(first, moment)
    start = select_part(select(first, "moment", moment), part)["simulated"].isel(time=0)
    scale = normalised(start.values)
    axes = []
    for place, (name, ds) in enumerate(predictions.items()):
        ax = panel(figure, shape, place, len(shown_coefficients(ds, None)))
        plot_initial_moment(ds, moment, part=part, scale=scale, ax=ax)
        axes.append(ax)
        ax.set_title(_title(name, ds))
    mappable = ScalarMappable(scale, SEQUENTIAL)
    figure.colorbar(
        mappable,
        ax=axes,
        shrink=0.7,
        fraction=0.06,
        pad=BAR_PAD[dim] / shape[1],
        label=moment_label(moment),
    )
    return axes


def _title(name: str, ds: xr.Dataset) -> str:
    shown, known = len(shown_coefficients(ds, None)), len(coefficient_names(ds))
    return title(name) + (f": {shown} of {known} coefficients" if shown < known else "")


def trajectory_paths(
    predictions: xr.Dataset, shown: Sequence[str], part: str
) -> Float[np.ndarray, "initial_conditions times axes"]:
    """Trajectories as points in the space of the coefficients, of a single one over time."""
    theta = select_part(predictions, part)["theta"].sel(coefficient=list(shown))
    ordered = theta.transpose("initial_condition", "time", "coefficient")
    return over_time(predictions["time"].values, ordered.values)
