"""Samples of point processes against closed forms, quadrature and an identity of any of them.

Means agree within four standard errors from the effective sample size: one in 16 000 comparisons
fails for other seeds.
"""

import itertools
import math

import numba
import numpy as np
import pytest

from dynboltz.distributions import PointProcessModel, PoissonSolution
from dynboltz.elements import ElementSpace, RadialSpace, UniformSpace
from dynboltz.particles import Box, PointPatterns
from dynboltz.sampling import (
    BirthDeathMove,
    CondensationError,
    ConvergenceWarning,
    estimate_point_moments,
    stability,
    start_empty,
    start_from_patterns,
)
from dynboltz.sampling._diagnostics import effective_sample_size


class Step:
    """The function that is 1 up to the cutoff: hard rods."""

    size = 1
    n_elements = (1,)

    def __init__(self, cutoff: float):
        self.cutoff = cutoff

    def evaluate(self, points):
        return np.where(points < self.cutoff, 1.0, 0.0)

    def quadrature(self):
        return np.array([[self.cutoff / 2]]), np.array([self.cutoff])


def ring(length, cutoff_space):
    box = Box((length,))
    return PointProcessModel(box, ("A",), {"A": UniformSpace(box)}, {("A", "A"): cutoff_space})


def assert_mean(values, expected):
    """Means of `values` [chains, samples, moments] are `expected`."""
    size = effective_sample_size(values)
    error = values.std(axis=(0, 1), ddof=1) / np.sqrt(size)
    assert np.all(size > 200)
    assert np.all(np.abs(values.mean(axis=(0, 1)) - expected) <= 4 * error)


def by_chain(values):
    """Values [records, chains, ...] as [chains, samples, moments]."""
    found = np.swapaxes(values, 0, 1).astype(float)
    return np.ascontiguousarray(found.reshape(*found.shape[:2], -1))


def test_independent_particles_have_their_exact_moments_in_every_row():
    box = Box((2.0, 1.0), "reflecting")
    space = ElementSpace(box, (3, 2), "Hermite")
    model = PointProcessModel(box, ("A", "B"), {"A": space, "B": UniformSpace(box)})
    rng = np.random.default_rng(0)
    theta = np.append(rng.normal(-1.2, 0.4, space.size), -1.0)
    rows = np.array([theta, theta + np.append(0.2 * np.ones(space.size), -0.5)])
    chains = start_empty(model, 8, 80, seed=1)
    sampler = BirthDeathMove(model)
    chains = sampler.advance(chains, rows, 1000)
    patterns, after = sampler.record(chains, rows, 60, 1000)
    values = by_chain(model.statistics(patterns))
    counts = by_chain(patterns.counts())
    solution = PoissonSolution(model)
    for number, row in enumerate(rows):
        own = slice(4 * number, 4 * number + 4)
        assert_mean(values[own], np.asarray(solution.moments(row)))
        total = counts[own].sum(axis=2, keepdims=True)
        mean = float(solution.log_partition(row))
        assert_mean((total - mean) ** 2, [mean])
    assert len(after) == 8


