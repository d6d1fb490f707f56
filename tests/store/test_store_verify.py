"""Checksums of whole stores, and files of particles for other programs."""

from __future__ import annotations

import itertools
import shutil

import ase.io
import numpy as np
import pytest

from dynboltz import store
from dynboltz.particles import Box, PointPatterns


def lattice_trajectories(seed=1, shape=(6, 5)):
    state = np.random.default_rng(seed).integers(0, 3, (4, 3, *shape), dtype=np.uint8)
    moments = np.stack([(state == kind).mean(axis=(2, 3)) for kind in (1, 2)], axis=-1)
    attrs = {"species": ["H", "O"], "boundary": "periodic", "lattice_shape": list(shape)}
    times = np.array([0.0, 0.1, 0.3])
    return store.trajectories_dataset(state, moments, times, ["H", "O"], np.arange(4), attrs=attrs)


@pytest.fixture
def written(tmp_path):
    store.write_trajectories(lattice_trajectories(), tmp_path / "store", block_replicas=2)
    return tmp_path / "store"


def flip(path):
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 4
    path.write_bytes(data)


def test_a_sound_store_has_no_faults_and_the_checksum_of_its_twin(written, tmp_path):
    assert store.verify_store(written).is_sound
    store.write_trajectories(lattice_trajectories(), tmp_path / "twin", block_replicas=2)
    assert store.store_checksum(tmp_path / "twin") == store.store_checksum(written)
    store.write_trajectories(lattice_trajectories(seed=2), tmp_path / "other", block_replicas=2)
    assert store.store_checksum(tmp_path / "other") != store.store_checksum(written)


def test_damaged_blocks_are_named_and_discarded(written):
    chunks = sorted(path for path in (written / "state" / "c").rglob("*") if path.is_file())
    flip(chunks[-1])
    (fault,) = store.verify_store(written).damaged
    assert chunks[-1].relative_to(written).as_posix() in fault
    assert store.discard_damaged_blocks(written) == [1]
    assert store.resume_trajectories(written).missing_blocks() == [1]
    found = store.verify_store(written)
    assert not found.damaged
    (sentence,) = found.missing
    assert sentence.endswith("1 of 2 blocks are not written: 1.")
    assert not found.is_sound
    assert store.discard_damaged_blocks(written) == []


def test_damage_that_blocks_share_is_not_mended_block_by_block(written):
    flip(next(path for path in (written / "state" / "c").rglob("*") if path.is_file()))
    flip(written / "time" / "c" / "0")
    with pytest.raises(store.StoreError, match=r"cannot be mended block by block: .*time/c/0"):
        store.discard_damaged_blocks(written)
    assert store.resume_trajectories(written).is_complete


@pytest.mark.parametrize("name", ["zarr.json", "state/zarr.json", "time/c/0", "time"])
def test_what_else_is_damaged_is_found(written, name):
    if (written / name).is_dir():
        shutil.rmtree(written / name)
    else:
        flip(written / name)
    assert store.verify_store(written).damaged


def test_what_is_no_store_is_a_fault(tmp_path):
    assert "is not a store" in store.verify_store(tmp_path).damaged[0]


def test_other_programs_read_sites_as_atoms(tmp_path):
    data = lattice_trajectories()
    store.export_extended_xyz(data, tmp_path / "replica.xyz", replica=2)
    frames = ase.io.read(tmp_path / "replica.xyz", index=":", format="extxyz")
    for frame, (time, state) in itertools.zip_longest(
        frames, zip(data.time.values, data.state.values[2], strict=True)
    ):
        assert frame.info["Time"] == time
        assert frame.info["replica"] == 2
        np.testing.assert_array_equal(frame.cell.lengths(), [6, 5, 1])
        np.testing.assert_array_equal(frame.pbc, [True, True, False])
        places = np.argwhere(state)
        np.testing.assert_array_equal(frame.positions[:, :2], places)
        assert [{"H": 1, "O": 2}[symbol] for symbol in frame.symbols] == state[state > 0].tolist()


def test_particles_keep_every_digit(tmp_path):
    box = Box((1.0, 2.0, 3.0), "reflecting")
    positions = np.zeros((1, 1, 4, 3))
    positions[0, 0, :3] = np.random.default_rng(3).random((3, 3))
    labels = np.uint8([[[1, 2, 1, 0]]])
    patterns = PointPatterns(positions, labels, ("H", "O"), box)
    data = store.particles_dataset(patterns, np.zeros(1), np.zeros(1, dtype=np.int64), attrs={})
    store.export_extended_xyz(data, tmp_path / "replica.xyz", replica=0)
    frame = ase.io.read(tmp_path / "replica.xyz", format="extxyz")
    assert frame.get_chemical_formula(mode="reduce") == "HOH"
    np.testing.assert_array_equal(frame.positions, positions[0, 0, :3])
    np.testing.assert_array_equal(frame.cell.lengths(), box.lengths)
    assert not frame.pbc.any()
    with pytest.raises(store.StoreError, match="no replica 1; there are 0 to 0"):
        store.export_extended_xyz(data, tmp_path / "replica.xyz", replica=1)
