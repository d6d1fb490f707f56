"""Readers of foreign trajectories."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from dynboltz.store import (
    StoreError,
    open_trajectories,
    read_lattice_gillespie,
    read_netcdf,
    read_npz,
    write_trajectories,
)


def states(shape=(2, 3, 6), seed=0, n_species=2) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, n_species + 1, shape, dtype=np.uint8)


def save(path: Path, state: np.ndarray, **arrays) -> Path:
    np.savez(path, state=state, **arrays)
    return path


def pair_moment(state: np.ndarray, periodic: bool) -> np.ndarray:
    """Neighbouring pairs of an A and a B per site, along the axes one by one."""
    total = np.zeros(state.shape[:2])
    for axis in range(2, state.ndim):
        other = np.roll(state, -1, axis)
        pairs = ((state == 1) & (other == 2)) | ((state == 2) & (other == 1))
        if not periodic:
            pairs = np.delete(pairs, -1, axis)
        total += pairs.sum(axis=tuple(range(2, state.ndim)))
    return total / np.prod(state.shape[2:])


@pytest.mark.parametrize("shape", [(6,), (4, 5), (4, 5, 6)])
@pytest.mark.parametrize("boundary", ["periodic", "closed"])
def test_npz_gives_states_and_moments(tmp_path, shape, boundary):
    state = states((2, 3, *shape))
    ds = read_npz(save(tmp_path / "a.npz", state), species=["A", "B"], boundary=boundary)
    np.testing.assert_array_equal(ds.state, state)
    assert ds.state.dims == ("replica", "time", *("x", "y", "z")[: len(shape)])
    axes = tuple(range(2, state.ndim))
    np.testing.assert_array_equal(ds.moments.sel(moment="B"), (state == 2).mean(axis=axes))
    expected = pair_moment(state, boundary == "periodic")
    np.testing.assert_array_equal(ds.moments.sel(moment="A.B"), expected)
    np.testing.assert_array_equal(ds.time, [0.0, 1.0, 2.0])
    np.testing.assert_array_equal(ds.initial_condition, [0, 0])


def test_what_was_read_can_be_stored(tmp_path):
    ds = read_npz(save(tmp_path / "a.npz", states()), species=["A", "B"])
    write_trajectories(ds, tmp_path / "store", block_replicas=1)
    found = open_trajectories(tmp_path / "store")
    xr.testing.assert_equal(found, ds)
    assert found.attrs["boundary"] == "periodic"


def test_npz_says_what_it_knows(tmp_path):
    save(
        tmp_path / "a.npz", states(), time=[0.5, 1, 4], initial_condition=[7, 8], species=["A", "B"]
    )
    ds = read_npz(tmp_path / "a.npz")
    assert ds.time.values.tolist() == [0.5, 1.0, 4.0]
    assert ds.initial_condition.values.tolist() == [7, 8]
    assert ds.attrs["species"] == ["A", "B"]
    with pytest.raises(StoreError, match=r"`species`: is \['A', 'B'\] in the file, given"):
        read_npz(tmp_path / "a.npz", species=["B", "A"])


def test_short_axes_have_no_long_moments(tmp_path):
    ds = read_npz(save(tmp_path / "a.npz", states((1, 1, 2, 5))), species=["A", "B"])
    assert ds.moment.values.tolist() == ["A", "B", "A.A", "A.B", "B.B"]


@pytest.mark.parametrize("dtype", [bool, np.int8, np.int64, np.uint64, np.float32, np.float64])
def test_whole_numbers_of_any_type_are_states(tmp_path, dtype):
    state = states(n_species=1)
    ds = read_npz(save(tmp_path / "a.npz", state.astype(dtype)), species=["A"])
    assert ds.state.dtype == np.uint8
    np.testing.assert_array_equal(ds.state, state)


@settings(max_examples=30, deadline=None)
@given(value=st.floats(width=32), place=st.tuples(*(st.integers(0, n - 1) for n in (2, 3, 6))))
def test_a_float_is_a_state_or_an_error(tmp_path_factory, value, place):
    state = states().astype(np.float64)
    state[place] = value
    path = save(tmp_path_factory.mktemp("npz") / "a.npz", state)
    if value in (0, 1, 2):
        assert read_npz(path, species=["A", "B"]).state.values[place] == value
    else:
        where = ", ".join(map(str, place))
        with pytest.raises(StoreError, match=rf"a.npz, `state`\[{where}\]: .* is "):
            read_npz(path, species=["A", "B"])


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (np.nan, "nan is NaN; allowed are 0"),
        (np.inf, "inf is infinite"),
        (0.5, "0.5 is no whole number"),
        (-1.0, "-1.0 is negative"),
        (3.0, "3.0 is larger than the number of species; allowed are 0 .* to 2"),
    ],
)
def test_a_wrong_float_says_why(tmp_path, value, message):
    state = states().astype(np.float64)
    state[1, 2, 3] = value
    with pytest.raises(StoreError, match=rf"`state`\[1, 2, 3\]: {message}"):
        read_npz(save(tmp_path / "a.npz", state), species=["A", "B"])


@pytest.mark.parametrize(
    ("value", "reason"), [(-1, "negative"), (256, "larger"), (2**40, "larger")]
)
def test_a_wrong_integer_says_why(tmp_path, value, reason):
    state = states().astype(np.int64)
    state[0, 1, 5] = value
    with pytest.raises(StoreError, match=rf"`state`\[0, 1, 5\]: {value} is {reason}"):
        read_npz(save(tmp_path / "a.npz", state), species=["A", "B"])


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"state": np.zeros((2, 3), int)}, r"`state`: must have the axes .* got shape \(2, 3\)"),
        ({"state": np.zeros((1,) * 6, int)}, "must have the axes"),
        ({"state": np.zeros((0, 3, 4), int)}, "none empty"),
        ({"state": np.zeros((1, 3, 4), complex)}, "whole numbers, got the type complex128"),
        ({"state": np.array([[["A"]]])}, "whole numbers, got the type <U1"),
        ({"state": np.zeros((1, 3, 1), int)}, "a periodic axis needs at least 2 sites"),
        (
            {"states": np.zeros((1, 3, 4), int)},
            "`state`: there is no such array; the file holds `states`",
        ),
        ({"state": states(), "time": [0, 1]}, "`time`: has 2 entries; `state` has 3 times"),
        ({"state": states(), "time": [0, 2, 1]}, "`time`: must be finite and increase"),
        ({"state": states(), "time": [0, 1, np.nan]}, "`time`: must be finite"),
        ({"state": states(), "time": ["a", "b", "c"]}, "`time`: needs a list of numbers"),
        ({"state": states(), "initial_condition": [0]}, "one whole number for each of 2"),
        ({"state": states(), "initial_condition": [0.5, 1]}, "one whole number for each of 2"),
        ({"state": states(), "species": ["A", "A"]}, "`species`"),
    ],
)
def test_wrong_arrays_are_named(tmp_path, arrays, message):
    np.savez(tmp_path / "a.npz", **arrays)
    species = None if "species" in arrays else ["A", "B"]
    with pytest.raises(StoreError, match=rf"a.npz.*{message}"):
        read_npz(tmp_path / "a.npz", species=species)


def test_unknown_species_must_be_given(tmp_path):
    save(tmp_path / "a.npz", states())
    with pytest.raises(StoreError, match="`species`: does not say; pass `species`"):
        read_npz(tmp_path / "a.npz")
    with pytest.raises(TypeError, match=r"`species` must be a list or tuple of texts .*, got .AB."):
        read_npz(tmp_path / "a.npz", species="AB")


def test_unreadable_archives_are_named(tmp_path):
    with pytest.raises(StoreError, match=r"none.npz: cannot be read: No such file"):
        read_npz(tmp_path / "none.npz", species=["A"])
    path = save(tmp_path / "a.npz", states())
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(StoreError, match=r"a.npz: cannot be read as a NumPy archive"):
        read_npz(path, species=["A"])
    np.savez_compressed(path, state=states((20, 20, 20)))
    data = bytearray(path.read_bytes())
    data[500] ^= 255
    path.write_bytes(data)
    with pytest.raises(StoreError, match=r"a.npz: cannot be read as a NumPy archive"):
        read_npz(path, species=["A", "B"])
    np.save(tmp_path / "a.npy", states())
    with pytest.raises(StoreError, match=r"archive .*: it is one NumPy array .*numpy\.savez"):
        read_npz(tmp_path / "a.npy", species=["A"])


class Trap:
    """Leaves a trace when it is unpickled."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self):
        return (Path.touch, (self.trace,))


