"""Degrees of freedom of a field in units of its cells, the form in which they are learned."""

from __future__ import annotations

import itertools

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Float64

from dynboltz._arguments import checked
from dynboltz._numbers import check_finite
from dynboltz._typing import AnyArray
from dynboltz.dynamics import HermiteField, HermiteFunction, HermiteGrid

Parameters = tuple[Float[AnyArray, "_ _ _"], ...]


def dof_units(grid: HermiteGrid) -> Float64[np.ndarray, " dofs"]:
    """What each degree of freedom of a vertex is multiplied with to be a physical derivative."""
    derivatives = itertools.product((0, 1), repeat=grid.dim)
    return np.array([np.prod(np.array(grid.cell) ** -np.array(d, float)) for d in derivatives])


def parameters(field: HermiteField) -> Parameters:
    """Values and derivatives at the vertices, per cell, for each function of the field."""
    return tuple(f.u / dof_units(f.grid)[None, :, None] for f in field.functions)


def with_parameters(field: HermiteField, values: Parameters) -> HermiteField:
    """The field with other degrees of freedom."""
    u = [
        jnp.asarray(value * dof_units(f.grid)[None, :, None])
        for f, value in zip(field.functions, values, strict=True)
    ]
    return eqx.tree_at(lambda field: [f.u for f in field.functions], field, u)


def move_rows(
    array: Float[AnyArray, "vertices dofs outputs"], old: HermiteFunction, new: HermiteFunction
) -> Float[Array, "new_vertices dofs outputs"]:
    """Rows of an array that goes with `old.u`, at their places in `new.u`; new rows are zero."""
    keys = np.asarray(old.keys)[: old.n_allocated]
    places = np.searchsorted(np.asarray(new.keys), keys)
    moved = np.zeros((len(new.keys), *array.shape[1:]), array.dtype)
    moved[places] = np.asarray(array)[: len(keys)]
    return jnp.asarray(moved)


@checked
def allocate_with_margin(
    field: HermiteField, thetas: Float64[np.ndarray, "points coefficients"]
) -> HermiteField:
    """Allocate the cells of some points and all cells that touch them.

    Raises
    ------
    ValueError
        If a coefficient is not finite.
    """
    check_finite("allocate_with_margin", "`thetas`", thetas, ("point", "coefficient"))
    functions = tuple(
        function.allocate(_around(function.grid, thetas[:, field.arguments(function)]))
        for function in field.functions
    )
    return HermiteField(field.coefficients, functions)


def _around(
    grid: HermiteGrid, points: Float64[np.ndarray, "points arguments"]
) -> Float64[np.ndarray, "cells arguments"]:
    """Centres of the cells that hold the points and of all cells that touch them."""
    low, high = grid.box
    cells = np.unique(np.floor((np.clip(points, low, high) - low) / grid.cell).astype(int), axis=0)
    steps = np.array(list(itertools.product((-1, 0, 1), repeat=grid.dim)))
    around = np.unique((cells[:, None] + steps).reshape(-1, grid.dim), axis=0)
    around = around[np.all((around >= 0) & (around < grid.n_cells), axis=1)]
    return low + (around + 0.5) * grid.cell
