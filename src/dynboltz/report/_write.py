"""Writing the report."""

from __future__ import annotations

import os
import tomllib
from importlib.resources import files
from pathlib import Path
from typing import Any

import jinja2

from dynboltz.store import StoreError, read_json

from ._box_tables import BOX_EXPLANATION, box_tables
from ._facts import facts
from ._figures import embedded_figures
from ._tables import Row, cost_rows, error_rows, flattened, law_rows


def write_report(directory: Path) -> Path:
    """Write one HTML page about an experiment, which needs no other file and no network.

    The same results give the same bytes.

    Parameters
    ----------
    directory
        Directory of the experiment with `metrics.json`, and with `experiment.toml` and `figures/`
        if they are to appear.

    Returns
    -------
    path
        The file `report.html` in the directory.

    Raises
    ------
    StoreError
        If the metrics are missing or damaged, a file is unreadable, or the directory cannot be
        written.
    """
    page = _template().render(_content(directory))
    path = directory / "report.html"
    temporary = directory / ".report.html.partial"
    try:
        temporary.write_text(page, encoding="utf-8", errors="backslashreplace")
        os.replace(temporary, path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise StoreError(path, f"cannot be written: {error.strerror or error}.") from error
    return path


def _content(directory: Path) -> dict[str, Any]:
    metrics = read_json(directory / "metrics.json")
    settings = _settings(directory / "experiment.toml")
    experiment = _parsed(settings, directory / "experiment.toml")
    return {
        "title": experiment.get("title") or metrics.get("experiment") or directory.name,
        "facts": facts(experiment, metrics),
        "explanation": _explanation(metrics),
        "tables": _tables(metrics),
        "laws": law_rows(metrics),
        "warnings": metrics.get("warnings", []),
        "wall_seconds": [(k, f"{v:.1f}") for k, v in metrics.get("wall_seconds", {}).items()],
        "costs": cost_rows(metrics),
        "figures": embedded_figures(directory / "figures", list(metrics.get("models", {}))),
        "metrics": list(flattened(metrics)),
        "settings": settings,
    }


def _explanation(metrics: dict[str, Any]) -> str:
    if _is_box(metrics):
        return BOX_EXPLANATION
    unit = metrics.get("units", {}).get("rmse", "per site")
    return (
        f"Root mean square error of each moment [{unit}] over the initial conditions, against the "
        "means of the simulations; in brackets how many times the noise floor it is. The noise "
        "floor is the error that exact predictions would have because the simulated means come "
        "from a finite number of replicas. The noise of starts that were fitted to the simulations "
        "and the Monte Carlo error of sampled moments are taken out of the errors, so that 1 "
        "means a perfect prediction for all of them; where noise carries a mean square below 0, it "
        "counts as 0. On the training set errors can be smaller, as models were learned from it."
    )


def _is_box(metrics: dict[str, Any]) -> bool:
    return metrics.get("space") == "continuous"


def _tables(metrics: dict[str, Any]) -> list[tuple[str, list[str], list[Row]]]:
    """Headings, columns and rows of the tables of errors; the first is the result."""
    if _is_box(metrics):
        return box_tables(metrics)
    moments = [f"⟨{' '.join(moment.split('.'))}⟩" for moment in metrics.get("moments", [])]
    tables = [
        ("Test set, mean over time", moments, error_rows(metrics, "time_mean")),
        ("Test set, largest over time", moments, error_rows(metrics, "time_max")),
    ]
    if "train" in metrics:
        rows = error_rows(metrics["train"], "time_mean")
        tables.append(("Training set, mean over time", moments, rows))
    return tables


def _settings(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8") if path.exists() else ""
    except OSError as error:
        raise StoreError(path, f"cannot be read: {error.strerror or error}.") from error


def _parsed(settings: str, path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(settings)
    except tomllib.TOMLDecodeError as error:
        raise StoreError(path, f"is not TOML: {error}.") from error


def _template() -> jinja2.Template:
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    source = files("dynboltz.report").joinpath("report.html.jinja").read_text(encoding="utf-8")
    return environment.from_string(source)
