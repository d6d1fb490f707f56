"""Text of users is printed as it is, never as markup."""

from __future__ import annotations

import ast
import io
from pathlib import Path

import pytest
from rich.console import Console

import dynboltz.cli
from dynboltz.cli import _show
from dynboltz.cli._console import plain_console

CLI = Path(dynboltz.cli.__file__).parent
NAMES = ["r[bold]x", "q[/x]", "a [red]b[/red]", "m:warning:", "[link=x]y"]


class Screen(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def screen(monkeypatch):
    """What is printed, on a terminal that is wide and has no colours."""
    found = Screen()

    def console(**options):
        plain = plain_console()
        return Console(
            file=found, force_terminal=True, color_system=None, width=300,
            markup=plain._markup, emoji=plain._emoji, highlight=plain._highlight,
        )  # fmt: skip

    monkeypatch.setattr(_show, "plain_console", console)
    return found


@pytest.mark.parametrize("name", NAMES)
def test_the_directory_and_the_bars_show_names_as_they_are(screen, name):
    with _show.progress_display(Path(name)) as progress:
        progress({"stage": "train", "model": name, "step": 1, "total": 1, "unit": name})
    lines = screen.getvalue()
    assert f"Results: {name}\n" in lines
    assert f"train {name} " in lines
    assert f"1/1 {name}" in lines


@pytest.mark.parametrize("name", NAMES)
def test_tables_and_warnings_show_names_as_they_are(screen, name):
    metrics = {
        "models": {name: {"rmse_time_mean": [0.1]}},
        "noise_floor": {"time_mean": [None]},
        "moments": [f"A.{name}"],
        "times": [0.0],
        "wall_seconds": {"fit": 1.0},
        "warnings": [f"{name}: is worse"],
    }
    _show.show_metrics(metrics)
    lines = screen.getvalue()
    assert f" {name} " in lines.split("Warning")[0]
    assert f" A.{name} " in lines
    assert f"Warning: {name}: is worse\n" in lines


@pytest.mark.parametrize("name", NAMES)
def test_tables_of_boxes_show_names_as_they_are(screen, name):
    errors = dict.fromkeys(("n_rel_rmse", "profile_rel_rmse", "g_rmse", "var_over_mean_error"), 0.1)
    _show.show_metrics(
        {
            "space": "continuous",
            "recovered": {name: 1.0},
            "standard_error": {name: 0.1},
            "truth": {},
            "held_out": {name: errors},
            "wall_seconds": {},
            "warnings": [],
        }
    )
    assert screen.getvalue().count(f" {name} ") == 2


def test_no_module_makes_a_console_or_column_of_its_own():
    makers = {"Console", "TextColumn", "print", "rprint"}
    for path in CLI.glob("*.py"):
        if path.name == "_console.py":
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call):
                name = node.func.id if isinstance(node.func, ast.Name) else ""
                assert name not in makers, f"{path.name}, line {node.lineno}: {name}"
