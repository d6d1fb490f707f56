"""Errors of use that are reported before anything is read."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from typer.testing import CliRunner

from dynboltz.cli import app
from dynboltz.cli._checks import check_file
from dynboltz.store import StoreError, export_netcdf


@pytest.mark.parametrize("overwrite", [False, True])
def test_a_directory_is_no_file_to_write(tmp_path, overwrite):
    folder = tmp_path / "folder.nc"
    folder.mkdir()
    with pytest.raises(ValueError, match=r"folder\.nc, `--out`: is a directory; give the name of"):
        check_file(folder, (".nc",), overwrite=overwrite)


COMMANDS = {
    "run": ("run", "{}"),
    "fit": ("fit", "{}"),
    "report": ("report", "{}"),
    "predict": ("predict", "{}", "visible"),
    "sample": ("sample", "{}", "visible", "--time", "0", "--out", "out.npz"),
    "export": ("export", "{}", "--trajectories", "train", "--out", "out.nc"),
    "interpret": ("interpret", "{}"),
    "doctor": ("doctor", "{}"),
    "repair": ("doctor", "{}", "--repair"),
    "merge": ("merge", "{}", "--out", "merged"),
}


@pytest.mark.parametrize("command", COMMANDS)
def test_a_file_of_another_kind_is_named_by_every_command(tmp_path, monkeypatch, command):
    monkeypatch.chdir(tmp_path)
    np.save("a.npy", np.zeros(3))
    np.savez("b.npz", state=np.zeros(3))
    Path("c.csv").write_text("a,b\n1,2\n")
    Path("empty").write_text("")
    kinds = {
        "a.npy": "one NumPy array (.npy)",
        "b.npz": "a NumPy archive (.npz)",
        "c.csv": "a table of text (.csv)",
        "empty": "an empty file",
    }
    for name, kind in kinds.items():
        arguments = [part.format(name) for part in COMMANDS[command]]
        result = CliRunner().invoke(app, arguments)
        assert result.exit_code == 2, result.output
        assert result.stderr.startswith(f"Error: {name}: ")
        assert kind in result.stderr
    assert {path.name for path in tmp_path.iterdir()} == set(kinds)


def invoked(*arguments):
    """Exit code and what is written to stderr, which must be one message."""
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert result.stderr.count("Error: ") == 1, result.output
    assert "Traceback" not in result.output
    return result.exit_code, result.stderr


@pytest.fixture
def network(tmp_path):
    path = tmp_path / "n.ant"
    path.write_text("A -> ; k*A; k = 3; A = 2")
    return path


WRITERS = {
    "export": ("export", "nowhere", "--model", "m", "--out", "{}.nc"),
    "csv": ("export", "nowhere", "--trajectories", "test", "--out", "{}.csv"),
    "predict": ("predict", "nowhere", "m", "--out", "{}.csv"),
    "sample": ("sample", "nowhere", "m", "--time", "0", "--out", "{}.npz"),
    "import": ("import-network", "n.ant", "--well-mixed", "--out", "{}.txt"),
}


@pytest.mark.parametrize("writer", WRITERS)
def test_places_that_cannot_be_written_are_refused_before_anything_is_computed(
    tmp_path, monkeypatch, network, writer
):
    monkeypatch.chdir(tmp_path)
    Path("file").write_text("x")
    Path("locked").mkdir()
    before = sorted(tmp_path.rglob("*"))
    of = WRITERS[writer]
    code, message = invoked(*(part.format("file/new") for part in of))
    assert code == 2
    assert message.endswith("`--out`: file is a file, not a directory.\n")
    # Root may write anywhere, so that permissions are played here.
    monkeypatch.setattr("dynboltz.cli._checks.os.access", lambda path, _: path != Path("locked"))
    code, message = invoked(*(part.format("locked/new/more") for part in of))
    assert code == 2
    assert "`--out`: you may not write into locked; give a name elsewhere." in message
    assert sorted(tmp_path.rglob("*")) == before


def test_a_read_only_file_is_not_replaced(tmp_path, monkeypatch):
    path = tmp_path / "a.nc"
    path.write_text("x")
    monkeypatch.setattr("dynboltz.cli._checks.os.access", lambda found, _: found != path)
    with pytest.raises(ValueError, match=r"a\.nc, `--out`: is read-only; give another name"):
        check_file(path, (".nc",), overwrite=True)


@pytest.mark.parametrize("command", ["run", "simulate", "sweep", "merge"])
def test_a_file_is_no_place_for_results(tiny, tmp_path, monkeypatch, command):
    monkeypatch.chdir(tmp_path)
    Path("file").write_text("x")
    shard = tmp_path / "shard"
    shutil.copytree(tiny.parent, shard, ignore=lambda *_: ["shard"])
    (shard / "tiny.toml").rename(shard / "experiment.toml")
    arguments = {
        "sweep": ("sweep", tiny, "--vary", "seed=[1]"),
        "merge": ("merge", shard),
    }.get(command, (command, tiny))
    for out in ("file", "file/inside"):
        code, message = invoked(*arguments, "--out", out)
        assert code == 2
        expected = "is text, where a directory for results is expected; choose another name"
        if out != "file" or command == "sweep":
            expected = "cannot be written: file is a file, not a directory."
        assert expected in message
    assert Path("file").read_text() == "x"


def test_what_may_not_be_read_is_named(tiny, monkeypatch):
    def refuse(path):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "read_bytes", refuse)
    assert invoked("equations", tiny) == (2, f"Error: {tiny}: Permission denied.\n")
    monkeypatch.setattr(Path, "is_file", refuse)
    assert invoked("run", tiny) == (2, f"Error: {tiny}: Permission denied.\n")


def test_no_library_words_where_a_file_may_not_be_made(tmp_path, monkeypatch):
    """HDF5 has words of its own for a folder that is not writable."""

    def refuse(path, *_):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "touch", refuse)
    with pytest.raises(StoreError) as error:
        export_netcdf(xr.Dataset({"a": 1.0}), tmp_path / "a.nc")
    assert str(error.value).startswith(f"{tmp_path / 'a.nc'}: cannot be written: Permission denied")
    assert not list(tmp_path.iterdir())
