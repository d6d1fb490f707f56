"""Numbers of particles, their spread and pair correlations, as simulated and as predicted."""

from __future__ import annotations

import itertools
from collections.abc import Mapping

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure

from ._labels import at_time, plain, time_label, time_unit
from ._labels import title as shown
from ._layout import flat_grid, legend_above, new_figure, panel
from ._style import MODEL_COLOURS, MODEL_LINES

N_STARTS = 4
N_TIMES = 3
N_ROWS = 3
SIMULATED = "simulated, ± 2 standard errors"


def plot_numbers(
    predictions: Mapping[str, xr.Dataset], *, figure: Figure | SubFigure | None = None
) -> list[Axes]:
    """Draw the mean number of particles over time, and the variance over the mean.

    Parameters
    ----------
    predictions
        Dataset of each model with `number` and `dispersion` over (initial_condition, time,
        species), and the same with `simulated_` and `error_`.
    figure
        Where to draw, by default a new figure.

    Returns
    -------
    axes
        A panel for each of the first held-out initial conditions with all species, and one for
        the variance over the mean, averaged over all of them.
    """
    first = next(iter(predictions.values()))
    n = min(N_STARTS, first.sizes["initial_condition"])
    shape = flat_grid(n + 1)
    figure = new_figure(figure, shape, legend=[*map(shown, predictions), SIMULATED], titled=True)
    axes = []
    for number in range(n):
        ax = panel(figure, shape, number)
        chosen = {name: ds.isel(initial_condition=number) for name, ds in predictions.items()}
        for species in range(first.sizes["species"]):
            own = {name: ds.isel(species=species) for name, ds in chosen.items()}
            _draw(ax, own, "number", "time")
        ax.set(
            xlabel=time_label(first),
            ylabel=r"$\langle N \rangle$ [particles]",
            title=f"held-out initial condition {number}",
        )
        ax.set_ylim(bottom=0.0)
        axes.append(ax)
    axes.append(_draw_spread(panel(figure, shape, n), predictions))
    legend_above(figure, axes)
    return axes


def plot_pair_correlations(
    predictions: Mapping[str, xr.Dataset], *, figure: Figure | SubFigure | None = None
) -> list[Axes]:
    """Draw pair correlations of some held-out initial conditions at some times.

    Parameters
    ----------
    predictions
        Dataset of each model with `pair_correlation`, `simulated_pair_correlation` and
        `error_pair_correlation` over (initial_condition, time, pair, distance). It is 1 for
        independent particles with the same density everywhere.
    figure
        Where to draw, by default a new figure.

    Returns
    -------
    axes
        A row of times for each of the first initial conditions or, if there are several pairs of
        species, for each pair of the first initial condition.
    """
    first = next(iter(predictions.values()))
    places = np.unique(np.linspace(0, first.sizes["time"] - 1, N_TIMES).round().astype(int))
    n_pairs = first.sizes["pair"]
    starts = range(1 if n_pairs > 1 else min(N_ROWS, first.sizes["initial_condition"]))
    rows = list(itertools.product(starts, range(n_pairs)))
    shape = len(rows), len(places)
    figure = new_figure(figure, shape, legend=[*map(shown, predictions), SIMULATED], titled=True)
    axes = []
    for place, ((start, pair), time) in enumerate(itertools.product(rows, places)):
        ax = panel(figure, shape, place)
        at = {"initial_condition": start, "pair": pair, "time": int(time)}
        chosen = {name: ds.isel(at) for name, ds in predictions.items()}
        _draw(ax, chosen, "pair_correlation", "distance")
        species = plain("".join(str(first["pair"].values[pair]).split(".")))
        ax.set(xlabel="distance $r$ [length]", ylabel=rf"$g_{{{species}}}(r)$ [-]")
        when = at_time(float(first["time"].values[time]), time_unit(first))
        ax.set_title(f"initial condition {start}, {when}")
        ax.set_xlim(left=0.0)
        axes.append(ax)
    legend_above(figure, axes)
    return axes


def _draw(ax: Axes, predictions: Mapping[str, xr.Dataset], key: str, along: str) -> None:
    """Draw a quantity of one species, the simulation once."""
    first = next(iter(predictions.values()))
    x, value = first[along].values, first[f"simulated_{key}"].values
    _dots(ax, x, value, first[f"error_{key}"].values)
    for place, (name, ds) in enumerate(predictions.items()):
        style = {
            "color": MODEL_COLOURS[place % len(MODEL_COLOURS)],
            "linestyle": MODEL_LINES[place % len(MODEL_LINES)],
        }
        ax.plot(x, ds[key].values, label=shown(name), **style)  # type: ignore[arg-type]


def _draw_spread(ax: Axes, predictions: Mapping[str, xr.Dataset]) -> Axes:
    """Draw the mean of Var N / E N over the initial conditions; errors are independent."""
    first = next(iter(predictions.values())).isel(species=0)
    n = first.sizes["initial_condition"]
    mean = {name: ds.isel(species=0).mean("initial_condition") for name, ds in predictions.items()}
    error = np.sqrt((first["error_dispersion"] ** 2).sum("initial_condition")) / n
    mean = {name: ds.assign(error_dispersion=error) for name, ds in mean.items()}
    _draw(ax, mean, "dispersion", "time")
    ax.set(
        xlabel=time_label(first),
        ylabel=r"$\mathrm{Var}\, N / \langle N \rangle$ [-]",
        title="mean over the initial conditions",
    )
    return ax


def _dots(ax: Axes, x: np.ndarray, value: np.ndarray, error: np.ndarray) -> None:
    style = {"color": "#000000", "markersize": 2.5, "elinewidth": 0.7}
    ax.errorbar(x, value, 2 * error, fmt="o", label=SIMULATED, **style)  # type: ignore[arg-type]
