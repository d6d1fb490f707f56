"""Errors of all predictions next to their noise floors, as `metrics.json` holds them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, final

import numpy as np
import xarray as xr
from jaxtyping import Float64

from dynboltz.evaluation import (
    EnsembleMoments,
    cross_fitted_square,
    ensemble_moments,
    error_summary,
    half_means,
    noise_floor,
    root_mean_square,
    squared_error,
)

from ._experiment import Experiment
from ._fingerprint import metrics_fingerprint
from ._version import version

ByPart = dict[str, Float64[np.ndarray, "..."]]
"""Values over (initial condition, time, moment) by part."""


@final
@dataclass(frozen=True)
class Simulated:
    """What simulations of one part show.

    Attributes
    ----------
    ensemble
        Means over all replicas and their standard errors.
    halves
        Means over either half of the replicas (half, initial condition, time, moment); NaN where
        an initial condition has a single one.
    """

    ensemble: EnsembleMoments
    halves: Float64[np.ndarray, "halves initial_conditions times moments"]

    @staticmethod
    def of(trajectories: xr.Dataset) -> Simulated:
        """Average the moments of trajectories."""
        moments, numbers = trajectories.moments.values, trajectories.initial_condition.values
        return Simulated(ensemble_moments(moments, numbers), half_means(moments, numbers))

    @property
    def floor(self) -> Float64[np.ndarray, " moments"]:
        """Noise floor, mean over time."""
        return error_summary(noise_floor(self.ensemble.standard_error)).time_mean


@final
@dataclass(frozen=True)
class Prediction:
    """Predicted moments and their errors, by part.

    Attributes
    ----------
    moments
        Moments per site.
    squares
        Squared errors, with the noise of the simulated means in them and no other.
    monte_carlo
        Standard errors of sampled moments; empty without.
    """

    moments: ByPart
    squares: ByPart
    monte_carlo: ByPart = field(default_factory=dict)


def squares_of(
    simulated: Simulated,
    moments: Float64[np.ndarray, "initial_conditions times moments"],
    halves: Float64[np.ndarray, "halves initial_conditions times moments"] | None = None,
    monte_carlo: Float64[np.ndarray, "initial_conditions times moments"] | float = 0.0,
) -> Float64[np.ndarray, "initial_conditions times moments"]:
    """Squared errors of predictions, without the noise of their starts and of their sampling.

    Parameters
    ----------
    simulated
        What to compare with.
    moments
        Predicted moments.
    halves
        Predictions from starts that were fitted to either half of the replicas. `None` if starts
        do not depend on the replicas. Initial conditions with a single replica have no halves:
        their start and what it is compared with are the same.
    monte_carlo
        Standard errors of sampled moments.
    """
    plain = squared_error(moments, simulated.ensemble.mean, monte_carlo)
    if halves is None or np.array_equal(*halves):
        return plain
    error = simulated.ensemble.standard_error
    crossed = cross_fitted_square(halves, simulated.halves, error)
    return np.where(np.isfinite(error), crossed, plain)


def error_metrics(
    experiment: Experiment,
    simulated: dict[str, Simulated],
    predictions: dict[str, Prediction],
    facts: dict[str, dict[str, Any]],
) -> dict[str, Any]:
    """What `metrics.json` holds of all predictions: errors, and what else is known of them."""
    test = _part_metrics("test", simulated, predictions)
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
            "monte_carlo": "per site",
            "wall_seconds": "s",
            "times": "1",
            "prediction_seconds": "s",
        },
        "moments": [term.name for term in experiment.moments],
        "times": experiment.times,
        "n_initial_conditions": {part: len(s.ensemble.mean) for part, s in simulated.items()},
        **test,
        "train": _part_metrics("train", simulated, predictions),
    }


def _or_null(values: Float64[np.ndarray, ...]) -> np.ndarray | list[Any]:
    """Values, or as many `None` where single replicas show no noise, as JSON has no NaN."""
    if np.all(np.isfinite(values)):
        return values
    found = values.astype(object)
    found[~np.isfinite(values)] = None
    return found.tolist()


def _part_metrics(
    part: str, simulated: dict[str, Simulated], predictions: dict[str, Prediction]
) -> dict[str, Any]:
    floor = error_summary(noise_floor(simulated[part].ensemble.standard_error))
    models: dict[str, dict[str, Any]] = {}
    for name, prediction in predictions.items():
        error = error_summary(root_mean_square(prediction.squares[part]))
        models[name] = {
            "rmse_time_mean": error.time_mean,
            "rmse_time_max": error.time_max,
            "rmse": error.over_time,
        }
        if part in prediction.monte_carlo:
            sampled = error_summary(noise_floor(prediction.monte_carlo[part]))
            models[name]["monte_carlo_time_mean"] = sampled.time_mean
    return {
        "noise_floor": {
            "time_mean": _or_null(floor.time_mean),
            "time_max": _or_null(floor.time_max),
            "t0": _or_null(floor.over_time[0]),
            "over_time": _or_null(floor.over_time),
        },
        "models": models,
    }
