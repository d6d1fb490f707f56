"""Brownian dynamics against closed forms, exact master equations and brute force.

Tolerances are 4 standard errors of independent replicas, p-values 1e-3; seeds are fixed.
"""

from __future__ import annotations

import math

import numba
import numpy as np
import pytest
from scipy import linalg, stats

from dynboltz.particles import Box, PointPatterns, random_pairs, random_particles
from dynboltz.reactions import ReactionNetwork
from dynboltz.simulation import simulate_particles

BOUNDARIES = ("periodic", "reflecting")
STILL = ReactionNetwork.parse("A -> 0 ; k = 0")
LINE = Box((3.0,))


def simulate(network, box, initial, times, **options):
    """Simulate with options that most tests share."""
    defaults = {"diffusion": 1.0, "reaction_radius": 0.5, "dt": 0.05, "seed": 1}
    return simulate_particles(
        network, box, initial, times=np.array(times, dtype=np.float64), **(defaults | options)
    )


def close_to(samples, expected):
    """Whether the mean of independent samples is within 4 standard errors of what is expected."""
    error = np.std(samples, axis=0) / math.sqrt(len(samples))
    return np.all(np.abs(np.mean(samples, axis=0) - expected) <= 4 * error)


def p_value(numbers, probabilities):
    """Chi-square p-value of observed numbers; rare ones are pooled."""
    observed = np.bincount(numbers, minlength=len(probabilities)).astype(float)
    assert len(observed) == len(probabilities)
    expected = len(numbers) * probabilities
    rare = expected < 5
    observed = np.append(observed[~rare], observed[rare].sum())
    expected = np.append(expected[~rare], expected[rare].sum())
    keep = expected > 0
    return stats.chisquare(observed[keep], expected[keep] * observed.sum() / expected.sum()).pvalue


def pair_master_equation(n, rate, lost, time):
    """Distribution of the number of particles when each pair loses `lost` at the rate."""
    generator = np.zeros((n + 1, n + 1))
    for number in range(2, n + 1):
        flux = rate * number * (number - 1) / 2
        generator[number - lost, number] += flux
        generator[number, number] -= flux
    return linalg.expm(generator * time)[:, n]


@pytest.fixture(name="threads")
def fixture_threads():
    before = numba.get_num_threads()
    yield numba.config.NUMBA_NUM_THREADS  # pyright: ignore[reportPrivateImportUsage]
    numba.set_num_threads(before)


@pytest.mark.parametrize("dim", [1, 2, 3])
def test_mean_square_displacement(dim):
    box = Box((50.0,) * dim)
    network = ReactionNetwork.parse("A -> B ; k = 0")
    start = random_particles(box, ("A", "B"), {"A": 20, "B": 20}, 100, seed=dim)
    end = simulate(network, box, start, [0.3, 0.5], diffusion={"A": 1.0, "B": 0.25}, dt=0.2)
    moved = box.displacement(start.positions, end.positions[:, 1])
    for species, constant in ((slice(20), 1.0), (slice(20, 40), 0.25)):
        steps = moved[:, species].reshape(-1)
        assert stats.kstest(steps / math.sqrt(2 * constant * 0.5), "norm").pvalue > 1e-3
        squares = np.sum(moved[:, species] ** 2, axis=-1).ravel()
        assert close_to(squares, 2 * dim * constant * 0.5)


@pytest.mark.parametrize("boundary", BOUNDARIES)
def test_uniform_particles_stay_uniform(boundary):
    box = Box((1.0, 2.0), boundary)
    end = simulate(STILL, box, {"A": 5}, [0.5], replicas=1000, diffusion=0.3)[:, 0]
    for axis, length in enumerate(box.lengths):
        place = end.positions[..., axis].ravel()
        assert stats.kstest(place, stats.uniform(0, length).cdf).pvalue > 1e-3


def test_reflection_is_the_sum_over_images():
    box = Box((1.0,), "reflecting")
    start = PointPatterns.from_lists([{"A": [[0.2]]}], ("A",), box)[0]
    end = simulate(STILL, box, start, [0.1], replicas=4000, dt=0.02)
    images = np.concatenate([2 * np.arange(-4, 5) + 0.2, 2 * np.arange(-4, 5) - 0.2])

    def cdf(x):
        below = stats.norm.cdf(x[:, None], images, math.sqrt(0.2))
        return np.sum(below - stats.norm.cdf(0.0, images, math.sqrt(0.2)), axis=1)

    assert stats.kstest(end.positions[:, 0, 0, 0], cdf).pvalue > 1e-3


