"""The compiled solver of Hermite fields against `solve_fixed` and `discrete_adjoint`."""

from __future__ import annotations

import functools
from typing import NamedTuple

import equinox as eqx
import jax.numpy as jnp
import numba
import numpy as np
import pytest

from dynboltz.dynamics import (
    HermiteField,
    HermiteGrid,
    HermiteSolver,
    Path,
    discrete_adjoint,
    solve_fixed,
)

NAMES = ("a", "b", "c", "d")
TIMES = np.array([0.0, 0.1, 0.25, 0.3, 0.5])
METHODS = [("euler", 1), ("heun", 3), ("rk4", 2)]


def grids(reach: float = 0.5) -> dict[str, HermiteGrid]:
    """Two grids of other arguments in another order; one continues, the other clamps."""
    three = ("a", "b", "c"), (0.3, 0.2, 0.4), (0.0, 0.1, 0.0), (-reach,) * 3, (reach,) * 3
    two = ("d", "a"), (0.3, 0.2), (0.0, 0.1), (-reach,) * 2, (reach,) * 2
    linear, clamp = HermiteGrid(*three, "linear"), HermiteGrid(*two, "clamp")
    return {"a": linear, "b": clamp, "c": linear, "d": clamp}


def with_random_values(field: HermiteField, seed: int = 1) -> HermiteField:
    random = np.random.default_rng(seed)
    u = [jnp.asarray(random.normal(size=f.u.shape)) for f in field.functions]
    return eqx.tree_at(lambda f: [g.u for g in f.functions], field, u)


@functools.cache
def patchy_field() -> HermiteField:
    """Cells on the side of the lower a, and no others."""
    points = np.random.default_rng(0).uniform(-0.6, 0.6, (400, 4))
    points[:, 0] = np.minimum(points[:, 0], 0.05)
    return with_random_values(HermiteField.zeros(NAMES, grids()).allocate(points))


def starts() -> np.ndarray:
    """Half of them beyond the box along some axis, three where cells are missing."""
    random = np.random.default_rng(2)
    points = random.uniform(-0.45, 0.45, (10, 4))
    points[:, 0] = -np.abs(points[:, 0])
    points[7:, 0] = 0.4
    for row, axis in enumerate((0, 1, 2, 3, 3)):
        points[row, axis] = (-0.9, 0.8, -0.7, 0.75, -0.95)[row]
    return points


class Solved(NamedTuple):
    solver: HermiteSolver
    u: np.ndarray
    path: Path


def solved(field: HermiteField, method, substeps: int) -> Solved:
    solver = HermiteSolver(field, method=method, substeps=substeps)
    u = solver.flatten(tuple(np.asarray(f.u) for f in field.functions))
    return Solved(solver, u, solver.solve(u, starts(), TIMES))


def cotangents(n_times: int) -> np.ndarray:
    return np.random.default_rng(3).normal(size=(len(starts()), n_times, len(NAMES)))


@pytest.mark.parametrize(("method", "substeps"), METHODS)
def test_solution_equals_that_of_jax(method, substeps):
    field = patchy_field()
    path = solved(field, method, substeps).path
    expected = solve_fixed(
        field, jnp.asarray(starts()), jnp.asarray(TIMES), method=method, substeps=substeps
    )
    np.testing.assert_allclose(path.theta, expected, rtol=0, atol=1e-12)  # rounding
    assert np.abs(path.theta[:, -1] - starts()).max() > 0.1


@pytest.mark.parametrize(("method", "substeps"), METHODS)
def test_gradient_equals_finite_differences(method, substeps):
    solver, u, path = solved(patchy_field(), method, substeps)
    given, random = cotangents(len(TIMES)), np.random.default_rng(5)
    gradient = solver.flatten(solver.pull_back(u, path, 0, TIMES, given))

    def objective(change: np.ndarray) -> float:
        return float(np.sum(solver.solve(u + change, starts(), TIMES).theta * given))

    for _ in range(5):
        step = 1e-5 * random.normal(size=u.shape)
        difference = (objective(step) - objective(-step)) / 2
        # Third derivatives, 1e-10, and rounding, 1e-14 of the objective over 1e-5.
        assert gradient @ step == pytest.approx(difference, rel=1e-7, abs=1e-13)


def test_gradient_of_a_window_equals_that_of_jax():
    """From the third time on, with the coefficients there held fixed."""
    field = patchy_field()
    solver, u, path = solved(field, "euler", 3)
    given = cotangents(3)
    found = solver.pull_back(u, path, 2, TIMES[2:], given)
    _, gradient = discrete_adjoint(field, path.theta[:, 2], TIMES[2:], given, substeps=3)
    for part, function in zip(found, gradient.functions, strict=True):
        assert np.abs(part).max() > 0.01
        # The same sums in another order: rounding only.
        np.testing.assert_allclose(part, function.u, rtol=0, atol=1e-12)


def test_complete_tells_which_steps_miss_vertices():
    field = patchy_field()
    path = solved(field, "euler", 2).path
    assert path.steps.shape == (10, 9, 4)

    def lacks_nothing(point: np.ndarray) -> bool:
        pairs = zip(field.allocate(point[None]).functions, field.functions, strict=True)
        return all(new.n_allocated == old.n_allocated for new, old in pairs)

    # The field is asked for before every step, not after the last one.
    expected = [[lacks_nothing(point) for point in points[:-1]] for points in path.steps]
    np.testing.assert_array_equal(path.complete, expected)
    assert 0 < np.sum(expected) < np.size(expected)
    everything = field.allocate(path.steps.reshape(-1, 4))
    again = solved(everything, "euler", 2).path
    assert again.complete.all()
    # Vertices that are missing, and new ones, have the value 0.
    np.testing.assert_allclose(again.steps, path.steps, rtol=0, atol=1e-14)


