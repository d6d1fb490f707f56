"""Stores of particle trajectories and readers of other programs' particles."""

from __future__ import annotations

import json
from typing import Any

import h5py
import numpy as np
import pytest
import xarray as xr
from numcodecs import blosc

from dynboltz.particles import Box, PointPatterns, Walls, random_particles
from dynboltz.store import (
    StoreError,
    create_particles,
    export_csv,
    export_extended_xyz,
    export_netcdf,
    load_patterns,
    open_particles,
    particles_dataset,
    read_dataset,
    read_readdy,
    read_smoldyn,
    resume_particles,
    write_particles,
    write_trajectories,
)

SPECIES = ("A", "B")
TIMES = np.array([0.0, 0.5, 2.0])


def trajectories(dim=2, boundary: Walls = "periodic", n_replicas=5) -> xr.Dataset:
    box = Box((2.0, 3.0, 4.0)[:dim], boundary)
    flat = random_particles(box, SPECIES, {"A": 4, "B": 2}, 3 * n_replicas, seed=1)
    shape = (n_replicas, 3, 6)
    patterns = PointPatterns(
        flat.positions.reshape(*shape, dim), flat.labels.reshape(shape), SPECIES, box
    )
    starts = np.arange(n_replicas) % 2
    return particles_dataset(patterns, TIMES, starts, attrs={"dt": 0.1}, time_units="s")


@pytest.mark.parametrize("dim", [1, 2, 3])
@pytest.mark.parametrize("boundary", ["periodic", "reflecting"])
def test_what_is_written_is_read(tmp_path, dim, boundary):
    ds = trajectories(dim, boundary)
    write_particles(ds, tmp_path / "a", block_replicas=2)
    found = open_particles(tmp_path / "a", expect={"dt": 0.1})
    for name in ("position", "label", "time", "axis", "initial_condition"):
        np.testing.assert_array_equal(found[name], ds[name])
        assert found[name].dims == ds[name].dims
    assert found.time.attrs["units"] == "s"
    patterns = load_patterns(found)
    assert patterns.box == Box((2.0, 3.0, 4.0)[:dim], boundary)
    np.testing.assert_array_equal(patterns.counts(), np.tile([4, 2], (5, 3, 1)))
    np.testing.assert_array_equal(load_patterns(found.isel(time=1)).labels, ds.label[:, 1])


def test_blocks_are_written_one_by_one(tmp_path):
    patterns = load_patterns(trajectories())
    options: dict[str, Any] = {
        "n_replicas": 5,
        "times": TIMES,
        "n_slots": 6,
        "species": SPECIES,
        "box": patterns.box,
        "initial_condition": np.zeros(5, np.int64),
        "attrs": {"seed": 3},
        "block_replicas": 3,
    }
    create_particles(tmp_path / "a", **options).write_block(1, patterns[3:])
    store = resume_particles(tmp_path / "a", expect={"seed": 3})
    assert store.missing_blocks() == [0]
    with pytest.raises(StoreError, match="1 of 2 blocks are written: block 0 is not written"):
        open_particles(tmp_path / "a")
    part = open_particles(tmp_path / "a", allow_incomplete=True)
    np.testing.assert_array_equal(part.position, patterns.positions[3:])
    with pytest.raises(StoreError, match="array `position`: a block needs float64 of shape"):
        store.write_block(0, patterns[:2])
    with pytest.raises(StoreError, match=r"holds the species A, B in Box\(lengths=\(2.0, 3.0\)"):
        store.write_block(
            0, PointPatterns(patterns.positions, patterns.labels, ("A", "C"), patterns.box)
        )
    store.write_block(0, patterns[:3])
    assert store.is_complete
    with pytest.raises(StoreError, match="exists already"):
        create_particles(tmp_path / "a", **options)
    with pytest.raises(StoreError, match="`block_replicas` must be 1 to 5"):
        create_particles(tmp_path / "b", **{**options, "block_replicas": 6})
    with pytest.raises(StoreError, match="at least one replica and one slot, got 5 and 0"):
        create_particles(tmp_path / "b", **{**options, "n_slots": 0})


