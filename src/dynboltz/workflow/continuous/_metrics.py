"""Errors of predictions against held-out simulations, each with its noise floor."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from dynboltz.evaluation import cross_fitted_square, squared_error

from ._observed import Measured, Observed

MEASURES = {
    "n_rel_rmse": ("number", True),
    "profile_rel_rmse": ("profile", True),
    "g_rmse": ("pair_correlation", False),
    "var_over_mean_error": ("dispersion", False),
}
"""Names of errors, the quantity, and whether they are relative to its root mean square."""

FLOOR = "noise_floor"
MONTE_CARLO = "_monte_carlo"
"""End of the names of Monte Carlo errors, behind that of the error."""


class Predicted(NamedTuple):
    """Predictions of one model.

    Attributes
    ----------
    quantities
        By name, of the shapes of what is observed.
    halves
        The same from starts that were fitted to either half of the replicas, the half first;
        empty for starts that do not depend on the replicas.
    monte_carlo
        Standard errors of sampled quantities; empty without.
    """

    quantities: Mapping[str, np.ndarray]
    halves: Mapping[str, np.ndarray]
    monte_carlo: Mapping[str, np.ndarray]


def held_out_errors(
    predictions: Mapping[str, Predicted], observed: Observed
) -> dict[str, dict[str, float]]:
    """Root mean square errors of all models over initial conditions and times.

    The noise floor is the error of a perfect prediction: the root mean square standard error of
    what the simulations show. Errors are without the noise of fitted starts and of sampling, see
    `dynboltz.evaluation.cross_fitted_square`; mean squares below 0 count as 0. Sampled models have
    their Monte Carlo errors beside the others.

    Parameters
    ----------
    predictions
        What models predict.
    observed
        What the simulations show.
    """
    errors: dict[str, dict[str, float]] = {}
    for model, predicted in predictions.items():
        own = errors.setdefault(model, {})
        for label, (key, relative) in MEASURES.items():
            scale = _scale(observed, key, relative)
            own[label] = _root(squares_of(predicted, observed[key], key)) / scale
            if key in predicted.monte_carlo:
                sampled = _root(predicted.monte_carlo[key] ** 2)
                own[f"{label}{MONTE_CARLO}"] = sampled / scale
    errors[FLOOR] = {
        label: _root(observed[key].error ** 2) / _scale(observed, key, relative)
        for label, (key, relative) in MEASURES.items()
    }
    return errors


def squares_of(predicted: Predicted, seen: Measured, key: str) -> np.ndarray:
    """Squared errors of one quantity, without the noise of starts and of sampling."""
    if key in predicted.halves and not np.array_equal(*predicted.halves[key]):
        return cross_fitted_square(predicted.halves[key], seen.halves, seen.error)
    error = predicted.monte_carlo.get(key, 0.0)
    return squared_error(predicted.quantities[key], seen.value, error)


def _scale(observed: Observed, key: str, relative: bool) -> float:
    return _root(observed[key].value ** 2) if relative else 1.0


def _root(squares: np.ndarray) -> float:
    return float(np.sqrt(max(np.mean(squares), 0.0)))
