"""Interaction functions of pairs over the distance, as predicted."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure

from ._labels import at_time, plain, time_unit, title
from ._layout import FLAT, legend_above, new_figure, panel
from ._style import BASELINE, MODEL_LINES, SEQUENTIAL, colours

N_STARTS = 3
N_TIMES = 3
NONE = "no interaction"


def plot_pair_functions(
    predictions: Mapping[str, xr.Dataset], *, figure: Figure | SubFigure | None = None
) -> list[Axes]:
    r"""Draw $\nu_{\alpha\beta}(r)$ of held-out initial conditions at some times.

    Parameters
    ----------
    predictions
        Dataset of each model with `pair_function` over (initial_condition, time, pair, separation);
        the pairs are those of the first model, named as in `A.B`.
    figure
        Where to draw, by default a new figure.

    Returns
    -------
    axes
        A row of panels for each pair, one for each of the first initial conditions; colours are
        times, dashes models.
    """
    first = next(iter(predictions.values()))
    places = np.linspace(0, first.sizes["time"] - 1, N_TIMES).round().astype(int)
    times = np.unique(places).tolist()
    shades = colours(SEQUENTIAL)(np.linspace(0.05, 0.8, len(times)))
    labels = [at_time(float(first["time"].values[time]), time_unit(first)) for time in times]
    models = list(map(title, predictions))
    pairs = [str(name) for name in first["pair"].values]
    shape = (len(pairs), min(N_STARTS, first.sizes["initial_condition"]))
    figure = new_figure(figure, shape, legend=[*labels, *models, NONE], titled=True, margins=FLAT)
    axes = []
    for row, pair in enumerate(pairs):
        for start in range(shape[1]):
            ax = panel(figure, shape, row * shape[1] + start)
            own = {
                name: ds.isel(initial_condition=start).sel(pair=pair)
                for name, ds in predictions.items()
                if pair in ds["pair"].values
            }
            _draw(ax, own, list(predictions), dict(zip(times, shades, strict=True)))
            symbol = r"\,".join(map(plain, pair.split(".")))
            ax.set(xlabel="distance $r$ [length]", ylabel=rf"$\nu_{{\mathrm{{{symbol}}}}}(r)$ [-]")
            if not row:
                ax.set_title(f"held-out initial condition {start}")
            axes.append(ax)
    _legend(axes[0], dict(zip(labels, shades, strict=True)), models)
    legend_above(figure, axes)
    return axes


def _draw(
    ax: Axes,
    predictions: Mapping[str, xr.Dataset],
    models: list[str],
    times: Mapping[int, np.ndarray],
) -> None:
    ax.axhline(0.0, **BASELINE)  # type: ignore[arg-type]
    furthest = 0.0
    for name, ds in predictions.items():
        line = MODEL_LINES[models.index(name) % len(MODEL_LINES)]
        r = ds["separation"].values
        furthest = max(furthest, float(r[-1]))
        for time, colour in times.items():
            values = ds["pair_function"].isel(time=time).values
            ax.plot(r, values, color=colour, linestyle=line)
    ax.set_xlim(0.0, furthest)


def _legend(ax: Axes, times: Mapping[str, np.ndarray], models: list[str]) -> None:
    """Colours of times, dashes of models."""
    for label, colour in times.items():
        ax.plot([], [], color=colour, label=label)
    for place, name in enumerate(models):
        ax.plot(
            [], [], color="#555555", linestyle=MODEL_LINES[place % len(MODEL_LINES)], label=name
        )
    ax.plot([], [], label=NONE, **BASELINE)  # type: ignore[arg-type]
