"""What was learned: functions with their errors, beside what is known of them."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float64

from dynboltz.dynamics import Constant, FunctionalField

from ._experiment import BoxExperiment, FunctionalPlan
from ._functions import NAMES, functions_of
from ._homogeneous import term_labels
from ._model import FunctionalModel, parameters_of
from ._occupancy import BINS, Occupancy, occupancy, visited_values
from ._schema import FunctionalTable
from ._truth import true_functions

SYMBOLS = {"F1": ("D", 1.0), "F2": ("E", -1.0), "F3": ("k", 1.0)}
r"""Names of constants in `metrics.json`: $F_1 = D$, $F_2 = -E$, $F_3 = k$."""


class LearnedFunctions(NamedTuple):
    """The functions of all species, over values of their own interaction function.

    Those of the other species are at their median.

    Attributes
    ----------
    occupancy
        Of each species.
    value, error, truth
        Learned values, standard errors, and what is known, else NaN.
    """

    occupancy: list[Occupancy]
    value: Float64[np.ndarray, "species functions bins"]
    error: Float64[np.ndarray, "species functions bins"]
    truth: Float64[np.ndarray, "species functions bins"]


def learned_functions(experiment: BoxExperiment, learned: FunctionalModel) -> LearnedFunctions:
    """Evaluate the functions where solutions of the training set passed."""
    visited = visited_values(learned, experiment.times)
    middle = np.median(visited, axis=0)
    shape = (len(experiment.species), len(NAMES), BINS)
    found = LearnedFunctions([], *(np.full(shape, np.nan) for _ in range(3)))
    for number, name in enumerate(experiment.species):
        seen = occupancy(visited[:, number])
        nu = np.tile(middle, (BINS, 1))
        nu[:, number] = seen.nu
        found.occupancy.append(seen)
        for place, (value, error) in enumerate(learned.function_values(name, nu).values()):
            found.value[number, place], found.error[number, place] = value, error
        known = true_functions(experiment, name)
        if known is not None:
            found.truth[number] = [known[key](nu) for key in NAMES]
    return found


def function_metrics(experiment: BoxExperiment, found: LearnedFunctions) -> dict[str, Any]:
    """Errors of the functions where they were visited, relative to the largest true value."""
    least = experiment.table.evaluation.least_occupancy
    metrics: dict[str, Any] = {}
    for number, name in enumerate(experiment.species):
        seen = found.occupancy[number]
        where = seen.visited(least)
        metrics[name] = {"visited": [float(seen.nu[where][0]), float(seen.nu[where][-1])]}
        for place, key in enumerate(NAMES):
            value, error, truth = (
                part[number, place][where] for part in (found.value, found.error, found.truth)
            )
            metrics[name][key] = _error(value, error, truth, seen.share[where])
    return metrics


def _error(
    value: np.ndarray, error: np.ndarray, truth: np.ndarray, share: np.ndarray
) -> dict[str, float | None]:
    """Largest and root mean square error, the latter weighted with the occupancy."""
    scale = np.abs(truth).max()
    if not scale > 0:
        return {"relative_error_max": None, "relative_error_rms": None, "relative_noise": None}
    away = np.abs(value - truth) / scale
    return {
        "relative_error_max": float(away.max()),
        "relative_error_rms": _mean_square(away, share),
        "relative_noise": _mean_square(error / scale, share),
    }


def learned_weights(
    plan: FunctionalPlan, learned: FunctionalModel
) -> dict[str, dict[str, dict[str, float]]]:
    """Weights of the terms of every function, with standard errors; none of free curves."""
    if isinstance(plan.table, FunctionalTable):
        return {}
    labels = term_labels(plan.table, learned.model.species)
    values, errors = parameters_of(learned.field), np.sqrt(np.diag(learned.covariance))
    flat = [(function, label) for function, own in labels.items() for label in own]
    if len(flat) != len(values):
        return {}
    found: dict[str, dict[str, dict[str, float]]] = {}
    for (function, label), value, error in zip(flat, values, errors, strict=True):
        own = {"value": float(value), "standard_error": float(error)}
        found.setdefault(function, {})[label] = own
    return found


def _mean_square(values: np.ndarray, weights: np.ndarray) -> float:
    return float(np.sqrt(np.sum(weights * values**2) / weights.sum()))


def constants(experiment: BoxExperiment, learned: FunctionalModel) -> dict[str, Any] | None:
    """Recovered constants, their standard errors and the truth; `None` without constants.

    `D`, `E` and `k`, with several species `D.A` and so on; of functions that are constants only.
    """
    found: dict[str, dict[str, float]] = {"recovered": {}, "standard_error": {}, "truth": {}}
    many = len(experiment.species) > 1
    nowhere = np.zeros((1, len(experiment.species)))
    assert isinstance(learned.field, FunctionalField)
    for name, equation in zip(experiment.species, learned.field.equations, strict=True):
        values = learned.function_values(name, nowhere)
        known = true_functions(experiment, name)
        for key, function in functions_of(equation).items():
            if not isinstance(function, Constant):
                continue
            symbol, sign = SYMBOLS[key]
            label = f"{symbol}.{name}" if many else symbol
            value, error = values[key]
            found["recovered"][label] = sign * float(value[0])
            found["standard_error"][label] = float(error[0])
            if known is not None:
                found["truth"][label] = sign * float(known[key](nowhere)[0])
    return found if found["recovered"] else None