@pytest.mark.parametrize(("lengths", "walls"), [
    ((6.0,), "reflecting"), ((2.5, 2.0), "periodic"), ((1.5, 1.2, 1.4), "periodic"),
])  # fmt: skip
def test_mean_of_any_function_of_a_particle_and_the_others(lengths, walls):
    """Georgii-Nguyen-Zessin: E sum_i h(x_i, X without x_i) = E int h(x, X) exp(-dE) dx."""
    box = Box(lengths, walls)
    families = {"A": ElementSpace(box, (4,) * box.dim, "P1"), "B": UniformSpace(box)}
    radial = {
        ("A", "A"): RadialSpace(0.5, 3, "Hermite"),
        ("A", "B"): RadialSpace(0.4, 2, "P1"),
        ("B", "B"): RadialSpace(0.3, 2, "P1"),
    }
    model = PointProcessModel(box, ("A", "B"), families, radial)
    rng = np.random.default_rng(2)
    theta = rng.normal(0.3, 0.7, len(model.coefficients))
    theta[: families["A"].size + 1] -= 1.8
    # Repulsion at contact, attraction of A and B further out.
    theta[-10:] = [2.0, 0.0, 0.8, -0.5, 0.2, 0.3, 1.0, -0.6, 1.5, 0.4]
    sampler = BirthDeathMove(model, displacement=0.3)
    chains = sampler.advance(start_empty(model, 4, 80, seed=3), theta, 1000)
    patterns, _ = sampler.record(chains, theta, 80, 200)
    n_points = 4
    positions, labels = patterns.positions.reshape(-1, 80, box.dim), patterns.labels.reshape(-1, 80)
    together = PointPatterns(positions, labels, model.species, box)
    own = neighbours(box, positions, positions, labels) - 1
    differences = []
    for number, name in enumerate(model.species):
        points = rng.uniform(0, box.lengths, (len(labels), n_points, box.dim))
        weights = np.exp(-model.insertions(together, name, points) @ theta)
        weights *= box.volume / n_points
        inside = labels == number + 1
        there = neighbours(box, points, positions, labels)
        left = np.stack([inside.sum(1), (own * inside).sum(1)], axis=-1)
        right = np.stack([weights.sum(1), (there * weights).sum(1)], axis=-1)
        differences.append((left - right).reshape(*patterns.batch, 2))
    assert_mean(by_chain(np.concatenate(differences, axis=-1)), 0.0)


def neighbours(box, points, positions, labels):
    """Particles within 0.45 of each point [patterns, points], one at the point itself included."""
    gaps = box.displacement(points[:, :, None], positions[:, None])
    near = np.sum(gaps**2, axis=-1) < 0.45**2
    return np.sum(near & (labels[:, None] > 0), axis=2)


def tonks_mean(activity, length, rod):
    """Mean number of hard rods on a ring from its grand partition function."""
    weights = [1.0]
    for n in range(1, int(length / rod) + 1):
        gaps = (length - n * rod) ** (n - 1)
        weights.append(activity**n / n * length * gaps / math.factorial(n - 1))
    return float(np.dot(np.arange(len(weights)), weights) / np.sum(weights))


def test_tonks_gas_counts_two_rods():
    x = (np.arange(2000) + 0.5) / 2000
    distance = np.abs(x[:, None] - x[None])
    free = np.mean(np.minimum(distance, 1 - distance) > 0.3)
    weights = np.array([1.0, 5.0, 0.5 * 25.0 * free])
    assert tonks_mean(5.0, 1.0, 0.34) == pytest.approx(
        np.dot([0, 1, 2], [1.0, 5.0, 12.5 * 0.32]) / (6.0 + 12.5 * 0.32)
    )
    assert free == pytest.approx(0.4, abs=1e-3)
    assert weights[2] == pytest.approx(25 / 2 * 1.0 * (1 - 0.6), rel=3e-3)


@pytest.mark.parametrize("activity", [1.0, 8.0])
def test_hard_rods_on_a_ring_are_a_tonks_gas(activity):
    model = ring(10.0, Step(0.5))
    theta = np.array([-math.log(activity), 60.0])
    sampler = BirthDeathMove(model, reach=0.2, displacement=0.6)
    chains = sampler.advance(start_empty(model, 8, 25, seed=4), theta, 5000)
    patterns, _ = sampler.record(chains, theta, 300, 800)
    assert_mean(by_chain(patterns.counts()), [tonks_mean(activity, 10.0, 0.5)])