@pytest.mark.parametrize("dt", [0.01, 1.0])
def test_decay_is_binomial(dt):
    network = ReactionNetwork.parse("A -> 0 ; k = 0.7")
    end = simulate(network, Box((1.0, 1.0)), {"A": 30}, [0.5, 1.0], replicas=5000, dt=dt)
    for record, time in enumerate((0.5, 1.0)):
        numbers = end.counts()[:, record, 0]
        survival = math.exp(-0.7 * time)
        assert close_to(numbers, 30 * survival)
        assert p_value(numbers, stats.binom.pmf(np.arange(31), 30, survival)) > 1e-3


def test_channels_compete():
    network = ReactionNetwork.parse("A -> B ; k = 1\nA -> C ; k = 3\nB -> C ; k = 0")
    end = simulate(network, LINE, {"A": 1}, [0.5], replicas=10_000, dt=0.5)
    left = math.exp(-4 * 0.5)
    expected = 10_000 * np.array([left, (1 - left) / 4, (1 - left) * 3 / 4])
    assert stats.chisquare(end.counts()[:, 0].sum(axis=0), expected).pvalue > 1e-3


def test_first_order_networks_are_exact_in_long_steps():
    network = ReactionNetwork.parse("A -> B ; k = 2\nB -> C ; k = 1\nC -> 0 ; k = 3")
    end = simulate(network, LINE, {"A": 4}, [1.0], replicas=5000, dt=1.0)
    rates = np.array([[-2.0, 0, 0], [2, -1, 0], [0, 1, -3]])
    assert close_to(end.counts()[:, 0], 4 * linalg.expm(rates)[:, 0])


@pytest.mark.parametrize("boundary", BOUNDARIES)
def test_branching_is_geometric(boundary):
    network = ReactionNetwork.parse("A -> A + A ; k = 1.2")
    box = Box((1.0, 1.0), boundary)
    end = simulate(network, box, {"A": 1}, [0.8], replicas=5000, dt=0.4, max_particles=60)
    numbers = end.counts()[:, 0, 0]
    probabilities = stats.geom.pmf(np.arange(61), math.exp(-1.2 * 0.8))
    assert p_value(numbers, probabilities) > 1e-3


def test_births_and_deaths_are_poisson():
    network = ReactionNetwork.parse("0 -> A ; k = 3\nA -> 0 ; k = 2")
    box = Box((1.0, 2.0))
    end = simulate(network, box, {}, [0.5, 1.0], replicas=5000, dt=0.5, max_particles=25)
    for record, time in enumerate((0.5, 1.0)):
        mean = 3 * box.volume / 2 * (1 - math.exp(-2 * time))
        numbers = end.counts()[:, record, 0]
        assert p_value(numbers, stats.poisson.pmf(np.arange(26), mean)) > 1e-3
    places = end.positions[end.labels > 0]
    assert stats.kstest(places[:, 1], stats.uniform(0, 2).cdf).pvalue > 1e-3


@pytest.mark.parametrize(("dim", "products"), [(1, "0"), (2, "A"), (3, "0")])
def test_pairs_everywhere_follow_the_master_equation(dim, products):
    network = ReactionNetwork.parse(f"A + A -> {products} ; k = 0.4")
    box = Box((1.0,) * dim)
    lost = 1 if products == "A" else 2
    # Annihilation is exact in long steps; coagulation needs short ones.
    dt = 0.5 if lost == 2 else 0.01
    end = simulate(
        network, box, {"A": 8}, [0.5], replicas=3000, dt=dt, reaction_radius=math.sqrt(dim) / 2
    )
    probabilities = pair_master_equation(8, 0.4, lost, 0.5)
    assert p_value(end.counts()[:, 0, 0], probabilities) > 1e-3


def test_fast_diffusion_mixes():
    network = ReactionNetwork.parse("A + A -> 0 ; k = 2")
    box = Box((2.0, 1.5))
    end = simulate(
        network, box, {"A": 10}, [2.0], replicas=2000, dt=0.02, diffusion=50.0, reaction_radius=0.3
    )
    rate = 2 * math.pi * 0.3**2 / box.volume
    assert p_value(end.counts()[:, 0, 0], pair_master_equation(10, rate, 2, 2.0)) > 1e-3


