"""What users give to `dynboltz.fit` and its models: other forms of the same, and mistakes."""

import concurrent.futures
import warnings

import jax
import numpy as np
import pytest
import xarray as xr

import dynboltz
from dynboltz._warnings import ExtrapolationWarning, LearningWarning

TIMES = np.arange(8.0)
NUMBERS = np.repeat(np.arange(4), 6)


def relaxing(shape=(36,), levels=(1,), n_times=8):
    """Independent sites that relax towards one half, of four starts."""
    rng = np.random.default_rng(3)
    density = 0.5 + np.linspace(-0.4, 0.4, 4)[:, None] * np.exp(-np.arange(n_times) / 3)
    density = density[NUMBERS].reshape(24, n_times, *(1 for _ in shape))
    occupied = rng.uniform(size=(24, n_times, *shape)) < density
    return (occupied * rng.choice(levels, size=occupied.shape)).astype(np.uint8)


STATES = relaxing()


def fitted(states=STATES, **changes):
    options = {"times": TIMES, "initial_condition": NUMBERS, "progress": False} | changes
    return dynboltz.fit(states, **options)


def quietly_fitted(states=STATES, **changes):
    """A law of few starts with few replicas, which is warned of."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", LearningWarning)
        return fitted(states, **changes)


@pytest.fixture(scope="module")
def model():
    return quietly_fitted()


def refuse(match, states=STATES, error=ValueError, **changes):
    with pytest.raises(error, match=match):
        fitted(states, **changes)


def test_swapped_axes_are_named():
    refuse(r"swapped: give `np.swapaxes\(states, 0, 1\)`", STATES.swapaxes(0, 1))


def test_states_that_are_none_are_refused():
    refuse("`states` must be finite, got nan at replica 2, time 1", with_nan(), ValueError)
    refuse("must hold numbers, got texts", STATES.astype(str), TypeError)
    refuse("must have the axes replica, time", STATES[:0], initial_condition=NUMBERS[:0])
    refuse("must have the axes replica, time", STATES[..., :0])


def with_nan():
    states = STATES.astype(float)
    states[2, 1, 5] = np.nan
    return states


def test_names_of_starts_are_texts_or_numbers_and_never_missing(model):
    named = quietly_fitted(initial_condition=np.array(["low", "mid", "nearly", "up"])[NUMBERS])
    xr.testing.assert_identical(named.predict({"A": 0.3}), model.predict({"A": 0.3}))
    refuse("`initial_condition` must be finite", initial_condition=NUMBERS + np.nan)
    refuse(
        "one number or name for each",
        error=TypeError,
        initial_condition=np.array([None] * 24, dtype=object),
    )


def test_species_have_valid_names_once():
    refuse("each name once", species=["A", "A"])
    refuse("cannot name a species", species=["1A"])
    refuse("'B' occurs in none of the states", species=["A", "B"])


def test_copies_of_one_replica_are_refused():
    first = STATES[np.searchsorted(NUMBERS, NUMBERS)]
    refuse("all 6 replicas of the start 0 .* have the same moments", first)


@pytest.mark.parametrize("form", ["array", "dataset"])
def test_labelled_states_are_aligned_by_their_axes(model, form):
    array = xr.DataArray(
        STATES,
        dims=("replica", "time", "row"),
        coords={"time": TIMES, "initial_condition": ("replica", NUMBERS)},
    ).transpose("time", "row", "replica")
    given = array if form == "array" else array.to_dataset(name="state")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", LearningWarning)
        found = dynboltz.fit(given, progress=False)
    xr.testing.assert_identical(found.predict({"A": 0.3}), model.predict({"A": 0.3}))
    with pytest.raises(ValueError, match="`replica` is missing among"):
        dynboltz.fit(given.rename(replica="run"), progress=False)


@pytest.mark.filterwarnings("ignore::dynboltz._warnings.ExtrapolationWarning")
def test_one_state_is_a_start_without_the_axis_of_replicas(model):
    one = STATES[3, 2]
    found, expected = (model.predict(states=states, bands=False) for states in (one, one[None]))
    xr.testing.assert_identical(found, expected)


def test_texts_are_no_densities(model):
    with pytest.raises(ValueError, match="must hold numbers"):
        model.predict({"A": "much"})


def test_predictions_need_no_double_precision_of_jax(model, tmp_path):
    model.save(tmp_path / "model.nc")
    expected = model.predict({"A": [0.2, 0.7]})
    with jax.enable_x64(False):
        found = dynboltz.load(tmp_path / "model.nc").predict({"A": [0.2, 0.7]})
        scores = model.score(STATES, times=TIMES, initial_condition=NUMBERS)
    xr.testing.assert_identical(found, expected)
    xr.testing.assert_identical(scores, model.score(STATES, times=TIMES, initial_condition=NUMBERS))


def test_bands_are_possible(model):
    with pytest.warns(ExtrapolationWarning):
        found = model.predict({"A": [0.0, 0.5, 1.0]}, times=[0.0, 1.0, 40.0])
    assert np.all(found.low >= 0)
    assert np.all(found.low <= found.moment_mean)
    assert np.all(found.moment_mean <= found.high)


def test_long_gaps_between_records_cost_no_time():
    """Steps follow each interval: fifty units and nine hundred and fifty."""
    states = relaxing(n_times=3)
    found = quietly_fitted(states, times=np.array([0.0, 50.0, 1000.0]))
    assert np.all(np.isfinite(found.predict({"A": 0.3}).moment_mean))
    assert len(found.learned.grid) < 2000


@pytest.mark.parametrize(
    ("states", "changes", "match"),
    [
        (STATES[:6], {"initial_condition": NUMBERS[:6]}, "there is one start only"),
        (STATES + 1, {}, "no site of any state is empty"),
        (
            np.stack([relaxing(levels=(1, 2)) == k for k in (1, 2)], axis=-1).astype(np.uint8),
            {},
            "never has more than one particle",
        ),
    ],
    ids=["one start", "labels from 1", "one-hot"],
)
@pytest.mark.filterwarnings("ignore::dynboltz._warnings.LearningWarning")
def test_what_looks_like_a_mistake_is_warned_of(states, changes, match):
    with pytest.warns(LearningWarning, match=match):
        fitted(states, **changes)


def test_plots_name_what_they_lack(model):
    prediction = model.predict({"A": [0.2, 0.7]})
    axes = model.plot(prediction.isel(start=0), ["A", "A.A"])
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["A", "A.A"]
    with pytest.raises(ValueError, match=r"must be among A, A\.A, got 'AA'"):
        model.plot(prediction, ["AA"])
    with pytest.raises(ValueError, match="an axis is missing"):
        model.plot(prediction.isel(time=0))
    with pytest.raises(ValueError, match="`low` is missing"):
        model.plot(prediction.drop_vars("low"))


def test_interrupted_fits_say_how_poor_they_are(monkeypatch):
    interrupts = [KeyboardInterrupt]
    result = concurrent.futures.Future.result

    def interrupted(future, timeout=None):
        if interrupts:
            raise interrupts.pop()
        return result(future, timeout)

    climb = "dynboltz.laws._training._climb"
    # No iteration at all: laws are what they began as.
    monkeypatch.setattr(climb, lambda _problem, state, *_: (state, 1.0))
    monkeypatch.setattr(concurrent.futures.Future, "result", interrupted)
    with (
        pytest.warns(LearningWarning, match="interrupted"),
        pytest.warns(LearningWarning, match="times the noise even on the training"),
    ):
        found = fitted()
    assert found.learned.training_error > 1.5