def test_a_ring_of_up_to_three_particles_matches_quadrature():
    box = Box((1.0,))
    single = ElementSpace(box, (4,), "P1")
    model = PointProcessModel(box, ("A",), {"A": single}, {("A", "A"): RadialSpace(0.45, 3, "P1")})
    theta = np.array([-2.0, -1.0, -1.5, -0.5, 50.0, 50.0, -1.0])
    x = (np.arange(240) + 0.5) / 240
    own = np.exp(-model.values(theta, "nu.A", x[:, None]))
    gaps = np.abs(x[:, None] - x[None])
    gaps = np.minimum(gaps, 1 - gaps)
    energies = model.values(theta, "nu.A.A", gaps.reshape(-1, 1)).reshape(gaps.shape)
    pairs = np.exp(-energies) * own[:, None] * own[None] / 240**2
    attracts = pairs * energies
    weights = np.exp(-energies)
    two = 0.5 * pairs.sum()
    three = np.einsum("ij,ik,jk,k->", pairs, weights, weights, own) / 240 / 6
    energy = 0.5 * attracts.sum()
    energy += 3 * np.einsum("ij,ik,jk,k->", attracts, weights, weights, own) / 240 / 6
    total = 1 + own.mean() + two + three
    exact = np.array([1.0, own.mean(), two, three]) / total
    sampler = BirthDeathMove(model, reach=0.5)
    chains = sampler.advance(start_empty(model, 8, 8, seed=5), theta, 1000)
    patterns, _ = sampler.record(chains, theta, 30, 3000)
    numbers = patterns.counts()[..., 0]
    assert numbers.max() == 3
    values = [numbers == n for n in range(4)]
    values.append(model.statistics(patterns)[..., 4:] @ theta[4:])
    assert_mean(by_chain(np.stack(values, axis=-1)), np.append(exact, energy / total))


def test_chains_do_not_depend_on_threads_nor_on_how_they_are_cut():
    model = ring(5.0, RadialSpace(0.5, 4))
    theta = np.array([-1.5, *np.linspace(1, 0, 8)])
    sampler = BirthDeathMove(model)
    chains = start_empty(model, 6, 60, seed=6)
    before = numba.get_num_threads()
    found = []
    available = numba.config.NUMBA_NUM_THREADS  # pyright: ignore[reportPrivateImportUsage]
    for threads in (1, min(2, available)):
        numba.set_num_threads(threads)
        found.append(sampler.advance(chains, theta, 500))
    numba.set_num_threads(before)
    found.append(sampler.advance(sampler.advance(chains, theta, 123), theta, 377))
    fewer = start_from_patterns(model, chains.patterns[:2], 60, seed=6)
    for other in found[1:]:
        assert other.patterns.positions.tobytes() == found[0].patterns.positions.tobytes()
        assert other.random.tobytes() == found[0].random.tobytes()
    two = sampler.advance(fewer, theta, 500).patterns
    assert np.array_equal(two.labels, found[0].patterns.labels[:2])


def test_attraction_ends_in_an_error_and_not_in_a_hang():
    model = ring(5.0, RadialSpace(0.5, 2, "P1"))
    theta = np.array([0.0, -2.0, -1.0])
    assert stability(model, theta) == "unstable"
    with pytest.raises(CondensationError, match=r"(?s)200 slots.*nu\.A = .*cannot be norm"):
        BirthDeathMove(model).advance(start_empty(model, 2, 200, seed=7), theta, 10**8)


def test_too_few_slots_are_told_from_condensation():
    model = ring(5.0, RadialSpace(0.5, 2, "P1"))
    theta = np.array([-4.0, 0.0, 0.0])
    with pytest.raises(CondensationError, match=r"(?s)No pair attracts.*more slots"):
        BirthDeathMove(model).advance(start_empty(model, 2, 20, seed=7), theta, 10**6)


def test_stability_is_told_where_it_is_known():
    box = Box((5.0,))
    spaces = {"A": UniformSpace(box), "B": UniformSpace(box)}
    pairs = itertools.combinations_with_replacement("AB", 2)
    radial = RadialSpace(0.5, 2, "Hermite")
    model = PointProcessModel(box, ("A", "B"), spaces, dict.fromkeys(pairs, radial))
    values = {"nu.A.A": [1.0, 0, 0.5, 0], "nu.A.B": [0.0] * 4, "nu.B.B": [4.0, 0, 2.0, 0]}

    def verdict(**changed):
        now = values | {"nu." + name.replace("_", "."): value for name, value in changed.items()}
        return stability(model, np.concatenate([[0.0, 0.0], *now.values()]))

    assert verdict() == "stable"
    # A steep slope makes the cubic negative between its vertices.
    assert verdict(A_A=[1.0, 0, 0.5, 9.0]) == "unknown"
    assert verdict(A_B=[-1.9, 0, 0, 0]) == "unknown"
    assert verdict(A_B=[-2.1, 0, 0, 0]) == "unstable"
    assert verdict(A_A=[1.0, 0, -1.1, 0]) == "unstable"
    assert verdict(A_A=[-0.1, 0, 0, 0]) == "unstable"


