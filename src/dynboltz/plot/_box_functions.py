"""Learned functions of the interaction functions, and where they were visited."""

from __future__ import annotations

import numpy as np
import xarray as xr
from jaxtyping import Bool
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure

from ._labels import plain
from ._layout import grid_shape, legend_above, new_figure, panel
from ._style import MODEL_COLOURS, NOISE

UNITS = {"F1": "length²/time", "F2": "length²/time", "F3": "1/time"}
OCCUPANCY = {"color": "#bbbbbb", "linewidth": 0.0}
HEIGHT = 0.18
"""Height of the histogram of visited values, a part of that of the panel."""


MARGIN = 0.15
"""Values beyond the visited ones that are shown, a part of their range."""


def plot_functions(ds: xr.Dataset, *, figure: Figure | SubFigure | None = None) -> list[Axes]:
    r"""Draw the learned functions $F_1$, $F_2$ and $F_3$ of every species.

    Only where at least the share `least_occupancy` of the most visited value was visited; a band
    holds one standard error to either side. The grey histogram says where particles were.

    Parameters
    ----------
    ds
        Dataset with `function_value`, `function_error` and `function_truth` over (species,
        function, bin), `nu` and `occupancy` over (species, bin).
    figure
        Where to draw, by default a new figure.

    Returns
    -------
    axes
        One for each species and function.
    """
    species = [str(name) for name in ds["species"].values]
    shape = grid_shape(3 * len(species), 3)
    figure = new_figure(figure, shape, legend=["learned, ± 1 standard error", "truth", "visited"])
    axes = []
    for row, name in enumerate(species):
        for column, key in enumerate(ds["function"].values):
            ax = panel(figure, shape, 3 * row + column)
            _draw(ax, ds.sel(species=name, function=key), visited(ds.sel(species=name)))
            symbol = rf"$F_{str(key)[1:]}$"
            ax.set(xlabel=rf"$\nu_{{{plain(name)}}}$ [-]", ylabel=f"{symbol} [{UNITS[str(key)]}]")
            axes.append(ax)
    legend_above(figure, axes)
    return axes


def visited(ds: xr.Dataset) -> Bool[np.ndarray, " bins"]:
    """Tell which values of one species were visited often enough, first to last."""
    known = np.flatnonzero(ds["occupancy"].values >= ds.attrs["least_occupancy"])
    places = np.arange(ds.sizes["bin"])
    return (places >= known[0]) & (places <= known[-1])


def _draw(ax: Axes, ds: xr.Dataset, where: Bool[np.ndarray, " bins"]) -> None:
    nu, share = ds["nu"].values, ds["occupancy"].values
    parts = (ds[f"function_{part}"].values[where] for part in ("value", "error", "truth"))
    value, error, truth = parts
    colour = MODEL_COLOURS[0]
    label = "learned, ± 1 standard error"
    ax.fill_between(nu[where], value - error, value + error, color=colour, alpha=0.25, linewidth=0)
    ax.plot(nu[where], value, color=colour, label=label)
    if np.isfinite(truth).all():
        ax.plot(nu[where], truth, label="truth", **NOISE)  # type: ignore[arg-type]
    low, high = _limits(np.concatenate([value - error, value + error, truth]))
    ax.set_ylim(low, high)
    top = low + HEIGHT * (high - low) * np.where(where, share, np.nan)
    ax.fill_between(nu, low, top, step="mid", label="visited", zorder=0, **OCCUPANCY)
    rest = low + HEIGHT * (high - low) * share
    ax.fill_between(nu, low, rest, step="mid", zorder=-1, color="#ebebeb", linewidth=0)
    least, most = nu[where][0], nu[where][-1]
    ax.set_xlim(least - MARGIN * (most - least), most + MARGIN * (most - least))


def _limits(values: np.ndarray) -> tuple[float, float]:
    """Limits with room for the histogram below, and around values that hardly differ."""
    finite = values[np.isfinite(values)]
    low, high = float(finite.min()), float(finite.max())
    room = max(high - low, 0.2 * max(abs(low), abs(high)), 1e-12)
    middle = (low + high) / 2
    return middle - 0.9 * room, middle + 0.7 * room
