"""Fits of point processes: closed forms, the printed objective, and coefficients that are known."""

import numpy as np
import pytest

from dynboltz.distributions import PointProcessModel, PoissonSolution
from dynboltz.elements import ElementSpace, RadialSpace, UniformSpace
from dynboltz.learning import PointFitSettings, fit_point_process, fit_pseudolikelihood
from dynboltz.particles import Box, PointPatterns, random_hard_core, random_particles
from dynboltz.sampling import BirthDeathMove, CondensationError, start_empty

BOX = Box((3.0, 2.0))


def interacting():
    """Two species: A with a core and a shallow well and an uneven density, B repels A."""
    model = PointProcessModel(
        BOX,
        ("A", "B"),
        {"A": ElementSpace(BOX, (3, 3), "P1"), "B": UniformSpace(BOX)},
        {("A", "A"): RadialSpace(0.3, 3, "P1"), ("A", "B"): RadialSpace(0.4, 2, "P1")},
    )
    theta = np.array([-2.5, -2.0, -2.2, -1.6, -2.8, -2.1, -2.3, -2.6, -1.9])
    return model, np.concatenate([theta, [-1.8], [3.0, 1.0, -0.4], [1.0, 0.5]])


@pytest.fixture(scope="module")
def known():
    """A model, its coefficients, and patterns: the ends of as many independent chains."""
    model, theta = interacting()
    chains = BirthDeathMove(model).advance(start_empty(model, 150, 120, seed=1), theta, 6000)
    return model, theta, chains.patterns


def distance(fit, theta):
    """Squared distance in the metric of the covariance, in standard deviations from its mean."""
    away = fit.theta - theta
    squared = away @ np.linalg.solve(fit.covariance, away)
    return (squared - len(theta)) / np.sqrt(2 * len(theta))


def test_fits_recover_known_functions_within_their_errors(known):
    """4 of the standard deviations of chi-square with 15 degrees: 1 in 3000 for other seeds."""
    model, theta, patterns = known
    pseudo = fit_pseudolikelihood(model, patterns, ridge=0.01, seed=2)
    assert distance(pseudo, theta) < 4
    settings = PointFitSettings(ridge=0.01, steps=50, chains=150)
    fit = fit_point_process(model, patterns, settings, start=pseudo.theta, seed=3)
    assert distance(fit, theta) < 4
    # The likelihood is what tells most.
    assert np.trace(fit.covariance) < np.trace(pseudo.covariance)
    assert np.sqrt(np.diag(fit.covariance))[10:].max() < 0.5


def test_newton_finds_where_the_convex_objective_is_flat(known):
    model, _, patterns = known
    found = fit_pseudolikelihood(model, patterns[:3], ridge=0.5, n_points=30, seed=4).theta
    objective = printed_objective(model, patterns[:3], 0.5, seed=4)
    for unit in np.eye(len(found)):
        below, here, above = (objective(found + c * 1e-4 * unit) for c in (-1, 0, 1))
        curvature = (above - 2 * here + below) / 1e-8
        assert abs((above - below) / 2e-4) < 1e-4 * curvature


def printed_objective(model, patterns, ridge, *, seed):
    """The pseudolikelihood with its prior, from its definition, at the points of the fit."""
    from dynboltz.lattices import child_seeds  # noqa: PLC0415
    from dynboltz.learning._pseudolikelihood import _scattered  # noqa: PLC0415

    n = patterns.batch[0]
    seeds = child_seeds(child_seeds(seed, 1)[0], 2)
    points = [_scattered(BOX, 30, n, s) for s in seeds]
    added = [model.insertions(patterns, name, p) for name, p in zip("AB", points, strict=True)]
    removed = np.zeros((n, len(model.coefficients)))
    full = model.statistics(patterns)
    for i in range(n):
        whole = {name: patterns.points(name, i) for name in "AB"}
        for name in "AB":
            for j in range(len(whole[name])):
                rest = whole | {name: np.delete(whole[name], j, axis=0)}
                without = PointPatterns.from_lists([rest], model.species, BOX)
                removed[i] += full[i] - model.statistics(without)[0]
    counts = patterns.counts().sum(axis=0)
    levels = -np.log((counts + 0.5) / n / BOX.volume)

    def objective(theta):
        value = theta @ removed.sum(axis=0)
        for statistics in added:
            value += np.exp(-statistics @ theta).sum() * BOX.volume / statistics.shape[1]
        for (name, space), level in zip(model.spaces.items(), [*levels, 0, 0], strict=True):
            rule, weights = space.quadrature()
            away = model.values(theta, name, rule) - level
            value += 0.5 * ridge * np.dot(weights, away**2) / weights.sum()
        return float(value)

    return objective