def test_estimates_say_whether_chains_converged():
    model = ring(5.0, RadialSpace(0.5, 2, "P1"))
    theta = np.array([-1.0, 1.0, 0.5])
    sampler, chains = BirthDeathMove(model), start_empty(model, 4, 60, seed=8)
    estimate = estimate_point_moments(sampler, theta, chains, n_samples=1000, burn_in=1000, thin=50)
    assert estimate.converged
    assert estimate.names == ("nu.A[0]", "nu.A.A[0]", "nu.A.A[1]")
    with pytest.warns(ConvergenceWarning, match="estimate_point_moments: the chains have not"):
        estimate_point_moments(sampler, theta, chains, n_samples=10, burn_in=0, thin=1)


@pytest.mark.parametrize(("change", "message"), [
    ({"reach": 0.0}, "`reach` must be positive"),
    ({"displacement": 1.0}, "`displacement` must be a probability"),
])  # fmt: skip
def test_impossible_moves_are_refused(change, message):
    with pytest.raises(ValueError, match=message):
        BirthDeathMove(ring(5.0, RadialSpace(0.5, 2)), **change)


def test_what_does_not_fit_is_refused():
    model = ring(5.0, RadialSpace(0.5, 2, "P1"))
    sampler, chains = BirthDeathMove(model), start_empty(model, 3, 10, seed=9)
    with pytest.raises(ValueError, match=r"`theta` must have shape .*, got \(4,\)"):
        sampler.advance(chains, np.zeros(4), 1)
    with pytest.raises(ValueError, match="equal groups of the 3"):
        sampler.advance(chains, np.zeros((2, 3)), 1)
    with pytest.raises(ValueError, match="not finite"):
        sampler.advance(chains, np.array([0.0, np.inf, 0.0]), 1)
    with pytest.raises(ValueError, match="must not be negative"):
        sampler.advance(chains, np.zeros(3), -1)
    with pytest.raises(ValueError, match="at least 1"):
        start_empty(model, 0, 10, seed=9)
    other = ring(6.0, RadialSpace(0.5, 2, "P1"))
    with pytest.raises(ValueError, match="patterns must lie in"):
        BirthDeathMove(other).advance(chains, np.zeros(3), 1)
    full = PointPatterns(np.ones((1, 4, 1)), np.ones((1, 4), dtype=np.uint8), ("A",), model.box)
    with pytest.raises(ValueError, match="at most 3"):
        start_from_patterns(model, full, 3, seed=9)


@pytest.mark.parametrize(
    ("n_samples", "message"), [(0, "at least 1, got 0"), (2**62, "would need .* of memory")]
)
def test_numbers_of_records_beyond_the_memory_are_refused(n_samples, message):
    model = ring(5.0, RadialSpace(0.5, 2, "P1"))
    sampler, chains = BirthDeathMove(model), start_empty(model, 3, 10, seed=9)
    with pytest.raises(ValueError, match=f"`n_samples` .*{message}"):
        sampler.record_statistics(chains, np.zeros(3), 1, n_samples)
    with pytest.raises(ValueError, match=r"`n_records` = .* of memory"):
        sampler.record(chains, np.zeros(3), 1, 2**62)


def test_the_number_to_lower_is_named():
    model = ring(5.0, RadialSpace(0.5, 2, "P1"))
    with pytest.raises(ValueError, match=r"^start_empty: `n_chains` = 1152921504606846976 would"):
        start_empty(model, 2**60, 10, seed=9)
    with pytest.raises(ValueError, match=r"^start_empty: `n_slots` = 1152921504606846976 would"):
        start_empty(model, 10, 2**60, seed=9)
    one = PointPatterns(np.ones((1, 4, 1)), np.ones((1, 4), dtype=np.uint8), ("A",), model.box)
    with pytest.raises(ValueError, match=r"^start_from_patterns: `n_slots` = 1152921504606846976"):
        start_from_patterns(model, one, 2**60, seed=9)
