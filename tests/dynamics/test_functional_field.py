"""Functional fields against exact solutions of diffusion, decay and reaction."""

import equinox as eqx
import jax
import jax.flatten_util
import jax.numpy as jnp
import numpy as np
import pytest

from dynboltz.distributions import PointProcessModel, PoissonSolution
from dynboltz.dynamics import (
    Constant,
    Dictionary,
    Equation,
    Exponential,
    FunctionalField,
    HermiteCurve,
    Positive,
    explicit_adjoint,
    solve_implicit,
)
from dynboltz.elements import ElementSpace, Family
from dynboltz.particles import Box

D, K = 0.1, 1.0
solve = eqx.filter_jit(solve_implicit)
RING = Box((1.0,), "periodic")


def constant(value):
    return Constant(jnp.asarray(value))


def diffusion_and_decay(space, diffusion=D, decay=K):
    equation = Equation.conserving(constant(diffusion), constant(decay))
    return FunctionalField(space, ("A",), (equation,))


def density(x, t):
    """A solution of the heat equation with decay on a ring of length 1."""
    amplitude = 0.5 * np.exp(-D * (2 * np.pi) ** 2 * t)
    return 100 * np.exp(-K * t) * (1 + amplitude * np.cos(2 * np.pi * x))


def largest_error(n_elements, family: Family = "Hermite", substeps=1):
    space = ElementSpace(RING, (n_elements,), family)
    points, _ = space.quadrature()
    field = diffusion_and_decay(space)
    start = jnp.asarray(space.project(-np.log(density(points[:, 0], 0.0))))
    times = jnp.linspace(0.0, 1.0, 201)
    theta = np.asarray(
        solve(field, start, times, operator=field.stiff_operator(start), substeps=substeps)
    )
    values = theta[::20] @ space.evaluate(points).T
    exact = -np.log(density(points[:, 0], np.linspace(0.0, 1.0, 11)[:, None]))
    return np.abs(values - exact).max()


def test_galerkin_solution_is_that_of_the_heat_equation():
    errors = [largest_error(n) for n in (8, 16)]
    assert errors[0] < 1e-3

    assert errors[1] < 1e-4


def test_linear_elements_converge_in_second_order():
    errors = [largest_error(n, "P1") for n in (16, 32)]
    assert np.log2(errors[0] / errors[1]) > 1.8


@pytest.mark.parametrize(("dim", "boundary"), [(1, "periodic"), (2, "reflecting")])
def test_conserving_transport_keeps_the_number_of_particles(dim, boundary):
    space = ElementSpace(Box((1.0, 0.8)[:dim], boundary), (4, 3)[:dim])
    curve = HermiteCurve(-7.0, -2.0, jnp.array([[0.1, 0.03], [0.05, -0.02], [0.2, 0.1]]))
    field = FunctionalField(space, ("A",), (Equation.conserving(curve, constant(0.0)),))
    theta = np.zeros(space.size)
    points, weights = space.quadrature()
    theta = space.project(-4.0 + np.sin(2 * points[:, 0]))
    rate = np.asarray(field(jnp.asarray(theta)))
    basis = space.evaluate(points)
    rho = np.exp(-basis @ theta)
    loss = weights * rho * (basis @ rate)
    # The weak form holds against the elements, of which rho is nearly one.
    assert abs(loss.sum()) < 2e-3 * np.abs(loss).sum()


def test_uniform_states_follow_their_ordinary_equation():
    space = ElementSpace(RING, (4,))
    annihilation = Dictionary((Exponential((-1.0,)),), jnp.array([0.02]))
    field = FunctionalField(space, ("A",), (Equation.conserving(constant(D), annihilation),))
    start = jnp.asarray(space.project(np.full(len(space.quadrature()[1]), -np.log(50.0))))
    theta = solve(field, start, jnp.linspace(0.0, 1.0, 101), operator=field.stiff_operator(start))
    found = np.exp(-(space.evaluate(np.array([[0.3]])) @ np.asarray(theta[-1])))
    np.testing.assert_allclose(found, 1 / (1 / 50.0 + 0.02), rtol=1e-6)


