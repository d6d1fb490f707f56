"""Figures of a whole experiment as files."""

import shutil
import subprocess
import sys
from types import SimpleNamespace

import pytest
import xarray as xr

from dynboltz import learning, plot
from dynboltz.plot import _files
from dynboltz.plot._select import learned_times
from dynboltz.report._captions import caption
from dynboltz.store import (
    StoreError,
    read_dataset,
    write_dataset,
    write_json,
    write_trajectories,
)

NAMES = [
    "fig1e-moments",
    "predicted-moments",
    "fig2-visible",
    "fig2-hidden",
    "fig3a-neighbour-moment",
    "fig3b-visible",
    "fig3b-hidden",
    "fig5b-visible",
    "fig5b-hidden",
    "fig3c-rmse",
    "rmse-all-moments",
    "rmse-over-noise",
    "training",
]

ONE_START = [
    "fig1e-moments",
    "fig4a-snapshots",
    "fig4bcd-portraits",
    "fig4d-relaxation",
    "fig6-hidden",
    "fig7-hidden",
    "fig8a-moments",
    "beyond-training",
    "transfer-20x20",
    "fig3b-hidden",
    "fig3b-ceiling",
    "fig5b-hidden",
    "fig8b-hidden",
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
            models[name] = SimpleNamespace(model=make.model(1), field=field, history=make.history())
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
    assert all(caption(name).text for name in NAMES)
    first = {path: path.read_bytes() for path in paths}
    assert all(data.startswith((b"\x89PNG", b"<?xml")) for data in first.values())
    assert plot.write_figures(experiment) == paths
    assert {path: path.read_bytes() for path in paths} == first


@pytest.fixture
def one_start(tmp_path, make, monkeypatch):
    """Directory of results of a single initial condition."""
    coefficients = ("b.A", "J.A.A", "K.A.A.A", "W.A.X")
    predictions = {
        "hidden": make.single(coefficients),
        "ceiling": make.single(coefficients, fitted=6),
        "mean_field": make.single((), sampled=False),
    }
    few = ["A", "B", "A.A"]
    for name, ds in predictions.items():
        write_dataset(ds.sel(moment=few), tmp_path / "predictions" / f"{name}.zarr")
    larger = make.single(coefficients).sel(moment=few).assign_attrs(lattice=[20, 20])
    write_dataset(larger, tmp_path / "transfers" / "hidden.zarr")
    write_dataset(make.sample(2), tmp_path / "samples" / "hidden.zarr")
    stored = xr.Dataset(attrs={"kind": "dynboltz-model"})
    write_dataset(stored, tmp_path / "models" / "hidden.zarr")
    model = SimpleNamespace(
        model=make.model(2), field=make.narrow_field(coefficients), history=make.history()
    )
    monkeypatch.setattr(learning, "load_reduced_model", lambda _: model)
    write_trajectories(make.trajectories(2), tmp_path / "trajectories" / "train.zarr")
    write_json(tmp_path / "metrics.json", {"models": {name: {} for name in predictions}})
    return tmp_path


def test_one_initial_condition_has_figures_of_its_own(one_start, monkeypatch):
    drawn = []
    monkeypatch.setattr(_files, "save_figure", lambda _, stem: drawn.append(stem.name) or [])
    plot.write_figures(one_start)
    assert drawn == ONE_START
    assert all(caption(name).text for name in drawn)


def test_what_is_not_there_is_not_drawn(one_start, monkeypatch):
    drawn = []
    monkeypatch.setattr(_files, "save_figure", lambda _, stem: drawn.append(stem.name) or [])
    for folder in ("trajectories", "transfers", "samples", "models"):
        shutil.rmtree(one_start / folder)
    for path in (one_start / "predictions").glob("*.zarr"):
        write_dataset(learned_times(read_dataset(path, "dynboltz-prediction")), path)
    plot.write_figures(one_start)
    missing = {"fig4a", "fig4bcd", "fig4d", "fig6", "fig7", "fig5b", "fig8b", "transfer"}
    kept = [name for name in ONE_START if name.partition("-")[0] not in missing]
    assert drawn == [name for name in kept if name not in ("beyond-training", "training")]


def test_states_and_predictions_have_the_same_bytes_each_time(tmp_path, make):
    for draw in (
        lambda: plot.plot_snapshots(make.trajectories(3), times=[0.0]),
        lambda: [plot.plot_raster(make.trajectories(1))],
        lambda: [plot.plot_prediction({"hidden": make.single()}, "A")],
        lambda: plot.plot_phase_portraits(make.trajectories()),
    ):
        first, second = (plot.save_figure(draw()[0].figure, tmp_path / n) for n in ("a", "b"))
        assert [p.read_bytes() for p in first] == [p.read_bytes() for p in second]


def test_a_chain_of_many_starts_is_drawn_over_time(experiment, make, monkeypatch):
    drawn = {}
    monkeypatch.setattr(
        _files, "save_figure", lambda figure, stem: drawn.update({stem.name: figure}) or []
    )
    write_trajectories(make.trajectories(1), experiment / "trajectories" / "train.zarr")
    plot.write_figures(experiment)
    assert list(drawn) == [NAMES[0], "fig4a-snapshots", *NAMES[1:]]
    assert drawn["fig4a-snapshots"].axes[0].get_ylabel() == "$x$ [site]"


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
