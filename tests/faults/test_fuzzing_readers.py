"""Random files of others and damaged stores: a dataset or one message that names the file.

Files of the right kind are damaged byte by byte, and files are made whose parts have the wrong
type, shape, size or name. While they are read, the process may not take more than 2 GiB beyond
what it has, so that a file that asks for more fails here.
"""

from __future__ import annotations

import contextlib
import io
import json
import zipfile
from pathlib import Path

import h5py
import numpy as np
import xarray as xr
from fuzzing import check_all, damaged, said_or, sizes
from hypothesis import strategies as st
from numcodecs import blosc

from dynboltz import store
from dynboltz.particles import Box

NAMES = [*("A", "A.A", "", "<b>A</b>", "[red]A", "\x1b[31mA", "é🧪", "A" * 10_000, "a\nb")]
DTYPES = [
    *("u1", "i1", "<i8", ">i8", "<u8", "<f2", "<f8", ">f4", "<c16", "?", "<U3", "S2", "<M8[s]"),
    *("<m8[D]", "V3", "<U0"),
]
SHAPES = [(), (0,), (1,), (2,), (3,), (2, 3), (2, 3, 6), (2, 3, 2, 3), (1,) * 6, (2, 0, 6), (3, 1)]
TEXTS = [
    *("", "periodic", "closed", "open", "A,B", "[", '["A", "B"]', "[[[", "[" * 100_000, "nan"),
    *('{"a": 1}', "null", "1e999", "9" * 5000, '"\\ud800"', "<b>", "\x1b[31m"),
]


def check_lattice(ds):
    state, attrs = ds.state.values, ds.attrs
    assert state.dtype == np.uint8
    assert state.max() <= len(attrs["species"])
    assert ds.sizes["replica"] == len(ds.initial_condition)
    assert ds.moments.shape == (*state.shape[:2], ds.sizes["moment"])
    assert np.isfinite(ds.moments.values).all()
    assert len(set(ds.moment.values.tolist())) == ds.sizes["moment"]
    assert np.isfinite(ds.time.values).all()
    assert (np.diff(ds.time.values) > 0).all()


def check_particles(ds):
    patterns = store.load_patterns(ds)
    assert patterns.batch == (ds.sizes["replica"], ds.sizes["time"])
    assert np.isfinite(ds.time.values).all()


def states():
    return np.random.default_rng(0).integers(0, 3, (2, 3, 6), dtype=np.uint8)


@st.composite
def arrays(draw):
    """An array of any kind of type and small shape, often with extreme values."""
    dtype = np.dtype(draw(st.sampled_from(DTYPES)))
    shape = draw(st.sampled_from(SHAPES))
    if dtype.kind == "f":
        special = st.sampled_from([0.0, 1.0, 2.0, 0.5, -1.0, np.nan, np.inf, -np.inf, 6e4])
        return np.full(shape, draw(special), dtype)
    if dtype.kind in "iu" and draw(st.booleans()):
        return np.arange(np.prod(shape, dtype=int)).reshape(shape).astype(dtype) % 3
    return np.zeros(shape, dtype)


class Trap:
    """Leaves a trace when it is unpickled."""

    def __init__(self, trace):
        self.trace = trace

    def __reduce__(self):
        return (Path.touch, (self.trace,))


def npy(array):
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


def npz_sources(trace):
    good = {"state": states(), "time": np.arange(3.0), "species": np.array(["A", "B"])}
    files = [io.BytesIO() for _ in range(3)]
    np.savez(files[0], **good)
    np.savez_compressed(files[1], **good, initial_condition=np.arange(2))
    np.savez(files[2], state=states(), time=np.array([Trap(trace)] * 3, dtype=object))
    return [file.getvalue() for file in files]


def header(descr, shape, version=b"\x01\x00"):
    text = f"{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}, }}\n".encode()
    return b"\x93NUMPY" + version + len(text).to_bytes(2, "little") + text


@st.composite
def npz_files(draw, trace):
    """An archive whose members are arrays of any kind, pickles, or lie about themselves."""
    members = {"state.npy": npy(states()), "species.npy": npy(np.array(["A", "B"]))}
    trap = np.array([Trap(trace)] * 3, dtype=object)
    descr = st.sampled_from(["'|u1'", "'|O'", "'<f8'", "'<U0'", "[('a', '<f8')]", "1", "(" * 200])
    shape = st.sampled_from(["(2, 3, 6)", f"({2**40}, 3, 6)", "(-2, 3, 6)", "2", f"({2**70},)"])
    content = (
        arrays().map(npy)
        | st.builds(header, descr, shape).map(lambda head: head + states().tobytes())
        | st.sampled_from([b"", b"text", npy(trap), npy(np.array(NAMES)), npy(np.arange(3, 0, -1))])
    )
    for _ in range(draw(st.integers(1, 3))):
        name = draw(st.sampled_from(["state", "time", "initial_condition", "species", "other"]))
        ending = draw(st.sampled_from([".npy", ".npy", ".npy", ""]))
        members[name + ending] = draw(content)
    if draw(st.integers(0, 9)) == 0:
        del members["state.npy"]
    file, methods = io.BytesIO(), [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2]
    with zipfile.ZipFile(file, "w", draw(st.sampled_from(methods))) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return file.getvalue()


