"""Derivatives along trajectories, laws found again, and what is said of their uncertainty."""

import concurrent.futures

import jax
import numpy as np
import pytest
from traced import TracedProblem

from dynboltz._warnings import LearningWarning
from dynboltz.lattices import Lattice, neighbour_moments
from dynboltz.laws import (
    LearnedLaw,
    MomentLaw,
    known_part,
    learn_law,
    moment_chart,
    nothing_known,
)
from dynboltz.laws._data import ShootingData
from dynboltz.laws._law import SmoothFunction
from dynboltz.laws._training import horizons
from dynboltz.laws._trajectories import ShootingProblem
from dynboltz.reactions import ReactionNetwork

LATTICE = Lattice((200,))
NETWORK = ReactionNetwork.parse("A + A -> A ; k = 0.5\n0 -> A ; k = 0.1")
CHART = moment_chart(neighbour_moments(("A",), 1, 2), LATTICE, n_replicas=20)
TIMES = np.linspace(0.0, 6.0, 25)


def known():
    return known_part(CHART, LATTICE, NETWORK)


def true_path(starts):
    """Density equation as it is, and a factor that relaxes to a function of the density."""
    matrix, constant = known().matrix, known().constant

    def velocity(z):
        pairs = z[:, 0] ** 2 * np.exp(z[:, 1])
        density = np.stack([z[:, 0], pairs], axis=1) @ matrix.T + constant
        return np.stack([density[:, 0], -1.5 * (z[:, 1] + 0.6 * np.exp(-3 * z[:, 0]))], axis=1)

    z, path, h = starts.copy(), [starts], 0.01
    for k in range(1, 601):
        z = z + h * velocity(z + h / 2 * velocity(z))
        if k % 25 == 0:
            path.append(z.copy())
    return np.stack(path, axis=1)


@pytest.fixture(scope="module")
def replicas():
    """Noise of first order around trajectories of a known law, of six starts."""
    rng = np.random.default_rng(5)
    starts = np.array([[0.8, 0.0], [0.6, 0.0], [0.45, 0.0], [0.3, 0.0], [0.15, 0.0], [0.07, 0.0]])
    path = true_path(starts)
    moments = np.asarray(jax.vmap(jax.vmap(CHART.moments))(path))
    noise = np.zeros((len(starts), 20, len(TIMES), 2))
    for k in range(1, len(TIMES)):
        noise[:, :, k] = 0.8 * noise[:, :, k - 1] + 3e-3 * rng.normal(size=(len(starts), 20, 2))
    return starts, moments, moments[:, None] + noise


def data_of(starts, replicas):
    means = replicas.mean(axis=1)
    rng = np.random.default_rng(0)
    return ShootingData(
        TIMES,
        starts,
        CHART.from_moments(means),
        means / CHART.places,
        0.5 * np.eye(2) + 0.1 * rng.normal(size=(24, 2, 2)),
        np.tril(rng.normal(size=(len(starts), 24, 2, 2))),
    )


def problem_of(kind, replicas, part, rate_places=()):
    """An untrained law with two steps between two records."""
    starts, _, moments = replicas
    data = data_of(starts, moments)
    n_learned = 1 + sum(part.open)
    function = SmoothFunction.draw(2, n_learned, 3, np.random.default_rng(2))
    features = CHART.batch_features(data.coordinates.reshape(-1, 2))
    scales = np.full(n_learned, 0.4)
    rate_scales = np.full(len(rate_places), 0.2)
    law = MomentLaw.untrained(
        CHART, part, scales, features, 0.25, function, rate_places, rate_scales
    )
    parameters = np.array(law.parameters)
    parameters[len(parameters) - len(rate_places) :] = 0.1
    return kind(law, data, 0.125), parameters


