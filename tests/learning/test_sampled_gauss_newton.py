"""Gauss-Newton with moments of chains, against the exact likelihood of Poisson processes."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.flatten_util import ravel_pytree

from dynboltz.distributions import PointProcessModel, PoissonSolution
from dynboltz.dynamics import Constant, Equation, FunctionalField, solve_implicit
from dynboltz.elements import ElementSpace
from dynboltz.learning import (
    GaussNewtonSettings,
    Linearised,
    LinearisedLikelihood,
    PointMoments,
    PoissonLikelihood,
    SampledGaussNewtonSettings,
    gauss_newton,
    sampled_gauss_newton,
)
from dynboltz.particles import Box, PointPatterns
from dynboltz.sampling import CondensationError

D, K, N_REPLICAS = 0.02, 1.0, 60
TIMES = np.linspace(0.0, 0.5, 3)
BOX = Box((1.0,), "periodic")
SPACE = ElementSpace(BOX, (4,), "P1")
MODEL = PointProcessModel(BOX, ("A",), {"A": SPACE})
SOLUTION = PoissonSolution(MODEL)


def field(diffusion, decay):
    parts = (Constant(jnp.asarray(x)) for x in (diffusion, -diffusion, decay))
    return FunctionalField(SPACE, ("A",), (Equation(*parts),))


def solution(field, theta0):
    return solve_implicit(field, theta0, jnp.asarray(TIMES), operator=OPERATOR, substeps=4)


OPERATOR = field(D, K).stiff_operator(jnp.zeros(SPACE.size))
SHAPES = -np.log(14.0) + np.array([[0.5, 0, -0.5, 0], [0, 0.7, 0, -0.4], [0.3, 0.3, -0.3, -0.3]])


@pytest.fixture(scope="module")
def replicas():
    """Independent Poisson processes of the densities that diffusion and decay make."""
    with jax.enable_x64(True):
        paths = np.asarray(solution(field(D, K), jnp.asarray(SHAPES)))
    generator, fine = np.random.default_rng(3), (np.arange(2000) + 0.5) / 2000
    return [
        PointPatterns.from_lists(
            [poisson(theta, fine, generator) for _ in range(N_REPLICAS) for theta in path],
            ("A",),
            BOX,
            n_slots=50,
        )
        for path in paths
    ]


def poisson(theta, fine, generator):
    density = np.exp(-SPACE.evaluate(fine[:, None]) @ theta)
    n = generator.poisson(density.mean())
    return {"A": generator.choice(fine, size=(n, 1), p=density / density.sum())}


def snapshots(replicas):
    return [
        PointPatterns(
            own.positions.reshape(N_REPLICAS, len(TIMES), 50, 1),
            own.labels.reshape(N_REPLICAS, len(TIMES), 50),
            own.species,
            own.box,
        )
        for own in replicas
    ]


def parameters(field):
    return np.asarray(ravel_pytree(eqx.filter(field, eqx.is_inexact_array))[0])


def test_chains_lead_to_the_optimum_of_the_exact_likelihood(replicas):
    patterns = snapshots(replicas)
    data = np.stack([MODEL.statistics(own).mean(axis=0) for own in patterns])
    start, weights = field(0.01, 0.3), np.ones(len(TIMES))
    likelihood = PoissonLikelihood(SOLUTION, N_REPLICAS)
    exact = gauss_newton(start, SHAPES, solution, likelihood, jnp.asarray(data), weights)
    settings = SampledGaussNewtonSettings(steps=10, chains=32, samples=8, proposals=8.0, ridge=1e-9)
    seen = []
    found = sampled_gauss_newton(
        start, SHAPES, solution, MODEL, patterns, weights, settings, seed=5, progress=seen.append
    )
    # In 8 proposals a particle, chains forget all but e^-2 of their number, so that of the samples
    # in the last five steps at least 0.76 are independent; those of the data count for one each.
    share = N_REPLICAS / (0.76 * 5 * 32 * 8)
    away = parameters(found.field) - parameters(exact.field)
    # Chi-square with three degrees of freedom exceeds 21.1 once in 10 000.
    assert away @ np.linalg.solve(share * exact.covariance, away) < 21.1
    # Four errors of the logarithm of the number of particles, of which there were 2500 at first.
    assert abs(np.mean(found.initial - exact.initial)) < 4 * np.sqrt(share / 2500)
    np.testing.assert_allclose(found.covariance, exact.covariance, rtol=0.4, atol=1e-4)
    assert [entry["step"] for entry in seen] == list(range(1, 11))
    assert found.history["action"][-1] < 0.3 * found.history["action"][0]


def test_a_thousand_samples_a_time_give_the_direction_of_the_gradient(replicas):
    patterns = snapshots(replicas)
    moments = PointMoments(MODEL, patterns, chains=40, samples=25, proposals=8.0, seed=6)
    u, unravel = ravel_pytree(eqx.filter(field(0.01, 0.0), eqx.is_inexact_array))
    static = eqx.filter(field(0.01, 0.0), eqx.is_inexact_array, inverse=True)

    def path(u, eta):
        return solution(eqx.combine(unravel(u), static), eta)

    theta, pull = jax.vjp(path, u, jnp.asarray(SHAPES))
    moments(theta)
    sampled = moments(theta).difference
    exact = moments.data - np.asarray(jax.vmap(jax.vmap(SOLUTION.moments))(theta))
    a, b = (np.concatenate([np.ravel(x) for x in pull(jnp.asarray(d))]) for d in (sampled, exact))
    assert a @ b / np.linalg.norm(a) / np.linalg.norm(b) > 0.999


def test_metric_of_chains_is_that_of_the_model(replicas):
    moments = PointMoments(
        MODEL, snapshots(replicas), chains=100, samples=20, proposals=8.0, seed=7
    )
    theta = np.tile(SHAPES[:, None], (1, len(TIMES), 1))
    moments(theta)
    found = moments(theta).metric
    exact = np.stack([[np.asarray(SOLUTION.fisher(t)) for t in row] for row in theta])
    scale = np.sqrt(np.einsum("itk,itl->itkl", *[np.diagonal(exact, axis1=2, axis2=3)] * 2))
    # Five standard errors of a covariance from 1500 independent samples, the variance at most
    # doubled by the third and fourth cumulants of counts of about four.
    assert (np.abs(found - exact) / scale).max() < 5 * np.sqrt(2 * 1.25 / 1500)


def test_fits_of_snapshots_are_followed_without_a_sample():
    """The linearised likelihood is exact where the negative log likelihood is quadratic."""
    truth = np.asarray(solution(field(D, K), jnp.asarray(SHAPES)))
    metric = np.stack([[np.asarray(SOLUTION.fisher(t)) for t in row] for row in truth])
    data = Linearised.around_fits(truth, np.linalg.inv(metric))
    found = gauss_newton(
        field(0.01, 0.0),
        SHAPES + 0.1,
        solution,
        LinearisedLikelihood(),
        Linearised(*map(jnp.asarray, data)),
        np.ones(len(TIMES)),
        GaussNewtonSettings(tolerance=1e-14),
    )
    np.testing.assert_allclose(parameters(found.field), [D, -D, K], rtol=1e-5)
    np.testing.assert_allclose(found.initial, SHAPES, atol=1e-6)


def test_a_step_that_condenses_is_taken_back_and_damped(replicas, monkeypatch):
    look, looks = PointMoments.__call__, []

    def condenses_at_the_second_look(self, theta):
        looks.append(theta)
        if len(looks) == 2:
            raise CondensationError("too many")
        return look(self, theta)

    monkeypatch.setattr(PointMoments, "__call__", condenses_at_the_second_look)
    settings = SampledGaussNewtonSettings(steps=2, chains=4, samples=4, damping=0.01)
    start, weights = field(0.01, 0.3), np.ones(len(TIMES))
    found = sampled_gauss_newton(
        start, SHAPES, solution, MODEL, snapshots(replicas), weights, settings, seed=5
    )
    np.testing.assert_allclose(found.history["damping"], [0.01, 0.1 / 3, 0.1 / 9])
    assert np.isfinite(parameters(found.field)).all()


def test_what_does_not_fit_is_refused(replicas):
    start, weights, patterns = field(D, K), np.ones(len(TIMES)), snapshots(replicas)

    def learn(patterns=patterns, weights=weights, start=start):
        return sampled_gauss_newton(start, SHAPES, solution, MODEL, patterns, weights, seed=1)

    with pytest.raises(ValueError, match="one entry for each of the 3 initial conditions"):
        learn(patterns=patterns[:2])
    with pytest.raises(ValueError, match="`weights` must be positive"):
        learn(weights=np.array([0.0, 1.0, 1.0]))
    with pytest.raises(FloatingPointError, match="not finite where the search starts"):
        learn(start=field(-3.0, K))
    with pytest.raises(ValueError, match="`chains` must be positive, got 0"):
        SampledGaussNewtonSettings(chains=0)
    with pytest.raises(ValueError, match=r"batch \(replicas, times\)"):
        PointMoments(MODEL, [patterns[0][:, 0]], chains=2, samples=2, proposals=1.0, seed=1)
