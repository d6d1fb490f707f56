import numpy as np
import pytest

from dynboltz.particles import Box
from dynboltz.workflow import load_experiment
from dynboltz.workflow.continuous._initial_patterns import initial_patterns
from dynboltz.workflow.continuous._profiles import random_profile

PERIODIC, CLOSED = Box((2.0, 1.0)), Box((2.0, 1.0), "reflecting")


@pytest.mark.parametrize("box", [Box((1.5,)), Box((1.5,), "reflecting"), PERIODIC, CLOSED])
def test_the_logarithm_of_the_density_has_the_amplitude(box):
    random = np.random.default_rng(1)
    points = np.random.default_rng(2).random((200, box.dim)) * box.lengths
    profiles = [random_profile(box, 100.0, 2, 0.7, random) for _ in range(600)]
    squares = np.array([np.mean(profile.logarithm(points) ** 2) for profile in profiles])
    # The mean square over draws and points, 4 standard errors: failure probability 1e-4. Points
    # are means over the box but for their own sampling, of a few per cent in a closed box.
    error = squares.std() / np.sqrt(len(squares))
    assert abs(squares.mean() - 0.49) < 4 * error + 0.05 * 0.49


@pytest.mark.parametrize("box", [PERIODIC, CLOSED])
def test_profiles_fit_the_walls(box):
    profile = random_profile(box, 100.0, 2, 1.0, np.random.default_rng(3))
    y, step = np.linspace(0.1, 0.9, 5), 1e-4
    low, inside, high = (
        profile.logarithm(np.stack([np.full(5, x), y], axis=-1)) for x in (0.0, step, 2.0)
    )
    if box.is_periodic:
        np.testing.assert_allclose(low, high, atol=1e-12)
    else:
        # No slope at the wall: the difference is of second order in the step.
        assert np.all(np.abs(inside - low) < 100 * step**2)


def test_drawn_particles_have_the_density():
    box = Box((1.0,))
    profile = random_profile(box, 20_000.0, 2, 1.0, np.random.default_rng(4))
    x = profile.draw(np.random.default_rng(5))[:, 0]
    fine = (np.arange(4000) + 0.5)[:, None] / 4000
    weights = np.exp(profile.logarithm(fine)).reshape(20, 200).sum(axis=1)
    expected = 20_000 * weights / weights.sum()
    # Sum of squares of 20 independent Poisson deviations: below 53 but once in 10 000.
    found = np.histogram(x, bins=20, range=(0, 1))[0]
    assert np.sum((found - expected) ** 2 / expected) < 53


def test_initial_conditions_do_not_depend_on_how_many_there_are(tiny_box):
    few, many = (load_experiment(tiny_box, overrides=[f"initial.train = {n}"]) for n in (2, 4))
    for number in (0, 1):
        a, b = (initial_patterns(e, "train", number) for e in (few, many))
        np.testing.assert_array_equal(a.positions, b.positions)
    assert not np.array_equal(
        initial_patterns(few, "test", 0).counts(), initial_patterns(few, "train", 0).counts()
    )


def test_kinds_of_patterns_take_turns(tiny_box):
    text = tiny_box.read_text()
    head, tail = text.split("[initial]")[0], text[text.index("[models.constants]") :]
    table = (
        '[initial]\nsource = "patterns"\nkinds = ["random", "hard core", "pairs"]\n'
        "density = { A = [40, 60] }\ndistance = 0.004\ntrain = 3\ntest = 1\nreplicas = 8\n"
    )
    tiny_box.write_text(head + table + tail)
    experiment = load_experiment(tiny_box)
    random, core, pairs = (initial_patterns(experiment, "train", n) for n in range(3))

    def gaps(patterns, replica):
        x = np.sort(patterns.points("A", replica)[:, 0])
        return np.diff(np.append(x, x[0] + 1))

    assert len(set(random.counts()[:, 0])) > 1
    assert len(set(core.counts()[:, 0])) == 1
    assert 40 <= core.counts()[0, 0] <= 60
    assert min(gaps(core, i).min() for i in range(8)) >= 0.004
    assert min(gaps(random, i).min() for i in range(8)) < 0.004
    for replica in range(8):
        x = pairs.points("A", replica)
        first, second = np.split(x, 2)
        np.testing.assert_allclose(np.abs(experiment.box.displacement(first, second)), 0.004)
