"""Gauss-Newton learning of functional fields: gradients, optimum and recovery of what is true."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from dynboltz.distributions import PointProcessModel, PoissonSolution
from dynboltz.dynamics import Constant, Equation, FunctionalField, solve_implicit
from dynboltz.elements import ElementSpace
from dynboltz.learning import GaussNewtonSettings, PoissonLikelihood, gauss_newton
from dynboltz.particles import Box

D, K = 0.1, 1.0
TIMES = np.linspace(0.0, 0.5, 6)
BOX = Box((1.0,), "periodic")
SPACE = ElementSpace(BOX, (4,))
MODEL = PointProcessModel(BOX, ("A",), {"A": SPACE})
SOLUTION = PoissonSolution(MODEL)
N_REPLICAS = 200
LIKELIHOOD = PoissonLikelihood(SOLUTION, N_REPLICAS)


def field(diffusion, gradient_squared, decay):
    parts = (Constant(jnp.asarray(x)) for x in (diffusion, -gradient_squared, decay))
    return FunctionalField(SPACE, ("A",), (Equation(*parts),))


def solution(field, theta0):
    return solve_implicit(field, theta0, jnp.asarray(TIMES), operator=OPERATOR, substeps=5)


OPERATOR = field(D, D, K).stiff_operator(jnp.zeros(SPACE.size))


def profiles():
    points, _ = SPACE.quadrature()
    x = 2 * np.pi * points[:, 0]
    shapes = [0.8 * np.cos(x), 0.5 * np.sin(x) + 0.4 * np.cos(2 * x), -0.9 * np.sin(x)]
    return np.stack([SPACE.project(-np.log(150.0) + shape) for shape in shapes])


def exact_data():
    paths = np.asarray(solution(field(D, D, K), jnp.asarray(profiles())))
    return np.stack([[np.asarray(SOLUTION.moments(theta)) for theta in path] for path in paths])


def sampled_data(seed):
    """Mean statistics of particles that diffuse and decay independently of each other."""
    generator = np.random.default_rng(seed)
    found = np.zeros((len(profiles()), len(TIMES), SPACE.size))
    fine = (np.arange(4000) + 0.5) / 4000
    for own, theta in zip(found, profiles(), strict=True):
        density = np.exp(-SPACE.evaluate(fine[:, None]) @ theta)
        n = generator.poisson(N_REPLICAS * density.mean())
        x = generator.choice(fine, size=n, p=density / density.sum())
        lives = generator.exponential(1 / K, size=n)
        for at_time, time in zip(own, TIMES, strict=True):
            if time:
                x = (x + generator.normal(size=n) * np.sqrt(2 * D * TIMES[1])) % 1.0
            alive = lives > time
            at_time[:] = SPACE.sums(x[alive][:, None], np.ones(alive.sum())) / N_REPLICAS
    return found


def parameters(field):
    equation = field.equations[0]
    return np.array(
        [
            equation.laplacian.value,
            -equation.gradient_squared.value,
            equation.source.value,
        ]
    )


def learned(data, settings=None):
    return gauss_newton(
        field(0.05, 0.05, 0.0),
        profiles(),
        solution,
        LIKELIHOOD,
        jnp.asarray(data),
        np.ones(len(TIMES)),
        settings,
    )


def test_gradient_of_the_action_is_that_of_differences():
    """By the functions and by the initial coefficients: differences of moments, pulled back."""
    one, data = PoissonLikelihood(SOLUTION, 1), jnp.asarray(exact_data()[0])
    u = jnp.array([0.07, 0.12, 0.6])
    eta = jnp.asarray(profiles()[0] + 0.1)

    @jax.jit
    def action(u, eta):
        return jnp.sum(one(solution(field(*u), eta[None])[0], data).divergence)

    theta, pull_back = jax.vjp(lambda u, eta: solution(field(*u), eta[None])[0], u, eta)
    found = np.concatenate(pull_back(one(theta, data).difference))
    at, step, differences = jnp.concatenate([u, eta]), 2e-3, []
    for unit in np.eye(len(at)):
        points = [at + c * step * unit for c in (-3, -2, -1, 1, 2, 3)]
        near = [float(action(*jnp.split(p, [3]))) for p in points]
        differences.append(np.dot([-1, 9, -45, 45, -9, 1], near) / (60 * step))
    # Sixth order in the step, and rounding of actions of some 10^3 over the step.
    assert np.linalg.norm(found - differences) < 1e-8 * np.linalg.norm(found)


def test_exact_moments_give_back_the_field_and_the_initial_conditions():
    found = learned(exact_data())
    np.testing.assert_allclose(parameters(found.field), [D, D, K], rtol=1e-4)
    np.testing.assert_allclose(found.initial, profiles(), atol=1e-3)
    assert np.all(np.diff(found.history["action"]) < 0)


def test_particles_give_back_the_field_within_its_covariance():
    found = learned(sampled_data(3))
    errors = parameters(found.field) - [D, D, K]
    signs = np.array([1.0, -1.0, 1.0])
    covariance = found.covariance * np.outer(signs, signs)
    # Chi-square with three degrees of freedom exceeds 21.1 once in 10 000.
    assert errors @ np.linalg.solve(covariance, errors) < 21.1
    assert np.sqrt(np.diag(covariance))[0] < 0.05 * D


def test_initial_conditions_stay_where_they_are_told_to():
    found = learned(exact_data(), GaussNewtonSettings(fit_initial=False, tolerance=1e-15))
    np.testing.assert_array_equal(found.initial, profiles())
    np.testing.assert_allclose(parameters(found.field), [D, D, K], rtol=1e-6)


def test_a_step_that_diverges_is_taken_back():
    shaken = eqx.tree_at(
        lambda f: f.equations[0].laplacian.value, field(D, D, K), jnp.asarray(-3.0)
    )
    with pytest.raises(FloatingPointError, match="not finite where the search starts"):
        gauss_newton(
            shaken,
            profiles(),
            solution,
            LIKELIHOOD,
            jnp.asarray(exact_data()),
            np.ones(len(TIMES)),
        )


def test_settings_that_make_no_sense_are_refused():
    with pytest.raises(ValueError, match="`damping` must not be negative"):
        GaussNewtonSettings(damping=0.0)
    with pytest.raises(ValueError, match="`n_replicas` must be positive, got 0"):
        PoissonLikelihood(SOLUTION, 0)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"initial": np.zeros((2, 8))},
            r"all arrays of `data` must have 2 entries along their first axis",
        ),
        ({"initial": np.zeros(8)}, r"`initial` must have shape \(initial_conditions, .*\(8,\)"),
        ({"weights": np.ones(3)}, r"`solution` must give shape \(3, 3, 8\)"),
        ({"solution": lambda field, theta: theta}, r"`solution` must give shape \(3, 6, 8\)"),
        ({"solution": lambda field, theta: field.no_such}, r"`solution` must map the field and"),
        ({"solution": len}, r"`solution` must be a function of 2 arguments"),
        ({"source": None}, r"`source` must be a LikelihoodSource"),
    ],
)
def test_arguments_that_do_not_fit_one_another_are_refused(change, message):
    arguments = {
        "field": field(0.05, 0.05, 0.0),
        "initial": np.zeros((3, 8)),
        "solution": solution,
        "source": LIKELIHOOD,
        "data": jnp.zeros((3, 6, 8)),
        "weights": np.ones(len(TIMES)),
    }
    with pytest.raises((TypeError, ValueError), match=f"gauss_newton: {message}"):
        gauss_newton(**arguments | change)
