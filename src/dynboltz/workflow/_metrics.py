"""Errors of all predictions next to their noise floors, as `metrics.json` holds them."""

from __future__ import annotations

from typing import Any

import numpy as np
from jaxtyping import Float64

from dynboltz.evaluation import (
    EnsembleMoments,
    error_summary,
    noise_floor,
    root_mean_square_error,
)

from ._experiment import Experiment
from ._fingerprint import metrics_fingerprint
from ._version import version

Prediction = dict[str, Float64[np.ndarray, "initial_conditions times moments"]]
"""Predicted moments by part."""


def error_metrics(
    experiment: Experiment,
    ensembles: dict[str, EnsembleMoments],
    predictions: dict[str, Prediction],
    facts: dict[str, dict[str, Any]],
) -> dict[str, Any]:
    """What `metrics.json` holds of all predictions: errors, and what else is known of them."""
    test = _part_metrics("test", ensembles, predictions)
    for name, known in facts.items():
        test["models"][name] |= known
    return {
        "experiment": experiment.name,
        "seed": experiment.seed,
        "version": version(),
        "fingerprint": metrics_fingerprint(experiment),
        "units": {
            "rmse": "per site",
            "noise_floor": "per site",
            "wall_seconds": "s",
            "times": "1",
            "prediction_seconds": "s",
        },
        "moments": [term.name for term in experiment.moments],
        "times": experiment.times,
        "n_initial_conditions": {part: len(e.mean) for part, e in ensembles.items()},
        **test,
        "train": _part_metrics("train", ensembles, predictions),
    }


def _or_null(values: Float64[np.ndarray, ...]) -> np.ndarray | list[Any]:
    """Values, or as many `None` where single replicas show no noise, as JSON has no NaN."""
    if np.all(np.isfinite(values)):
        return values
    found = values.astype(object)
    found[~np.isfinite(values)] = None
    return found.tolist()


def _part_metrics(
    part: str, ensembles: dict[str, EnsembleMoments], predictions: dict[str, Prediction]
) -> dict[str, Any]:
    floor = error_summary(noise_floor(ensembles[part].standard_error))
    models: dict[str, dict[str, Any]] = {}
    for name, prediction in predictions.items():
        error = error_summary(root_mean_square_error(prediction[part], ensembles[part].mean))
        models[name] = {
            "rmse_time_mean": error.time_mean,
            "rmse_time_max": error.time_max,
            "rmse": error.over_time,
        }
    return {
        "noise_floor": {
            "time_mean": _or_null(floor.time_mean),
            "time_max": _or_null(floor.time_max),
            "t0": _or_null(floor.over_time[0]),
            "over_time": _or_null(floor.over_time),
        },
        "models": models,
    }
