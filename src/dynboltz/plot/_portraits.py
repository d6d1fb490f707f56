"""Moments of simulations against each other and their relaxation, Fig. 4(b)-(d) of the paper."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure

from ._labels import moment_label, moment_symbol, time_label
from ._layout import margins_of, new_axes, new_figure, panel
from ._paths import draw_paths, face, label_axes, over_time
from ._select import of_order, select
from ._style import species_style


def plot_phase_portrait(
    trajectories: xr.Dataset,
    moments: Sequence[str] | None = None,
    *,
    replica: int | None = 0,
    ax: Axes | None = None,
) -> Axes:
    """Draw the path of a simulation in the space of some of its moments.

    Parameters
    ----------
    trajectories
        Dataset with `moments(replica, time, moment)` [per site].
    moments
        One to three names; by default the first three means, or those there are. A single moment
        is drawn over time.
    replica
        Number of the simulation; `None` for the mean over all simulations.
    ax
        Where to draw, for three moments axes of three dimensions; by default a new figure.

    Returns
    -------
    ax
        The axes; the start is cyan, the end magenta.

    Raises
    ------
    ValueError
        If there is no such moment or replica.

    References
    ----------
    Ernst et al. (2019), Fig. 4(b).
    """
    moments = of_order(trajectories, 1)[:3] if moments is None else list(moments)
    if not 1 <= len(moments) <= 3:
        raise ValueError(f"`moments` must be one to three names, got {moments}.")
    for name in moments:
        select(trajectories, "moment", name)
    values = _simulated(trajectories, replica).sel(moment=moments)
    path = over_time(trajectories["time"].values, values.transpose("time", "moment").values)
    ax = new_axes(ax, path.shape[1])
    draw_paths(ax, [path])
    face(ax, path)
    label_axes(ax, [moment_label(name) for name in moments], time_label(trajectories))
    return ax


def plot_phase_portraits(
    trajectories: xr.Dataset, *, replica: int = 0, figure: Figure | SubFigure | None = None
) -> list[Axes]:
    """Draw one simulation in the space of means and of pairs, and the mean over all simulations.

    Parameters
    ----------
    trajectories
        Dataset with `moments(replica, time, moment)` [per site], all of one initial condition.
    replica
        Number of the simulation.
    figure
        Where to draw, by default a new figure.

    Returns
    -------
    axes
        Means of the simulation; its nearest-neighbour moments, if there are any; means over all
        simulations.

    References
    ----------
    Ernst et al. (2019), Fig. 4(b)-(d).
    """
    means, pairs = of_order(trajectories, 1)[:3], shown_pairs(trajectories)
    panels = [("one simulation", means, replica), ("mean of all simulations", means, None)]
    if pairs:
        panels.insert(1, ("one simulation, neighbours", pairs, replica))
    dims = [max(2, len(moments)) for _, moments, _ in panels]
    shape = (1, len(panels))
    figure = new_figure(figure, shape, margins=margins_of(dims))
    axes = []
    for place, (name, moments, number) in enumerate(panels):
        ax = panel(figure, shape, place, dims[place])
        plot_phase_portrait(trajectories, moments, replica=number, ax=ax)
        ax.set_title(name)
        axes.append(ax)
    place_of_legend = "upper left" if dims[0] == 3 else "best"
    axes[0].legend(loc=place_of_legend, handletextpad=0.1, borderpad=0.0)
    return axes


def plot_relaxation(
    trajectories: xr.Dataset,
    moments: Sequence[str] | None = None,
    *,
    replica: int = 0,
    ax: Axes | None = None,
) -> Axes:
    """Draw moments over time, averaged over the simulations and of one of them.

    A single simulation goes on fluctuating where the average of all of them comes to rest, as
    simulations from the same start lose step with each other.

    Parameters
    ----------
    trajectories
        Dataset with `moments(replica, time, moment)` [per site], all of one initial condition.
    moments
        Names, by default all means.
    replica
        Number of the simulation that is drawn as a thin line.
    ax
        Where to draw, by default a new figure.

    Returns
    -------
    ax
        The axes; the band is two standard errors of the average to either side.

    References
    ----------
    Ernst et al. (2019), Fig. 4(d).
    """
    moments = of_order(trajectories, 1) if moments is None else list(moments)
    one = _simulated(trajectories, replica)
    ax, time = new_axes(ax), trajectories["time"].values
    for index, name in enumerate(moments):
        values = select(trajectories, "moment", name)["moments"].transpose("replica", "time").values
        style = species_style(index)
        mean = values.mean(axis=0)
        ax.plot(time, one.sel(moment=name), color=style["color"], linewidth=0.6, alpha=0.6)
        if len(values) > 1:
            band = 2.0 * values.std(axis=0, ddof=1) / np.sqrt(len(values))
            ax.fill_between(
                time, mean - band, mean + band, color=style["color"], alpha=0.3, linewidth=0
            )
        ax.plot(time, mean, label=moment_symbol(name), **style)
    ax.set(xlabel=time_label(trajectories), ylabel="moment [per site]")
    ax.set_ylim(bottom=0.0)
    ax.margins(x=0.01)
    ax.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=len(moments), borderpad=0.0)
    return ax


def shown_pairs(trajectories: xr.Dataset) -> list[str]:
    """Up to three moments of neighbours: those of equal species if there are three of them."""
    pairs = of_order(trajectories, 2)
    alike = [name for name in pairs if len(set(name.split("."))) == 1]
    return (alike if len(alike) >= 3 else pairs)[:3]


def _simulated(trajectories: xr.Dataset, replica: int | None) -> xr.DataArray:
    if replica is None:
        return trajectories["moments"].mean("replica")
    n = trajectories.sizes["replica"]
    if not 0 <= replica < n:
        raise ValueError(f"`replica` must be 0 to {n - 1}, got {replica}.")
    return trajectories["moments"].isel(replica=replica)