@sizes(200)
def test_npz(tmp_path, n_inputs, capfd):
    path, trace = tmp_path / "a.npz", tmp_path / "trace"

    def answer(data):
        path.write_bytes(data)
        found = said_or(path, lambda: store.read_npz(path, species=["A", "B"]))
        if found is not None:
            check_lattice(found)
        assert not trace.exists()

    sources = npz_sources(trace)
    check_all(damaged(sources) | npz_files(trace), sources[0], answer, n_inputs, capfd)


def netcdf_bytes(ds, path, **options):
    ds.to_netcdf(path, **options)
    return path.read_bytes()


def lattice_dataset():
    return xr.Dataset(
        {"state": (("replica", "time", "x"), states())},
        coords={"time": [0.0, 1.0, 2.0], "initial_condition": ("replica", [0, 1])},
        attrs={"species": "A,B", "boundary": "periodic", "dt": 0.5},
    )


def netcdf_sources(path):
    packed = {"zlib": True, "chunksizes": (1, 2, 6), "fletcher32": True}
    masked = lattice_dataset()
    masked.state.attrs = {"scale_factor": 1.0, "add_offset": 0.0, "_FillValue": 9, "units": "1"}
    short = lattice_dataset().astype("i2").transpose("time", ...)
    return [
        netcdf_bytes(lattice_dataset(), path, engine="h5netcdf"),
        netcdf_bytes(lattice_dataset(), path, engine="h5netcdf", encoding={"state": packed}),
        netcdf_bytes(masked.assign_coords(x=list("abcdef")), path, engine="h5netcdf"),
        netcdf_bytes(short, path, engine="scipy", format="NETCDF3_CLASSIC"),
        netcdf_bytes(short, path, engine="scipy", format="NETCDF3_64BIT", unlimited_dims=["time"]),
    ]


ATTRIBUTES = st.sampled_from(
    [*TEXTS, *NAMES, 1, 1.5, np.nan, np.arange(3), np.zeros(0), np.array([b"A", b"B"]), b"\xff"]
) | arrays().filter(lambda a: a.dtype.kind in "iufS")


@st.composite
def hdf5_changes(draw):
    """Changes to the parts of an HDF5 file: `(what, where, content)`."""
    where = draw(st.sampled_from(["state", "time", "initial_condition", "x", "species", "other"]))
    what = draw(st.sampled_from(["attribute", "root", "array", "huge", "link", "drop", "text"]))
    content = {"attribute": ATTRIBUTES, "root": ATTRIBUTES, "array": arrays()}.get(what, st.none())
    key = draw(st.sampled_from(
        ["species", "boundary", "_FillValue", "scale_factor", "units", "DIMENSION_LIST", "CLASS",
         "NAME", "_Unsigned", "coordinates", "_nc3_strict", "_Netcdf4Dimid", "dtype", "calendar"]
    ))  # fmt: skip
    return what, where, key, draw(content), draw(st.sampled_from([2**20, 2**31, 2**40, 2**62]))


def change_hdf5(file, change):
    what, where, key, content, size = change
    if what == "attribute" and where in file:
        file[where].attrs[key] = content
    elif what == "root":
        file.attrs[key] = content
    elif what != "attribute":
        if where in file:
            del file[where]
        if what == "array":
            file[where] = content
        elif what == "huge":
            file.create_dataset(where, (size,), "f8", chunks=(1024,))
        elif what == "link":
            file[where] = h5py.ExternalLink("elsewhere.h5", where)
        elif what == "text":
            file.create_dataset(where, (3,), h5py.string_dtype())


def changed_hdf5(path, source, changes):
    """Write a source with changes; those that HDF5 itself refuses to write are left out."""
    path.write_bytes(source)
    with h5py.File(path, "r+") as file:
        for change in changes:
            with contextlib.suppress(ValueError, TypeError, OSError, RuntimeError, KeyError):
                change_hdf5(file, change)


