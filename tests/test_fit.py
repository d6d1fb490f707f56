"""The one call from trajectories to a model, as a user makes it."""

import jax
import numpy as np
import pytest
import xarray as xr

import dynboltz
from dynboltz._fit import _warn_of_poor_fit
from dynboltz._warnings import ExtrapolationWarning, LearningWarning
from dynboltz.lattices import Lattice
from dynboltz.reactions import ReactionNetwork
from dynboltz.simulation import ContinuousTimeKernel, random_counts, simulate
from dynboltz.store import StoreError, trajectories_dataset

TEXT = "A + A -> 0 ; k = 1\n0 -> A ; k = 0.02"
NETWORK = ReactionNetwork.parse(TEXT)
LATTICE = Lattice((100,))


def simulated(counts, seed, n_replicas=20, n_steps=30):
    kernel = ContinuousTimeKernel(1.0, 0.2)
    found = []
    for number, count in enumerate(counts):
        states = random_counts(LATTICE, ("A",), {"A": count}, n_replicas, seed=100 * seed + number)
        found.append(
            simulate(
                NETWORK, LATTICE, states, kernel=kernel, n_steps=n_steps, seed=1000 * seed + number
            )
        )
    return (
        np.concatenate([one.state for one in found]),
        found[0].times,
        np.repeat(np.arange(len(counts)), n_replicas),
        np.concatenate([one.moments for one in found]),
    )


@pytest.fixture(scope="module")
def training():
    return simulated([10, 25, 40, 60, 75, 90], 1)


@pytest.fixture(scope="module")
def unseen():
    return simulated([17, 50, 82], 2)


@pytest.fixture(scope="module")
def model(training):
    states, times, numbers, _ = training
    return dynboltz.fit(states, TEXT, times=times, initial_condition=numbers, progress=False)


def test_errors_of_unseen_starts_are_at_the_noise(model, unseen):
    states, times, numbers, _ = unseen
    scores = model.score(states, times=times, initial_condition=numbers)
    assert list(scores.moment.values) == ["A", "A.A"]
    # Errors of three trajectories, each with some two independent ones: 1 +- 0.3.
    assert np.all(scores.rmse < 1.6 * scores.noise)
    assert np.all(scores.coverage > 0.6)


def test_a_process_that_is_not_known_is_learned_as_well(training, unseen):
    states, times, numbers, _ = training
    blind = dynboltz.fit(states, times=times, initial_condition=numbers, progress=False)
    assert blind.species == ("A",)
    assert not np.any(blind.learned.law.matrix)
    states, times, numbers, _ = unseen
    scores = blind.score(states, times=times, initial_condition=numbers)
    assert np.all(scores.rmse < 1.8 * scores.noise)


def test_predictions_are_labelled(model):
    found = model.predict({"A": [0.3, 0.6]}, times=[0.0, 1.0, 2.5])
    assert dict(found.sizes) == {"start": 2, "time": 3, "moment": 2, "pair": 1}
    assert found.is_known.all()
    np.testing.assert_allclose(found.moment_mean.isel(time=0).sel(moment="A"), [0.3, 0.6])
    # A hundred sites: 30 particles at random have 30 * 29 / 99 neighbours.
    assert float(found.moment_mean[0, 0, 1]) == pytest.approx(0.3 * 29 / 99)
    low, high = found.low, found.high
    assert np.all(low <= found.moment_mean)
    assert np.all(found.moment_mean <= high)
    assert np.all(found.error.isel(time=0) == 0)
    factor = np.log(found.moment_mean.sel(moment="A.A") / found.moment_mean.sel(moment="A") ** 2)
    np.testing.assert_allclose(found.g.sel(pair="A.A"), factor, rtol=1e-10)


def test_states_are_a_start(model, unseen):
    states, _, numbers, _ = unseen
    own = states[numbers == 1]
    placed = model.predict(states=own[:, 0])
    np.testing.assert_allclose(placed.moment_mean, model.predict({"A": 0.5}).moment_mean)
    later = model.predict(states=own[:, 10], times=[0.0, 1.0])
    assert float(later.moment_mean[0, 0, 0]) == pytest.approx(np.mean(own[:, 10] > 0))


def test_datasets_of_trajectories_need_nothing_else(training):
    states, times, numbers, moments = training
    attrs = {"species": ["A"], "network": TEXT, "boundary": "periodic", "kernel": "continuous-time"}
    names = ["A", "A.A", "A.A.A", "A.A.A.A"]
    dataset = trajectories_dataset(states, moments, times, names, numbers, attrs=attrs)
    # Few records, as one start after the other would be: only that all is found counts here.
    few = dataset.isel(time=slice(0, 6))
    fitted = dynboltz.fit(few, progress=False)
    assert np.any(fitted.learned.law.matrix)
    collisions = few.assign_attrs(kernel="collision")
    assert not np.any(dynboltz.fit(collisions, progress=False).learned.law.matrix)
    with pytest.raises(ValueError, match="has no `initial_condition`"):
        dynboltz.fit(few.drop_vars("initial_condition"))


