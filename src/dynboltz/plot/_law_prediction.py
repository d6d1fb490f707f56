"""Moments that a law predicts, with their bands."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import xarray as xr
from matplotlib.axes import Axes

from dynboltz._hints import did_you_mean

from ._layout import new_axes


def plot_law_prediction(
    prediction: xr.Dataset, moments: Sequence[str], *, ax: Axes | None = None
) -> Axes:
    """Draw predicted moments over time with their bands, dashed where the law is not known.

    Parameters
    ----------
    prediction
        What `FittedModel.predict` returned, or some of its starts.
    moments
        Which ones.
    ax
        Axes to draw on; new ones by default.

    Returns
    -------
    ax
        The axes.

    Raises
    ------
    ValueError
        If a moment is not among those of the prediction, or it has no times.
    """
    where = "plot_law_prediction"
    needed = ("moment_mean", "low", "high", "is_known", "moment", "time")
    lacking = [name for name in needed if name not in prediction.variables]
    if lacking or "time" not in prediction.dims or "moment" not in prediction.dims:
        raise ValueError(
            f"{where}: `prediction` must be what `FittedModel.predict` returned, with all of its "
            f"moments and two times or more; {f'`{lacking[0]}`' if lacking else 'an axis'} is "
            "missing."
        )
    known = [str(name) for name in prediction.moment.values]
    for name in moments:
        if name not in known:
            raise ValueError(
                f"{where}: `moments` must be among {', '.join(known)}, got {name!r}."
                f"{did_you_mean(name, known)}"
            )
    ax = new_axes(ax)
    every = prediction if "start" in prediction.dims else prediction.expand_dims("start")
    for number, name in enumerate(moments):
        for start in range(every.sizes["start"]):
            own = every.sel(moment=name).isel(start=start)
            _draw(ax, own, f"C{number}", name if start == 0 else None)
    ax.set(xlabel="time", ylabel="moment per site")
    ax.legend()
    return ax


def _draw(ax: Axes, one: xr.Dataset, colour: str, label: str | None) -> None:
    known, value = one.is_known.values, one.moment_mean.values
    ax.plot(one.time, np.where(known, value, np.nan), color=colour, label=label)
    ax.plot(one.time, np.where(known, np.nan, value), color=colour, ls="--")
    if np.isfinite(one.low.values).all():
        ax.fill_between(one.time, one.low, one.high, color=colour, alpha=0.2, lw=0)