def check_hdf5_reader(path, sources, read, check_found, changes, n_inputs, capfd):
    def answer(given_file):
        data, changes = given_file
        changed_hdf5(path, data, changes) if changes else path.write_bytes(data)
        found = said_or(path, read)
        if found is not None:
            check_found(found)

    hdf5 = [source for source in sources if source.startswith(b"\x89HDF")]
    structured = st.tuples(st.sampled_from(hdf5), st.lists(changes, min_size=1, max_size=3))
    inputs, sound = st.tuples(damaged(sources), st.just([])) | structured, (sources[0], [])
    check_all(inputs, sound, answer, n_inputs, capfd)


@sizes(150)
def test_netcdf(tmp_path, n_inputs, capfd):
    path = tmp_path / "a.nc"
    check_hdf5_reader(
        path,
        netcdf_sources(tmp_path / "source.nc"),
        lambda: store.read_netcdf(path),
        check_lattice,
        hdf5_changes(),
        n_inputs,
        capfd,
    )


RECORD = np.dtype([("typeId", "<u2"), ("id", "<u8"), ("flavor", "u1"), ("pos", "<f8", (3,))])
KIND = np.dtype([("name", h5py.string_dtype()), ("type_id", "<u8"), ("diffusion_constant", "<f8")])


def write_blosc(group, name, values):
    properties = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    properties.set_chunk((20,))
    properties.set_filter(32001, h5py.h5z.FLAG_OPTIONAL, (2, 2, values.dtype.itemsize, 20))
    space = h5py.h5s.create_simple(values.shape, (h5py.h5s.UNLIMITED,))
    kind = h5py.h5t.py_create(values.dtype)
    array = h5py.h5d.create(group.id, name.encode(), kind, space, properties)
    chunk = np.zeros(20, values.dtype)
    chunk[: len(values)] = values
    array.write_direct_chunk((0,), blosc.compress(chunk.tobytes(), b"lz4", 5, 1))


def readdy_bytes(path, kind):
    records = np.array([(0, 7, 0, (-1, 0, 1)), (3, 7, 0, (2, 1, 0))] * 2, dtype=RECORD)
    arrays = {"records": records, "time": np.array([0, 10, 20], np.uint64)}
    with h5py.File(path, "w") as file:
        general = {"box_size": [10.0, 8.0, 6.0], "kbt": 1.0, "pbc": [True, True, True]}
        file["readdy/config/general"] = np.bytes_(json.dumps(general))
        file["readdy/config/particle_types"] = np.array([("B", 3, 1.0), ("A", 0, 2.0)], dtype=KIND)
        if kind == "observable":
            group = file.create_group("readdy/observables/particles")
            group["time"] = arrays["time"]
            types = group.create_dataset("types", (3,), h5py.vlen_dtype(np.uint16))
            places = group.create_dataset("positions", (3,), h5py.vlen_dtype(np.float64))
            types[0], places[0] = [0, 3], np.arange(6.0) / 3
        else:
            group = file.create_group("readdy/trajectory")
            group["limits"] = np.array([[0, 2], [2, 2], [2, 4]], np.uint64)
            for name, values in arrays.items():
                write_blosc(group, name, values) if kind == "blosc" else group.__setitem__(
                    name, values
                )
    return path.read_bytes()


@st.composite
def readdy_changes(draw):
    """As `hdf5_changes`, to the arrays of ReaDDy; also with numbers and text inside them."""
    keys = [
        *("readdy/config/general", "readdy/config/particle_types", "readdy/trajectory/records"),
        *("readdy/trajectory/limits", "readdy/trajectory/time", "readdy/trajectory"),
        *("readdy/observables/particles/types", "readdy/observables/particles/positions"),
    ]
    what, _, key, content, size = draw(hdf5_changes())
    where = draw(st.sampled_from(keys))
    if draw(st.booleans()):
        what, content = "array", draw(st.sampled_from(readdy_contents()))
    return what, where, key, content, size