def survival_of_a_pair(rate, radius, time, n_steps, n_cells=150):
    """Probability that two uniform particles on a periodic line have not met.

    The distance diffuses with twice the constant 0.3. `n_steps` symmetric steps, or none for the
    exact result.
    """
    width = LINE.lengths[0] / n_cells
    distances = width * np.minimum(np.arange(n_cells) + 0.5, n_cells - 0.5 - np.arange(n_cells))
    shift = np.roll(np.eye(n_cells), 1, axis=0)
    motion = 2 * 0.3 / width**2 * (shift + shift.T - 2 * np.eye(n_cells))
    loss = rate * (distances < radius)
    start = np.full(n_cells, 1 / n_cells)
    if not n_steps:
        return float((linalg.expm((motion - np.diag(loss)) * time) @ start).sum())
    half = linalg.expm(motion * time / n_steps / 2)
    for _ in range(n_steps):
        start = half @ (np.exp(-loss * time / n_steps) * (half @ start))
    return float(start.sum())


def test_pairs_survive_as_the_split_operators_say():
    network = ReactionNetwork.parse("A + A -> 0 ; k = 2")
    for n_steps in (1, 2, 30):
        end = simulate(
            network, LINE, {"A": 2}, [1.0], replicas=20_000, dt=1 / n_steps, diffusion=0.3
        )
        survived = end.counts()[:, 0, 0] / 2
        assert close_to(survived, survival_of_a_pair(2.0, 0.5, 1.0, n_steps))
    assert close_to(survived, survival_of_a_pair(2.0, 0.5, 1.0, 0))


def test_the_error_of_the_split_is_of_order_three_halves():
    exact = survival_of_a_pair(2.0, 0.5, 1.0, 0)
    errors = [survival_of_a_pair(2.0, 0.5, 1.0, n) - exact for n in (4, 8, 16)]
    orders = np.log2(np.array(errors[:-1]) / errors[1:])
    np.testing.assert_allclose(orders, 1.5, atol=0.1)


@pytest.mark.parametrize("boundary", BOUNDARIES)
def test_conserved_numbers(boundary):
    network = ReactionNetwork.parse("A + B -> C ; k = 5\nC -> A + B ; k = 1")
    box = Box((2.0, 2.0), boundary)
    end = simulate(
        network, box, {"A": 20, "B": 10}, [1.0, 2.0], replicas=50, max_particles=30, dt=0.02
    )
    counts = end.counts()
    assert np.all(counts[..., 0] + counts[..., 2] == 20)
    assert np.all(counts[..., 1] + counts[..., 2] == 10)
    assert np.all(counts[:, -1, 2].mean() > 3)


def test_fusion_and_fission_are_in_detailed_balance():
    # One pair: stationary odds of C are k1 V_rho / (k2 V), whatever the diffusion.
    network = ReactionNetwork.parse("A + B -> C ; k = 3\nC -> A + B ; k = 1")
    box = Box((2.0, 2.0))
    odds = 3 * math.pi * 0.4**2 / box.volume
    start = random_particles(box, network.species, {"A": 1, "B": 1}, 4000, seed=1)
    end = simulate(
        network, box, start, [6.0], max_particles=2, dt=0.05, diffusion=0.2, reaction_radius=0.4
    )
    assert close_to(end.counts()[:, 0, 2], odds / (1 + odds))


def still_pair(products, gap=0.4, **options):
    """Ends of an A and a B at a distance, without diffusion, after they certainly reacted."""
    network = ReactionNetwork.parse(f"A + B -> {products} ; k = 1e6", species=("A", "B", "C", "D"))
    start = PointPatterns.from_lists(
        [{"A": [[0.1, 1.0]], "B": [[2 - gap + 0.1, 1.0]]}], network.species, Box((2.0, 2.0))
    )
    return simulate(network, start.box, start, [0.1], diffusion=0.0, **options)[0, 0]


