"""Differences of moments from chains, against the enumerated gradient of the divergence."""

from __future__ import annotations

import functools
import itertools
from typing import NamedTuple

import numpy as np
import pytest

from dynboltz.distributions import ClampedStatistics, Enumeration, LatticeModel, Layer
from dynboltz.lattices import Lattice
from dynboltz.learning import ChainMoments, Selection, TrainingData, _replica_summaries
from dynboltz.sampling import GibbsSampler

CUBE = Lattice((2, 2, 2), "closed")
CORNERS = tuple(itertools.product((0, 1), repeat=3))
RING = LatticeModel.from_names(Lattice((12,)), ["A"], ["b.A", "J.A.A"])
ALL = Selection(np.arange(2), np.arange(3))
N_REPLICAS = 12


def one_layer(species: str, hidden: str) -> LatticeModel:
    """One hidden unit in the middle of eight sites."""
    pairs = [*zip(species, hidden, strict=True), (species[0], hidden[1])]
    names = [f"b.{s}" for s in species + hidden] + [f"W.{v}.{h}" for v, h in pairs]
    layer = Layer(tuple(hidden), CORNERS)
    return LatticeModel.from_names(CUBE, list(species), names, [layer])


def two_layers() -> LatticeModel:
    """Four hidden units on the edges along one axis, and four that couple them."""
    layers = [Layer(("X",), ((0, 0, 0), (0, 0, 1))), Layer(("Y",), ((0, 0, 0), (0, 1, 0)))]
    names = ["b.A", "J.A.A", "W.A.X", "b.X", "W.X.Y", "b.Y"]
    return LatticeModel.from_names(CUBE, ["A"], names, layers)


MODELS = {
    "two species": one_layer("AB", "XY"),
    "three species": one_layer("ABC", "XYZ"),
    "two hidden layers": two_layers(),
}


class Case(NamedTuple):
    data: TrainingData
    theta: np.ndarray
    gradient: np.ndarray


def visible_keys(states: np.ndarray) -> np.ndarray:
    return states.astype(np.int64) @ 4 ** np.arange(states.shape[-1])


def divergence_gradient(exact: Enumeration, theta: np.ndarray, data: np.ndarray) -> np.ndarray:
    """Moments of the model minus those with the visible units clamped to the data, per site."""
    weights = np.exp(exact.counts @ theta)
    keys = visible_keys(exact.states[0])
    of_visible = np.bincount(keys, weights=weights, minlength=4**8)
    of_data = np.bincount(visible_keys(data), minlength=4**8) / len(data)
    share = of_data[keys] / of_visible[keys]
    return (weights / weights.sum() - share * weights) @ exact.counts / exact.model.lattice.n_sites


@functools.cache
def case(name: str) -> Case:
    """Crowded replicas at three times of two initial conditions, at coefficients of one sign."""
    model = MODELS[name]
    random = np.random.default_rng(8)
    n_labels = len(model.species[0]) + 1
    shape = 2, 3, N_REPLICAS, 8
    states = (random.integers(n_labels, size=shape) * (random.random(shape) < 0.5)).astype(np.uint8)

    def read(initial: int, times: np.ndarray, replicas: np.ndarray) -> np.ndarray:
        return states[initial][np.ix_(times, replicas)]

    summaries = None
    if len(model.layers) == 2:
        flat = ClampedStatistics(model).summarise(states.reshape(-1, 8))
        summaries = flat.reshape(2, 3, N_REPLICAS, -1).mean(axis=2)
    theta = random.uniform(-0.6, 0.6, (2, 3, len(model.terms)))
    data = TrainingData(np.arange(3.0), theta[:, 0], summaries, read, N_REPLICAS)
    exact = Enumeration(model)
    gradient = np.array(
        [[divergence_gradient(exact, theta[i, j], states[i, j]) for j in range(3)] for i in (0, 1)]
    )
    return Case(data, theta, gradient)


def chain_moments(name: str, replicas: int | None, sweeps: int, *, persistent: bool, seed: int = 5):
    return ChainMoments(
        GibbsSampler(MODELS[name]),
        case(name).data,
        replicas=replicas,
        chains=100,
        sweeps=sweeps,
        persistent=persistent,
        seed=np.random.SeedSequence(seed),
    )


def assert_mean_is(values: np.ndarray, expected: np.ndarray) -> None:
    error = values.std(axis=0, ddof=1) / np.sqrt(len(values))
    mean = values.mean(axis=0)
    # With 30 values beyond 4 standard errors for one moment and seed in 2500.
    assert np.all(np.abs(mean - expected) < 4 * error)
    cosine = np.vdot(mean, expected) / np.linalg.norm(mean) / np.linalg.norm(expected)
    assert cosine > 0.999


@pytest.mark.parametrize(
    ("name", "replicas"),
    [("two species", 8), ("three species", None), ("two hidden layers", 8)],
)
def test_persistent_chains_give_the_gradient_of_the_divergence(name, replicas):
    source = chain_moments(name, replicas, 8, persistent=True)
    selection = Selection(np.array([1, 0]), np.array([0, 2]))
    theta = case(name).theta[np.ix_([1, 0], [0, 2])]
    differences = np.array([source(theta, selection).difference for _ in range(33)])
    # The first three forget the start; after eight sweeps chains of weak couplings are new.
    assert_mean_is(differences[3:], case(name).gradient[np.ix_([1, 0], [0, 2])])


