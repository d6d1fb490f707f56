"""Coefficients over time beside the simulated neighbouring pairs, Fig. 3(b) of the paper."""

from __future__ import annotations

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.figure import Figure, SubFigure

from ._labels import coefficient_label, moment_label, time_label
from ._layout import BAR_PAD, flat_grid, new_axes, new_figure, panel
from ._learned import mark_learned
from ._select import coefficient_names, known_times, neighbour_moment, select, select_part
from ._style import SEQUENTIAL, colours, normalised


def plot_coefficient(
    predictions: xr.Dataset,
    coefficient: str,
    *,
    moment: str | None = None,
    part: str = "train",
    ax: Axes | None = None,
) -> Axes:
    """Draw the learned trajectories of one coefficient over time.

    Parameters
    ----------
    predictions
        Dataset with `theta` and `simulated` over (part, initial_condition, time, ...).
    coefficient
        Name of the coefficient.
    moment
        A moment of two neighbouring sites; its value at time 0 colours the lines. By default the
        first.
    part
        `"train"` or `"test"`.
    ax
        Where to draw, by default a new figure.

    Returns
    -------
    ax
        The axes.

    Raises
    ------
    ValueError
        If there is no such part, coefficient or moment, or the dataset is that of a baseline.
    """
    coefficient_names(predictions)
    chosen = select_part(select(predictions, "coefficient", coefficient), part)
    ax = _draw(chosen, chosen["theta"], neighbour_moment(predictions, moment), ax)
    ax.set_ylabel(coefficient_label(coefficient))
    return ax


def plot_neighbour_moment(
    predictions: xr.Dataset,
    moment: str | None = None,
    *,
    part: str = "train",
    ax: Axes | None = None,
) -> Axes:
    r"""Draw a moment of neighbouring pairs of the simulations over time.

    Of a chain of one species, twice this moment minus one is the spatial correlation
    $2 \langle v_i v_{i+1} \rangle - 1$ of the paper.

    Parameters
    ----------
    predictions
        Dataset with `simulated(part, initial_condition, time, moment)` [per site].
    moment
        A moment of two neighbouring sites, by default the first.
    part
        `"train"` or `"test"`.
    ax
        Where to draw, by default a new figure.

    Returns
    -------
    ax
        The axes.
    """
    moment = neighbour_moment(predictions, moment)
    chosen = select_part(predictions, part)
    ax = _draw(chosen, chosen["simulated"].sel(moment=moment), moment, ax)
    ax.set_ylabel(f"simulated {moment_label(moment)}")
    return ax


def plot_coefficients(
    predictions: xr.Dataset,
    *,
    moment: str | None = None,
    part: str = "train",
    figure: Figure | SubFigure | None = None,
) -> list[Axes]:
    """Draw all coefficients of a model over time, and neighbouring pairs in the simulations.

    Times at which no coefficient is known, as after the end of fits, are left out. Where they go
    beyond the attribute `learned_until`, a vertical line marks it.

    Parameters
    ----------
    predictions
        Dataset with `theta` and `simulated` over (part, initial_condition, time, ...).
    moment
        A moment of two neighbouring sites, by default the first; its value at time 0 colours the
        lines.
    part
        `"train"` or `"test"`.
    figure
        Where to draw, by default a new figure.

    Returns
    -------
    axes
        One for each coefficient, then the moment of neighbouring pairs. A single initial condition
        has no bar of colours.

    References
    ----------
    Ernst et al. (2019), Fig. 3(b).
    """
    coefficients = coefficient_names(predictions)
    moment = neighbour_moment(predictions, moment)
    predictions = known_times(predictions, part)
    shape = flat_grid(len(coefficients) + 1)
    initial = _initial(select_part(predictions, part), moment)
    figure = new_figure(figure, shape, bar=len(initial) > 1)
    axes = [
        plot_coefficient(
            predictions, name, moment=moment, part=part, ax=panel(figure, shape, place)
        )
        for place, name in enumerate(coefficients)
    ]
    last = panel(figure, shape, len(coefficients))
    axes.append(plot_neighbour_moment(predictions, moment, part=part, ax=last))
    if len(initial) > 1:
        figure.colorbar(
            ScalarMappable(normalised(initial), SEQUENTIAL),
            ax=axes,
            shrink=0.7,
            fraction=0.06,
            pad=BAR_PAD[2],
            label=f"{moment_label(moment)} at the start",
        )
    return axes


def _draw(chosen: xr.Dataset, lines: xr.DataArray, moment: str, ax: Axes | None) -> Axes:
    """Draw one line an initial condition, coloured by its moment at the first time."""
    ax = new_axes(ax)
    initial = _initial(chosen, moment)
    shades = colours(SEQUENTIAL)(normalised(initial)(initial))
    for line, shade in zip(lines.transpose("initial_condition", "time"), shades, strict=True):
        ax.plot(chosen["time"], line, color=shade, linewidth=0.9)
    mark_learned(ax, [chosen])
    ax.set_xlabel(time_label(chosen))
    ax.margins(x=0.01)
    return ax


def _initial(chosen: xr.Dataset, moment: str) -> np.ndarray:
    return chosen["simulated"].isel(time=0).sel(moment=moment).values
