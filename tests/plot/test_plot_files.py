"""Figures of a whole experiment as files."""

import subprocess
import sys
from types import SimpleNamespace

import pytest
import xarray as xr

from dynboltz import learning, plot
from dynboltz.store import StoreError, write_dataset, write_json

NAMES = [
    "fig1e-moments",
    "fig2-visible",
    "fig2-hidden",
    "fig3a-neighbour-moment",
    "fig3b-visible",
    "fig3b-hidden",
    "fig3c-rmse",
    "rmse-all-moments",
    "rmse-over-noise",
    "training",
]


@pytest.fixture
def experiment(tmp_path, results, make, monkeypatch):
    """Directory of results; the models are made up."""
    models = {}
    for name, ds in results.items():
        write_dataset(ds, tmp_path / "predictions" / f"{name}.zarr")
        if "theta" in ds:
            stored = xr.Dataset(attrs={"kind": "dynboltz-model", "name": name})
            write_dataset(stored, tmp_path / "models" / f"{name}.zarr")
            field = make.field(tuple(ds["coefficient"].values.tolist()), cell=1.0)
            models[name] = SimpleNamespace(field=field, history=make.history())
    write_json(tmp_path / "metrics.json", {"models": {name: {} for name in results}})
    monkeypatch.setattr(
        learning, "load_reduced_model", lambda ds: models[ds.attrs["name"]], raising=False
    )
    return tmp_path


def test_all_figures_are_written_twice_with_the_same_bytes(experiment):
    paths = plot.write_figures(experiment)
    expected = [f"{name}.{kind}" for name in NAMES for kind in ("png", "svg")]
    assert [path.name for path in paths] == expected
    assert {path.parent for path in paths} == {experiment / "figures"}
    first = {path: path.read_bytes() for path in paths}
    assert all(data.startswith((b"\x89PNG", b"<?xml")) for data in first.values())
    assert plot.write_figures(experiment) == paths
    assert {path: path.read_bytes() for path in paths} == first


def test_settings_of_the_user_do_not_change_a_figure(tmp_path, predictions):
    ax = plot.plot_moment(predictions, "A")
    (first, _) = plot.save_figure(ax.figure, tmp_path / "a")
    (second, _) = plot.save_figure(ax.figure, tmp_path / "b")
    assert first.read_bytes() == second.read_bytes()
    assert b"Software" not in first.read_bytes()


def test_without_predictions_there_is_a_message(tmp_path):
    with pytest.raises(StoreError, match=r"predictions.*evaluate the models first"):
        plot.write_figures(tmp_path)


def test_missing_directory_is_a_message(tmp_path):
    with pytest.raises(StoreError, match=r"figures.*cannot be made"):
        plot.write_figures(tmp_path / "nowhere")


def test_figure_that_cannot_be_written_is_a_message(tmp_path, predictions):
    ax = plot.plot_moment(predictions, "A")
    with pytest.raises(StoreError, match=r"a\.png.*cannot be written"):
        plot.save_figure(ax.figure, tmp_path / "nowhere" / "a")


def test_import_does_not_load_pyplot():
    code = "import sys, dynboltz.plot; sys.exit('matplotlib.pyplot' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