@pytest.mark.parametrize("replicas", [None, 8])
def test_long_runs_from_random_units_give_the_gradient_of_the_divergence(replicas):
    name = "two species"
    source = chain_moments(name, replicas, 15, persistent=False)
    found = [source(case(name).theta, ALL) for _ in range(30)]
    assert_mean_is(np.array([f.difference for f in found]), case(name).gradient)
    assert np.all(np.isnan(found[0].divergence))
    assert found[0].divergence.shape == (2, 3)


def test_summaries_that_are_not_kept_give_the_same_numbers(monkeypatch):
    name, orders = "two species", (ALL, Selection(np.array([1, 0]), np.array([2])), ALL)

    def run():
        source = chain_moments(name, 3, 2, persistent=False)
        thetas = [case(name).theta[np.ix_(*order)] for order in orders]
        pairs = zip(thetas, orders, strict=True)
        return [source(theta, order).difference for theta, order in pairs]

    kept = run()
    monkeypatch.setattr(_replica_summaries, "MAX_BYTES", 0)
    for one, other in zip(kept, run(), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("name", ["two species", "two hidden layers"])
@pytest.mark.parametrize("persistent", [True, False])
def test_the_same_seed_gives_the_same_numbers(name, persistent):
    def run(seed):
        source = chain_moments(name, 3, 2, persistent=persistent, seed=seed)
        return np.array([source(case(name).theta, ALL).difference for _ in range(3)])

    np.testing.assert_array_equal(run(1), run(1))
    assert not np.array_equal(run(1), run(2))


def ring_moments(sweeps: int, *, persistent: bool = True) -> ChainMoments:
    """Empty data, so that differences are moments of the chains."""
    data = TrainingData(np.arange(3.0), np.zeros((2, 2)), np.zeros((2, 3, 2)))
    return ChainMoments(
        GibbsSampler(RING),
        data,
        replicas=None,
        chains=10,
        sweeps=sweeps,
        persistent=persistent,
        seed=np.random.SeedSequence(3),
    )


def test_persistent_chains_go_on_where_they_were():
    theta = np.random.default_rng(1).normal(0, 0.5, (2, 3, 2))
    halves, whole = ring_moments(2), ring_moments(4)
    first, second = halves(theta, ALL), halves(theta, ALL)
    # A chain keeps its own random numbers, too.
    np.testing.assert_array_equal(second.difference, whole(theta, ALL).difference)
    assert not np.array_equal(first.difference, second.difference)
    # Beside snapshots that are looked at for the first time as well.
    halves, whole = ring_moments(2), ring_moments(4)
    halves(theta[:, :2], Selection(np.arange(2), np.array([0, 1])))
    second = halves(theta[:, 1:], Selection(np.arange(2), np.array([1, 2])))
    expected = whole(theta[:, :2], Selection(np.arange(2), np.array([0, 1])))
    np.testing.assert_array_equal(second.difference[:, 0], expected.difference[:, 1])
    fresh = ring_moments(2, persistent=False)
    np.testing.assert_array_equal(fresh(theta, ALL).difference, first.difference)
    assert not np.array_equal(fresh(theta, ALL).difference, second.difference)


def test_each_snapshot_keeps_its_own_chains():
    """Without sweeps the chains of a snapshot stay as they were drawn."""
    source = ring_moments(0)

    def seen(initial_conditions, times):
        selection = Selection(np.array(initial_conditions), np.array(times))
        theta = np.zeros((len(initial_conditions), len(times), 2))
        return source(theta, selection).difference

    first, second = seen([0], [0, 1]), seen([1, 0], [2, 1])
    later = seen([0, 1], [0, 1, 2])
    np.testing.assert_array_equal(second[1, 1], first[0, 1])
    np.testing.assert_array_equal(later[0], [first[0, 0], first[0, 1], second[1, 0]])
    np.testing.assert_array_equal(later[1, 1:], second[0, ::-1])
    # All are random units, and no two snapshots have the same.
    assert np.all(np.abs(later[..., 0] - 0.5) < 0.2)
    assert len(np.unique(later.reshape(6, 2), axis=0)) == 6


def test_states_are_needed_to_draw_replicas_and_for_coupled_layers():
    options = {"chains": 2, "sweeps": 1, "persistent": True, "seed": np.random.SeedSequence(0)}
    data = TrainingData(np.arange(3.0), np.zeros((2, 2)), np.zeros((2, 3, 2)))
    with pytest.raises(ValueError, match=r"ChainMoments: `data.states` is needed .* got None"):
        ChainMoments(GibbsSampler(RING), data, replicas=1, **options)
    coupled = data._replace(summaries=None)
    with pytest.raises(ValueError, match=r"ChainMoments: `data.states` is needed .* got None"):
        ChainMoments(GibbsSampler(two_layers()), coupled, replicas=None, **options)
