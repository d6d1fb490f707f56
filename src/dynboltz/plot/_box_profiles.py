"""Densities of particles in a box over time, as simulated and as predicted."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure, SubFigure
from matplotlib.ticker import MaxNLocator

from ._labels import at_time, plain, time_unit, title
from ._layout import FLAT, grid_shape, legend_above, new_figure, panel
from ._style import MODEL_LINES, SEQUENTIAL, colours

N_TIMES = 4
N_PROFILES = 4
SIMULATED = "simulated, ± 2 standard errors"


def plot_profiles(
    predictions: Mapping[str, xr.Dataset], *, figure: Figure | SubFigure | None = None
) -> list[Axes]:
    """Draw densities of held-out initial conditions at some times of the first half.

    On a line as curves: simulated means with two standard errors to either side, and what every
    model predicts. In a plane as images of one initial condition: the simulation above the
    prediction of the first model; of a cube the layer in the middle.

    Parameters
    ----------
    predictions
        Dataset of each model with `profile`, `simulated_profile` and `error_profile` over
        (initial_condition, time, species, x[, y, z]) [per volume], on a line also `density` over
        (initial_condition, time, species, point) and the `position` of the points. The first
        species is drawn.
    figure
        Where to draw, by default a new figure.

    Returns
    -------
    axes
        The panels.
    """
    first = next(iter(predictions.values()))
    places = np.linspace(0, first.sizes["time"] - 1, 2 * N_TIMES - 1).round().astype(int)[:N_TIMES]
    if "y" in first.dims:
        return _images(predictions, np.unique(places), figure)
    return _curves(predictions, np.unique(places), figure)


def _curves(
    predictions: Mapping[str, xr.Dataset], times: np.ndarray, figure: Figure | SubFigure | None
) -> list[Axes]:
    first = next(iter(predictions.values()))
    n = min(N_PROFILES, first.sizes["initial_condition"])
    shape = grid_shape(n, 2)
    unit = time_unit(first)
    shades = colours(SEQUENTIAL)(np.linspace(0.05, 0.8, len(times)))
    shown = first["time"].values[times]
    labels = [at_time(float(time), unit) for time in shown]
    entries = [*labels, *map(title, predictions), SIMULATED]
    figure = new_figure(figure, shape, legend=entries, titled=True)
    axes = []
    for number in range(n):
        ax = panel(figure, shape, number)
        for time, colour in zip(times, shades, strict=True):
            _draw_curves(ax, predictions, number, int(time), colour)
        ax.set(
            xlabel="$x$ [length]",
            ylabel=rf"$\rho_{{{plain(str(first['species'].values[0]))}}}$ [1/length]",
            title=f"held-out initial condition {number}",
            xlim=(0.0, first.attrs["box_lengths"][0]),
        )
        ax.set_ylim(bottom=0.0)
        axes.append(ax)
    _legend(figure, axes, dict(zip(labels, shades, strict=True)), list(map(title, predictions)))
    return axes


def _legend(
    figure: Figure | SubFigure, axes: list[Axes], times: Mapping[str, np.ndarray], names: list[str]
) -> None:
    """Colours of times, lines of models, and the marker of simulations."""
    for label, colour in times.items():
        axes[0].plot([], [], color=colour, label=label)
    for place, name in enumerate(names):
        line = MODEL_LINES[place % len(MODEL_LINES)]
        axes[0].plot([], [], color="#555555", linestyle=line, label=name)
    axes[0].plot([], [], "o", color="#555555", markersize=2.5, label=SIMULATED)
    legend_above(figure, axes)


def _draw_curves(
    ax: Axes, predictions: Mapping[str, xr.Dataset], number: int, time: int, colour: np.ndarray
) -> None:
    for place, ds in enumerate(predictions.values()):
        own = ds.isel(initial_condition=number, time=time, species=0)
        x, line = own["x"].values, MODEL_LINES[place % len(MODEL_LINES)]
        if not place:
            simulated, error = own["simulated_profile"].values, own["error_profile"].values
            ax.errorbar(
                x, simulated, 2 * error, color=colour, fmt="o", markersize=2.0, elinewidth=0.6
            )
        ax.plot(own["position"].values, own["density"].values, color=colour, linestyle=line)


def _images(
    predictions: Mapping[str, xr.Dataset], times: np.ndarray, figure: Figure | SubFigure | None
) -> list[Axes]:
    name, ds = next(iter(predictions.items()))
    own = ds.isel(initial_condition=0, species=0, time=times)
    if "z" in own.dims:
        own = own.isel(z=own.sizes["z"] // 2)
    rows = {"simulated": own["simulated_profile"].values, title(name): own["profile"].values}
    most = max(float(np.nanmax(values)) for values in rows.values())
    shape, scale = (2, len(times)), Normalize(0.0, most)
    margins = FLAT._replace(width=1.7, height=1.7, gap_x=0.3, gap_y=0.2)
    figure = new_figure(figure, shape, bar=True, margins=margins)
    axes, unit = [], time_unit(ds)
    extent = (0.0, ds.attrs["box_lengths"][0], 0.0, ds.attrs["box_lengths"][1])
    for row, (label, values) in enumerate(rows.items()):
        for column, image in enumerate(values):
            ax = panel(figure, shape, row * len(times) + column)
            ax.imshow(image.T, origin="lower", extent=extent, cmap=SEQUENTIAL, norm=scale)
            if not row:
                ax.set_title(at_time(float(own["time"].values[column]), unit))
            ax.set(xlabel="$x$ [length]" if row else "")
            ax.set_ylabel(f"{label}\n$y$ [length]" if not column else "")
            ax.xaxis.set_major_locator(MaxNLocator(2, prune="upper"))
            ax.tick_params(labelleft=not column, labelbottom=bool(row))
            axes.append(ax)
    bar = figure.colorbar(ScalarMappable(scale, SEQUENTIAL), ax=axes, fraction=0.03, pad=0.02)
    species = plain(str(ds["species"].values[0]))
    bar.set_label(rf"$\rho_{{{species}}}$ [1/length$^{len(ds.attrs['box_lengths'])}$]")
    return axes
