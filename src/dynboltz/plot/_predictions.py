"""Moments that models predict beside those of the simulations, Fig. 8(a) of the paper."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure

from ._labels import moment_label, time_label, title
from ._layout import grid_shape, legend_above, new_axes, new_figure, panel
from ._learned import mark_learned
from ._select import of_order, select, select_part
from ._style import BAND, EQUILIBRIUM, METASTABLE, SIMULATION, model_styles

SIMULATION_LABEL, BAND_LABEL, METASTABLE_LABEL = "simulation", "± 2 standard errors", "metastable"


def plot_prediction(
    predictions: Mapping[str, xr.Dataset],
    moment: str,
    *,
    part: str = "test",
    initial_condition: int = 0,
    styles: Mapping[str, Mapping[str, Any]] | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw a moment over time as every model predicts it, and as it was simulated.

    Parameters
    ----------
    predictions
        Dataset of each model by its name, with `moments`, `simulated` and `standard_error` over
        (part, initial_condition, time, moment) [per site]. Where it has them, the moments at
        equilibrium, `equilibrium`, are drawn as thin lines with dots, and times that are
        `metastable`, at which long chains remember their start, as circles around these dots.
        Later times than its attribute `learned_until`, marked by a vertical line, are predictions
        beyond the training. Values that are NaN are left out.
    moment
        Name of the moment.
    part
        `"train"` or `"test"`.
    initial_condition
        Number of the initial condition.
    styles
        Colour and dashes of each model, by default in turn; a dataset without `theta` beside ones
        that have it is a baseline and drawn in grey.
    ax
        Where to draw, by default a new figure.

    Returns
    -------
    ax
        The axes.

    Raises
    ------
    ValueError
        If there is no such part, moment or initial condition.

    References
    ----------
    Ernst et al. (2019), Fig. 8(a).
    """
    chosen = {
        name: _chosen(ds, moment, part, initial_condition) for name, ds in predictions.items()
    }
    first, styles = next(iter(chosen.values())), styles or model_styles(predictions)
    ax = new_axes(ax)
    _draw_simulated(ax, first)
    for name, ds in chosen.items():
        ax.plot(*_known(ds, "moments"), label=title(name), **styles[name])
        if _has_equilibrium(ds):
            style = EQUILIBRIUM | {"color": styles[name]["color"]}
            ax.plot(*_known(ds, "equilibrium"), label=_equilibrium_label(name), **style)
    metastable = [_metastable(ds) for ds in chosen.values() if _is_metastable(ds)]
    if metastable:
        ax.plot(*np.concatenate(metastable, axis=1), label=METASTABLE_LABEL, **METASTABLE)
    mark_learned(ax, chosen.values())
    ax.set(xlabel=time_label(first), ylabel=moment_label(moment))
    ax.set_ylim(bottom=0.0)
    ax.margins(x=0.01)
    return ax


def plot_predictions(
    predictions: Mapping[str, xr.Dataset],
    moments: Sequence[str] | None = None,
    *,
    part: str = "test",
    initial_condition: int = 0,
    styles: Mapping[str, Mapping[str, Any]] | None = None,
    figure: Figure | SubFigure | None = None,
) -> list[Axes]:
    """Draw `plot_prediction` for several moments.

    Parameters
    ----------
    predictions
        As for `plot_prediction`.
    moments
        Names of the moments, by default the means and the moments of nearest neighbours.
    part
        `"train"` or `"test"`.
    initial_condition
        Number of the initial condition.
    styles
        As for `plot_prediction`.
    figure
        Where to draw, by default a new figure.

    Returns
    -------
    axes
        One for each moment; the legend is above them.
    """
    first = next(iter(predictions.values()))
    moments = shown_moments(first) if moments is None else list(moments)
    shape = grid_shape(len(moments), min(4, max(2, len(of_order(first, 1)))))
    figure = new_figure(figure, shape, legend=legend_labels(predictions))
    axes = [
        plot_prediction(
            predictions,
            moment,
            part=part,
            initial_condition=initial_condition,
            styles=styles,
            ax=panel(figure, shape, place),
        )
        for place, moment in enumerate(moments)
    ]
    legend_above(figure, axes)
    return axes


def shown_moments(ds: xr.Dataset) -> list[str]:
    """Return the means and the moments of nearest neighbours."""
    return [*of_order(ds, 1), *of_order(ds, 2)]


def legend_labels(predictions: Mapping[str, xr.Dataset]) -> list[str]:
    """Entries that a legend may have."""
    labels = [BAND_LABEL, SIMULATION_LABEL, METASTABLE_LABEL, *map(title, predictions)]
    return labels + [_equilibrium_label(n) for n, ds in predictions.items() if _has_equilibrium(ds)]


def _chosen(ds: xr.Dataset, moment: str, part: str, initial_condition: int) -> xr.Dataset:
    chosen = select_part(select(ds, "moment", moment), _known_part(ds, part))
    n = chosen.sizes["initial_condition"]
    if not 0 <= initial_condition < n:
        raise ValueError(f"`initial_condition` must be 0 to {n - 1}, got {initial_condition}.")
    return chosen.isel(initial_condition=initial_condition)


def _known_part(ds: xr.Dataset, part: str) -> str:
    """The part, or the one that there are predictions for, as for fits to the training set."""
    known = ds.moments.notnull().any(["initial_condition", "time", "moment"])
    others = [str(name) for name in ds.part.values[known.values]]
    return others[0] if others and part not in others and part in ds.part.values else part


def _known(chosen: xr.Dataset, variable: str) -> tuple[np.ndarray, np.ndarray]:
    """Times at which a variable is known, and its values there."""
    values = chosen[variable].values
    known = np.isfinite(values)
    return chosen["time"].values[known], values[known]


def _draw_simulated(ax: Axes, chosen: xr.Dataset) -> None:
    time, mean = chosen["time"].values, chosen["simulated"].values
    error = 2.0 * chosen["standard_error"].values
    ax.fill_between(time, mean - error, mean + error, label=BAND_LABEL, **BAND)
    ax.plot(time, mean, label=SIMULATION_LABEL, **SIMULATION)


def _metastable(chosen: xr.Dataset) -> np.ndarray:
    """Times and equilibrium moments at which chains remember their start."""
    marked = chosen["metastable"].values == 1
    return np.stack([chosen["time"].values[marked], chosen["equilibrium"].values[marked]])


def _is_metastable(ds: xr.Dataset) -> bool:
    marked = "metastable" in ds and bool((ds["metastable"] == 1).any())
    return marked and _has_equilibrium(ds)


def _has_equilibrium(ds: xr.Dataset) -> bool:
    return "equilibrium" in ds and bool(ds["equilibrium"].notnull().any())


def _equilibrium_label(name: str) -> str:
    return f"{title(name)}, equilibrium"
