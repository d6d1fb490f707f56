"""Where a learned function is known: allocated vertices, cells, and slices through them."""

from __future__ import annotations

import itertools
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from dynboltz.dynamics import HermiteField, HermiteFunction, HermiteGrid

MAX_QUADS = 2500
"""Largest number of patches that one slice is cut into, as long as a cell stays one patch."""

FULL_LAYER = 0.7
"""Part of the cells of the fullest layer that a layer nearer to the middle must have."""


class Slice(NamedTuple):
    """A plane through allocated cells, cut into patches.

    Attributes
    ----------
    patches
        Corners of each patch in the space of the shown arguments.
    points
        Centres of the patches in the space of all arguments.
    """

    patches: Float[np.ndarray, "patches corners shown"]
    points: Float[np.ndarray, "patches arguments"]


def function_of(field: HermiteField, coefficient: str) -> HermiteFunction:
    """Return the function of the field that drives a coefficient."""
    for function in field.functions:
        if coefficient in function.outputs:
            return function
    raise ValueError(
        f"The field has no coefficient {coefficient!r}; it has {', '.join(field.coefficients)}."
    )


def allocated_vertices(function: HermiteFunction) -> Float[np.ndarray, "vertices arguments"]:
    """Coordinates of the vertices that are stored."""
    grid = function.grid
    return grid.box[0] + _vertex_indices(function) * np.array(grid.cell)


def allocated_cells(function: HermiteFunction) -> Int[np.ndarray, "cells arguments"]:
    """Number along each axis of the cells all of whose vertices are stored."""
    grid = function.grid
    indices = _vertex_indices(function)
    indices = indices[np.all(indices < np.array(grid.n_cells), axis=1)]
    known = np.asarray(function.keys)[: function.n_allocated]
    complete = np.ones(len(indices), dtype=bool)
    for corner in itertools.product((0, 1), repeat=grid.dim):
        complete &= np.isin(_keys(grid, indices + np.array(corner)), known)
    return indices[complete]


def values_at(
    function: HermiteFunction, coefficient: str, points: Float[np.ndarray, "points arguments"]
) -> Float[np.ndarray, " points"]:
    """Time derivative of the coefficient at points in allocated cells [1/time]."""
    with jax.enable_x64(function.u.dtype == np.float64):
        values = _compiled_values(function, jnp.asarray(points, dtype=function.u.dtype))
    return np.asarray(values, dtype=np.float64)[:, function.outputs.index(coefficient)]


def vertex_values(function: HermiteFunction, coefficient: str) -> Float[np.ndarray, " vertices"]:
    """Time derivative of the coefficient at the vertices that are stored [1/time]."""
    values = np.asarray(function.u, dtype=np.float64)[: function.n_allocated, 0]
    return values[:, function.outputs.index(coefficient)]


@eqx.filter_jit
def _compiled_values(function: HermiteFunction, points: Array) -> Array:
    return jax.vmap(function)(points)


def slices(function: HermiteFunction) -> list[Slice]:
    """Planes through the middle of the allocated cells, where a layer has many of them.

    One argument gives a line and two give their plane. Of more than three arguments the first
    three are shown; each of the others is held in the middle of such a layer.
    """
    cells = allocated_cells(function)
    shown = min(3, function.grid.dim)
    for axis in range(shown, function.grid.dim):
        cells = _middle_layer(cells, axis)
    if shown < 3:
        return [_slice(function.grid, cells, list(range(shown)))]
    across = [[axis for axis in range(3) if axis != normal] for normal in range(3)]
    return [
        _slice(function.grid, _middle_layer(cells, normal), axes)
        for normal, axes in enumerate(across)
    ]


def _vertex_indices(function: HermiteFunction) -> Int[np.ndarray, "vertices arguments"]:
    keys = np.asarray(function.keys)[: function.n_allocated]
    return np.stack(np.unravel_index(keys, _n_vertices(function.grid)), axis=-1)


def _keys(grid: HermiteGrid, indices: np.ndarray) -> np.ndarray:
    return np.asarray(np.ravel_multi_index(tuple(indices.T), _n_vertices(grid)))


def _n_vertices(grid: HermiteGrid) -> tuple[int, ...]:
    return tuple(n + 1 for n in grid.n_cells)


def _middle_layer(cells: np.ndarray, axis: int) -> np.ndarray:
    """Cells of the layer nearest to the middle that has most of the cells, or nearly so."""
    if not len(cells):
        return cells
    layers, count = np.unique(cells[:, axis], return_counts=True)
    full = layers[count >= FULL_LAYER * count.max()]
    layer = full[np.argmin(np.abs(full - cells[:, axis].mean()))]
    return cells[cells[:, axis] == layer]


def _slice(grid: HermiteGrid, cells: np.ndarray, axes: list[int]) -> Slice:
    """Cut the middle plane of the cells into patches along `axes`."""
    if not len(cells):
        return Slice(np.empty((0, 2 ** len(axes), min(3, grid.dim))), np.empty((0, grid.dim)))
    n = int(np.clip((MAX_QUADS / len(cells)) ** (1 / len(axes)), 1, 8))
    inner = np.full((n ** len(axes), grid.dim), 0.5)
    inner[:, axes] = (np.array(list(np.ndindex(*(n,) * len(axes)))) + 0.5) / n
    centres = (cells[:, None] + inner).reshape(-1, grid.dim)
    corners = np.zeros((2 ** len(axes), grid.dim))
    corners[:, axes] = np.array(_ROUND[len(axes)]) / n
    scale, lowest = np.array(grid.cell), grid.box[0]
    patches = lowest + (centres[:, None] + corners) * scale
    return Slice(patches[..., :3], lowest + centres * scale)


_ROUND = {
    1: [(-0.5,), (0.5,)],
    2: [(-0.5, -0.5), (0.5, -0.5), (0.5, 0.5), (-0.5, 0.5)],
}
"""Corners of a patch about its centre, in the order in which a pen goes round."""
