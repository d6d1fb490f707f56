"""Metrics as rows of tables."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

SHOWN = 8
"""Longest list of numbers that is printed in full."""
MONTE_CARLO = "monte_carlo_time_mean"


class Cell(NamedTuple):
    """An error, and how many times the noise it is."""

    value: str
    ratio: str = ""


class Row(NamedTuple):
    """A model and its errors, one for each moment."""

    name: str
    cells: list[Cell]


def error_rows(metrics: Mapping[str, Any], statistic: str) -> list[Row]:
    """Errors of all models, then Monte Carlo errors of sampled ones, and the noise floor.

    Parameters
    ----------
    metrics
        Of the test or the training part, with `models` and `noise_floor`.
    statistic
        `"time_mean"` or `"time_max"`.
    """
    floor = metrics.get("noise_floor", {}).get(statistic, [])
    rows = [
        Row(name.replace("_", " "), _cells(model[f"rmse_{statistic}"], floor))
        for name, model in metrics.get("models", {}).items()
    ]
    rows += [
        Row(f"{name.replace('_', ' ')}, Monte Carlo error", _cells(model[MONTE_CARLO], floor))
        for name, model in metrics.get("models", {}).items()
        if statistic == "time_mean" and MONTE_CARLO in model
    ]
    return [*rows, Row("noise floor", [Cell(_error(value)) for value in floor])]


def cost_rows(metrics: Mapping[str, Any]) -> list[Row]:
    """Seconds that predictions took, beside those of the simulations they replace.

    Parameters
    ----------
    metrics
        With `prediction_seconds` by model and, in `wall_seconds`, those of the stage `simulate`.
    """
    costs = metrics.get("prediction_seconds", {})
    simulated = metrics.get("wall_seconds", {}).get("simulate")
    if not costs or not simulated:
        return []
    rows = [
        Row(name.replace("_", " "), [Cell(f"{cost:.2g}", f"{cost / simulated:.2g}")])
        for name, cost in costs.items()
    ]
    return [*rows, Row("simulation", [Cell(f"{simulated:.2g}")])]


def law_rows(metrics: Mapping[str, Any]) -> list[dict[str, str]]:
    """What was tried for each law of moments, and which one was chosen.

    Parameters
    ----------
    metrics
        Of the test part, with `models`.
    """
    rows = []
    for name, model in metrics.get("models", {}).items():
        tried = model.get("tried", [])
        for one in tried:
            chosen = one["moments"] == model["followed"]
            covered = model.get("coverage") if chosen else None
            rows.append(
                {
                    "name": name.replace("_", " ") + ("" if chosen else ", not chosen"),
                    "moments": ", ".join(one["moments"]),
                    "training": _in_noise(one["training_error"]),
                    "validation": _in_noise(one["validation_error"]),
                    "coverage": "" if covered is None else f"{covered:.1%}",
                }
            )
    return rows


def _in_noise(error: float | None) -> str:
    return "infinite" if error is None else f"{error:.2f}"


def _cells(errors: Sequence[float], floor: Sequence[float | None]) -> list[Cell]:
    ratios = [f"{e / f:.2g}" if f else "" for e, f in zip(errors, floor, strict=True)]
    return [Cell(_error(e), ratio) for e, ratio in zip(errors, ratios, strict=True)]


def _error(value: float | None) -> str:
    return "unknown" if value is None else f"{value:#.3g}"


def number(value: Any) -> str:
    """Return a number with four significant digits, anything else as it is."""
    if isinstance(value, float):
        return f"{value:.4g}"
    return "-" if value is None else str(value)


def flattened(value: Any, name: str = "") -> Iterator[tuple[str, str]]:
    """Names and texts of all entries of nested mappings; long lists are summed up."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from flattened(inner, f"{name}.{key}" if name else str(key))
    elif isinstance(value, list) and (len(value) > SHOWN or any(map(_is_list, value))):
        yield name, _summary(value)
    elif isinstance(value, list):
        yield name, ", ".join(map(number, value)) or "none"
    else:
        yield name, number(value)


def _is_list(value: Any) -> bool:
    return isinstance(value, list)


def _summary(values: list[Any]) -> str:
    first, last = (_joined(values[place]) for place in (0, -1))
    return f"{len(values)} entries, first {first}, last {last}"


def _joined(value: Any) -> str:
    return f"({', '.join(map(number, value))})" if _is_list(value) else number(value)