def test_models_are_saved_and_read(model, tmp_path):
    path = tmp_path / "model.nc"
    model.save(path)
    again = dynboltz.load(path)
    assert repr(again) == repr(model)
    xr.testing.assert_identical(again.predict({"A": 0.4}), model.predict({"A": 0.4}))
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(StoreError):
        dynboltz.load(path)


def test_what_is_not_known_is_warned_of(model):
    with pytest.warns(ExtrapolationWarning, match=r"learned up to t = 6"):
        model.predict({"A": 0.3}, times=[0.0, 5.0, 10.0])
    with pytest.warns(ExtrapolationWarning, match="far from all training"):
        found = model.predict({"A": 0.0})
    assert not found.is_known.all()


def test_predictions_are_drawn(model):
    axes = model.plot(model.predict({"A": [0.3, 0.6]}))
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("time", "moment per site")
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["A"]


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        ({}, "give either `densities`"),
        ({"densities": {"B": 0.1}}, "unknown species 'B'"),
        ({"densities": {}}, "nothing for 'A'"),
        ({"densities": {"A": 1.2}}, "from 0 to 1"),
        ({"densities": {"A": np.nan}}, "must be finite"),
        ({"densities": {"A": 0.2}, "times": [1.0, 0.5]}, "must increase"),
        ({"states": np.zeros((2, 7), dtype=np.uint8)}, "must have the axes replica and"),
    ],
)
def test_predictions_refuse(model, arguments, match):
    with pytest.raises(ValueError, match=match):
        model.predict(**arguments)


def test_fits_refuse(training):
    states, times, numbers, _ = training
    with pytest.raises(ValueError, match="`times` and `initial_condition` are needed"):
        dynboltz.fit(states)
    with pytest.raises(ValueError, match="must have the axes replica, time"):
        dynboltz.fit(states[:, :4], times=times, initial_condition=numbers)
    with pytest.raises(ValueError, match="two or more are needed"):
        dynboltz.fit(states[:1], times=times, initial_condition=[0])
    with jax.enable_x64(False), pytest.raises(ValueError, match="jax_enable_x64"):
        dynboltz.fit(states, times=times, initial_condition=numbers)


def test_other_lattices_are_not_scored(model, training):
    states, times, numbers, _ = training
    with pytest.raises(ValueError, match="or all 100 sites on one axis"):
        model.score(states[..., :50], times=times, initial_condition=numbers)
    with pytest.raises(ValueError, match="2 replicas; 4 or more are needed"):
        model.score(states[:2], times=times, initial_condition=numbers[:2])


def test_the_lattice_of_flat_states_is_given():
    """All sites on one axis, as `simulate` returns them, or each axis of its own."""
    rng = np.random.default_rng(3)
    # Independent sites that relax towards one half, of five starts and unequal many replicas.
    density = 0.5 + np.linspace(-0.4, 0.4, 5)[:, None] * np.exp(-np.arange(8) / 3)
    numbers = np.repeat(np.arange(5), [6, 8, 8, 8, 7])
    flat = rng.uniform(size=(37, 8, 36)) < density[numbers][..., None]
    lattice, times = Lattice((6, 6)), np.arange(8.0)
    options = {"times": times, "initial_condition": numbers, "progress": False}
    fitted = dynboltz.fit(flat.astype(np.uint8), lattice=lattice, **options)
    shaped = dynboltz.fit(flat.reshape(37, 8, 6, 6).astype(np.uint8), **options)
    assert fitted.lattice == shaped.lattice == lattice
    xr.testing.assert_identical(fitted.predict({"A": 0.3}), shaped.predict({"A": 0.3}))
    wide = fitted.predict({"A": 0.3}, times=[0.0, 7.0], bands=True)
    close = fitted.predict({"A": 0.3}).isel(time=[0, -1])
    np.testing.assert_allclose(wide.moment_mean, close.moment_mean, rtol=1e-3)


@pytest.mark.parametrize(
    ("training", "validation", "match"),
    [(2.5, 3.0, "even on the training"), (1.1, 3.0, "at starts that are left out")],
)
def test_poor_fits_are_warned_of(training, validation, match):
    with pytest.warns(LearningWarning, match=match):
        _warn_of_poor_fit("fit", training, validation)


def test_the_package_says_what_it_lacks():
    with pytest.raises(AttributeError, match="no attribute 'fitt'"):
        getattr(dynboltz, "fitt")  # noqa: B009 - a name that type checkers know to be missing
