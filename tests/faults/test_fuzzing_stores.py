"""Damaged and forged stores and files of models: a dataset or one message that names the file.

A forged store has odd metadata or chunks under right checksums. Opening it gives a message or a
dataset; what is read of the latter later may end in an error of zarr, as its chunks are decoded
only then.
"""

from __future__ import annotations

import json
from pathlib import Path

import google_crc32c
import jax
import numpy as np
import pytest
import xarray as xr
from fuzzing import check_all, damaged, said_or, sizes
from hypothesis import strategies as st

from dynboltz import store
from dynboltz.dynamics import HermiteField
from dynboltz.learning import ReducedModel, reduced_model_dataset
from dynboltz.particles import Box, PointPatterns
from dynboltz.store._seal import seal
from dynboltz.workflow import ExperimentError, load_experiment, read_model_file

TINY = Path(__file__).parents[1] / "workflow" / "tiny.toml"
ODD = [
    *(None, True, 0, 1, -1, 3, 2**31, 2**40, 2**63, 10**400, 0.5, 1e308, "", "A", "../../x"),
    *("\ud800", [], {}, [[]], [1], [-1], [2**40], {"a": 1}, ["A", "A"], "<b>", "\x1b[31m"),
    "x" * 10_000,
]  # fmt: skip


@st.composite
def changed_json(draw, value):
    """JSON with one value somewhere in it replaced, dropped or repeated under another name."""
    if isinstance(value, dict | list) and value and draw(st.integers(0, 4)):
        keys = list(value) if isinstance(value, dict) else list(range(len(value)))
        key = draw(st.sampled_from(keys))
        copy = value.copy()
        if draw(st.integers(0, 7)) == 0:
            del copy[key]
        else:
            copy[key] = draw(changed_json(value[key]))
        return copy
    return draw(st.sampled_from(ODD))


def lattice_store(path):
    state = np.random.default_rng(1).integers(0, 2, (4, 3, 20), dtype=np.uint8)
    moments = state.mean(2, keepdims=True)
    data = store.trajectories_dataset(
        state, moments, np.arange(3.0), ["A"], np.arange(4), attrs={"species": ["A"], "seed": 1}
    )
    store.write_trajectories(data, path, block_replicas=2)


def particle_store(path):
    box = Box((1.0, 2.0))
    positions, labels = np.zeros((2, 2, 5, 2)), np.zeros((2, 2, 5), dtype=np.uint8)
    positions[:, :, :3] = np.random.default_rng(2).random((2, 2, 3, 2))
    labels[:, :, :3] = 1
    patterns = PointPatterns(positions, labels, ("A",), box)
    store.write_particles(store.particles_dataset(patterns, np.arange(2.0)), path, block_replicas=1)


def results(path):
    data = xr.Dataset(
        {"u": (("vertex", "dof"), np.arange(8.0).reshape(4, 2))},
        coords={"dof": ["value", "slope"]},
        attrs={"kind": "model", "specification": "{}"},
    )
    store.write_dataset(data, path)


STORES = {
    "lattice": (lattice_store, store.open_trajectories),
    "particles": (particle_store, store.open_particles),
    "results": (results, lambda path: store.read_dataset(path, "model")),
}


@st.composite
def changes(draw, files):
    """A file of a store and what it is instead; whether seals and checksums are made anew."""
    name = draw(st.sampled_from(sorted(files)))
    forged = draw(st.booleans())
    if forged and name.endswith("zarr.json"):
        return name, json.dumps(draw(changed_json(json.loads(files[name])))).encode(), True
    data = draw(damaged([files[name]]) | st.sampled_from([b"", b"[" * 100_000, b"null", b"\xff"]))
    if forged and "/c/" in name:
        return name, data + google_crc32c.value(data).to_bytes(4, "little"), True
    return name, data, False


@pytest.mark.parametrize("kind", STORES)
@sizes(60, n_kinds=len(STORES))
def test_stores(tmp_path, capfd, kind, n_inputs):
    path, (write, read) = tmp_path / "a.zarr", STORES[kind]
    write(path)
    files = {
        str(file.relative_to(path)): file.read_bytes() for file in path.rglob("*") if file.is_file()
    }

    def answer(change):
        name, data, is_forged = change
        (path / name).write_bytes(data)
        if is_forged and name.endswith("zarr.json") and is_sealable(path):
            seal(path)
        try:
            found = said_or(path, lambda: read(path) if is_forged else read(path).load())
            assert found is None or isinstance(found, xr.Dataset)
            assert isinstance(store.verify_store(path), store.Verification)
        finally:
            for changed in {name, "zarr.json"}:
                (path / changed).write_bytes(files[changed])

    check_all(changes(files), ("zarr.json", files["zarr.json"], False), answer, n_inputs, capfd)


def is_sealable(path):
    metadata = json.loads((path / "zarr.json").read_bytes())
    return isinstance(metadata, dict) and isinstance(metadata.get("attributes"), dict)


def model():
    """The file of a model, as it is exported."""
    experiment = load_experiment(TINY)
    plan = experiment.plans["visible"]
    field = HermiteField.zeros(plan.model.coefficients, plan.grids)
    with jax.enable_x64(True):
        field = field.allocate(np.zeros((1, len(plan.model.coefficients))))
        learned = ReducedModel(plan.model, field, 0.1, "euler", 1)
        dataset = reduced_model_dataset(learned)
    dataset.attrs |= {"name": "visible", "lineage": {"experiment": experiment.to_toml()}}
    coefficients = list(plan.model.coefficients)
    return dataset.assign_coords(coefficient=coefficients).assign(
        theta_initial=("coefficient", np.zeros(len(coefficients)))
    )


@st.composite
def forged_models(draw, dataset):
    changed = dataset.copy()
    attrs = dict(changed.attrs)
    part = draw(st.sampled_from(["specification", "attribute", "variable", "experiment", "drop"]))
    if part == "specification":
        attrs[part] = json.dumps(draw(changed_json(json.loads(attrs[part]))))
    elif part == "attribute":
        attrs[draw(st.sampled_from(sorted(attrs)))] = draw(st.sampled_from(ODD))
    elif part == "experiment":
        text = attrs["lineage"]["experiment"].encode()
        attrs["lineage"] = {part: draw(damaged([text])).decode("utf-8", "replace")}
    elif part == "drop":
        changed = changed.drop_vars(draw(st.sampled_from(sorted(map(str, changed.variables)))))
    else:
        name = draw(st.sampled_from(sorted(map(str, changed.data_vars))))
        dtype = draw(st.sampled_from(["u1", "i8", "f8", "f4"]))
        number = draw(st.sampled_from([0, 1, 255, -1, 2**62, np.nan, np.inf]))
        with np.errstate(all="ignore"):
            values = np.full(changed[name].shape, number).astype(dtype)
        changed[name] = (changed[name].dims, values)
    return (
        changed.assign_attrs(attrs)
        if part == "drop"
        else xr.Dataset(changed.data_vars, changed.coords, attrs)
    )


@sizes(30)
def test_files_of_models(tmp_path, capfd, n_inputs):
    path, dataset = tmp_path / "a.nc", model()
    store.export_netcdf(dataset, path)
    read_model_file(path)

    def answer(given_file):
        if isinstance(given_file, bytes):
            path.write_bytes(given_file)
        else:
            try:
                store.export_netcdf(given_file, path)
            except store.StoreError:
                return
        said_or(path, lambda: read_model_file(path), ExperimentError)

    sound = path.read_bytes()
    check_all(damaged([sound]) | forged_models(dataset), sound, answer, n_inputs, capfd)
