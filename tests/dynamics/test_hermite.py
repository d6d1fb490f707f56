"""Hermite elements against scikit-fem, polynomials and their defining properties."""

from __future__ import annotations

import itertools
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import skfem

from dynboltz.dynamics import HermiteField, HermiteFunction, HermiteGrid, OutsideBoxError

NAMES = ("a", "b", "c", "d")
CELLS = (0.5, 0.2, 0.4, 0.3)


def make_grid(dim: int, *, n_cells: int = 2, outside: Any = "error") -> HermiteGrid:
    """A box of `n_cells` cells a side whose lower corner is 1 below the origin, cell by cell."""
    cell = CELLS[:dim]
    lower = tuple(0.1 - side for side in cell)
    upper = tuple(low + n_cells * side for low, side in zip(lower, cell, strict=True))
    return HermiteGrid(NAMES[:dim], cell, (0.1,) * dim, lower, upper, outside)


def uniform(grid: HermiteGrid, n: int, seed: int = 0) -> np.ndarray:
    lower, upper = grid.box
    return np.random.default_rng(seed).uniform(lower, upper, size=(n, grid.dim))


def filled(grid: HermiteGrid, outputs: tuple[str, ...] = ("x", "y"), seed: int = 1) -> Any:
    """A function on the whole box with random degrees of freedom."""
    lower, _ = grid.box
    centres = itertools.product(
        *(
            low + side * (np.arange(n) + 0.5)
            for low, side, n in zip(lower, grid.cell, grid.n_cells, strict=True)
        )
    )
    function = HermiteFunction.zeros(grid, outputs).allocate(np.array(list(centres)))
    u = np.random.default_rng(seed).normal(size=function.u.shape)
    return eqx.tree_at(lambda f: f.u, function, jnp.asarray(u))


def vertex_positions(function: HermiteFunction) -> np.ndarray:
    grid = function.grid
    keys = np.asarray(function.keys)[: function.n_allocated]
    index = np.stack(np.unravel_index(keys, [n + 1 for n in grid.n_cells]), axis=1)
    return grid.box[0] + index * np.array(grid.cell)


def values_and_gradients(function: HermiteFunction, points: np.ndarray) -> tuple:
    return tuple(np.asarray(result) for result in _evaluate(function, jnp.asarray(points)))


@eqx.filter_jit
def _evaluate(function: HermiteFunction, points: jax.Array) -> tuple:
    return jax.vmap(function)(points), jax.vmap(jax.jacrev(function))(points)


@eqx.filter_jit
def derivatives(field: HermiteField, points: jax.Array) -> jax.Array:
    return jax.vmap(field)(points)


def skfem_values_and_gradients(function: HermiteFunction, points: np.ndarray) -> tuple:
    """The same degrees of freedom, put into scikit-fem's elements by position and name."""
    grid = function.grid
    axes = [
        low + side * np.arange(n + 1)
        for low, side, n in zip(grid.box[0], grid.cell, grid.n_cells, strict=True)
    ]
    mesh, element = {
        1: (skfem.MeshLine, skfem.ElementLineHermite),
        2: (skfem.MeshQuad, skfem.ElementQuadBFS),
        3: (skfem.MeshHex, skfem.ElementHexC1),
    }[grid.dim]
    mesh, element = mesh.init_tensor(*axes), element()
    basis = skfem.Basis(mesh, element, intorder=1)
    dofs = np.zeros((basis.N, len(function.outputs)))
    order = {tuple(np.round(p, 9)): row for row, p in enumerate(vertex_positions(function))}
    for vertex, position in enumerate(mesh.p.T):
        row = order[tuple(np.round(position, 9))]
        for number, name in enumerate(element.dofnames):
            derivatives = name.partition("_")[2]
            bits = sum(
                2 ** (grid.dim - 1 - axis) for axis in range(grid.dim) if "xyz"[axis] in derivatives
            )
            dofs[np.asarray(basis.nodal_dofs)[number, vertex]] = function.u[row, bits]
    cells = mesh.element_finder()(*points.T)
    local = basis.mapping.invF(points.T[:, :, None], tind=cells)
    value, gradient = 0.0, 0.0
    for number in range(basis.Nbfun):
        shape = element.gbasis(basis.mapping, local, number, tind=cells)[0]
        weight = dofs[basis.element_dofs[number, cells]]
        value = value + weight * np.asarray(shape)
        gradient = gradient + weight[:, :, None] * shape.grad[:, :, 0].T[:, None, :]
    return value, gradient