def test_particles_are_exported(tmp_path):
    export_netcdf(trajectories(), tmp_path / "a.nc")
    with xr.open_dataset(tmp_path / "a.nc", decode_times=False) as ds:
        np.testing.assert_array_equal(ds.position, trajectories().position)
        assert json.loads(ds.attrs["species"]) == ["A", "B"]


def test_datasets_that_do_not_fit_are_refused():
    patterns = load_patterns(trajectories())
    with pytest.raises(ValueError, match=r"the batch \(replicas, 2\), as there are 2 times"):
        particles_dataset(patterns, TIMES[:2])
    ds = trajectories()
    del ds.attrs["box_lengths"]
    with pytest.raises(ValueError, match="no attribute box_lengths"):
        load_patterns(ds)


RECORD = np.dtype([("typeId", "<u2"), ("id", "<u8"), ("flavor", "u1"), ("pos", "<f8", (3,))])
KIND = np.dtype([("name", h5py.string_dtype()), ("type_id", "<u8"), ("diffusion_constant", "<f8")])
FRAMES = [[(0, (-4.0, 0.0, 1.0)), (3, (4.5, -2.0, -1.0))], [], [(3, (0.0, 0.5, 1.5))]]


def write_blosc(group, name, values):
    """Write an array as ReaDDy does: one chunk larger than the array, compressed with Blosc."""
    properties = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    properties.set_chunk((100,))
    properties.set_filter(32001, h5py.h5z.FLAG_OPTIONAL, (2, 2, values.dtype.itemsize, 100))
    array = h5py.h5d.create(
        group.id,
        name.encode(),
        h5py.h5t.py_create(values.dtype),
        h5py.h5s.create_simple(values.shape, (h5py.h5s.UNLIMITED,)),
        properties,
    )
    chunk = np.zeros(100, dtype=values.dtype)
    chunk[: len(values)] = values
    array.write_direct_chunk((0,), blosc.compress(chunk.tobytes(), b"lz4", 5, 1))


def write_readdy(path, *, observable=False, compressed=False, pbc=(True, True, True), **replaced):
    general = {"box_size": [10.0, 8.0, 6.0], "kbt": 1.0, "pbc": list(pbc)}
    records = np.array([(k, 7, 0, p) for frame in FRAMES for k, p in frame], dtype=RECORD)
    ends = np.cumsum([len(frame) for frame in FRAMES])
    limits = np.stack([ends - [len(frame) for frame in FRAMES], ends], axis=1).astype(np.uint64)
    arrays = {"records": records, "limits": limits, "time": np.array([0, 10, 20], np.uint64)}
    with h5py.File(path, "w") as file:
        file["readdy/config/general"] = np.bytes_(json.dumps(general))
        file["readdy/config/particle_types"] = np.array([("B", 3, 1.0), ("A", 0, 2.0)], dtype=KIND)
        group = file.create_group(
            "readdy/observables/particles" if observable else "readdy/trajectory"
        )
        if observable:
            group["time"] = arrays["time"]
            kinds = group.create_dataset("types", (3,), h5py.vlen_dtype(np.uint16))
            positions = group.create_dataset("positions", (3,), h5py.vlen_dtype(np.float64))
            for index, frame in enumerate(FRAMES):
                kinds[index] = [k for k, _ in frame]
                positions[index] = np.array([p for _, p in frame]).ravel()
            return path
        for name, values in (arrays | replaced).items():
            if compressed and name != "limits":
                write_blosc(group, name, values)
            else:
                group[name] = values
    return path


def assert_readdy_frames(ds):
    assert ds.attrs["species"] == ["A", "B"]
    assert ds.attrs["box_lengths"] == [10.0, 8.0, 6.0]
    np.testing.assert_allclose(ds.time, [0.0, 0.1, 0.2])
    np.testing.assert_array_equal(ds.label[0], [[1, 2], [0, 0], [2, 0]])
    expected = [[[1.0, 4.0, 4.0], [9.5, 2.0, 2.0]], [[0.0] * 3] * 2, [[5.0, 4.5, 4.5], [0.0] * 3]]
    np.testing.assert_allclose(ds.position[0], expected)


