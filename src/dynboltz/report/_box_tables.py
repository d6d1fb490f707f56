"""Metrics of experiments in continuous space as rows of tables."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ._tables import Cell, Row, number

BOX_EXPLANATION = (
    "Root mean square errors of predictions for held-out initial conditions, over initial "
    "conditions and times, against the means of the simulations; in brackets how many times the "
    "noise floor they are. Errors of the number of particles N and of the density are relative. "
    "The noise floor is the error that exact predictions would have because the simulated means "
    "come from a finite number of replicas. The noise of fitted starts and the Monte Carlo error "
    "of sampled models are taken out of the errors. Functions are compared with the true ones "
    "where they are known, over values that were visited and relative to the largest of them."
)

HELD_OUT = {
    "n_rel_rmse": "N [relative]",
    "profile_rel_rmse": "density [relative]",
    "g_rmse": "g(r)",
    "var_over_mean_error": "Var N / mean N",
}
FUNCTIONS = {
    "relative_error_max": "largest error",
    "relative_error_rms": "root mean square",
    "relative_noise": "standard error",
}
FLOOR = "noise_floor"
MONTE_CARLO = "_monte_carlo"

Tables = list[tuple[str, list[str], list[Row]]]


def box_tables(metrics: Mapping[str, Any]) -> Tables:
    """Headings, columns and rows: constants, held-out simulations, functions.

    Parameters
    ----------
    metrics
        What `metrics.json` holds.
    """
    return [*_constants(metrics), _held_out(metrics), *_functions(metrics)]


def _constants(metrics: Mapping[str, Any]) -> Tables:
    recovered, truth = metrics.get("recovered", {}), metrics.get("truth", {})
    if not recovered:
        return []
    errors = metrics["standard_error"]
    learned = [f"{value:.5g} ± {errors[name]:.2g}" for name, value in recovered.items()]
    rows = [Row("learned", [Cell(text) for text in learned])]
    if truth:
        rows.append(Row("truth", [Cell(number(truth.get(name))) for name in recovered]))
    return [("Learned constants", list(recovered), rows)]


def _held_out(metrics: Mapping[str, Any]) -> tuple[str, list[str], list[Row]]:
    found = metrics["held_out"]
    floor = found[FLOOR]
    rows = [
        Row(
            name.replace("_", " "),
            [Cell(f"{errors[k]:#.3g}", _ratio(errors[k], floor[k])) for k in HELD_OUT],
        )
        for name, errors in found.items()
        if name != FLOOR
    ]
    rows += [
        Row(f"{name.replace('_', ' ')}, Monte Carlo error", [_sampled(errors, k) for k in HELD_OUT])
        for name, errors in found.items()
        if any(f"{key}{MONTE_CARLO}" in errors for key in HELD_OUT)
    ]
    rows.append(Row("noise floor", [Cell(f"{floor[k]:#.3g}") for k in HELD_OUT]))
    return ("Held-out simulations", list(HELD_OUT.values()), rows)


def _ratio(error: float, floor: float) -> str:
    return f"{error / floor:.2g}" if floor > 0 else ""


def _sampled(errors: Mapping[str, float], key: str) -> Cell:
    error = errors.get(f"{key}{MONTE_CARLO}")
    return Cell("-" if error is None else f"{error:#.3g}")


def _functions(metrics: Mapping[str, Any]) -> Tables:
    tables: Tables = []
    for model, species in metrics["functions"].items():
        for name, known in species.items():
            rows = [
                Row(key, [Cell(_share(known[key][column])) for column in FUNCTIONS])
                for key in ("F1", "F2", "F3")
            ]
            low, high = known["visited"]
            heading = f"Functions of {name} in “{model}”, ν from {low:.3g} to {high:.3g}"
            tables.append((heading, list(FUNCTIONS.values()), rows))
    return tables


def _share(value: float | None) -> str:
    return "-" if value is None else f"{100 * value:.2g} %"
