"""Errors of use that are reported before anything is read."""

from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from dynboltz.cli import app
from dynboltz.cli._checks import check_file


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
