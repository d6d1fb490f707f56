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


KINDS = """[initial]
source = "patterns"
train = 4
test = 1
replicas = 30
[[initial.kinds]]
kind = "random"
density = { A = [40.0, 60.0] }
[[initial.kinds]]
kind = "hard core"
density = { A = 60.0 }
distance = 0.004
[[initial.kinds]]
kind = "pairs"
density = { A = [40.0, 60.0] }
distance = [1e-6, 2e-6]
share = 0.5
"""


def gaps(patterns, replica):
    x = np.sort(patterns.points("A", replica)[:, 0])
    return np.diff(np.append(x, x[0] + 1))


@pytest.fixture
def kinds(tiny_box):
    """Patterns of the four initial conditions."""
    text = tiny_box.read_text()
    head, tail = text.split("[initial]")[0], text[text.index("[models.constants]") :]
    tiny_box.write_text(head + KINDS + tail)
    experiment = load_experiment(tiny_box)
    return [initial_patterns(experiment, "train", number) for number in range(4)]


def test_kinds_of_patterns_take_turns(kinds):
    random, core, pairs, again = kinds
    assert min(gaps(core, i).min() for i in range(30)) >= 0.004
    assert min(gaps(random, i).min() for i in range(30)) < 0.004
    assert not np.array_equal(random.counts(), again.counts())
    for patterns in kinds:
        counts = patterns.counts()[:, 0]
        assert len(set(counts)) > 1
        # Between 40 and 60, of hard cores fewer; four standard errors of Poisson numbers or pairs.
        low = 60 * np.exp(-2 * 60 * 0.004) if patterns is core else 40.0
        assert low - 4 * np.sqrt(2 * 60 / 30) < counts.mean() < 60 + 4 * np.sqrt(2 * 60 / 30)
    # Half of the particles have a partner; others are closer than this once in 10 000.
    close = sum((gaps(pairs, i) < 1e-4).sum() for i in range(30)) * 2 / pairs.counts().sum()
    # The error of the share is at most that of the number of about 375 pairs, 5 %.
    assert abs(close - 0.5) < 0.5 * 4 * 0.05
