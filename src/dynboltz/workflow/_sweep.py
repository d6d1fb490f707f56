"""Sweeps: one experiment run with many settings."""

from __future__ import annotations

import csv
import functools
import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from dynboltz.store import read_json
from dynboltz.store._files import replacing_file

from ._directory import ResultDirectory, claim
from ._errors import ExperimentError
from ._load import load_experiment
from ._progress import Progress, silent
from ._run import run
from ._toml import toml_value


@runtime_checkable
class TaskWorkers(Protocol):
    """Processes that do numbered tasks, perhaps on other machines."""

    def each(self, task: Callable[[int], None], numbers: Sequence[int]) -> Iterator[int]:
        """Do a task for each number, and yield the number when it is done."""
        ...


def sweep(
    experiment: Path | str,
    vary: Mapping[str, Sequence[Any]],
    out: Path | str,
    *,
    preset: str | None = None,
    overrides: Sequence[str] = (),
    overwrite: bool = False,
    workers: TaskWorkers | None = None,
    progress: Progress = silent,
) -> Path:
    """Run an experiment with every combination of some settings.

    Runs are numbered in the order of the combinations, the last setting varying fastest; each has
    a result directory `run-0001`, ... in `out`. Runs that are complete are kept.

    Parameters
    ----------
    experiment
        As `load_experiment` takes it.
    vary
        Values of each setting by its key, such as `{"seed": [1, 2], "kernel.hop_rate": [0.5, 1]}`.
    out
        Directory for the runs and the tables.
    preset, overrides
        For all runs, as `load_experiment` takes them.
    overwrite
        Whether runs of other settings may be replaced.
    workers
        Processes that run, such as those of `dask_workers`; this one if left out.
    progress
        Called after every run.

    Returns
    -------
    path
        `sweep.csv`, one row for each run, model and quantity: the settings that vary, the model,
        the quantity and its root-mean-square error over the test set, averaged over the times.

    Raises
    ------
    ExperimentError, StoreError
        If there is nothing to vary, settings are wrong (before any run begins), or a run fails.
    """
    out = Path(out)
    settings = _combinations(vary)
    loaded = []
    for setting in settings:
        varied = [f"{key} = {toml_value(value)}" for key, value in setting.items()]
        changes = [*overrides, *varied]
        loaded.append(load_experiment(experiment, preset=preset, overrides=changes))
    for number, each in enumerate(loaded, start=1):
        claim(each, run_directory(out, number), overwrite=overwrite)
    task = functools.partial(_run_one, str(out.resolve()), overwrite)
    numbers = range(1, len(settings) + 1)
    progress({"stage": "sweep", "step": 0, "total": len(settings), "unit": "runs"})
    done = _one_by_one(task, numbers) if workers is None else workers.each(task, numbers)
    for place, _ in enumerate(done, start=1):
        progress({"stage": "sweep", "step": place, "total": len(settings), "unit": "runs"})
    return _write_table(out, settings)


def run_directory(out: Path, number: int) -> Path:
    """Result directory of a run of a sweep, counted from 1."""
    return out / f"run-{number:04d}"


def _combinations(vary: Mapping[str, Sequence[Any]]) -> list[dict[str, Any]]:
    if not vary or not all(vary.values()):
        raise ExperimentError("sweep: give at least one setting to vary, each with its values.")
    for key, values in vary.items():
        if len({repr(value) for value in values}) < len(values):
            raise ExperimentError(f"sweep, `{key}`: a value is there twice.")
    return [dict(zip(vary, values, strict=True)) for values in itertools.product(*vary.values())]


def _one_by_one(task: Callable[[int], None], numbers: Sequence[int]) -> Iterator[int]:
    for number in numbers:
        task(number)
        yield number


def _run_one(out: str, overwrite: bool, number: int) -> None:
    directory = run_directory(Path(out), number)
    run(load_experiment(directory), directory, overwrite=overwrite)


def _write_table(out: Path, settings: list[dict[str, Any]]) -> Path:
    rows: list[dict[str, Any]] = []
    for number, setting in enumerate(settings, start=1):
        directory = ResultDirectory(run_directory(out, number))
        start = {"run": directory.path.name, **setting}
        rows += [start | row for row in error_rows(read_json(directory.metrics))]
    table = out / "sweep.csv"
    with replacing_file(table) as temporary, temporary.open("w", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return table


def error_rows(metrics: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Errors of `metrics.json` as a table: `model`, `quantity` and `rmse`.

    The noise floor is a model of that name.
    """
    if metrics.get("space") == "continuous":
        errors = metrics["held_out"]
    else:
        columns = {name: model["rmse_time_mean"] for name, model in metrics["models"].items()}
        columns["noise floor"] = metrics["noise_floor"]["time_mean"]
        errors = {
            name: dict(zip(metrics["moments"], values, strict=True))
            for name, values in columns.items()
        }
    return [
        {"model": name, "quantity": quantity, "rmse": value}
        for name, values in errors.items()
        for quantity, value in values.items()
    ]
