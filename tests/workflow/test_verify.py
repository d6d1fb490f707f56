"""Lineage, files of models, verification and repair of result directories."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest

from dynboltz import store, workflow


@pytest.fixture(scope="module")
def complete(tmp_path_factory):
    folder = tmp_path_factory.mktemp("complete")
    experiment = workflow.load_experiment(Path(__file__).with_name("tiny.toml"))
    make(experiment, folder / "out")
    return folder / "out"


def make(experiment, path):
    """Everything but the report."""
    directory = workflow.claim(experiment, path)
    workflow.simulate(experiment, directory)
    for stage in (workflow.fit, workflow.train, workflow.evaluate):
        stage(experiment, directory)


@pytest.fixture
def out(complete, tmp_path):
    return Path(shutil.copytree(complete, tmp_path / "out"))


def faults(path):
    return {
        name: found.damaged + found.missing
        for name, found in workflow.verify(path)
        if not found.is_sound
    }


def damage(path):
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def stores(path):
    return {
        file.relative_to(path): file.read_bytes()
        for file in path.rglob("*.zarr/**/*")
        if file.is_file()
    }


def test_every_product_knows_what_it_was_made_from(complete):
    settings = (complete / "experiment.toml").read_text(encoding="utf-8")
    found = {
        "fits/visible": store.read_dataset(complete / "fits" / "visible.zarr", "dynboltz-fit"),
        "models/visible": store.read_dataset(
            complete / "models" / "visible.zarr", "dynboltz-model"
        ),
        "predictions/visible": store.read_dataset(
            complete / "predictions" / "visible.zarr", "dynboltz-prediction"
        ),
    }
    metrics = json.loads((complete / "metrics.json").read_text())
    for lineage in (*(data.attrs["lineage"] for data in found.values()), metrics["lineage"]):
        assert lineage["experiment"] == settings
        assert lineage["network"] == "A + A -> 0 ; p = 0.3"
        assert lineage["seed"] == 5
        assert lineage["parents"]
        for name, checksum in lineage["parents"].items():
            assert store.store_checksum(complete / name) == checksum
    assert set(metrics["lineage"]["parents"]) == {
        *("trajectories/train.zarr", "trajectories/test.zarr"),
        *("fits/visible.zarr", "models/visible.zarr"),
    }
    trajectories = store.open_trajectories(complete / "trajectories" / "train.zarr")
    assert trajectories.attrs["experiment"] == settings


def test_damage_is_repaired_with_the_same_bytes(out):
    sound = stores(out)
    assert faults(out) == {}
    damage(out / "models/visible.zarr/u_0/c/0/0/0")
    damage(out / "trajectories/test.zarr/state/c/1/0/0")
    damage(out / "fits/visible.zarr/zarr.json")
    assert set(faults(out)) == {
        *("models/visible.zarr", "trajectories/test.zarr", "fits/visible.zarr")
    }
    lines = list(workflow.repair(out))
    assert "trajectories/test.zarr: to be made anew: block 1." in lines
    assert any(re.match(r"models/visible.zarr: removed. .*u_0/c/0/0/0: chunk", x) for x in lines)
    make(workflow.load_experiment(out), out)
    assert stores(out) == sound
    assert faults(out) == {}


def test_blocks_that_are_not_written_are_no_damage(tmp_path):
    experiment = workflow.load_experiment(Path(__file__).with_name("tiny.toml"))
    directory = workflow.claim(experiment, tmp_path / "shard")
    workflow.simulate(experiment, directory, shard=workflow.Shard(1, 2))
    sound = stores(directory.path)
    found = dict(workflow.verify(directory.path))
    assert not any(verification.damaged for verification in found.values())
    assert found["trajectories/train.zarr"].missing
    assert list(workflow.repair(directory.path)) == []
    assert stores(directory.path) == sound


def test_what_results_were_made_from_is_missed(out):
    shutil.rmtree(out / "models" / "visible.zarr")
    found = faults(out)
    assert set(found) == {"predictions/visible.zarr", "predictions/mean_field.zarr"}
    for sentences in found.values():
        assert "was made from models/visible.zarr, which is not there" in sentences[0]


def test_nothing_goes_where_nothing_is_damaged(out):
    def changed():
        # Old versions of filelock touch the lock itself.
        files = [path for path in out.rglob("*") if path.is_file() and path.name != ".lock"]
        return {path: path.stat().st_mtime_ns for path in files}

    before = changed()
    assert (out / "metrics.json") in before
    assert list(workflow.repair(out)) == []
    assert changed() == before


def test_changed_settings_and_metrics_are_told(out):
    (out / "metrics.json").write_text("{")
    assert "is not JSON" in faults(out)["metrics.json"][0]
    assert list(workflow.repair(out)) == ["metrics.json: removed."]
    settings = out / "experiment.toml"
    text = settings.read_text()
    for old, new, message in (
        ("seed = 5", "seed = 4", "is not what .*train.zarr was simulated with"),
        ("[models.visible]", "[models.virible]", "is required"),
        ("\n", "=\n", "is not TOML"),
    ):
        assert old in text
        settings.write_text(text.replace(old, new, 1))
        (sentence, *_) = faults(out)["experiment.toml"]
        assert re.search(message, sentence)
        with pytest.raises(workflow.ExperimentError, match="mended by hand first"):
            list(workflow.repair(out))


def test_parents_of_other_settings_are_told(out, tmp_path):
    other = workflow.load_experiment(Path(__file__).with_name("tiny.toml"), seed=6)
    workflow.simulate(other, workflow.claim(other, tmp_path / "other"))
    shutil.rmtree(out / "trajectories")
    shutil.copytree(tmp_path / "other" / "trajectories", out / "trajectories")
    found = faults(out)
    assert "is not what" in found.pop("experiment.toml")[0]
    assert set(found) == {"fits/visible.zarr", "models/visible.zarr", "predictions/visible.zarr",
                          "predictions/mean_field.zarr"}  # fmt: skip
    assert "was made from another trajectories/train.zarr" in found["models/visible.zarr"][0]


def test_what_cannot_be_verified_is_refused(tmp_path):
    with pytest.raises(workflow.ExperimentError, match="is nothing to verify"):
        list(workflow.verify(tmp_path))
    with pytest.raises(workflow.ExperimentError, match="only a result directory can be repaired"):
        list(workflow.repair(tmp_path))


# A tiny training set does not go everywhere.
@pytest.mark.filterwarnings("ignore::dynboltz._warnings.ExtrapolationWarning")
def test_a_model_in_a_file_predicts_as_the_one_in_the_store(complete, tmp_path):
    directory, path = workflow.ResultDirectory(complete), tmp_path / "visible.nc"
    experiment = directory.load_experiment()
    workflow.export_model(experiment, directory, "visible", path)
    assert faults(path) == {}
    read = workflow.read_model_file(path)
    assert read.name == "visible"
    assert read.experiment.table == experiment.table
    initial = workflow.initial_of_test(experiment, directory, "visible")
    np.testing.assert_array_equal(read.initial, initial[0])
    original = workflow.load_model(experiment, directory, "visible")
    times = np.array([0.0, 0.15, 0.4])
    np.testing.assert_array_equal(
        read.learned.predict(initial, times), original.predict(initial, times)
    )
    with pytest.raises(workflow.ExperimentError, match="has no model 'x'; there are visible"):
        workflow.export_model(experiment, directory, "x", path)


def test_files_that_hold_no_model_are_refused(complete, tmp_path):
    path = tmp_path / "prediction.nc"
    prediction = store.read_dataset(
        complete / "predictions" / "visible.zarr", "dynboltz-prediction"
    )
    store.export_netcdf(prediction, path)
    with pytest.raises(store.StoreError, match="another kind: 'dynboltz-prediction'"):
        workflow.read_model_file(path)
    store.export_netcdf(prediction.assign_attrs(kind="dynboltz-model"), path)
    with pytest.raises(store.StoreError, match="cannot be read as a learned model"):
        workflow.read_model_file(path)
    (fault,) = faults(path).values()
    assert "cannot be read as a learned model" in fault[0]
