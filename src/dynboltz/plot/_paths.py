"""Paths in the space of one to three quantities, from a start to an end."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes

from ._style import END, INITIAL, PATH


def draw_paths(ax: Axes, paths: Iterable[Float[np.ndarray, "times axes"]]) -> None:
    """Draw each path in black, its first point in cyan and its last in magenta.

    Points that are not finite are left out, such as those after the end of a fit.
    """
    known = [path[np.isfinite(path).all(axis=1)] for path in paths]
    known = [path for path in known if len(path)]
    for path in known:
        ax.plot(*path.T, color=PATH, linewidth=0.6, zorder=2)
    for place, colour, label in ((0, INITIAL, "start"), (-1, END, "end")):
        if known:
            ends = np.array([path[place] for path in known])
            draw_points(ax, ends, color=colour, label=label, s=9, zorder=3)


def draw_points(ax: Axes, points: Float[np.ndarray, "points axes"], **style: object) -> None:
    """Draw points in the plane or in space, in their full colour at any depth."""
    if points.shape[1] == 3:
        style["depthshade"] = False
    ax.scatter(*points.T, **style)  # type: ignore[arg-type]


def over_time(
    times: Float[np.ndarray, " times"], values: Float[np.ndarray, "... times quantities"]
) -> Float[np.ndarray, "... times axes"]:
    """Points of up to three quantities; a single one is set beside its time."""
    if values.shape[-1] > 1:
        return values[..., :3]
    return np.concatenate([np.broadcast_to(times[:, None], values.shape), values], axis=-1)


def label_axes(ax: Axes, labels: Sequence[str], time: str) -> None:
    """Label the axes that `over_time` spans."""
    shown = [time, *labels] if len(labels) == 1 else labels
    for axis, label in zip("xyz", shown, strict=False):
        ax.set(**{f"{axis}label": label})
