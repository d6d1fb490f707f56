import numpy as np
import pytest
import xarray as xr

from dynboltz.workflow import _ensemble, claim, fit, load_experiment, simulate
from dynboltz.workflow._ensemble import block_replicas
from dynboltz.workflow._simulate import open_part
from dynboltz.workflow._states import States, blocks_ahead

N_INITIAL, REPLICAS, N_TIMES, SITES = 5, 4, 3, 6
ONE = REPLICAS * N_TIMES * SITES


@pytest.fixture
def trajectories():
    shape = (N_INITIAL * REPLICAS, N_TIMES, 2, 3)
    states = np.random.default_rng(0).integers(0, 255, shape, dtype=np.uint8)
    labels = 7 * np.repeat(np.arange(N_INITIAL), REPLICAS)
    return xr.Dataset(
        {"state": (("replica", "time", "x", "y"), states)},
        coords={"initial_condition": ("replica", labels)},
        attrs={"block_replicas": 2},
    )


@pytest.mark.parametrize("memory", [0, ONE - 1, ONE, 2 * ONE, 100 * ONE])
def test_states_are_those_of_the_trajectories_whatever_the_memory(trajectories, memory):
    states = States(trajectories, memory=memory)
    flat = trajectories.state.values.reshape(N_INITIAL, REPLICAS, N_TIMES, SITES)
    random = np.random.default_rng(1)
    for _ in range(20):
        number = int(random.integers(N_INITIAL))
        times = random.permutation(N_TIMES)[:2]
        replicas = random.permutation(REPLICAS)[:3]
        states.expect(random.permutation(N_INITIAL)[:3])
        expected = flat[number][np.ix_(replicas, times)].swapaxes(0, 1)
        np.testing.assert_array_equal(states(number, times, replicas), expected)
        assert sum(kept.result().nbytes for kept in states._kept.values()) <= memory


def test_blocks_come_in_order_with_the_place_of_their_initial_condition(trajectories):
    found = list(blocks_ahead(trajectories))
    assert [place for place, _, _ in found] == [0, 0, 1, 1, 2, 2, 3, 3, 4, 4]
    assert {share for _, share, _ in found} == {0.5}
    joined = np.concatenate([states for *_, states in found])
    np.testing.assert_array_equal(joined, trajectories.state.values.reshape(joined.shape))


@pytest.mark.parametrize(
    ("replicas", "megabytes", "expected"), [(100, 0.6, 100), (100, 1, 50), (7, 32, 1), (3, 999, 1)]
)
def test_a_block_is_an_initial_condition_or_a_part_of_one_that_fits(replicas, megabytes, expected):
    assert block_replicas(replicas, int(megabytes * 2**20)) == expected


def test_smaller_blocks_give_the_same_trajectories_and_fits(tiny, tmp_path, monkeypatch):
    experiment = load_experiment(tiny)
    directories = []
    for name, size in (("large", _ensemble.BLOCK_BYTES), ("small", 1)):
        monkeypatch.setattr(_ensemble, "BLOCK_BYTES", size)
        directories.append(claim(experiment, tmp_path / name))
        simulate(experiment, directories[-1])
        fit(experiment, directories[-1])
    large, small = (open_part(experiment, directory, "train") for directory in directories)
    assert (large.attrs.pop("block_replicas"), small.attrs.pop("block_replicas")) == (4, 1)
    xr.testing.assert_identical(large.load(), small.load())
    for name in experiment.plans:
        fits = (xr.open_zarr(d.fit(name), consolidated=False).load() for d in directories)
        xr.testing.assert_allclose(*fits, rtol=1e-12)