@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize("pbc", [True, False])
def test_readdy_trajectories(tmp_path, compressed, pbc):
    file = write_readdy(tmp_path / "a.h5", compressed=compressed, pbc=(pbc,) * 3)
    ds = read_readdy(file, dt=0.01)
    assert_readdy_frames(ds)
    assert ds.attrs["boundary"] == ("periodic" if pbc else "reflecting")
    several = read_readdy([file, str(file)], dt=0.01, time_units="ns")
    assert several.sizes["replica"] == 2
    assert several.time.attrs["units"] == "ns"


def test_readdy_observables(tmp_path):
    assert_readdy_frames(read_readdy(write_readdy(tmp_path / "a.h5", observable=True), dt=0.01))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"pbc": (True, True, False)}, "`pbc`: must be the same along all axes"),
        ({"limits": np.zeros((2, 2), np.uint64)}, "limits`: must be a first and a last record"),
        ({"limits": np.full((3, 2), 9, np.uint64)}, "a last record, of 3, for each of 3 times"),
        ({"records": np.zeros(3)}, "records`: must have the column `typeId`, has none"),
        ({"time": np.array([0, 2, 1])}, "`time`: must be finite and increase"),
        (
            {"records": np.array([(1, 0, 0, (0, 0, 0))] * 3, dtype=RECORD)},
            r"frame 0: has a particle of the type 1; the types are \[0, 3\]",
        ),
        (
            {"records": np.array([(0, 0, 0, (9, 0, 0))] * 3, dtype=RECORD), "pbc": (False,) * 3},
            r"the particle at \(0, 0\) has the position \[14.0, 4.0, 3.0\], outside the reflecting",
        ),
    ],
    ids=["pbc", "limits", "range", "columns", "time", "type", "outside"],
)
def test_wrong_readdy_files_are_named(tmp_path, change, message):
    with pytest.raises(StoreError, match=f"a.h5.*{message}"):
        read_readdy(write_readdy(tmp_path / "a.h5", **change), dt=0.01)


def test_other_files_are_no_readdy_files(tmp_path):
    with pytest.raises(StoreError, match=r"none\.h5: cannot be read: No such"):
        read_readdy(tmp_path / "none.h5", dt=1.0)
    (tmp_path / "text.h5").write_text("text")
    with pytest.raises(StoreError, match="cannot be read as HDF5"):
        read_readdy(tmp_path / "text.h5", dt=1.0)
    with h5py.File(tmp_path / "empty.h5", "w"):
        pass
    with pytest.raises(StoreError, match="`readdy/config/general`: is missing; was the file"):
        read_readdy(tmp_path / "empty.h5", dt=1.0)
    file = write_readdy(tmp_path / "a.h5")
    with pytest.raises(StoreError, match="has neither `readdy/trajectory/x/records` nor"):
        read_readdy(file, dt=1.0, name="x")
    with pytest.raises(StoreError, match="`dt` must be positive and finite, got 0"):
        read_readdy(file, dt=0.0)
    other = write_readdy(tmp_path / "b.h5", pbc=(False,) * 3)
    with pytest.raises(StoreError, match=r"b.h5: has A, B in Box.*; a.h5 has A, B in Box"):
        read_readdy([file, other], dt=1.0)


def write_smoldyn(path, lines):
    path.write_text("\n".join(lines) + "\n")
    return path