@pytest.mark.parametrize("kind", [ShootingProblem, TracedProblem])
@pytest.mark.parametrize("horizon", [4, 24])
@pytest.mark.parametrize(
    ("part", "rate_places"), [(known(), ()), (nothing_known(CHART), ((0, 1), (0, 2)))]
)
def test_normal_equations_equal_finite_differences(replicas, kind, horizon, part, rate_places):
    problem, parameters = problem_of(kind, replicas, part, rate_places)
    grams, slopes = map(np.array, zip(*problem.normal(parameters, horizon), strict=True))

    def residuals(u):
        return problem.residuals(u, horizon)[1].reshape(problem.n_starts, -1)

    errors = residuals(parameters)
    rng = np.random.default_rng(1)
    for _ in range(3):
        direction = rng.normal(size=len(parameters))
        h = 1e-4
        one, two = (
            (residuals(parameters + k * h * direction) - residuals(parameters - k * h * direction))
            / (2 * k)
            for k in (1, 2)
        )
        # Differences of fourth order.
        change = (4 * one - two) / (3 * h)
        np.testing.assert_allclose(slopes @ direction, np.sum(change * errors, axis=1), rtol=1e-5)
        np.testing.assert_allclose(
            direction @ grams @ direction, np.sum(change**2, axis=1), rtol=1e-5
        )


@pytest.mark.parametrize("horizon", [4, 24])
def test_kernels_and_jax_agree(replicas, horizon):
    part, places = nothing_known(CHART), ((0, 1), (0, 2))
    (one, parameters), (two, _) = (
        problem_of(kind, replicas, part, places) for kind in (ShootingProblem, TracedProblem)
    )
    for compiled, traced in zip(
        one.residuals(parameters, horizon), two.residuals(parameters, horizon), strict=True
    ):
        # Exponentials of the kernels are right to twelve digits.
        np.testing.assert_allclose(compiled, traced, rtol=1e-9, atol=1e-9)
    for compiled, traced in zip(
        one.normal(parameters, horizon), two.normal(parameters, horizon), strict=True
    ):
        for own, other in zip(compiled, traced, strict=True):
            np.testing.assert_allclose(own, other, rtol=1e-8, atol=1e-8 * np.abs(other).max())


def test_horizons_grow_to_all_records():
    assert horizons(150) == [6, 17, 50, 150]
    assert horizons(7) == [7]
    assert horizons(8) == [3, 8]


@pytest.fixture(scope="module")
def learned(replicas):
    starts, _, moments = replicas
    lines = []
    law = learn_law(CHART, known(), TIMES, list(moments), starts=starts, report=lines.append)
    assert lines
    return law


def test_a_law_is_found_again_at_starts_that_it_was_not_shown(learned, replicas):
    _, _, moments = replicas
    new = np.array([[0.7, 0.0], [0.37, 0.0], [0.1, 0.0]])
    exact = np.asarray(jax.vmap(jax.vmap(CHART.moments))(true_path(new.copy())))
    found = learned.predict(new, bands=True)
    noise = moments.std(axis=1, ddof=1).mean(axis=0) / np.sqrt(20)
    error = np.sqrt(np.mean((found.moments - exact) ** 2, axis=(0, 1)))
    # Some ten effective parameters share six trajectories: below the noise of one of them.
    assert np.all(error < 0.8 * np.sqrt(np.mean(noise**2, axis=0)))
    assert 0.85 < learned.training_error < 1.15
    assert 0.85 < learned.validation_error < 1.5
    z = (found.moments - exact)[:, 1:] / found.error[:, 1:]
    # Errors along a trajectory are one or two independent ones: wide limits.
    assert 0.2 < np.sqrt(np.mean(z**2)) < 2.5
    assert np.all(found.is_known)


def test_what_was_never_seen_is_marked(learned):
    far = learned.predict(np.array([[0.4, 2.5]]), TIMES[:5])
    assert not far.is_known[0, 0]
    assert np.all(np.isnan(far.error))


def test_other_times_give_the_same_trajectory(learned):
    start = np.array([[0.5, 0.0]])
    every = learned.predict(start).moments
    some = learned.predict(start, TIMES[[0, 3, 4, 20]]).moments
    # Steps are at most as long as those of the training, whose error is below 0.2 of the noise.
    np.testing.assert_allclose(some[0], every[0, [0, 3, 4, 20]], atol=2e-4)