def readdy_contents():
    def general(lengths, pbc):
        return np.bytes_(json.dumps({"box_size": lengths, "pbc": pbc}))

    yes = [True] * 3
    return [
        *(general(lengths, yes) for lengths in ([1, 2], [0, 1, 1], [10**400] * 3, [[1]] * 3)),
        *(general([1e-300, 1, 1], yes), general([1e308] * 3, yes), general([9.0] * 3, [[]] * 3)),
        *(general([9.0] * 3, [1, 1, 1]), general([9.0] * 3, "yes"), np.bytes_("[" * 60_000)),
        *(np.bytes_("[]"), np.bytes_("null"), np.bytes_(b"\xff"), np.bytes_("{}")),
        *(np.array([[-1, 2], [2, 2], [2, 4]]), np.array([[0, 4], [0, 4], [0, 4]])),
        *(np.array([[0, 2**63], [0, 0], [0, 0]], np.uint64), np.array([[2, 0], [0, 0], [0, 0]])),
        *(np.array([0.0, np.nan, 1.0]), np.array([2, 1, 0], np.uint64), np.arange(3, dtype="i1")),
        *(np.array([("A", 2**64 - 1, 0.0), ("B", 0, 0.0)], KIND), np.array([("", 0, 0.0)], KIND)),
        *(np.array([("A", 0, 0.0)] * 300, KIND), np.array([(n, 0, 0.0) for n in NAMES], KIND)),
        *(np.zeros(4, [("typeId", "f8"), ("pos", "f8", (3,))]), np.zeros((2, 2), RECORD)),
        *(np.zeros(4, [("typeId", "i4"), ("pos", "f8", (2,))]), np.zeros(4, [("typeId", "u2")])),
        np.array([(0, 7, 0, (np.nan, np.inf, 1e308))] * 4, dtype=RECORD),
    ]  # fmt: skip


@sizes(150)
def test_readdy(tmp_path, n_inputs, capfd):
    path = tmp_path / "a.h5"
    kinds = ["plain", "blosc", "observable"]
    check_hdf5_reader(
        path,
        [readdy_bytes(tmp_path / "source.h5", kind) for kind in kinds],
        lambda: store.read_readdy(path, dt=0.1),
        check_particles,
        readdy_changes(),
        n_inputs,
        capfd,
    )


TOKENS = [
    *("0", "1", "2", "3", "4", "-1", "1.5", "nan", "inf", "1e999", "1_0", "9" * 12, "9" * 5000),
    *("A", "B", "C", ",", " ", "\t", "\r", "\0", "é", "🧪", "٣", "\x1b[31m", "<b>", "10000000"),
]


@st.composite
def lines(draw, columns):
    """Lines that are mostly right, as bytes."""
    rows = []
    for _ in range(draw(st.integers(0, 6))):
        row = [draw(st.sampled_from(column)) for column in columns]
        for _ in range(draw(st.sampled_from([0, 0, 0, 1, 2]))):
            place = draw(st.integers(0, len(row) - 1))
            row[place : place + draw(st.integers(0, 1))] = [draw(st.sampled_from(TOKENS))]
        rows.append(" ".join(row))
    return "\n".join(rows).encode()


@sizes(200)
def test_smoldyn(tmp_path, n_inputs, capfd):
    path, box = tmp_path / "a.txt", Box((2.0, 3.0))
    columns = [*(["1", "2", "3"], ["1", "2"], ["0"], ["0", "1.5", "2"], ["0.5", "3"], list("3456"))]

    def answer(data):
        path.write_bytes(data)
        found = said_or(path, lambda: store.read_smoldyn(path, box, ["A", "B"], interval=0.5))
        if found is not None:
            check_particles(found)

    source = b"1 1 0 0.5 2.5 2\n2,2,0,1.5,0,1\n\n3 2 0 1.5 1 1\n"
    inputs = lines(columns) | damaged([source]) | st.binary()
    check_all(inputs, source, answer, n_inputs, capfd)


@sizes(150)
def test_lattice_gillespie(tmp_path, n_inputs, capfd):
    columns = [["1", "2", "3"], ["1", "2"], ["A", "B"]]
    name = st.sampled_from([*["0.txt", "1.txt"] * 9, "01.txt", "9" * 30 + ".txt", "٣.txt", "x"])
    folder = st.sampled_from([*["lattice_v1"] * 9, "lattice_v2", "lattice_v01", "other"])
    source = b"1 1 A\n2 2 B\n3 1 A\n"
    content = lines(columns) | damaged([source])
    files = st.dictionaries(st.tuples(folder, name), content, min_size=1, max_size=3)
    numbers = iter(range(10**9))

    def answer(files):
        root = tmp_path / str(next(numbers))
        for (folder, name), data in files.items():
            (root / folder / "lattice").mkdir(parents=True, exist_ok=True)
            (root / folder / "lattice" / name).write_bytes(data)
        found = said_or(
            root, lambda: store.read_lattice_gillespie(root, (3, 2), ["A", "B"], dt=0.1)
        )
        if found is not None:
            check_lattice(found)
        for path in sorted(root.rglob("*"), reverse=True):
            path.rmdir() if path.is_dir() else path.unlink()
        root.rmdir()

    check_all(files, {("lattice_v1", "0.txt"): source}, answer, n_inputs, capfd)