@pytest.mark.parametrize("name", ["state", "time", "species"])
def test_pickles_are_refused_unopened(tmp_path, name):
    trap = np.array([Trap(tmp_path / "trace")], dtype=object)
    save(tmp_path / "a.npz", **({"state": states()} | {name: trap}))
    with pytest.raises(StoreError, match="cannot be read as a NumPy archive without pickles"):
        read_npz(tmp_path / "a.npz", species=["A", "B"])
    trap.dump(tmp_path / "b.npz")
    with pytest.raises(StoreError, match="without pickles"):
        read_npz(tmp_path / "b.npz", species=["A", "B"])
    assert not (tmp_path / "trace").exists()


def netcdf(path: Path, state: xr.DataArray, **attrs) -> Path:
    xr.Dataset({"state": state}, attrs=attrs).to_netcdf(path, engine="h5netcdf")
    return path


def test_netcdf_gives_the_same_as_npz(tmp_path):
    state = states((2, 3, 4, 5))
    array = xr.DataArray(
        state.transpose(3, 1, 0, 2), dims=("y", "time", "replica", "x"),
        coords={"time": ("time", [0.0, 1.0, 2.0], {"units": "days since 2000-01-01"})},
    )  # fmt: skip
    netcdf(tmp_path / "a.nc", array, species="A, B", boundary="closed", dt=0.1)
    found = read_netcdf(tmp_path / "a.nc")
    save(tmp_path / "a.npz", state)
    expected = read_npz(tmp_path / "a.npz", species=["A", "B"], boundary="closed")
    xr.testing.assert_equal(found, expected)
    assert found.attrs["dt"] == 0.1
    assert found.time.attrs["units"] == "days since 2000-01-01"


