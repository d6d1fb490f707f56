"""Speed of the trajectory store.

2500 replicas of 201 times of a chain of 1000 sites, as in the annihilation experiment of Ernst et
al. (2019), are 500 MB of states. `DYNBOLTZ_STORE_REPLICAS` sets another number of replicas than the
500 of a plain run, for instance 2500.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from dynboltz.store import TrajectoryStore, create_trajectories, open_trajectories

N_REPLICAS = int(os.environ.get("DYNBOLTZ_STORE_REPLICAS", "500"))
BLOCK = 50
TIMES = np.arange(201) * 0.01
N_SITES = 1000
MOMENTS = ["A", "A.A", "A.A.A", "A.A.A.A"]


@pytest.fixture(scope="module")
def block() -> tuple[np.ndarray, np.ndarray]:
    """Independent sites, the states hardest to compress, at the densities of an annihilation."""
    rng = np.random.default_rng(0)
    density = 0.6 / (1.0 + 5.0 * TIMES)
    state = rng.random((BLOCK, TIMES.size, N_SITES)) < density[None, :, None]
    return state.astype(np.uint8), rng.random((BLOCK, TIMES.size, len(MOMENTS)))


def create(path: Path) -> TrajectoryStore:
    return create_trajectories(
        path,
        n_replicas=N_REPLICAS,
        times=TIMES,
        lattice_shape=(N_SITES,),
        moment_names=MOMENTS,
        initial_condition=np.arange(N_REPLICAS) // BLOCK,
        attrs={"species": ["A"]},
        block_replicas=BLOCK,
    )


def write_all(store: TrajectoryStore, block: tuple[np.ndarray, np.ndarray]) -> None:
    for index in range(store.n_blocks):
        store.write_block(index, *block)


@pytest.fixture(scope="module")
def path(tmp_path_factory, block) -> Path:
    path = tmp_path_factory.mktemp("store") / "trajectories"
    write_all(create(path), block)
    return path


def size_on_disk(path: Path) -> int:
    return sum(
        Path(folder, name).stat().st_size for folder, _, names in os.walk(path) for name in names
    )


def test_write(benchmark, tmp_path, block):
    def setup():
        setup.count += 1
        return (create(tmp_path / f"trajectories{setup.count}"), block), {}

    setup.count = 0
    benchmark.pedantic(write_all, setup=setup, rounds=3)
    benchmark.extra_info["megabytes"] = N_REPLICAS * TIMES.size * N_SITES / 1e6


def test_bits_a_site(path):
    bits = 8 * size_on_disk(path) / (N_REPLICAS * TIMES.size * N_SITES)
    # About one bit for the states, 0.26 for four moments of eight random bytes; the rest is slack.
    assert bits < 1.5


@pytest.mark.parametrize(
    "read",
    [
        pytest.param(lambda ds: ds.state.isel(time=100), id="one-snapshot-of-all-replicas"),
        pytest.param(lambda ds: ds.state.isel(replica=7), id="one-replica-over-all-times"),
        pytest.param(lambda ds: ds.moments, id="all-moments"),
        pytest.param(lambda ds: ds.state, id="everything"),
    ],
)
def test_read(benchmark, path, read: Callable[[xr.Dataset], xr.DataArray]):
    benchmark.pedantic(
        lambda ds: read(ds).values, setup=lambda: ((open_trajectories(path),), {}), rounds=5
    )


def test_open(benchmark, path):
    benchmark.pedantic(open_trajectories, args=(path,), rounds=5)
