"""Pair fields against pairs that diffuse, and reactions of uniform pairs."""

import equinox as eqx
import jax.numpy as jnp
import numpy as np
import pytest

from dynboltz.dynamics import (
    Constant,
    CorrelationWithin,
    Dictionary,
    Equation,
    Exponential,
    ExponentialWithin,
    PairField,
    UniformEquation,
    solve_implicit,
)
from dynboltz.elements import RadialSpace

SPACE = RadialSpace(2.0, 12)
D = 0.1
solve = eqx.filter_jit(solve_implicit)


def constant(value):
    return Constant(jnp.asarray(value))


def project(space, dim, values):
    points, weights = space.quadrature()
    weights = weights * points[:, 0] ** (dim - 1)
    basis = space.evaluate(points)
    return np.linalg.solve(basis.T @ (weights[:, None] * basis), (weights * values) @ basis)


def field(dim, reaction=None, space=SPACE):
    diffusion = Equation(constant(2 * D), constant(-2 * D), constant(0.0))
    single = UniformEquation(constant(0.0), (reaction,))
    return PairField(space, dim, ("A",), (("A", "A"),), (single,), (diffusion,))


def correlation(r, t, dim):
    """Excess of pairs at a distance, which spreads as a Gaussian."""
    width = 0.05 + 4 * 2 * D * t
    return 0.8 * (0.05 / width) ** (dim / 2) * np.exp(-(r**2) / width)


@pytest.mark.parametrize("dim", [1, 2, 3])
def test_pairs_that_diffuse_follow_the_heat_equation(dim):
    points, _ = SPACE.quadrature()
    r = points[:, 0]
    model = field(dim)
    start = np.append(-3.0, project(SPACE, dim, -np.log1p(correlation(r, 0.0, dim))))
    times = jnp.linspace(0.0, 0.5, 101)
    theta = solve(
        model, jnp.asarray(start), times, operator=model.stiff_operator(jnp.asarray(start))
    )
    found = SPACE.evaluate(points) @ np.asarray(theta[-1, 1:])
    np.testing.assert_allclose(found, -np.log1p(correlation(r, 0.5, dim)), atol=2e-3)
    assert theta[-1, 0] == -3.0


@pytest.mark.parametrize(("dim", "volume"), [(1, 2 * 0.5), (2, np.pi / 4), (3, np.pi / 6)])
def test_reactions_within_a_radius_count_the_pairs_there(dim, volume):
    reaction = Dictionary((ExponentialWithin((-1.0, -1.0), 0.5),), jnp.array([0.3]))
    model = field(dim, reaction)
    start = np.zeros(1 + SPACE.size)
    start[0] = -np.log(4.0)
    rate = np.asarray(model(jnp.asarray(start)))
    # Nothing changes pairs; the density e^-nu decays at the rate lambda times the volume.
    np.testing.assert_allclose(rate[0], 0.3 * 4.0 * volume, rtol=1e-12)
    np.testing.assert_allclose(rate[1:], 0.0, atol=1e-12)


def test_excess_of_pairs_is_zero_beyond_the_radius_and_without_interaction():
    function = CorrelationWithin((-2.0, 0.5), 0.7)
    for y, expected in (
        ([1.5, 0.4, 0.5], np.exp(-3.0 + 0.2) * (np.exp(-0.4) - 1)),
        ([1.5, 0.4, 0.8], 0.0),
        ([1.5, 0.0, 0.5], 0.0),
    ):
        np.testing.assert_allclose(function(jnp.array(y)), expected, rtol=1e-12)


def test_without_pairs_densities_alone_obey_their_equations():
    local = (
        Dictionary((Exponential((-1.0, 0.0)),), jnp.array([0.3])),
        Dictionary((Exponential((1.0, -1.0)),), jnp.array([0.7])),
    )
    single = tuple(UniformEquation(function, ()) for function in local)
    model = PairField(None, 2, ("A", "B"), (), single, ())
    assert model.coefficients == ("nu.A[0]", "nu.B[0]")
    nu = jnp.array([0.2, -0.4])
    expected = [0.3 * np.exp(-0.2), 0.7 * np.exp(0.2 + 0.4)]
    np.testing.assert_allclose(eqx.filter_jit(model)(nu), expected, rtol=1e-12)
    np.testing.assert_array_equal(model.stiff_operator(nu), np.zeros((2, 2)))


def test_names_and_shapes_are_checked():
    model = field(1, space=RadialSpace(1.0, 1))
    assert model.coefficients == ("nu.A[0]", "nu.A.A[0]", "nu.A.A[1]")
    with pytest.raises(ValueError, match="`dim` must be 1, 2 or 3, got 4"):
        field(4)
    with pytest.raises(ValueError, match="one equation for each of the species"):
        PairField(SPACE, 1, ("A", "B"), (), (UniformEquation(constant(0.0), ()),), ())
    with pytest.raises(ValueError, match="need a `space`, got None"):
        PairField(None, 1, ("A",), model.pairs, model.single, model.pair)
    with pytest.raises(ValueError, match="must have one entry, a function or None"):
        PairField(
            SPACE,
            1,
            ("A",),
            (("A", "A"),),
            (UniformEquation(constant(0.0), ()),),
            model.pair,
        )
