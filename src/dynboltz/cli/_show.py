"""Progress and results on the terminal."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table

NOT_ERRORS = ("stage", "step", "total", "model", "part")
LINES = 5
"""Log lines a task, when there is no terminal to draw on."""


@contextmanager
def progress_display(directory: Path) -> Iterator[Callable[[dict[str, Any]], None]]:
    """Show progress bars with the current errors, or log lines where there is no terminal."""
    console = Console(stderr=True)
    console.print(f"Results: {directory}", highlight=False, soft_wrap=True)
    if not console.is_terminal:
        yield _Lines(console)
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.completed:.0f}/{task.total:.0f}"),
        TimeElapsedColumn(),
        TextColumn("{task.fields[errors]}"),
    )
    with Progress(*columns, console=console) as bars:
        yield _Bars(bars)


class _Bars:
    """One bar a task."""

    def __init__(self, bars: Progress) -> None:
        self._bars = bars
        self._tasks: dict[str, TaskID] = {}

    def __call__(self, report: dict[str, Any]) -> None:
        name = _task(report)
        if name not in self._tasks:
            self._tasks[name] = self._bars.add_task(name, total=report["total"], errors="")
        self._bars.update(
            self._tasks[name],
            completed=report["step"],
            total=report["total"],
            errors=_errors(report),
        )


class _Lines:
    """A few lines a task."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._said: dict[str, int] = {}

    def __call__(self, report: dict[str, Any]) -> None:
        name = _task(report)
        fifth = LINES * report["step"] // max(1, report["total"])
        if self._said.get(name) == fifth:
            return
        self._said[name] = fifth
        line = f"{name} {report['step']}/{report['total']} {_errors(report)}".rstrip()
        self._console.print(line, highlight=False, soft_wrap=True, markup=False)


def _task(report: dict[str, Any]) -> str:
    kind = report.get("part", "") if report["stage"] != "evaluate" else ""
    model = report.get("model", "") if report["stage"] != "evaluate" else ""
    return " ".join(filter(None, (report["stage"], model, kind)))


def _errors(report: dict[str, Any]) -> str:
    return "  ".join(
        f"{key} {value:.3g}"
        for key, value in report.items()
        if key not in NOT_ERRORS and isinstance(value, int | float)
    )


def show_metrics(metrics: dict[str, Any]) -> None:
    """Print the errors of every model beside the noise floor."""
    table = Table(
        title="RMSE over the test set, time mean, per site", title_justify="left", box=None
    )
    columns = {name: model["rmse_time_mean"] for name, model in metrics["models"].items()}
    columns["noise floor"] = metrics["noise_floor"]["time_mean"]
    table.add_column("moment", no_wrap=True)
    for name in columns:
        table.add_column(name, justify="right", no_wrap=True)
    for moment, *values in zip(metrics["moments"], *columns.values(), strict=True):
        table.add_row(moment, *(f"{value:.5f}" for value in values))
    console = Console()
    console.print(table)
    seconds = metrics["wall_seconds"]
    times = ", ".join(f"{stage} {value:.1f}" for stage, value in seconds.items())
    console.print(f"Wall time [s]: {times}", highlight=False, markup=False, soft_wrap=True)
    for warning in metrics["warnings"]:
        console.print(f"Warning: {warning}", highlight=False, markup=False, soft_wrap=True)