def test_bands_are_those_of_small_changes_of_the_parameters(learned):
    """Draws from a posterior that is a hundred times narrower, for which it is linear."""
    start = np.array([[0.5, 0.0]])
    member = learned.members[0]._replace(factor=learned.members[0].factor / 100)
    narrow = LearnedLaw(
        (member,), learned.times, learned.grid, learned.features, learned.n_starts, 1
    )
    stated = narrow.predict(start, bands=True).error
    rng = np.random.default_rng(0)
    drawn = []
    for _ in range(200):
        change = member.factor @ rng.normal(size=len(member.factor))
        law = member.law.with_parameters(member.law.parameters + change)
        path = law.solve(start, TIMES, 1)
        drawn.append(np.asarray(jax.vmap(jax.vmap(CHART.moments))(path)))
    # A standard deviation of 200 draws is known to one in twenty.
    np.testing.assert_allclose(np.std(drawn, axis=0)[:, 1:], stated[:, 1:], rtol=0.2)


@pytest.mark.parametrize(
    ("change", "match"),
    [
        (lambda t, r: (t[:2], [x[:, :2] for x in r]), "three increasing times"),
        (lambda t, r: (t[::-1], r), "three increasing times"),
        (lambda t, r: (t, []), "at least 1"),
        (lambda t, r: (t, [x[:1] for x in r]), "two or more are needed"),
        (lambda t, r: (t, [np.full_like(r[0], np.nan)]), "must be finite"),
    ],
    ids=["two times", "back in time", "no start", "one replica", "NaN"],
)
def test_data_that_say_nothing_are_refused(replicas, change, match):
    times, moments = change(TIMES, list(replicas[2]))
    with pytest.raises(ValueError, match=match):
        learn_law(CHART, known(), times, moments)


def test_interrupted_trainings_return_what_they_have(replicas, monkeypatch):
    starts, _, moments = replicas
    interrupts = [KeyboardInterrupt]
    result = concurrent.futures.Future.result

    def interrupted(future, timeout=None):
        if interrupts:
            raise interrupts.pop()
        return result(future, timeout)

    monkeypatch.setattr(concurrent.futures.Future, "result", interrupted)
    with pytest.warns(LearningWarning, match="interrupted"):
        law = learn_law(CHART, known(), TIMES, list(moments), starts=starts)
    assert np.all(np.isfinite(law.predict(starts).moments))


def test_species_are_born_only_where_replicas_show_it():
    """Rates without the species are learned where some replica had none before it had some."""
    rng = np.random.default_rng(0)
    times = np.linspace(0, 3, 13)
    n = CHART.places.shape[0]
    nothing = nothing_known(CHART)
    grown = 0.3 * (1 - np.exp(-times))
    never_absent = np.stack([grown + 0.1, (grown + 0.1) ** 2], axis=-1)
    noise = 1e-3 * rng.normal(size=(5, len(times), n))
    alive = learn_law(CHART, nothing, times, [never_absent + noise, 1.1 * never_absent + noise])
    assert alive.law.rate_places == ((0, 0), (0, 1))
    born = np.stack([grown, grown**2], axis=-1) + noise
    born[:, 0] = 0.0
    later = [0.3 + start * np.exp(-times) for start in (-0.2, -0.1, 0.1, 0.3)]
    others = [np.stack([one, one**2], axis=-1) + noise for one in later]
    found = learn_law(CHART, nothing, times, [born, *others])
    assert found.law.rate_places == ((0, 0), (0, 1), (0, 2))
    # From nothing particles appear at the rate 0.3. One start of five replicas shows it; without
    # births the error would be 0.28.
    path = found.predict(CHART.from_moments(np.zeros((1, n))), times).moments[0]
    np.testing.assert_allclose(path[:, 0], grown, atol=0.01)
