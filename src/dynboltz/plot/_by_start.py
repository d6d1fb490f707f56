"""Moments that models predict from several initial conditions, beside those of the simulations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure

from ._layout import FLAT, legend_above, new_figure, panel
from ._predictions import legend_labels, plot_prediction, shown_moments
from ._select import predicted, select_part
from ._style import model_styles

SHARED = FLAT._replace(width=2.3, height=1.5, gap_x=0.35, gap_y=0.2)
"""For panels that have the axes of their row and column in common."""


def plot_predictions_by_start(
    predictions: Mapping[str, xr.Dataset],
    moments: Sequence[str] | None = None,
    *,
    part: str = "test",
    initial_conditions: int = 4,
    figure: Figure | SubFigure | None = None,
) -> list[Axes]:
    """Draw `plot_prediction` for some initial conditions, which differ widely at the start.

    Parameters
    ----------
    predictions
        As for `plot_prediction`; models that predict nothing for this part are left out.
    moments
        Names of the moments, by default the means and the moments of nearest neighbours.
    part
        `"train"` or `"test"`.
    initial_conditions
        Largest number of initial conditions. They are spread evenly over the ranks of the first
        moment at the start and drawn in this order.
    figure
        Where to draw, by default a new figure.

    Returns
    -------
    axes
        A row for each moment, with one scale, and a column for each initial condition, named by
        its number; the legend is above them.

    Raises
    ------
    ValueError
        If there is no such part or moment.
    """
    first = next(iter(predictions.values()))
    moments = shown_moments(first) if moments is None else list(moments)
    starts = _spread(select_part(first, part), initial_conditions)
    shown, styles = predicted(predictions, part), model_styles(predictions)
    shape, labels = (len(moments), len(starts)), legend_labels(shown)
    figure = new_figure(figure, shape, margins=SHARED, legend=labels, titled=True)
    axes: list[Axes] = []
    for row, moment in enumerate(moments):
        panels = [panel(figure, shape, row * len(starts) + k) for k in range(len(starts))]
        for ax, start in zip(panels, starts, strict=True):
            plot_prediction(shown, moment, part=part, initial_condition=start, styles=styles, ax=ax)
        _share_scale(panels)
        axes += panels
    for ax, start in zip(axes, starts, strict=False):
        ax.set_title(f"initial condition {start}")
    for ax in axes[: -len(starts)]:
        ax.set_xlabel("")
        ax.tick_params(labelbottom=False)
    legend_above(figure, axes)
    return axes


def _spread(chosen: xr.Dataset, largest: int) -> list[int]:
    """Numbers of initial conditions, evenly spaced in the order of their first moment."""
    order = np.argsort(chosen["simulated"].isel(time=0, moment=0).values, kind="stable")
    places = np.linspace(0, len(order) - 1, min(largest, len(order))).round().astype(int)
    return [int(order[place]) for place in places]


def _share_scale(panels: Sequence[Axes]) -> None:
    """Give panels beside each other one scale, whose numbers are left of them."""
    top = max(ax.get_ylim()[1] for ax in panels)
    for ax in panels:
        ax.set_ylim(0.0, top)
    for ax in panels[1:]:
        ax.set_ylabel("")
        ax.tick_params(labelleft=False)