def test_species_react_with_each_other():
    space = ElementSpace(RING, (3,))
    decay_of = [
        Dictionary((Exponential(e),), jnp.array([0.05])) for e in [(0.0, -1.0), (-1.0, 0.0)]
    ]
    equations = tuple(
        Equation.conserving(constant(D), f, species=s) for s, f in enumerate(decay_of)
    )
    field = FunctionalField(space, ("A", "B"), equations)
    one = space.project(np.ones(len(space.quadrature()[1])))
    start = jnp.asarray(np.concatenate([-np.log(40.0) * one, -np.log(10.0) * one]))
    theta = solve(field, start, jnp.linspace(0.0, 1.0, 101), operator=field.stiff_operator(start))
    a, b = np.exp(-np.asarray(theta[-1]).reshape(2, -1) @ space.evaluate(np.array([[0.1]])).T)[:, 0]
    assert a - b == pytest.approx(30.0, rel=1e-5)
    ratio = 4 * np.exp(0.05 * 30.0)
    assert a / b == pytest.approx(ratio, rel=1e-5)


@pytest.mark.parametrize("factor", [0.6, 1.0, 1.5])
def test_the_implicit_method_has_order_three_with_any_operator(factor):
    space = ElementSpace(RING, (3,))
    annihilation = Dictionary((Exponential((-1.0,)),), jnp.array([0.02]))
    field = FunctionalField(space, ("A",), (Equation.conserving(constant(D), annihilation),))
    points, _ = space.quadrature()
    start = jnp.asarray(space.project(-np.log(density(points[:, 0], 0.0))))
    operator = factor * field.stiff_operator(start)
    ends = [
        solve(field, start, jnp.array([0.0, 0.4]), operator=operator, substeps=n)[-1]
        for n in (100, 200, 1600)
    ]
    errors = [float(jnp.abs(end - ends[-1]).max()) for end in ends[:-1]]
    assert np.log2(errors[0] / errors[1]) > 2.6


def test_derivatives_are_those_of_finite_differences():
    space = ElementSpace(RING, (3,), "P1")
    curve = HermiteCurve(-6.0, -3.0, jnp.array([[-2.3, 0.1], [-2.2, 0.0]]))
    field = FunctionalField(space, ("A",), (Equation.conserving(Positive(curve), constant(K)),))
    points, _ = space.quadrature()
    start = jnp.asarray(space.project(-np.log(density(points[:, 0], 0.0))))
    operator = field.stiff_operator(start)
    parameters, static = eqx.partition(field, eqx.is_inexact_array)
    flat, unravel = jax.flatten_util.ravel_pytree((parameters, start))

    @jax.jit
    def total(x):
        parameters, start = unravel(x)
        here = eqx.combine(parameters, static)
        theta = solve(here, start, jnp.linspace(0.0, 0.3, 11), operator=operator)
        return jnp.sum(jnp.sin(theta[-1]))

    found = jax.jit(jax.grad(total))(flat)
    forward = jax.jit(jax.jacfwd(total))(flat)
    np.testing.assert_allclose(found, forward, atol=1e-12)
    step = 1e-4
    eye = step * np.eye(len(flat))
    moved = jnp.stack([flat + m * e for m in (-2, -1, 1, 2) for e in eye])
    far_below, below, above, far_above = np.asarray(jax.lax.map(total, moved)).reshape(4, -1)
    expected = (8 * (above - below) - (far_above - far_below)) / (12 * step)
    assert np.abs(found - expected).max() < 1e-7 * np.abs(expected).max()