def test_products_take_their_places():
    middle = still_pair("C")
    np.testing.assert_allclose(middle.points("C"), [[1.9, 1.0]])
    both = still_pair("C + D")
    np.testing.assert_allclose(both.points("C"), [[0.1, 1.0]])
    np.testing.assert_allclose(both.points("D"), [[1.7, 1.0]])
    reversed_ = still_pair("D + C")
    np.testing.assert_allclose(reversed_.points("D"), [[0.1, 1.0]])
    assert still_pair("0").counts().sum() == 0
    assert still_pair("0", reaction_radius=0.39).counts().sum() == 2


def test_products_of_fission_are_uniform_in_a_ball():
    network = ReactionNetwork.parse("C -> A + B ; k = 1e6")
    box = Box((3.0, 3.0, 3.0))
    end = simulate(network, box, {"C": 1}, [0.1], replicas=3000, max_particles=2, diffusion=0.0)
    a, b = end.positions[:, 0, 0], end.positions[:, 0, 1]
    assert np.all(np.sort(end.labels[:, 0]) == [2, 3])
    distance = np.linalg.norm(box.displacement(a, b), axis=-1)
    assert distance.max() <= 0.5
    assert stats.kstest((distance / 0.5) ** 3, "uniform").pvalue > 1e-3


def test_radii_and_rates_of_one_pair_add_up():
    network = ReactionNetwork.parse("A + B -> C ; k = 1\nB + A -> 0 ; k = 2\nC -> 0 ; k = 0")
    radii = {"A+B -> C": 0.5, "B + A -> 0": 0.2}
    box = Box((9.0,))
    for gap, total, share in ((0.1, 3.0, 1 / 3), (0.3, 1.0, 1.0)):
        start = random_pairs(box, network.species, ("A", "B"), 1, 1000, distance=gap, seed=2)
        end = simulate(network, box, start, [0.4], diffusion=0.0, reaction_radius=radii, dt=0.2)
        counts = end.counts()[:, 0]
        assert close_to(counts[:, 0], math.exp(-total * 0.4))
        assert close_to(counts[:, 2], share * (1 - math.exp(-total * 0.4)))


@pytest.mark.parametrize("dim", [1, 2, 3])
@pytest.mark.parametrize("boundary", BOUNDARIES)
def test_cells_find_the_pairs_that_brute_force_finds(dim, boundary):
    # With a rate this large, exactly the particles without a neighbour in reach are left alone.
    network = ReactionNetwork.parse("A + A -> 0 ; k = 1e9\nB -> 0 ; k = 0")
    box = Box((4.0, 2.3, 1.1)[:dim], boundary)
    for radius in (0.05, 0.4, 1.2):
        start = random_particles(box, network.species, {"A": 60, "B": 5}, 5, seed=dim)
        end = simulate(network, box, start, [0.1], dt=0.1, diffusion=0.0, reaction_radius=radius)
        for replica, points in enumerate(start.positions[:, :60]):
            gaps = np.linalg.norm(box.displacement(points[:, None], points[None]), axis=-1)
            close = gaps + 9 * np.eye(60) <= radius
            lonely = points[~close.any(axis=1)]
            remaining = end[replica, 0].points("A")
            assert {*map(tuple, lonely)} <= {*map(tuple, remaining)}
            kept = (points[:, None] == remaining[None]).all(axis=-1).any(axis=1)
            assert not np.any(close[np.ix_(kept, kept)])


def test_number_of_threads_does_not_matter(threads):
    network = ReactionNetwork.parse("A + A -> A ; k = 5\nA -> A + A ; k = 1\n0 -> A ; k = 0.1")

    def run():
        return simulate(network, Box((3.0, 3.0)), {"A": 9}, [1.0], replicas=7, max_particles=80)

    numba.set_num_threads(1)
    alone = run()
    numba.set_num_threads(threads)
    together = run()
    np.testing.assert_array_equal(alone.positions, together.positions)
    np.testing.assert_array_equal(alone.labels, together.labels)


@pytest.mark.parametrize("counted", [True, False])
def test_blocks_of_replicas_equal_one_run(counted):
    network = ReactionNetwork.parse("A + A -> 0 ; k = 5")
    box = Box((3.0, 3.0))
    start = {"A": 9} if counted else random_particles(box, ("A",), {"A": 9}, 5, seed=4)
    whole = simulate(network, box, start, [0.0, 0.2], replicas=5)
    block = simulate(
        network,
        box,
        start[3:] if isinstance(start, PointPatterns) else start,
        [0.0, 0.2],
        replicas=2,
        first_replica=3,
    )
    np.testing.assert_array_equal(whole.positions[3:], block.positions)