def test_independent_particles_have_the_mean_density():
    model = PointProcessModel(BOX, ("A",), {"A": UniformSpace(BOX)})
    patterns = random_particles(BOX, ["A"], {"A": 30}, 5, seed=5)
    expected = -np.log(30 / BOX.volume)
    pseudo = fit_pseudolikelihood(model, patterns, ridge=1e-6, seed=6)
    assert pseudo.theta[0] == pytest.approx(expected, abs=1e-6)
    fit = fit_point_process(model, patterns, PointFitSettings(ridge=1e-6), seed=7)
    # 64 chains, 30 steps of the mean, each at most as good as 64 draws of 30 +- 5.5 particles.
    assert fit.theta[0] == pytest.approx(expected, abs=4 / np.sqrt(30 * 64))


def test_uneven_independent_particles_have_their_moments():
    space = ElementSpace(BOX, (3, 3), "Hermite")
    model = PointProcessModel(BOX, ("A",), {"A": space})
    rng = np.random.default_rng(8)
    lists = [{"A": rng.beta(2, 2, (40, 2)) * BOX.lengths} for _ in range(15)]
    patterns = PointPatterns.from_lists(lists, ("A",), BOX)
    fit = fit_pseudolikelihood(model, patterns, ridge=1e-3, n_points=600, seed=9)
    solution = PoissonSolution(model)
    data = model.statistics(patterns).mean(axis=0)
    gradient = np.asarray(solution.divergence_gradient(fit.theta, data))
    # Without pairs the pseudolikelihood is the likelihood, but for its integral.
    assert np.abs(gradient).max() < 0.01 * np.abs(data).max()


def test_hard_cores_stay_finite_and_repulsive():
    box = Box((2.0, 2.0))
    model = PointProcessModel(
        box, ("A",), {"A": UniformSpace(box)}, {("A", "A"): RadialSpace(0.3, 3, "P1")}
    )
    patterns = random_hard_core(box, ["A"], {"A": 25}, 40, distance=0.2, seed=10)
    fit = fit_pseudolikelihood(model, patterns, ridge=0.1, seed=11)
    assert np.all(np.isfinite(fit.theta))
    assert model.values(fit.theta, "nu.A.A", np.array([[0.05], [0.1], [0.15]])).min() > 5.0


def test_too_few_slots_are_an_error_and_not_a_hang(known):
    model, theta, patterns = known
    attracts = theta - np.concatenate([np.zeros(10), [8.0, 4.0, 1.0, 0.0, 0.0]])
    settings = PointFitSettings(slots=100, chains=4, proposals=100.0)
    with pytest.raises(CondensationError, match="cannot be normalised"):
        fit_point_process(model, patterns[:4], settings, start=attracts, seed=12)


def test_same_seed_same_fit_whatever_follows(known):
    model, _, patterns = known
    settings = PointFitSettings(steps=3, chains=4)
    one, two = (fit_point_process(model, patterns[:8], settings, seed=13) for _ in range(2))
    assert one.theta.tobytes() == two.theta.tobytes()


def test_what_does_not_fit_is_refused(known):
    model, _, patterns = known
    with pytest.raises(ValueError, match="at least 2 patterns"):
        fit_pseudolikelihood(model, patterns[:1], seed=0)
    with pytest.raises(ValueError, match="`ridge` must be positive"):
        fit_pseudolikelihood(model, patterns, ridge=0.0, seed=0)
    with pytest.raises(ValueError, match="`n_points` must be positive"):
        fit_pseudolikelihood(model, patterns, n_points=0, seed=0)
    with pytest.raises(ValueError, match="`steps` must be positive"):
        PointFitSettings(steps=0)
    with pytest.raises(ValueError, match="`chains` must be at least 2"):
        PointFitSettings(chains=1)


def test_the_potential_of_mean_force_is_no_place_to_start():
    """Particles at 0.6 of the density of rods that touch: the fit gives their number, -ln g not."""
    box, n, core = Box((10.0,)), 60, 0.1
    model = PointProcessModel(
        box, ("A",), {"A": UniformSpace(box)}, {("A", "A"): RadialSpace(0.4, 8, "P1")}
    )
    patterns = random_hard_core(box, ("A",), {"A": n}, 40, distance=core, seed=1)
    vertices = np.arange(8) * 0.05
    pairs = model.statistics(patterns)[:, 1:].mean(axis=0)
    # A hat function has an area of 0.05, half of it at the first vertex.
    expected = n**2 / 10.0 * np.where(vertices == 0, 0.025, 0.05)
    mean_force = -np.log(np.maximum(pairs / expected, 0.01))
    naive = np.append(-np.log(n / 10.0), mean_force)
    fit = fit_pseudolikelihood(model, patterns, seed=2).theta
    found = []
    for theta in (naive, fit):
        chains = BirthDeathMove(model).advance(start_empty(model, 30, 200, seed=3), theta, 20_000)
        found.append(chains.patterns.counts().mean())
    assert mean_force.min() < -0.1
    assert abs(found[1] - n) < 0.05 * n
    assert found[0] < 0.7 * n
