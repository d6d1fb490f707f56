"""The curvature of Hermite fields as a penalty."""

from __future__ import annotations

import itertools
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Float64, Int

from dynboltz._arguments import check_memory, check_range, checked, is_traced
from dynboltz._memory import check_size
from dynboltz._typing import AnyArray
from dynboltz.dynamics import HermiteFunction, HermiteGrid

_VALUE = np.array([[1.0, 0, -3, 2], [0, 1, -2, 1], [0, 0, 3, -2], [0, 0, -1, 1]])
"""Cubic Hermite polynomials on the unit cell, ascending powers: value and slope at 0, then at 1."""


_MATRICES = 3
"""Of a cell, as its energy is added up: the sum, a product and what it is made of."""


@checked
class Roughness(NamedTuple):
    r"""Bending energy of a function, in units of its cells.

    $$R = \sum_{\text{cells}} \int_{[0,1]^d} d\xi \, \sum_{i,j}
    \Big(\frac{\partial^2 F}{\partial \xi_i \partial \xi_j}\Big)^2 ,$$

    over the cells whose vertices are all allocated. Functions without energy are linear, so that
    a field which is fitted with this penalty continues linearly where there are no data.

    Attributes
    ----------
    rows
        Vertices of each cell, as rows of the degrees of freedom.
    matrix
        Energy of one cell as a quadratic form in its $4^d$ degrees of freedom.
    """

    rows: Int[np.ndarray, "cells vertices"]
    matrix: Float64[np.ndarray, "basis basis"]

    def value(self, values: Float[AnyArray, "vertices dofs outputs"]) -> Float[Array, ""]:
        """Half the energy, summed over the outputs."""
        n_dofs = round(len(self.matrix) ** 0.5)
        last = -1 if is_traced(self.rows) else int(np.max(self.rows, initial=-1))
        if len(values) <= last or values.shape[1] != n_dofs:
            raise ValueError(
                f"Roughness.value: `values` must have shape (vertices, {n_dofs}, outputs) with "
                f"more than {last} vertices, got {values.shape}."
            )
        cells = jnp.asarray(values)[self.rows].reshape(len(self.rows), len(self.matrix), -1)
        return 0.5 * jnp.sum(cells * jnp.einsum("ab,cbo->cao", self.matrix, cells))

    def assemble(self, n_vertices: int) -> Float64[np.ndarray, "unknowns unknowns"]:
        """The energy of one output as a dense matrix over all degrees of freedom."""
        check_range(
            "Roughness.assemble", "n_vertices", n_vertices, least=int(self.rows.max(initial=-1)) + 1
        )
        n_dofs = round(len(self.matrix) ** 0.5)
        size = n_vertices * n_dofs
        check_memory("Roughness.assemble", "n_vertices", n_vertices, 8 * size**2)
        columns = (self.rows[:, :, None] * n_dofs + np.arange(n_dofs)).reshape(len(self.rows), -1)
        total = np.zeros((n_vertices * n_dofs,) * 2)
        np.add.at(total, (columns[:, :, None], columns[:, None, :]), self.matrix)
        return total


@checked
def roughness(function: HermiteFunction) -> Roughness:
    """The bending energy of a function with its present vertices.

    Raises
    ------
    ValueError
        If the matrix of a cell is larger than the memory: for functions of many arguments.
    """
    grid = function.grid
    check_cell_energy(grid)
    keys = np.asarray(function.keys)[: function.n_allocated]
    lengths = np.array(grid.n_cells) + 1
    corners = np.array(list(itertools.product((0, 1), repeat=grid.dim)))
    lower = np.stack(np.unravel_index(keys, lengths), axis=1)
    lower = lower[np.all(lower < lengths - 1, axis=1)]
    vertices = np.ravel_multi_index(tuple(np.moveaxis(lower[:, None] + corners, -1, 0)), lengths)
    rows = np.minimum(np.searchsorted(keys, vertices), len(keys) - 1)
    return Roughness(rows[np.all(keys[rows] == vertices, axis=1)], _cell_energy(grid.dim))


def check_cell_energy(grid: HermiteGrid) -> None:
    """Raise `ValueError` if the bending energy of a cell of a grid is beyond the memory."""
    check_size(
        f"the bending energy of a function of {grid.dim} arguments ({', '.join(grid.arguments)})",
        _MATRICES * 8 * 16**grid.dim,
        "choose fewer `arguments` of each function",
    )


def _cell_energy(dim: int) -> Float64[np.ndarray, "basis basis"]:
    mass, stiffness, bending = (_products(order) for order in range(3))
    total = np.zeros((4**dim, 4**dim))
    for i, j in itertools.product(range(dim), repeat=2):
        factors = [mass] * dim
        if i == j:
            factors[i] = bending
        else:
            factors[i] = factors[j] = stiffness
        total += _tensor_product(factors)
    return total


def _products(order: int) -> Float64[np.ndarray, "vertices dofs vertices dofs"]:
    """Integrals over the unit cell of products of derivatives of the given order."""
    basis = [
        np.polynomial.Polynomial(c).deriv(order) if order else np.polynomial.Polynomial(c)
        for c in _VALUE
    ]
    integrals = [[(a * b).integ()(1.0) for b in basis] for a in basis]
    return np.array(integrals).reshape(2, 2, 2, 2)


def _tensor_product(factors: list[np.ndarray]) -> Float64[np.ndarray, "basis basis"]:
    """Quadratic form on a cell; vertices then degrees of freedom, as binary numbers."""
    product = factors[0]
    for factor in factors[1:]:
        n = len(product)
        product = np.einsum("abcd,efgh->aebfcgdh", product, factor).reshape((2 * n,) * 4)
    return product.reshape(len(product) ** 2, -1)