def test_one_pattern_starts_all_replicas():
    start = PointPatterns.from_lists([{"A": [[0.2], [0.4]]}], ("A",), LINE)[0]
    end = simulate(STILL, LINE, start, [0.0, 1.0], replicas=3, max_particles=4)
    assert end.batch == (3, 2)
    np.testing.assert_array_equal(end.positions[:, 0, :2, 0], np.tile([0.2, 0.4], (3, 1)))
    assert len(np.unique(end.positions[:, 1, 0])) == 3


def test_full_slots_are_an_error():
    network = ReactionNetwork.parse("A -> A + A ; k = 3")
    with pytest.raises(ValueError, match=r"3 of 3 replicas needed more than `max_particles` = 4"):
        simulate(network, LINE, {"A": 2}, [0.5, 3.0], replicas=3, max_particles=4)
    births = ReactionNetwork.parse("0 -> A + A ; k = 9")
    with pytest.raises(ValueError, match=r"the replica 5 before the time 1.0. Raise `max_part"):
        simulate(births, LINE, {}, [1.0], replicas=1, max_particles=3, first_replica=5)


MEETING = ReactionNetwork.parse("A + B -> C ; k = 1")


@pytest.mark.parametrize(
    ("network", "options", "message"),
    [
        ("A + A -> 0 ; p = 0.1", {}, "`A \\+ A -> 0 ; p = 0.1` has a probability p"),
        ("A -> A + A ; k = 1", {}, "`A -> A \\+ A ; k = 1` makes particles; give `max_particles`"),
        ("A -> 0 ; k = 1", {"dt": 0.0}, "`dt` must be positive and finite, got 0.0"),
        ("A -> 0 ; k = 1", {"times": [1.0, 1.0]}, "finite times that increase from 0 or later"),
        ("A -> 0 ; k = 1", {"times": [-1.0, 1.0]}, "finite times that increase"),
        ("A -> 0 ; k = 1", {"times": []}, "some finite times"),
        ("A -> 0 ; k = 1", {"times": [np.nan]}, "some finite times"),
        ("A -> 0 ; k = 1", {"diffusion": {"B": 1.0}}, "name each species once \\(A\\), got B"),
        ("A -> 0 ; k = 1", {"diffusion": -1.0}, "finite and not negative, got {'A': -1.0}"),
        ("A -> 0 ; k = 1", {"replicas": None}, "`replicas` must be at least 1"),
        ("A -> 0 ; k = 1", {"first_replica": -1}, "`first_replica` must not be negative"),
        ("A -> 0 ; k = 1", {"max_particles": 1}, "must be at least 2, the largest initial"),
        ("A + A -> 0 ; k = 1", {"reaction_radius": 0.0}, "must be positive and finite, got 0.0"),
        ("A + A -> 0 ; k = 1", {"reaction_radius": 1e-200}, "so that its square is a positive"),
        ("A -> 0 ; k = 1", {"dt": 1e-300}, "`dt` is too short"),
        ("A -> 0 ; k = 1", {"diffusion": 1e308, "dt": 1.0}, "`diffusion` is too large"),
        (
            "A + A -> 0 ; k = 1",
            {"reaction_radius": {"A -> 0": 1.0}},
            "once \\('A \\+ A -> 0'\\), got 'A -> 0'",
        ),
    ],
)
def test_what_cannot_be_simulated_is_refused(network, options, message):
    arguments = {"replicas": 1, "times": [1.0]} | options
    times = arguments.pop("times")
    with pytest.raises(ValueError, match=message):
        simulate(ReactionNetwork.parse(network), LINE, {"A": 2}, times, **arguments)


def test_initial_patterns_must_fit():
    start = random_particles(LINE, ("A",), {"A": 2}, 3, seed=1)
    with pytest.raises(ValueError, match="must have the species A, B, C in Box"):
        simulate(MEETING, LINE, start, [1.0])
    with pytest.raises(ValueError, match=r"the batch \(3,\) and `replicas` 2"):
        simulate(STILL, LINE, start, [1.0], replicas=2)
    with pytest.raises(ValueError, match=r"in Box\(lengths=\(2.0,\)"):
        simulate(STILL, Box((2.0,)), start, [1.0])