@pytest.mark.parametrize("dim", [1, 2, 3])
def test_values_and_gradients_agree_with_scikit_fem(dim):
    function = filled(make_grid(dim))
    points = uniform(function.grid, 40)
    expected = skfem_values_and_gradients(function, points)
    for ours, theirs in zip(values_and_gradients(function, points), expected, strict=True):
        # scikit-fem inverts a Vandermonde matrix of up to 64 monomials; about 1e-11 remains.
        np.testing.assert_allclose(ours, theirs, rtol=1e-9, atol=1e-9)


def polynomial(coefficients: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Sum of `coefficients[i, j, ...] x_0^i x_1^j ...` at each point."""
    value = np.broadcast_to(coefficients, (len(points), *coefficients.shape))
    for axis in reversed(range(points.shape[1])):
        powers = points[:, axis, None] ** np.arange(coefficients.shape[axis])
        value = np.einsum("p...i,pi->p...", value, powers)
    return value


def derivative(coefficients: np.ndarray, orders: tuple[int, ...]) -> np.ndarray:
    for axis, order in enumerate(orders):
        coefficients = np.polynomial.polynomial.polyder(coefficients, m=order, axis=axis)
    return coefficients


@pytest.mark.parametrize("dim", [1, 2, 4])
def test_cubic_polynomials_are_reproduced_exactly(dim):
    function = filled(make_grid(dim), ("x",))
    coefficients = np.random.default_rng(2).normal(size=(4,) * dim)
    vertices = vertex_positions(function)
    dofs = [polynomial(derivative(coefficients, d), vertices) for d in np.ndindex((2,) * dim)]
    u = np.zeros(function.u.shape)
    u[: len(vertices), :, 0] = np.stack(dofs, axis=1)
    function = eqx.tree_at(lambda f: f.u, function, jnp.asarray(u))
    points = uniform(function.grid, 30)
    values, gradients = values_and_gradients(function, points)
    # Rounding of a sum of 4^4 terms of order one.
    np.testing.assert_allclose(values[:, 0], polynomial(coefficients, points), atol=1e-11)
    for axis in range(dim):
        orders = tuple(int(axis == other) for other in range(dim))
        expected = polynomial(derivative(coefficients, orders), points)
        np.testing.assert_allclose(gradients[:, 0, axis], expected, atol=1e-10)


def test_values_and_gradients_are_continuous_across_faces_in_four_dimensions():
    function = filled(make_grid(4))
    points = uniform(function.grid, 10)
    for axis in range(4):
        points[:, axis] = 0.1
        shift = 1e-13 * np.eye(4)[axis]
        below = values_and_gradients(function, points - shift)
        above = values_and_gradients(function, points + shift)
        for left, right in zip(below, above, strict=True):
            # Second derivatives are below 1e3, so that the shift itself changes less than 1e-9.
            np.testing.assert_allclose(left, right, atol=1e-9)


def make_field(outside: Any = "error") -> HermiteField:
    """Three coefficients on two grids, of which one leaves out an argument."""
    full = HermiteGrid(("a", "b", "c"), (0.5, 0.5, 0.1), (0.0,) * 3, (-2.0,) * 3, (2.0,) * 3)
    full = HermiteGrid(full.arguments, full.cell, full.origin, full.lower, full.upper, outside)
    part = HermiteGrid(("c", "a"), (0.3, 0.5), (0.0,) * 2, (-2.0,) * 2, (2.0,) * 2, outside)
    return HermiteField.zeros(("a", "b", "c"), {"a": full, "b": part, "c": full})


def randomise(field: HermiteField, seed: int = 3) -> HermiteField:
    rng = np.random.default_rng(seed)
    return jax.tree.map(
        lambda x: jnp.asarray(rng.normal(size=x.shape)) if eqx.is_inexact_array(x) else x, field
    )


def test_allocation_changes_no_value():
    rng = np.random.default_rng(4)
    old, new = rng.uniform(-1, 0, size=(20, 3)), rng.uniform(-1, 2, size=(200, 3))
    field = randomise(make_field().allocate(old))
    larger = field.allocate(new)
    points = jnp.asarray(np.concatenate([old, new]))
    assert all(
        g.n_allocated > f.n_allocated
        for f, g in zip(field.functions, larger.functions, strict=True)
    )
    np.testing.assert_array_equal(derivatives(field, points), derivatives(larger, points))


def test_unallocated_cells_are_zero():
    field = randomise(make_field().allocate(np.full((1, 3), 0.05)))
    np.testing.assert_array_equal(field(jnp.asarray([1.9, 1.9, 1.9])), 0.0)


def test_memory_grows_with_the_visited_cells():
    box = 1e4
    grid = HermiteGrid(("a", "b"), (0.01, 0.01), (0.0, 0.0), (-box, -box), (box, box))
    field = HermiteField.zeros(("a", "b"), {"a": grid, "b": grid})
    rng = np.random.default_rng(5)
    for n_cells in (1, 10, 100):
        # Isolated cells: vertices are not shared with a probability above 1 - 1e-7.
        field = HermiteField.zeros(("a", "b"), {"a": grid, "b": grid})
        field = field.allocate(rng.uniform(-box, box, size=(n_cells, 2)))
        (function,) = field.functions
        assert function.n_allocated == 4 * n_cells
        assert 4 * n_cells <= len(function.keys) < 8 * n_cells
    assert field.functions[0].keys.dtype == np.int64


def test_allocating_visited_points_returns_the_same_arrays():
    points = np.random.default_rng(6).uniform(-1, 1, size=(10, 3))
    field = make_field().allocate(points)
    again = field.allocate(points)
    for f, g in zip(field.functions, again.functions, strict=True):
        assert f is g


def test_allocation_within_the_capacity_does_not_recompile():
    traces = []

    @eqx.filter_jit
    def evaluate(field: HermiteField, theta: jax.Array) -> jax.Array:
        traces.append(1)
        return field(theta)

    grid = HermiteGrid(("a",), (1.0,), (0.0,), (-10.0,), (10.0,))
    field = HermiteField.zeros(("a",), {"a": grid})
    theta = jnp.asarray([0.5])
    field = field.allocate(np.array([[0.5], [1.5]]))
    evaluate(field, theta)
    assert len(field.functions[0].keys) == 4
    evaluate(field.allocate(np.array([[2.5]])), theta)
    evaluate(field, theta + 1)
    assert len(traces) == 1


def test_basis_is_the_linear_map_to_the_values():
    rng = np.random.default_rng(7)
    points = rng.uniform(-1, 1, size=(15, 3))
    field = randomise(make_field().allocate(points))
    expected = derivatives(field, jnp.asarray(points))
    for function, basis in zip(field.functions, field.basis(points), strict=True):
        columns = [field.coefficients.index(name) for name in function.outputs]
        values = np.einsum("pvd,pvdo->po", basis.weights, function.u[basis.rows])
        # Rounding of a sum of 64 terms in another order.
        np.testing.assert_allclose(values, expected[:, np.array(columns)], atol=1e-12)


@pytest.mark.parametrize("outside", ["clamp", "linear"])
def test_values_are_continuous_at_the_edge_of_the_box(outside):
    function = filled(make_grid(3, outside=outside))
    points = uniform(function.grid, 10)
    for axis, edge in itertools.product(range(3), (0, 1)):
        points[:, axis] = function.grid.box[edge][axis]
        shift = 1e-13 * np.eye(3)[axis]
        (low, low_gradient), (high, high_gradient) = (
            values_and_gradients(function, points + sign * shift) for sign in (-1, 1)
        )
        # Gradients are below 1e3, so that the shift itself changes less than 1e-9.
        np.testing.assert_allclose(low, high, atol=1e-9)
        if outside == "linear":
            np.testing.assert_allclose(low_gradient, high_gradient, atol=1e-9)


def test_clamp_takes_the_value_at_the_nearest_point_of_the_box():
    function = filled(make_grid(2, outside="clamp"))
    lower, upper = function.grid.box
    points = uniform(function.grid, 10) * 5.0
    nearest = np.clip(points, lower, upper)
    values, gradients = values_and_gradients(function, points)
    np.testing.assert_array_equal(values, values_and_gradients(function, nearest)[0])
    beyond = points != nearest
    assert beyond.any()
    np.testing.assert_array_equal(np.moveaxis(gradients, 1, 2)[beyond], 0.0)


def test_linear_extrapolates_by_value_and_gradient():
    function = filled(make_grid(2, outside="linear"))
    points = uniform(function.grid, 10)
    points[:, 1] = function.grid.box[1][1] + np.linspace(0.1, 3.0, 10)
    nearest = np.minimum(points, function.grid.box[1])
    value, gradient = values_and_gradients(function, nearest)
    expected = value + np.einsum("poa,pa->po", gradient, points - nearest)
    # Rounding.
    np.testing.assert_allclose(values_and_gradients(function, points)[0], expected, rtol=1e-11)


def test_linear_has_continuous_gradients_beyond_a_corner():
    function = filled(make_grid(2, outside="linear"))
    corner = function.grid.box[1] + np.array([0.0, 0.7])
    shift = np.array([1e-13, 0.0])
    left = values_and_gradients(function, (corner - shift)[None])
    right = values_and_gradients(function, (corner + shift)[None])
    for below, above in zip(left, right, strict=True):
        np.testing.assert_allclose(below, above, atol=1e-9)


def test_a_direct_call_beyond_the_box_raises_and_compiled_code_clamps():
    field = randomise(make_field().allocate(np.full((1, 3), 1.99)))
    beyond, edge = jnp.asarray([1.9, 2.5, 1.9]), jnp.asarray([1.9, 2.0, 1.9])
    with pytest.raises(OutsideBoxError, match=r"`b` = 2\.5 .* box \[-2, 2\].*Enlarge `lower`"):
        field(beyond)
    np.testing.assert_array_equal(eqx.filter_jit(field)(beyond), eqx.filter_jit(field)(edge))
    np.testing.assert_array_equal(field.outside(jnp.stack([beyond, edge])), [True, False])
    with pytest.raises(OutsideBoxError, match=r"HermiteField\.allocate: coefficient `b`"):
        field.allocate(beyond[None])


def test_limits_come_from_the_boxes_that_raise():
    lower, upper = make_field().limits()
    # The side 0.3 does not divide 2, so that the box of `c` in the second grid is larger.
    np.testing.assert_allclose(lower, -2.0, rtol=1e-12)
    np.testing.assert_allclose(upper, 2.0, rtol=1e-12)
    field = make_field("clamp")
    assert np.all(np.isinf(field.limits()))
    np.testing.assert_array_equal(field.outside(np.array([[0.0, 0, 0], [0, 0, 2.05]])), [0, 1])


def test_the_box_is_rounded_outward_to_whole_cells():
    grid = HermiteGrid(("a", "b"), (0.1, 0.4), (0.05, 0.0), (-0.3, -0.4), (0.3, 1.1))
    np.testing.assert_allclose(grid.box, [(-0.35, -0.4), (0.35, 1.2)], atol=1e-15)
    assert grid.n_cells == (7, 4)
    assert grid.n_vertices == 40


def test_nan_stays_nan_in_compiled_code():
    field = randomise(make_field().allocate(np.full((1, 3), 0.05)))
    assert np.all(np.isnan(eqx.filter_jit(field)(jnp.asarray([np.nan, 0.0, 0.0]))))
    with pytest.raises(ValueError, match="coefficient `b` of point 0 is nan"):
        field.allocate(np.array([[0.0, np.nan, 0.0]]))


def test_single_precision_stays_single():
    grid = make_grid(2)
    field = HermiteField.zeros(("a", "b"), {"a": grid, "b": grid}, dtype=jnp.float32)
    points = uniform(grid, 5).astype(np.float32)
    field = field.allocate(points)
    theta = jnp.asarray(points[0])
    assert field(theta).dtype == jnp.float32
    assert jax.jit(jax.jacrev(field))(theta).dtype == jnp.float32
    with pytest.raises(TypeError, match=r"coefficients are float64, but .* are float32"):
        field(theta.astype(jnp.float64))


def test_vertex_numbers_must_fit_the_integers():
    grid = HermiteGrid(("a", "b"), (1e-3,) * 2, (0.0,) * 2, (-100.0,) * 2, (100.0,) * 2)
    assert grid.key_dtype() == np.int64
    with jax.enable_x64(False), pytest.raises(ValueError, match=r"40000400001 vertices.*int32"):
        HermiteFunction.zeros(grid, ("a",))
    huge = HermiteGrid(NAMES, (1e-5,) * 4, (0.0,) * 4, (-100.0,) * 4, (100.0,) * 4)
    with pytest.raises(ValueError, match="more than int64 can number"):
        huge.key_dtype()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"arguments": ("a", "a")}, "each once"),
        ({"cell": (0.5,)}, "`cell` must have one finite entry"),
        ({"cell": (0.5, 0.0)}, "`cell` must be positive"),
        ({"upper": (1.0, -1.0)}, "`lower` must be less than `upper`"),
        ({"lower": (-1.0, -np.inf)}, "`lower` must have one finite entry"),
        ({"outside": "wrap"}, "`outside` must be one of"),
    ],
)
def test_impossible_grids_are_refused(change, message):
    valid: dict[str, Any] = {
        "arguments": ("a", "b"),
        "cell": (0.5, 0.5),
        "origin": (0.0, 0.0),
        "lower": (-1.0, -1.0),
        "upper": (1.0, 1.0),
    }
    # The type checker of the test suite may refuse an unknown name before the grid does.
    with pytest.raises(Exception, match=message if "outside" not in change else "outside|Outside"):
        HermiteGrid(**(valid | change))


def test_impossible_fields_are_refused():
    grid = make_grid(2)
    function = HermiteFunction.zeros(grid, ("a", "b"))
    with pytest.raises(ValueError, match="exactly one function"):
        HermiteField(("a", "b"), (function, function))
    with pytest.raises(ValueError, match="exactly one function"):
        HermiteField(("a", "b", "c"), (function,))
    with pytest.raises(ValueError, match=r"arguments .* are not among the coefficients"):
        HermiteField(("x", "b"), (HermiteFunction.zeros(grid, ("x", "b")),))
    with pytest.raises(ValueError, match="named twice"):
        HermiteField(("a", "a"), (function,))
    with pytest.raises(ValueError, match="one grid for each"):
        HermiteField.zeros(("a", "b"), {"a": grid})
    with pytest.raises(ValueError, match="`u` must have shape"):
        HermiteFunction(grid, ("a",), function.keys, function.u)
