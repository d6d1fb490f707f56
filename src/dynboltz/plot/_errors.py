"""Errors of the predictions over time beside the sampling noise, Fig. 3(c) of the paper."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from dynboltz.evaluation import noise_floor, root_mean_square, squared_error

from ._labels import moment_symbol, time_label, title
from ._layout import flat_grid, legend_above, new_axes, new_figure, panel
from ._learned import mark_learned
from ._select import names, order, predicted, select, select_part
from ._style import NOISE, model_styles

LEAST_NOISE = 1e-3
"""Of the largest noise: less of it is no scale for errors."""
LOWEST_RATIO = 0.3
NOISE_LABEL = "noise floor"


def plot_error(
    predictions: Mapping[str, xr.Dataset],
    moment: str,
    *,
    part: str = "test",
    ax: Axes | None = None,
) -> Axes:
    r"""Draw the root mean square error of a moment over time, for every model.

    $\varepsilon(t) = \sqrt{\langle (\mu(t) - \tilde\mu(t))^2 \rangle}$ over the initial conditions.
    The dotted line is the root mean square standard error of the simulated means: what is left of
    the error if a model is perfect.

    Parameters
    ----------
    predictions
        Dataset of each model by its name, with `moments`, `simulated` and `standard_error` over
        (part, initial_condition, time, moment) [per site], and `squared_error` if the error is not
        simply their difference, see `dynboltz.evaluation.cross_fitted_square`. A dataset without
        `theta` is a baseline
        and drawn in grey; one that predicts nothing for this part is left out. Where times go
        beyond the attribute `learned_until`, a vertical line marks it.
    moment
        Name of the moment.
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
        If there is no such part or moment.

    References
    ----------
    Ernst et al. (2019), Sec. IV A and Fig. 3(c).
    """
    ax, styles = new_axes(ax), model_styles(predictions)
    for name, ds in predicted(predictions, part).items():
        time, error, _ = _errors(ds, moment, part)
        ax.plot(time, error, label=title(name), **styles[name])
    first = next(iter(predictions.values()))
    time, _, noise = _errors(first, moment, part)
    ax.plot(time, noise, label=NOISE_LABEL, **NOISE)  # type: ignore[arg-type]
    mark_learned(ax, predictions.values())
    ax.set(xlabel=time_label(first), ylabel=f"RMSE of {moment_symbol(moment)} [per site]")
    ax.set_ylim(bottom=0.0)
    ax.margins(x=0.01)
    return ax


def plot_error_ratio(
    predictions: Mapping[str, xr.Dataset],
    moment: str,
    *,
    part: str = "test",
    ax: Axes | None = None,
) -> Axes:
    """Draw the root mean square error of a moment in units of the sampling noise, over time.

    Parameters
    ----------
    predictions
        As for `plot_error`.
    moment
        Name of the moment.
    part
        `"train"` or `"test"`.
    ax
        Where to draw, by default a new figure.

    Returns
    -------
    ax
        The axes. Times with next to no noise, such as the first one if all lattices start with the
        same number of particles, are left out, and the scale begins at 0.3: where a prediction is
        nearly perfect, the noise of an error can carry it further down.
    """
    ax, styles = new_axes(ax), model_styles(predictions)
    for name, ds in predicted(predictions, part).items():
        time, error, noise = _errors(ds, moment, part)
        noisy = noise > LEAST_NOISE * np.max(noise, initial=0.0, where=np.isfinite(noise))
        ratio = np.divide(error, noise, out=np.full_like(error, np.nan), where=noisy)
        ax.plot(time, ratio, label=title(name), **styles[name])
    ax.axhline(1.0, label=NOISE_LABEL, **NOISE)  # type: ignore[arg-type]
    mark_learned(ax, predictions.values())
    first = next(iter(predictions.values()))
    ax.set(xlabel=time_label(first), ylabel=f"RMSE / noise of {moment_symbol(moment)} [-]")
    ax.set_yscale("log")
    ax.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    ax.yaxis.set_minor_formatter(NullFormatter())
    ax.set_ylim(bottom=max(LOWEST_RATIO, ax.get_ylim()[0]))
    ax.margins(x=0.01)
    return ax


def plot_errors(
    predictions: Mapping[str, xr.Dataset],
    moments: Sequence[str] | None = None,
    *,
    ratio: bool = False,
    part: str = "test",
    figure: Figure | SubFigure | None = None,
) -> list[Axes]:
    """Draw `plot_error`, or `plot_error_ratio`, for several moments.

    Parameters
    ----------
    predictions
        As for `plot_error`.
    moments
        Names of the moments, by default all.
    ratio
        Whether to draw the errors in units of the noise.
    part
        `"train"` or `"test"`.
    figure
        Where to draw, by default a new figure.

    Returns
    -------
    axes
        One for each moment; the legend is above them.
    """
    first = next(iter(predictions.values()))
    moments = names(first, "moment") if moments is None else moments
    shape = flat_grid(len(moments))
    labels = [*map(title, predicted(predictions, part)), NOISE_LABEL]
    figure = new_figure(figure, shape, legend=labels)
    draw = plot_error_ratio if ratio else plot_error
    axes = [
        draw(predictions, moment, part=part, ax=panel(figure, shape, place))
        for place, moment in enumerate(moments)
    ]
    legend_above(figure, axes)
    return axes


def highest_moments(ds: xr.Dataset) -> list[str]:
    """Return the moments of the two highest orders, which Fig. 3(c) shows."""
    moments = names(ds, "moment")
    highest = sorted({order(moment) for moment in moments})[-2:]
    return [moment for moment in moments if order(moment) in highest]


def _errors(ds: xr.Dataset, moment: str, part: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Times, error of the predictions and of the simulated means themselves.

    Times at which a model predicts nothing are left out of its error.
    """
    select(ds, "moment", moment)
    chosen = select_part(ds, part).sel(moment=[moment])
    chosen = chosen.transpose("initial_condition", "time", "moment", ...)
    predicted, simulated = chosen["moments"].values, chosen["simulated"].values
    known = np.isfinite(predicted).any(axis=(0, 2))
    error = np.full(chosen.sizes["time"], np.nan)
    squares = squared_error(predicted, simulated)
    if "squared_error" in chosen:
        squares = chosen["squared_error"].values
    error[known] = root_mean_square(squares[:, known])[:, 0]
    noise = noise_floor(chosen["standard_error"].values)
    return chosen["time"].values, error, noise[:, 0]