def test_adjoint_equation_is_the_discrete_gradient_in_second_order():
    space = ElementSpace(RING, (4,))
    field = diffusion_and_decay(space)
    points, weights = space.quadrature()
    basis = space.evaluate(points)
    data = (weights * density(points[:, 0], np.linspace(0.0, 1.0, 3)[:, None])) @ basis
    start = jnp.asarray(space.project(-np.log(1.2 * density(points[:, 0] + 0.02, 0.0))))
    operator = field.stiff_operator(start)
    parameters, static = eqx.partition(field, eqx.is_inexact_array)

    def moments(theta):
        return (weights * np.exp(-theta @ basis.T)) @ basis

    def seen(times):
        return np.stack([np.interp(times, [0.0, 0.5, 1.0], d) for d in data.T], axis=1)

    def gradients(n_steps):
        times = jnp.linspace(0.0, 0.25, n_steps + 1)
        rule = np.full(n_steps + 1, 0.25 / n_steps)
        rule[[0, -1]] /= 2

        def solution(parameters, start):
            return solve(eqx.combine(parameters, static), start, times, operator=operator)

        theta, pull = jax.vjp(solution, parameters, start)
        difference = seen(np.asarray(times)) - moments(np.asarray(theta))
        by_field, by_start = pull(jnp.asarray(rule[:, None] * difference))
        adjoint = explicit_adjoint(field, np.asarray(theta), times, difference, method="trapezoid")
        flat = [jax.flatten_util.ravel_pytree(x)[0] for x in (by_field, adjoint.d_u)]
        starts = [np.asarray(by_start), np.asarray(adjoint.d_theta0)]
        scale = [np.abs(flat[0]).max(), np.abs(starts[0]).max()]
        pairs = zip((flat, starts), scale, strict=True)
        return max(np.abs(a - b).max() / size for (a, b), size in pairs)

    errors = [gradients(n) for n in (100, 200)]

    assert errors[1] < 1e-4
    assert np.log2(errors[0] / errors[1]) > 1.8


def hamiltonian_residuals(n_steps):
    r"""How far solution and adjoint are from eqs. (13) and (14), relative to the largest terms.

    $H = -D_{KL} + \int \zeta F dx$ with the divergence of a Poisson process from moments that
    change in time, up to the entropy of the data; $\partial H / \partial t = -\nu \cdot d\mu/dt$.
    """
    space = ElementSpace(RING, (4,))
    solution = PoissonSolution(PointProcessModel(RING, ("A",), {"A": space}))
    field = diffusion_and_decay(space)
    points, weights = space.quadrature()
    times = jnp.linspace(0.0, 0.25, n_steps + 1)
    densities = density(points[:, 0], 2.0 * np.asarray(times)[:, None])
    data = jnp.asarray((weights * densities) @ space.evaluate(points))
    start = jnp.asarray(space.project(-np.log(1.2 * density(points[:, 0] + 0.02, 0.0))))
    theta = solve(field, start, times, operator=field.stiff_operator(start))
    difference = jax.vmap(solution.divergence_gradient)(theta, data)
    phi = explicit_adjoint(field, theta, times, difference, method="trapezoid").phi

    def energy(theta, phi, mean):
        divergence = jnp.dot(theta, mean) + solution.log_partition(theta)
        return -divergence + jnp.dot(phi, field(theta))

    by_theta, by_phi = jax.vmap(jax.grad(energy, argnums=(0, 1)))(theta, phi, data)
    values = jax.vmap(energy)(theta, phi, data)
    explicit = -np.sum(0.5 * (theta[1:] + theta[:-1]) * np.diff(data, axis=0), axis=1)
    pairs = (
        (np.gradient(theta, times, axis=0)[1:-1], by_phi[1:-1]),
        (np.gradient(phi, times, axis=0)[1:-1], -by_theta[1:-1]),
        (np.asarray(values - values[0])[1:], np.cumsum(explicit)),
    )
    return np.array([np.abs(a - b).max() / np.abs(b).max() for a, b in pairs])


def test_solution_and_adjoint_are_a_hamiltonian_system():
    errors = [hamiltonian_residuals(n) for n in (100, 200)]
    assert np.all(errors[1] < 1e-3)
    assert np.all(np.log2(errors[0] / errors[1]) > 1.8)


def test_one_equation_a_species():
    with pytest.raises(ValueError, match="one entry for each of the species"):
        FunctionalField(
            ElementSpace(RING, (3,)),
            ("A", "B"),
            (diffusion_and_decay(ElementSpace(RING, (3,))).equations[0],),
        )
