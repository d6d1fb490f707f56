"""Progress and results on the terminal."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TimeElapsedColumn
from rich.table import Table

from ._console import plain_column, plain_console
from ._show_box import box_tables

NOT_ERRORS = ("stage", "step", "total", "model", "part")
LINES = 5
"""Log lines a task, when there is no terminal to draw on."""


@contextmanager
def progress_display(directory: Path) -> Iterator[Callable[[dict[str, Any]], None]]:
    """Show progress bars with the current errors, or log lines where there is no terminal."""
    console = plain_console(stderr=True)
    console.print(f"Results: {directory}", soft_wrap=True)
    if not console.is_terminal:
        yield _Lines(console)
        return
    columns = (
        plain_column("{task.description}"),
        BarColumn(),
        plain_column("{task.completed:.0f}/{task.total:.0f} {task.fields[unit]}"),
        TimeElapsedColumn(),
        plain_column("{task.fields[errors]}"),
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
            self._tasks[name] = self._bars.add_task(name, total=report["total"], errors="", unit="")
        self._bars.update(
            self._tasks[name],
            completed=report["step"],
            total=report["total"],
            errors=_errors(report),
            unit=report.get("unit", ""),
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
        done = f"{report['step']}/{report['total']}"
        line = " ".join(filter(None, (name, done, report.get("unit"), _errors(report))))
        self._console.print(line, soft_wrap=True)


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
    console = plain_console()
    tables = box_tables if metrics.get("space") == "continuous" else _lattice_tables
    for table in tables(metrics):
        console.print(table)
    seconds = metrics["wall_seconds"]
    times = ", ".join(f"{stage} {value:.1f}" for stage, value in seconds.items())
    console.print(f"Wall time [s]: {times}", soft_wrap=True)
    for warning in metrics["warnings"]:
        console.print(f"Warning: {warning}", soft_wrap=True)


def _lattice_tables(metrics: dict[str, Any]) -> list[Table]:
    relative = _relative_errors(metrics)
    return [_errors_per_site(metrics), *([] if relative is None else [relative])]


def _errors_per_site(metrics: dict[str, Any]) -> Table:
    title = f"RMSE over the test set, mean over all times{_beyond(metrics)}, per site"
    table = Table(title=title, title_justify="left", box=None)
    columns = {name: model["rmse_time_mean"] for name, model in metrics["models"].items()}
    columns |= {
        f"{name}, Monte Carlo": model["monte_carlo_time_mean"]
        for name, model in metrics["models"].items()
        if "monte_carlo_time_mean" in model
    }
    columns["noise floor"] = metrics["noise_floor"]["time_mean"]
    table.add_column("moment", no_wrap=True)
    for name in columns:
        table.add_column(name.replace("_", " "), justify="right", min_width=7)
    for moment, *values in zip(metrics["moments"], *columns.values(), strict=True):
        table.add_row(moment, *("-" if value is None else f"{value:.5f}" for value in values))
    return table


def _beyond(metrics: dict[str, Any]) -> str:
    """How much of the times is later than what models were learned from."""
    ends = [model.get("learned_until") for model in metrics["models"].values()]
    last = max((end for end in ends if end is not None), default=None)
    if last is None:
        return ""
    later = [time for time in metrics["times"] if time > last * (1 + 1e-9)]
    if not later:
        return ""
    share = len(later) / len(metrics["times"])
    return f" ({share:.0%} of them beyond the last learned one, {last:g})"


RELATIVE = {
    "short runs": "short_run",
    "equilibrium": "equilibrium",
    "Monte Carlo": "monte_carlo",
    "noise floor": "noise_floor",
    "beyond the learned times": "beyond_training",
}
"""Relative errors of models with sampled moments, and their keys in `metrics.json`."""


def _relative_errors(metrics: dict[str, Any]) -> Table | None:
    """Errors of models with sampled moments and of their ceilings, if there are any."""
    models = {
        name: found
        for name, found in metrics.items()
        if isinstance(found, dict) and "short_run" in found
    }
    if not models:
        return None
    table = Table(
        title="Relative errors over the learned times: means / neighbours",
        title_justify="left",
        box=None,
    )
    table.add_column("model", no_wrap=True)
    shown = {
        label: key for label, key in RELATIVE.items() if any(key in m for m in models.values())
    }
    for label in shown:
        table.add_column(label, justify="right")
    for name, found in models.items():
        pairs = (found.get(key, {}) for key in shown.values())
        table.add_row(
            f"{name} ({found['part']})",
            *(" / ".join(_percent(value) for value in pair.values()) or "-" for pair in pairs),
        )
    return table


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{100 * value:.3g} %"
