"""Learned time-evolution functions as heat maps, and the vertices they are stored at; Fig. 2."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.collections import Collection, PolyCollection
from matplotlib.colors import Normalize
from mpl_toolkits.mplot3d.art3d import Poly3DCollection

from dynboltz.dynamics import HermiteField

from ._cells import Slice, allocated_vertices, function_of, slices, values_at
from ._labels import coefficient_label, coefficient_symbol
from ._layout import BAR_PAD, new_axes
from ._style import DIVERGING, colours


def plot_field(
    field: HermiteField, coefficient: str, *, time_unit: str = "-", ax: Axes | None = None
) -> Axes:
    r"""Draw the learned right-hand side $F$ of one coefficient as a heat map.

    In three dimensions it is drawn on three planes, each through the layer of cells that has most
    of the allocated ones. Only allocated cells are coloured: elsewhere the function was never
    learned. The colours are symmetric about $F = 0$ and end at the 99th percentile of $|F|$.

    Parameters
    ----------
    field
        The learned field.
    coefficient
        Whose right-hand side.
    time_unit
        Unit of time, for the label.
    ax
        Where to draw, for three or more arguments axes of three dimensions; by default a new
        figure.

    Returns
    -------
    ax
        The axes.

    Raises
    ------
    ValueError
        If the field has no such coefficient.

    References
    ----------
    Ernst et al. (2019), eq. (34) and Fig. 2, middle.
    """
    function = function_of(field, coefficient)
    arguments = function.grid.arguments[:3]
    ax = new_axes(ax, len(arguments), bar=len(arguments) > 1)
    planes = slices(function)
    points = np.concatenate([plane.points for plane in planes])
    values = values_at(function, coefficient, points)
    label = derivative_title(coefficient, time_unit)
    if len(arguments) == 1:
        _draw_line(ax, planes[0], values)
        ax.set(xlabel=coefficient_label(arguments[0]), ylabel=label)
        return ax
    _draw_heat_map(ax, planes, values)
    ax.set_title(label)
    _label_arguments(ax, arguments)
    return ax


def plot_vertices(field: HermiteField, coefficient: str, *, ax: Axes | None = None) -> Axes:
    """Draw the vertices of the finite elements that are stored for one coefficient.

    Parameters
    ----------
    field
        The learned field.
    coefficient
        Whose right-hand side.
    ax
        Where to draw, for three or more arguments axes of three dimensions; by default a new
        figure.

    Returns
    -------
    ax
        The axes; the first three arguments are shown.

    References
    ----------
    Ernst et al. (2019), Fig. 2, right.
    """
    function = function_of(field, coefficient)
    arguments = function.grid.arguments[:3]
    ax = new_axes(ax, len(arguments))
    vertices = np.unique(allocated_vertices(function)[:, :3], axis=0)
    if len(arguments) == 3:
        ax.scatter(*vertices.T, s=4, color="#0072b2", depthshade=True, linewidths=0)  # type: ignore[arg-type]
    else:
        heights = vertices[:, 1] if len(arguments) == 2 else np.zeros(len(vertices))
        ax.scatter(vertices[:, 0], heights, s=6, color="#0072b2", linewidths=0)
    ax.set_title(f"{len(vertices)} vertices")
    _label_arguments(ax, arguments)
    if len(arguments) == 1:
        ax.set_yticks([])
    return ax


def derivative_title(coefficient: str, time_unit: str) -> str:
    """Symbol of a right-hand side with its unit."""
    unit = "[1/time]" if time_unit == "-" else f"[1/{time_unit}]"
    return rf"$F$ of {coefficient_symbol(coefficient)} {unit}"


def _draw_line(ax: Axes, line: Slice, values: np.ndarray) -> None:
    """Draw a value for each piece of the line; pieces that do not touch are not joined."""
    order = np.argsort(line.points[:, 0])
    x, y = line.points[order, 0], values[order]
    width = np.diff(line.patches[:, :, 0], axis=1).max(initial=0.0)
    gaps = np.flatnonzero(np.diff(x) > 1.5 * width) + 1
    ax.axhline(0.0, color="#bbbbbb", linewidth=0.7)
    ax.plot(np.insert(x, gaps, np.nan), np.insert(y, gaps, np.nan), color="#0072b2")


def _draw_heat_map(ax: Axes, planes: list[Slice], values: np.ndarray) -> None:
    patches = np.concatenate([plane.patches for plane in planes])
    limit = float(np.percentile(np.abs(values), 99)) if values.size else 1.0
    scale = Normalize(-limit or -1.0, limit or 1.0)
    face = colours(DIVERGING)(scale(values))
    collection: Collection
    if patches.shape[2] == 3:
        collection = Poly3DCollection(patches, facecolors=face, antialiaseds=False)
        ax.add_collection3d(collection)  # type: ignore[attr-defined]
    else:
        collection = PolyCollection(list(patches), facecolors=face, antialiaseds=False)
        ax.add_collection(collection, autolim=False)
    collection.set_rasterized(True)
    _fit_limits(ax, patches)
    ax.figure.colorbar(
        ScalarMappable(scale, DIVERGING),
        ax=ax,
        extend="both",
        shrink=0.6,
        fraction=0.1,
        pad=BAR_PAD[patches.shape[2]],
        aspect=16,
    )


def _fit_limits(ax: Axes, patches: np.ndarray) -> None:
    if not len(patches):
        return
    for axis, low, high in zip("xyz", patches.min((0, 1)), patches.max((0, 1)), strict=False):
        ax.set(**{f"{axis}lim": (low, high)})


def _label_arguments(ax: Axes, arguments: tuple[str, ...]) -> None:
    for axis, name in zip("xyz", arguments, strict=False):
        ax.set(**{f"{axis}label": coefficient_label(name)})