def test_smoldyn_output(tmp_path):
    first = write_smoldyn(
        tmp_path / "1.txt", ["1 1 0 -0.5 2.5 2", "1 2 0 0 0 1", "", "3 2 0 1.5 4 1"]
    )
    second = write_smoldyn(tmp_path / "2.txt", ["2,1,0,0.25,1e-1,5"])
    ds = read_smoldyn(
        [first, second], Box((2.5, 4.0)), SPECIES, interval=0.5, lower=(-0.5, 0.0), n_times=4
    )
    np.testing.assert_allclose(ds.time, [0.0, 0.5, 1.0, 1.5])
    np.testing.assert_array_equal(ds.label[0], [[1, 2], [0, 0], [2, 0], [0, 0]])
    np.testing.assert_array_equal(ds.label[1], [[0, 0], [1, 0], [0, 0], [0, 0]])
    np.testing.assert_allclose(ds.position[0, 0], [[0.0, 2.5], [0.5, 0.0]])
    np.testing.assert_allclose(ds.position[0, 2, 0], [2.0, 0.0])
    assert (
        read_smoldyn(first, Box((2.5, 4.0)), SPECIES, interval=0.5, lower=(-0.5, 0.0)).sizes["time"]
        == 3
    )


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("1 1 0 0.5 1", "malformed line '1 1 0 0.5 1'; expected a call, a species, a state, 2 coo"),
        ("0 1 0 0.5 0.5 1", "calls are counted from 1 to 1000000, got 0"),
        ("1 3 0 0.5 0.5 1", "species 3 is not one of 1 to 2"),
        ("1 A 0 0.5 0.5 1", "'A' is no whole number"),
        ("1 1 2 0.5 0.5 1", "state 2 is on a surface"),
        ("1 1 0 x 0.5 1", "coordinate 'x' is no finite number"),
        ("1 1 0 inf 0.5 1", "coordinate 'inf' is no finite number"),
        ("1 1 0 0.5 1.5 1", r"position \[0.5, 1.5\] is outside the box of sides \(1.0, 1.0\)"),
        ("1 1 0 0.5 0.5 9", "the molecule 9 is there twice in call 1; let one command only"),
    ],
)
def test_wrong_smoldyn_lines_are_named(tmp_path, line, message):
    file = write_smoldyn(tmp_path / "a.txt", ["1 1 0 0.1 0.1 9", "", line])
    with pytest.raises(StoreError, match=f"a.txt, line 3: {message}"):
        read_smoldyn(file, Box((1.0, 1.0)), SPECIES, interval=1.0)


def test_smoldyn_arguments_must_fit(tmp_path):
    file = write_smoldyn(tmp_path / "a.txt", ["2 1 0 0.1 9"])
    box = Box((1.0,))
    with pytest.raises(StoreError, match="`n_times` must be at least 2, the last call, got 1"):
        read_smoldyn(file, box, SPECIES, interval=1.0, n_times=1)
    with pytest.raises(StoreError, match="`interval` must be positive and finite"):
        read_smoldyn(file, box, SPECIES, interval=0.0)
    with pytest.raises(StoreError, match="`lower` must have 1 entries"):
        read_smoldyn(file, box, SPECIES, interval=1.0, lower=(0.0, 0.0))
    (tmp_path / "b.txt").write_bytes(b"\xff\xfe")
    with pytest.raises(StoreError, match="is UTF-16 text; save it as UTF-8"):
        read_smoldyn(tmp_path / "b.txt", box, SPECIES, interval=1.0)
    with pytest.raises(StoreError, match="cannot be read: No such file"):
        read_smoldyn(tmp_path / "c.txt", box, SPECIES, interval=1.0)


def test_datasets_of_other_layouts_are_refused_when_exported_or_written(tmp_path):
    for wrong in (xr.Dataset(), xr.Dataset({"state": ("replica", np.zeros(2))})):
        for export in (
            lambda ds: export_extended_xyz(ds, tmp_path / "a.xyz", replica=0),
            lambda ds: export_csv(ds, tmp_path / "a.csv"),
            lambda ds: write_trajectories(ds, tmp_path / "a"),
        ):
            with pytest.raises(ValueError, match=r"`trajectories` (has no|must)"):
                export(wrong)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("path", "message"),
    [("A" * 5000, "cannot be read: File name too long"), ("", "has no name")],
)
def test_paths_that_no_file_can_have_are_named(path, message):
    with pytest.raises(StoreError, match=message):
        read_dataset(path, "model")
