"""Labelled results, JSON and NetCDF files."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

import h5py
import numpy as np
import pytest
import xarray as xr
import zarr
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from dynboltz.store import (
    StoreError,
    export_netcdf,
    import_netcdf,
    read_dataset,
    read_json,
    read_netcdf,
    trajectories_dataset,
    write_dataset,
    write_json,
)


def example(offset: float = 0.0) -> xr.Dataset:
    return xr.Dataset(
        {
            "theta": (("time", "term"), np.array([[1.0, np.nan], [np.inf, -2.0]]) + offset),
            "converged": ("time", np.array([True, False])),
            "steps": ((), np.int64(7)),
            "solver": ((), "euler"),
            "empty": ("nothing", np.zeros(0, dtype=np.float32)),
        },
        coords={
            "time": ("time", np.array([0.0, 0.5]), {"units": "s"}),
            "term": ("term", np.array(["b.A", "J.A.A"])),
            "label": ("time", np.array(["first", "∅"])),
        },
        attrs={"kind": "model", "species": ["A"], "nested": {"cells": [1, 2.5, None, True]}},
    )


@pytest.fixture
def stored(tmp_path) -> Path:
    write_dataset(example(), tmp_path / "model")
    return tmp_path / "model"


def files(path: Path) -> list[Path]:
    return [Path(folder, name) for folder, _, names in os.walk(path) for name in names]


def test_a_dataset_is_read_as_it_was_written(stored):
    xr.testing.assert_identical(read_dataset(stored, "model"), example())
    assert [p.name for p in stored.parent.iterdir()] == ["model"]


def test_the_dataset_given_is_not_changed(tmp_path):
    ds = example()
    write_dataset(ds, tmp_path / "model")
    export_netcdf(ds, tmp_path / "model.nc")
    xr.testing.assert_identical(ds, example())


@settings(max_examples=25, deadline=None)
@given(
    values=npst.arrays(
        st.sampled_from([np.float64, np.float32, np.int64, np.uint8, np.bool_]),
        npst.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4),
    ),
    text=st.lists(st.text(st.characters(exclude_categories=["Cs", "Cc"])), min_size=1),
)
def test_any_numbers_and_text_survive(tmp_path_factory, values, text):
    dims = [f"axis{i}" for i in range(values.ndim)]
    words = np.array(text, dtype=np.str_)
    ds = xr.Dataset({"values": (dims, values), "words": ("word", words)}, attrs={"kind": "any"})
    path = tmp_path_factory.mktemp("store") / "any"
    write_dataset(ds, path)
    found = read_dataset(path, "any")
    xr.testing.assert_identical(found, ds)
    assert found["values"].dtype == values.dtype


def test_large_variables_take_several_chunks(tmp_path):
    values = np.arange(5 * 2**20, dtype=np.float64).reshape(5, -1)
    write_dataset(xr.Dataset({"v": (("a", "b"), values)}, attrs={"kind": "k"}), tmp_path / "d")
    assert len(files(tmp_path / "d/v/c")) == 3  # 40 MB in chunks of two rows, 16 MB
    np.testing.assert_array_equal(read_dataset(tmp_path / "d", "k")["v"], values)


def test_writing_again_replaces(stored):
    write_dataset(example(1.0), stored)
    xr.testing.assert_identical(read_dataset(stored, "model"), example(1.0))
    assert [p.name for p in stored.parent.iterdir()] == ["model"]


class Killed(BaseException):
    """Stands for the end of the process."""


@pytest.mark.parametrize("call", [0, 1, 2])
def test_a_killed_replacement_loses_nothing(stored, call):
    original, count = os.rename, iter(range(100))

    def rename(source, target):
        if next(count) == call:
            raise Killed
        original(source, target)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "rename", rename)
        with pytest.raises(Killed):
            write_dataset(example(1.0), stored)
    xr.testing.assert_identical(read_dataset(stored, "model"), example())
    write_dataset(example(2.0), stored)
    xr.testing.assert_identical(read_dataset(stored, "model"), example(2.0))
    assert [p.name for p in stored.parent.iterdir()] == ["model"]


def test_a_set_aside_dataset_survives_a_failed_second_attempt(stored):
    os.rename(stored, stored.with_name(".model.replaced"))
    with pytest.raises(StoreError, match="attribute `kind`: is needed"):
        write_dataset(xr.Dataset(), stored)
    xr.testing.assert_identical(read_dataset(stored, "model"), example())


def test_every_kind_of_damage_to_a_chunk_is_found(stored):
    for file in files(stored):
        if file.name == "zarr.json":
            continue
        good = file.read_bytes()
        flipped = bytes([*good[:-5], good[-5] ^ 8, *good[-4:]])
        for bad in (flipped, good[:-1], good[:2], b""):
            file.write_bytes(bad)
            with pytest.raises(StoreError, match="chunk is damaged"):
                read_dataset(stored, "model")
        file.unlink()
        with pytest.raises(StoreError, match="chunk is missing"):
            read_dataset(stored, "model")
        file.write_bytes(good)
    xr.testing.assert_identical(read_dataset(stored, "model"), example())


def test_a_lost_variable_is_found(stored):
    (stored / "theta" / "zarr.json").unlink()
    with pytest.raises(StoreError, match="array `theta`: is truncated"):
        read_dataset(stored, "model")


def test_another_kind_is_refused(stored, tmp_path):
    with pytest.raises(StoreError, match="another kind: 'model', expected 'fit'"):
        read_dataset(stored, "fit")
    with pytest.raises(StoreError, match="nothing has this name"):
        read_dataset(tmp_path / "none", "fit")
    zarr.create_group(tmp_path / "foreign", zarr_format=3)
    with pytest.raises(StoreError, match="foreign Zarr store"):
        read_dataset(tmp_path / "foreign", "fit")


def test_the_directory_of_somebody_else_is_not_replaced(tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.tex").write_text("years of work")
    with pytest.raises(StoreError, match="is not replaced, since it is no dataset"):
        write_dataset(example(), tmp_path / "mine")
    assert (tmp_path / "mine" / "thesis.tex").read_text() == "years of work"


def test_what_cannot_be_stored_is_refused(tmp_path):
    complex_values = xr.Dataset({"z": ("x", np.array([1j]))}, attrs={"kind": "k"})
    with pytest.raises(StoreError, match="variable `z`: of type complex128 cannot be stored"):
        write_dataset(complex_values, tmp_path / "d")
    with pytest.raises(StoreError, match="rate: inf is not allowed"):
        write_dataset(xr.Dataset(attrs={"kind": "k", "rate": np.inf}), tmp_path / "d")
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="file/d: cannot be written"):
        write_dataset(example(), tmp_path / "file" / "d")


def test_json_takes_numpy_and_refuses_nan(tmp_path):
    path = tmp_path / "new" / "metrics.json"
    write_json(path, {"a": [np.float32(0.5), np.int64(2), np.arange(2)], "b": (None, "µ", True)})
    assert read_json(path) == {"a": [0.5, 2, [0, 1]], "b": [None, "µ", True]}
    before = path.read_bytes()
    for wrong, message in (
        ({"a": [{"b": float("nan")}]}, r"metrics.json, a\[0\].b: nan is not allowed; use null"),
        ({"a": np.array([1.0, np.inf])}, r"a\[1\]: inf is not allowed"),
        ({"a": {1: 2}}, "a: keys must be strings, got 1"),
        ({"a": {2}}, "a: a value of type set cannot be stored"),
    ):
        with pytest.raises(StoreError, match=message):
            write_json(path, wrong)
    assert path.read_bytes() == before
    assert [p.name for p in path.parent.iterdir()] == ["metrics.json"]


def test_json_files_are_replaced_in_one_step(tmp_path, monkeypatch):
    write_json(tmp_path / "m.json", 1)

    def replace(*args):
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", replace)
        with pytest.raises(Killed):
            write_json(tmp_path / "m.json", 2)
    assert read_json(tmp_path / "m.json") == 1


def test_unreadable_json_is_named(tmp_path):
    with pytest.raises(StoreError, match=r"none.json: cannot be read: No such file"):
        read_json(tmp_path / "none.json")
    (tmp_path / "bad.json").write_bytes(b"\xff{")
    with pytest.raises(StoreError, match=r"bad.json: is not JSON"):
        read_json(tmp_path / "bad.json")


def test_an_export_is_plain_netcdf(tmp_path):
    export_netcdf(example(), tmp_path / "model.nc")
    with xr.open_dataset(tmp_path / "model.nc", decode_times=False) as ds:
        np.testing.assert_array_equal(ds.theta, example().theta)
        assert ds.term.values.tolist() == ["b.A", "J.A.A"]
        assert json.loads(ds.attrs["nested"]) == {"cells": [1, 2.5, None, True]}
        assert ds.attrs["kind"] == "model"
    with pytest.raises(StoreError, match="rate: nan is not allowed"):
        export_netcdf(xr.Dataset(attrs={"rate": np.nan}), tmp_path / "model.nc")
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="cannot be written"):
        export_netcdf(example(), tmp_path / "file" / "model.nc")


def test_exported_trajectories_can_be_imported(tmp_path):
    rng = np.random.default_rng(3)
    state = rng.integers(0, 3, (2, 3, 5, 4), dtype=np.uint8)
    ds = trajectories_dataset(
        state, np.zeros((2, 3, 1)), np.array([0.0, 0.1, 0.3]), ["A"], np.array([4, 5]),
        attrs={"species": ["A", "B"], "boundary": "closed", "dt": 0.1}, time_units="s",
    )  # fmt: skip
    export_netcdf(ds, tmp_path / "t.nc")
    found = read_netcdf(tmp_path / "t.nc")
    np.testing.assert_array_equal(found.state, state)
    np.testing.assert_array_equal(found.initial_condition, [4, 5])
    assert found.time.attrs["units"] == "s"
    assert (found.attrs["species"], found.attrs["boundary"]) == (["A", "B"], "closed")


def test_a_dataset_comes_back_from_netcdf(tmp_path):
    export_netcdf(example(), tmp_path / "model.nc")
    xr.testing.assert_identical(import_netcdf(tmp_path / "model.nc", "model"), example())
    with pytest.raises(StoreError, match="another kind: 'model', expected 'fit'"):
        import_netcdf(tmp_path / "model.nc", "fit")


def test_lists_of_any_length_come_back_from_netcdf(tmp_path):
    lists = {"none": [], "one": [12], "two": [1, 2], "real": [0.5]}
    export_netcdf(xr.Dataset(attrs=lists), tmp_path / "a.nc")
    assert import_netcdf(tmp_path / "a.nc").attrs == lists


@pytest.mark.filterwarnings(
    "ignore:.*h5netcdf|.*File.close:pytest.PytestUnraisableExceptionWarning"
)
def test_changes_to_a_netcdf_file_are_found(tmp_path):
    path, bad = tmp_path / "model.nc", tmp_path / "bad.nc"
    export_netcdf(example(), path)
    good, right = path.read_bytes(), example()
    random = np.random.default_rng(1)
    for place in range(0, len(good), 797):
        flipped = bytearray(good)
        flipped[place] ^= 1 << random.integers(8)
        bad.write_bytes(flipped)
        try:
            read = import_netcdf(bad, "model")
        except StoreError:
            continue
        xr.testing.assert_identical(read.drop_attrs(deep=True), right.drop_attrs(deep=True))
        assert read.attrs == right.attrs


def labelled():
    return xr.Dataset(
        {"u": ("coefficient", np.arange(2.0), {"units": "metre"})},
        coords={"coefficient": ["first", "second"]},
        attrs={"kind": "model"},
    )


@pytest.mark.parametrize("word", [b"second", b"metre"])
def test_changes_to_labels_of_a_netcdf_file_are_found(tmp_path, word):
    path = tmp_path / "model.nc"
    export_netcdf(labelled(), path)
    good = path.read_bytes()
    assert good.count(word) == 1
    for place in range(len(word)):
        flipped = bytearray(good)
        flipped[good.index(word) + place] ^= 1
        path.write_bytes(flipped)
        with pytest.raises(StoreError, match="has damaged variables"):
            import_netcdf(path, "model")


def test_netcdf_files_of_earlier_versions_are_read(tmp_path):
    path = tmp_path / "model.nc"
    export_netcdf(labelled(), path)
    with h5py.File(path, "a") as file:
        del file.attrs["content_sha256"]
        file.attrs["attributes_sha256"] = hashlib.sha256(b'{"kind": "model"}').hexdigest()
    xr.testing.assert_identical(import_netcdf(path, "fit", "model"), labelled())


def test_netcdf_files_of_other_programs_are_told_from_damaged_ones(tmp_path):
    path = tmp_path / "model.nc"
    labelled().to_netcdf(path, engine="h5netcdf")
    with pytest.raises(StoreError, match="was not written by `export_netcdf`"):
        import_netcdf(path)
    export_netcdf(labelled(), path)
    with h5py.File(path, "a") as file:
        del file.attrs["json_attributes"]
    with pytest.raises(StoreError, match="has damaged attributes"):
        import_netcdf(path)


def test_json_holds_names_of_files_that_are_no_text(tmp_path):
    name = os.fsdecode(b"r\xff\xe9")
    write_json(tmp_path / "a.json", {"command": [name]})
    assert read_json(tmp_path / "a.json") == {"command": [name]}
