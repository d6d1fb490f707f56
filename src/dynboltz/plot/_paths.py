"""Paths in the space of one to three quantities, from a start to an end."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from mpl_toolkits.mplot3d.axes3d import Axes3D

from ._style import END, INITIAL, PATH

ELEVATIONS, STEP = (15.0, 45.0), 5.0
"""Lowest and highest view of a path from above, and the steps between views [degree]."""


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


def face(ax: Axes, paths: Float[np.ndarray, "... axes"]) -> None:
    """Turn axes of three dimensions so that the paths are seen from where they are broadest.

    Without this a path in a plane, as of densities whose sum hardly varies, may be seen edge on.
    Angles are whole steps, so that rounding does not change them, and never steep.
    """
    points = paths.reshape(-1, paths.shape[-1])
    points = points[np.isfinite(points).all(axis=1)]
    if points.shape[1] < 3 or len(points) < 3:
        return
    extent = np.ptp(points, axis=0)
    scaled = (points - points.mean(axis=0)) / np.where(extent > 0, extent, 1.0)
    normal = np.linalg.svd(scaled, full_matrices=False)[2][-1]
    x, y, z = normal if normal[2] >= 0 else -normal
    elevation = np.clip(np.degrees(np.arctan2(z, np.hypot(x, y))), *ELEVATIONS)
    azimuth = np.degrees(np.arctan2(y, x))
    assert isinstance(ax, Axes3D)
    ax.view_init(elev=_whole(elevation), azim=_whole(azimuth))


def _whole(angle: float) -> float:
    return STEP * round(angle / STEP)
