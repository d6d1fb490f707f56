"""Where the training ended, on an axis of time."""

from __future__ import annotations

from collections.abc import Iterable

import xarray as xr
from matplotlib.axes import Axes

ROUNDING = 1e-9
"""Part of a time by which two of them may differ and still be the same."""


def mark_learned(ax: Axes, datasets: Iterable[xr.Dataset]) -> None:
    """Draw a vertical line at each `learned_until` that times of its dataset go beyond."""
    known = [ds for ds in datasets if "learned_until" in ds.attrs]
    ends = {ds.attrs["learned_until"]: float(ds["time"].values[-1]) for ds in known}
    for end, last in ends.items():
        if last > end + ROUNDING * abs(end):
            ax.axvline(end, color="#999999", linewidth=0.8, zorder=0)
