"""Bending energy of Hermite functions, against closed forms and quadrature."""

from __future__ import annotations

import itertools

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from dynboltz.dynamics import HermiteFunction, HermiteGrid
from dynboltz.learning import roughness

CELLS = (0.5, 0.4, 0.8)


def grid_of(dim: int, n_cells: int = 4) -> HermiteGrid:
    cell = CELLS[:dim]
    upper = tuple(n_cells * side for side in cell)
    names = ("x", "y", "z")[:dim]
    return HermiteGrid(names, cell, (0.0,) * dim, (0.0,) * dim, upper)


def units(grid: HermiteGrid) -> np.ndarray:
    """Sides of the cell along which each degree of freedom is a derivative, multiplied."""
    bits = itertools.product((0, 1), repeat=grid.dim)
    return np.array(
        [np.prod([c for c, bit in zip(grid.cell, b, strict=True) if bit]) for b in bits]
    )


def in_cells(function: HermiteFunction) -> jax.Array:
    """Degrees of freedom in units of the cells."""
    return function.u * jnp.asarray(units(function.grid))[None, :, None]


def vertices(function: HermiteFunction) -> np.ndarray:
    """Positions of the allocated vertices; the numbers count in C order."""
    shape = tuple(n + 1 for n in function.grid.n_cells)
    keys = np.asarray(function.keys)[: function.n_allocated]
    return np.stack(np.unravel_index(keys, shape), axis=1) * np.array(function.grid.cell)


def polynomial(function: HermiteFunction, *derivatives) -> HermiteFunction:
    """The function with given values and derivatives, in the order of the degrees of freedom."""
    columns = [np.broadcast_to(d(*vertices(function).T), function.n_allocated) for d in derivatives]
    u = np.zeros(function.u.shape)
    u[: function.n_allocated, :, 0] = np.stack(columns, axis=1)
    return eqx.tree_at(lambda f: f.u, function, jnp.asarray(u))


def allocated(dim: int, cells: np.ndarray, n_outputs: int = 1) -> HermiteFunction:
    grid = grid_of(dim)
    names = tuple(f"F{i}" for i in range(n_outputs))
    return HermiteFunction.zeros(grid, names).allocate((cells + 0.5) * np.array(grid.cell))


def all_cells(*shape: int) -> np.ndarray:
    return np.indices(shape).reshape(len(shape), -1).T


def test_bending_energy_of_a_cubic_surface():
    """F = x^2 y has F_xx = 2 y, F_xy = 2 x, F_yy = 0."""
    function = polynomial(
        allocated(2, all_cells(2, 3)),
        lambda x, y: x**2 * y,
        lambda x, y: x**2,
        lambda x, y: 2 * x * y,
        lambda x, y: 2 * x,
    )
    a, b = function.grid.cell
    width, height = 2 * a, 3 * b
    pure = a**4 * 4 * width * height**3 / 3
    mixed = 2 * a**2 * b**2 * 4 * width**3 / 3 * height
    energy = (pure + mixed) / (a * b)
    # The cubic is in the space of the elements: rounding only.
    np.testing.assert_allclose(
        roughness(function).value(in_cells(function)), energy / 2, rtol=1e-12
    )


def test_bending_energy_of_a_parabola_on_a_line():
    function = polynomial(allocated(1, all_cells(3)), lambda x: x**2, lambda x: 2 * x)
    # Second derivative 2 per length squared, 2 c^2 per cell squared, squared, on three cells.
    energy = 3 * (2 * CELLS[0] ** 2) ** 2
    np.testing.assert_allclose(
        roughness(function).value(in_cells(function)), energy / 2, rtol=1e-12
    )


def test_linear_functions_have_no_energy():
    slopes = (0.7, -1.3, 0.2)
    function = polynomial(
        allocated(3, all_cells(2, 1, 2)),
        lambda x, y, z: 0.4 + slopes[0] * x + slopes[1] * y + slopes[2] * z,
        lambda x, y, z: slopes[2],
        lambda x, y, z: slopes[1],
        lambda x, y, z: 0.0,
        lambda x, y, z: slopes[0],
        *[lambda x, y, z: 0.0] * 3,
    )
    bending = roughness(function)
    # Rounding of a sum of about 4^6 terms of order 1.
    np.testing.assert_allclose(bending.value(in_cells(function)), 0, atol=1e-12)
    # Everything else has: the energy of one cell vanishes on 4 of its 64 dimensions only.
    eigenvalues = np.linalg.eigvalsh(bending.matrix)
    assert np.sum(eigenvalues < 1e-10) == 4
    assert eigenvalues[0] > -1e-10


def by_quadrature(function: HermiteFunction, cells: np.ndarray) -> float:
    """Energy of some cells: Gauss's rule for the squares of differentiated values."""
    nodes, weights = np.polynomial.legendre.leggauss(4)  # exact to degree 7; squares have 6
    dim, cell = function.grid.dim, np.array(function.grid.cell)
    local = np.array(list(itertools.product((nodes + 1) / 2, repeat=dim)))
    weight = np.prod(list(itertools.product(weights / 2, repeat=dim)), axis=1)
    points = ((cells[:, None] + local) * cell).reshape(-1, dim)
    hessian = np.asarray(jax.jit(jax.vmap(jax.hessian(function)))(jnp.asarray(points)))
    squares = np.sum((hessian * np.outer(cell, cell)) ** 2, axis=(1, 2, 3))
    return float(np.sum(squares.reshape(-1, len(weight)) * weight))


@pytest.mark.parametrize(
    ("dim", "allocate", "complete"),
    [
        (1, [[0], [3]], [[0], [3]]),
        (1, [[0], [2]], [[0], [1], [2]]),  # the vertices of the cell between are there too
        (2, [[0, 0], [1, 1], [3, 0]], [[0, 0], [1, 1], [3, 0]]),
        (2, [[0, 1], [2, 1], [3, 3]], [[0, 1], [1, 1], [2, 1], [3, 3]]),
        (3, [[0, 0, 0], [1, 0, 0], [2, 3, 1]], [[0, 0, 0], [1, 0, 0], [2, 3, 1]]),
    ],
)
def test_energy_equals_quadrature_of_second_derivatives(dim, allocate, complete):
    function = allocated(dim, np.array(allocate), n_outputs=2)
    random = np.random.default_rng(dim)
    u = jnp.asarray(random.normal(size=function.u.shape))
    function = eqx.tree_at(lambda f: f.u, function, u)
    bending = roughness(function)
    assert len(bending.rows) == len(complete)
    expected = by_quadrature(function, np.array(complete))
    values = in_cells(function)
    # Both are exact up to rounding.
    np.testing.assert_allclose(bending.value(values), expected / 2, rtol=1e-10)
    matrix = bending.assemble(function.u.shape[0])
    unknowns = np.asarray(values).reshape(-1, 2)
    np.testing.assert_allclose(np.sum(unknowns * (matrix @ unknowns)), expected, rtol=1e-10)
    np.testing.assert_allclose(matrix, matrix.T, atol=1e-12)


def test_unused_places_have_no_energy():
    function = allocated(2, np.array([[0, 0], [1, 0]]))
    assert len(function.keys) == 8
    assert function.n_allocated == 6
    matrix = roughness(function).assemble(8)
    assert np.all(matrix[6 * 4 :] == 0)
    assert np.all(matrix[:, 6 * 4 :] == 0)