def test_stages_between_the_steps_need_vertices_too():
    grid = HermiteGrid(("a",), (1.0,), (0.0,), (0.0,), (3.0,))
    field = HermiteField.zeros(("a",), {"a": grid}).allocate(np.array([[0.9]]))
    (function,) = field.functions
    u = np.zeros(function.u.shape)
    u[:2, 0, 0] = 1.0  # F = 1 in the cell from 0 to 1
    at = np.array([[0.9]])
    complete = [
        HermiteSolver(field, method=method)
        .solve(u.ravel(), at, np.array([0.0, 0.2]))
        .complete.item()
        for method in ("euler", "heun", "rk4")
    ]
    # Only Euler's step asks nowhere but at 0.9.
    assert complete == [True, False, False]


@pytest.mark.parametrize("method", ["euler", "rk4"])
def test_solutions_that_begin_as_the_last_one_are_those_of_a_new_solver(method):
    """Whatever has changed since: a degree of freedom, the start, or the times."""
    field, random = patchy_field(), np.random.default_rng(7)
    solver, u, path = solved(field, method, 2)
    n_moved = 0
    for _ in range(40):
        u = u.copy()
        u[random.choice(len(u), 4)] += 0.1
        theta0 = starts() + 0.01 * (random.random() < 0.1)
        times = TIMES[: random.integers(1, len(TIMES) + 1)] * (1.1 if random.random() < 0.1 else 1)
        found = solver.solve(u, theta0, times)
        expected = HermiteSolver(field, method=method, substeps=2).solve(u, theta0, times)
        np.testing.assert_array_equal(found.steps, expected.steps)
        np.testing.assert_array_equal(found.complete, expected.complete)
        n_common = min(found.steps.shape[1], path.steps.shape[1])
        moved = (found.steps[:, :n_common] != path.steps[:, :n_common]).any(axis=2)
        n_moved += np.sum(moved.any(axis=1) & ~moved[:, :2].any(axis=1))
        path = found
    assert n_moved > 5, "few paths have changed after their first step only"


def test_one_time_is_the_start():
    solver, u, _ = solved(patchy_field(), "rk4", 2)
    path = solver.solve(u, starts(), TIMES[:1])
    np.testing.assert_array_equal(path.theta, starts()[:, None])
    assert path.complete.all()


def test_the_number_of_threads_does_not_matter():
    given, found = cotangents(len(TIMES)), []
    for number in (1, numba.config.NUMBA_NUM_THREADS):  # pyright: ignore[reportPrivateImportUsage]
        numba.set_num_threads(number)
        solver, u, path = solved(patchy_field(), "rk4", 2)
        gradient = solver.pull_back(u, path, 0, TIMES, given)
        found.append((path.steps.tobytes(), *(part.tobytes() for part in gradient)))
    assert found[0] == found[1]


def test_the_size_of_the_box_does_not_matter():
    """The same cells, within a box of a million times as many."""
    points = np.random.default_rng(4).uniform(-0.45, 0.45, (200, 4))
    results = []
    for reach in (0.5, 50.0):
        field = HermiteField.zeros(NAMES, grids(reach)).allocate(points)
        field = with_random_values(field)
        solver = HermiteSolver(field, method="heun", substeps=2)
        u = solver.flatten(tuple(np.asarray(f.u) for f in field.functions))
        path = solver.solve(u, 0.5 * points[:6], TIMES[:3])
        inside = np.abs(path.steps).max() < 0.5
        gradient = solver.pull_back(u, path, 0, TIMES[:3], cotangents(3)[:6])
        results.append((inside, path, gradient))
    assert all(inside for inside, _, _ in results)
    (_, path, gradient), (_, other, other_gradient) = results
    np.testing.assert_allclose(path.steps, other.steps, rtol=0, atol=1e-12)
    np.testing.assert_array_equal(path.complete, other.complete)
    for part, expected in zip(gradient, other_gradient, strict=True):
        # Positions in a larger box are rounded to 1e-14 of a cell.
        np.testing.assert_allclose(part, expected, rtol=0, atol=1e-12)


def test_shapes_that_do_not_fit_are_refused_before_the_kernels():
    """Kernels do not look: a wrong shape would read and write elsewhere in the memory."""
    field = HermiteField.zeros(NAMES, grids()).allocate(np.zeros((1, 4)))
    solver, theta = HermiteSolver(field), np.zeros((2, 4))
    parts = tuple(np.asarray(function.u) for function in field.functions)
    u = solver.flatten(parts)
    with pytest.raises(ValueError, match=r"HermiteSolver.flatten: `parts` must have the shapes"):
        solver.flatten(parts[::-1])
    with pytest.raises(ValueError, match=r"HermiteSolver.solve: `u` must have shape \(\d+,\)"):
        solver.solve(u[1:], theta, TIMES)
    with pytest.raises(ValueError, match=r"HermiteSolver.solve: .* must have 4 entries"):
        solver.solve(u, theta[:, :3], TIMES)
    with pytest.raises(ValueError, match=r"HermiteSolver.solve: `times` must hold one time"):
        solver.solve(u, theta, TIMES[:0])
    path = solver.solve(u, theta, TIMES)
    cotangents = np.zeros((2, len(TIMES), 4))
    with pytest.raises(ValueError, match=r"pull_back: `first` and `times` must lie within `path`"):
        solver.pull_back(u, path, 1, TIMES, cotangents)
    with pytest.raises(ValueError, match=r"pull_back: `cotangents` must have a row for each"):
        solver.pull_back(u, path, 0, TIMES, cotangents[:1])
