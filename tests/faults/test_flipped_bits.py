"""One flipped bit anywhere in a store is found; nothing else is ever read."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from dynboltz import store
from dynboltz.particles import Box, PointPatterns


def lattice_trajectories(path: Path) -> None:
    random = np.random.default_rng(1)
    state = random.integers(0, 2, (4, 3, 20), dtype=np.uint8)
    moments = state.mean(2, keepdims=True)
    data = store.trajectories_dataset(
        state, moments, np.arange(3.0), ["A"], np.arange(4), attrs={"species": ["A"], "seed": 1}
    )
    store.write_trajectories(data, path, block_replicas=2)


def particle_trajectories(path: Path) -> None:
    box = Box((1.0, 2.0))
    positions = np.zeros((2, 2, 5, 2))
    positions[:, :, :3] = np.random.default_rng(2).random((2, 2, 3, 2))
    labels = np.repeat(np.uint8([[[1, 1, 1, 0, 0]]]), 4, axis=0).reshape(2, 2, 5)
    patterns = PointPatterns(positions, labels, ("A",), box)
    data = store.particles_dataset(patterns, np.arange(2.0), np.arange(2), attrs={"seed": 1})
    store.write_particles(data, path, block_replicas=1)


def model(path: Path) -> None:
    values = np.random.default_rng(3).random((4, 2))
    data = xr.Dataset(
        {"u": (("vertex", "dof"), values)},
        coords={"dof": ["value", "slope"]},
        attrs={"kind": "model", "specification": '{"terms": [0.25, 0.5]}'},
    )
    store.write_dataset(data, path)


STORES: list[tuple[Callable[[Path], None], Callable[[Path], xr.Dataset]]] = [
    (lattice_trajectories, store.open_trajectories),
    (particle_trajectories, store.open_particles),
    (model, lambda path: store.read_dataset(path, "model")),
]


@pytest.mark.parametrize(("write", "read"), STORES, ids=lambda f: getattr(f, "__name__", ""))
@pytest.mark.parametrize(
    "stride", [pytest.param(1, marks=pytest.mark.slow, id="each"), pytest.param(211, id="some")]
)
def test_a_flipped_bit_is_found_or_changes_nothing(tmp_path, write, read, stride):
    write(tmp_path / "store")
    right = read(tmp_path / "store").load()
    random, n_found = np.random.default_rng(4), 0
    for file in sorted(path for path in (tmp_path / "store").rglob("*") if path.is_file()):
        good = file.read_bytes()
        for place in range(random.integers(min(stride, len(good))), len(good), stride):
            bad = bytearray(good)
            bad[place] ^= 1 << random.integers(8)
            file.write_bytes(bad)
            try:
                xr.testing.assert_identical(read(tmp_path / "store").load(), right)
            except store.StoreError:
                n_found += 1
            else:
                assert file.suffix == ".json", f"{file} byte {place} went unnoticed"
        file.write_bytes(good)
    assert n_found > 10