@pytest.mark.parametrize(
    ("dims", "attrs", "message"),
    [
        (("replica", "time", "site"), {}, "must have the dimensions replica, time, x"),
        (("replica", "time", "y"), {}, "must have the dimensions replica, time, x"),
        (("sample", "time", "x"), {}, "must have the dimensions replica, time, x"),
        (("replica", "time", "x"), {"boundary": "open"}, "`boundary`: must be one of"),
        (("replica", "time", "x"), {"species": "[A"}, r"`species`: is not JSON: '\[A'"),
    ],
)
def test_wrong_netcdf_is_named(tmp_path, dims, attrs, message):
    attrs = {"species": "A,B", "boundary": "closed"} | attrs
    path = netcdf(tmp_path / "a.nc", xr.DataArray(states(), dims=dims), **attrs)
    with pytest.raises(StoreError, match=f"a.nc, .*{message}"):
        read_netcdf(path)


def test_masked_netcdf_says_nan(tmp_path):
    array = xr.DataArray(states().astype(float), dims=("replica", "time", "x"))
    array[0, 0, 1] = np.nan
    array.encoding = {"dtype": "int16", "_FillValue": -1}
    path = netcdf(tmp_path / "a.nc", array, species="A,B", boundary="closed")
    with pytest.raises(StoreError, match=r"`state`\[0, 0, 1\]: nan is NaN"):
        read_netcdf(path)


def test_unreadable_netcdf_is_named(tmp_path):
    with pytest.raises(StoreError, match=r"none.nc: cannot be read: No such file"):
        read_netcdf(tmp_path / "none.nc")
    path = netcdf(tmp_path / "a.nc", xr.DataArray(states(), dims=("replica", "time", "x")))
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(StoreError, match=r"a.nc: cannot be read as NetCDF"):
        read_netcdf(path)
    path.write_text("hello")
    with pytest.raises(StoreError, match=r"a.nc: cannot be read as NetCDF"):
        read_netcdf(path)
    xr.Dataset({"n": 1}).to_netcdf(path, engine="h5netcdf")
    with pytest.raises(StoreError, match=r"`state`: there is no such .* the file holds `n` \(\)"):
        read_netcdf(path, species=["A"])


def write_text_layout(directory: Path, state: np.ndarray, names: str = "AB") -> Path:
    """Write states as LatticeGillespieCpp does: particles in any order, coordinates from 1."""
    rng = np.random.default_rng(1)
    for replica, time in np.ndindex(state.shape[:2]):
        folder = directory / f"lattice_v{replica + 1:03d}" / "lattice"
        folder.mkdir(parents=True, exist_ok=True)
        sites = rng.permutation(np.argwhere(state[replica, time]))
        lines = [
            f"{' '.join(str(i + 1) for i in site)} {names[state[replica, time][tuple(site)] - 1]}"
            for site in sites
        ]
        (folder / f"{time:04d}.txt").write_text("\n".join(lines) + "\n")
    return directory


@pytest.mark.parametrize("shape", [(6,), (4, 5), (2, 3, 4)])
def test_text_layout_gives_the_states(tmp_path, shape):
    state = states((12, 3, *shape))
    ds = read_lattice_gillespie(write_text_layout(tmp_path, state), shape, ["A", "B"], dt=0.5)
    np.testing.assert_array_equal(ds.state, state)
    assert ds.time.values.tolist() == [0.0, 0.5, 1.0]
    assert ds.attrs["boundary"] == "closed"
    expected = pair_moment(state, periodic=False)
    np.testing.assert_array_equal(ds.moments.sel(moment="A.B"), expected)


def test_numbers_are_sorted_as_numbers(tmp_path):
    for replica, text in (("v2", "1 A"), ("v10", "2 A")):
        for step in ("9", "10"):
            file = tmp_path / f"lattice_{replica}" / "lattice" / f"{step}.txt"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text if step == "9" else "")
    (tmp_path / "notes.txt").write_text("not ours")
    ds = read_lattice_gillespie(tmp_path, (3,), ["A"], dt=1.0)
    assert ds.state.values[:, 0].tolist() == [[1, 0, 0], [0, 1, 0]]
    assert ds.time.values.tolist() == [9.0, 10.0]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("1 2 C", "unknown species 'C'; known are A, B"),
        ("5 1 A", "coordinate 5 is outside the lattice, 1 to 4"),
        ("1 0 A", "coordinate 0 is outside the lattice, 1 to 5"),
        ("-1 1 A", "coordinate -1 is outside"),
        ("1 1 B", "'1 1 B' puts a second particle on a site"),
        ("1 1 A", "'1 1 A' puts a second particle on a site"),
        ("2 A", "malformed line '2 A'; expected 2 coordinates and a species"),
        ("2 2 2 A", "malformed line"),
        ("A", "malformed line"),
        ("1.5 2 A", "coordinate '1.5' is no whole number"),
        ("nan 2 A", "coordinate 'nan' is no whole number"),
        ("1_0 2 A", "coordinate '1_0' is no whole number"),
    ],
)
def test_wrong_lines_are_named(tmp_path, line, message):
    write_text_layout(tmp_path, states((2, 2, 4, 5)))
    file = tmp_path / "lattice_v002" / "lattice" / "0001.txt"
    file.write_text(f"1 1 A\n\n{line}\n")
    with pytest.raises(StoreError, match=f"lattice_v002/lattice/0001.txt, line 3: {message}"):
        read_lattice_gillespie(tmp_path, (4, 5), ["A", "B"], dt=1.0)


def test_wrong_directories_are_named(tmp_path):
    with pytest.raises(StoreError, match="none: cannot be read: No such file"):
        read_lattice_gillespie(tmp_path / "none", (3,), ["A"], dt=1.0)
    with pytest.raises(StoreError, match="holds no names of the form lattice_v"):
        read_lattice_gillespie(tmp_path, (3,), ["A"], dt=1.0)
    (tmp_path / "lattice_v1").mkdir()
    with pytest.raises(StoreError, match="lattice_v1/lattice: cannot be read"):
        read_lattice_gillespie(tmp_path, (3,), ["A"], dt=1.0)
    (tmp_path / "lattice_v1" / "lattice").mkdir()
    with pytest.raises(StoreError, match="lattice_v1/lattice: holds no names"):
        read_lattice_gillespie(tmp_path, (3,), ["A"], dt=1.0)
    (tmp_path / "lattice_v1" / "lattice" / "1.txt").write_bytes(b"\xff\xfe")
    with pytest.raises(StoreError, match=r"1.txt: is UTF-16 text"):
        read_lattice_gillespie(tmp_path, (3,), ["A"], dt=1.0)
    (tmp_path / "lattice_v1" / "lattice" / "01.txt").write_text("1 A")
    with pytest.raises(StoreError, match="have the same number"):
        read_lattice_gillespie(tmp_path, (3,), ["A"], dt=1.0)


def test_replicas_with_other_times_are_named(tmp_path):
    write_text_layout(tmp_path, states((3, 4, 6)))
    (tmp_path / "lattice_v003" / "lattice" / "0002.txt").unlink()
    with pytest.raises(StoreError, match="step 2 is in only one of lattice_v001 and lattice_v003"):
        read_lattice_gillespie(tmp_path, (6,), ["A", "B"], dt=1.0)


@pytest.mark.parametrize("dt", [0.0, -1.0, float("nan"), float("inf")])
def test_the_time_step_must_be_positive(tmp_path, dt):
    with pytest.raises(StoreError, match="`dt` must be positive"):
        read_lattice_gillespie(tmp_path, (6,), ["A"], dt=dt)


def test_the_lattice_must_exist(tmp_path):
    with pytest.raises(StoreError, match="one to three positive entries"):
        read_lattice_gillespie(tmp_path, (0,), ["A"], dt=1.0)


def test_an_array_with_nearly_the_right_name_is_asked_about(tmp_path):
    path = tmp_path / "a.npz"
    np.savez(path, state=states(), initial_conditions=np.zeros(len(states())), other=np.zeros(2))
    message = "`initial_conditions`: is not read. Did you mean `initial_condition`"
    with pytest.raises(StoreError, match=message):
        read_npz(path, species=["A", "B"])
