"""The fourth stage: errors of all models against the simulations."""

from __future__ import annotations

import math
import time
from typing import Any

import jax
import numpy as np
import xarray as xr
from jaxtyping import Float64

from dynboltz import store
from dynboltz.evaluation import (
    EnsembleMoments,
    ensemble_moments,
    error_summary,
    mean_field_prediction,
    noise_floor,
    root_mean_square_error,
    sampled_prediction,
)
from dynboltz.learning import ReducedModel
from dynboltz.store import StoreError

from ._directory import BASELINE, ResultDirectory
from ._experiment import PARTS, Experiment
from ._fingerprint import fit_fingerprint, metrics_fingerprint
from ._fit import KIND as FIT_KIND
from ._fit import model_seed, padded
from ._initial_states import EVALUATION
from ._metastability import metastability_warnings, metastable_times
from ._progress import Progress, silent
from ._simulate import open_part
from ._stored import read_current
from ._timings import read_timings, timed, wall_seconds
from ._train import load_model
from ._version import version
from ._visited import unvisited

KIND = "dynboltz-prediction"
Prediction = dict[str, Float64[np.ndarray, "initial_conditions times moments"]]
"""Predicted moments by part."""


def evaluate(
    experiment: Experiment, directory: ResultDirectory, *, progress: Progress = silent
) -> dict[str, Any]:
    """Predict all moments with every model and compare them with the simulations.

    Writes the predictions and `metrics.json`.

    Parameters
    ----------
    experiment
        The models.
    directory
        Holds the trajectories, the fits and the models.
    progress
        Called before every model.

    Returns
    -------
    metrics
        What `metrics.json` holds.

    Raises
    ------
    ExperimentError, StoreError
        If something is missing, damaged or of other settings.
    OutsideBoxError
        If a prediction leaves a box with `outside = "error"`.
    """
    current = _current_metrics(experiment, directory)
    if current is not None:
        return current
    start = time.perf_counter()
    with timed(directory, "evaluate"), jax.enable_x64(True):
        ensembles = {part: _ensemble(experiment, directory, part) for part in PARTS}
        models = [*experiment.plans, BASELINE]
        predictions, facts, warnings = {}, {}, []
        for step, name in enumerate(models):
            progress({"stage": "evaluate", "model": name, "step": step, "total": len(models)})
            if name == BASELINE:
                theta, predictions[name] = None, _mean_field(experiment, ensembles)
            else:
                learned = load_model(experiment, directory, name)
                theta, predictions[name] = _predict(experiment, directory, name, learned)
                facts[name] = {"parameters": _parameters(learned)}
                warnings += _warnings(name, learned, theta)
                if not experiment.plans[name].is_solvable:
                    times = metastable_times(experiment, directory, name, theta["test"])
                    facts[name]["metastable_times"] = times
                    warnings += metastability_warnings(name, times)
            dataset = _dataset(experiment, name, theta, predictions[name], ensembles)
            store.write_dataset(dataset, directory.prediction(name))
        progress({"stage": "evaluate", "step": len(models), "total": len(models)})
        metrics = _metrics(experiment, ensembles, predictions, facts)
        metrics["warnings"] = _lone_initial_conditions(ensembles) + warnings
        timings = read_timings(directory) | {"evaluate": time.perf_counter() - start}
        metrics["wall_seconds"] = wall_seconds(timings)
        store.write_json(directory.metrics, metrics)
    return metrics


def _current_metrics(experiment: Experiment, directory: ResultDirectory) -> dict[str, Any] | None:
    """Metrics of these settings, if all predictions are there as well."""
    try:
        metrics = store.read_json(directory.metrics)
        for name in [*experiment.plans, BASELINE]:
            found = store.read_dataset(directory.prediction(name), KIND)
            if found.attrs["fingerprint"] != metrics_fingerprint(experiment):
                return None
    except StoreError:
        return None
    return metrics if metrics.get("fingerprint") == metrics_fingerprint(experiment) else None


def _ensemble(experiment: Experiment, directory: ResultDirectory, part: str) -> EnsembleMoments:
    trajectories = open_part(experiment, directory, part)
    return ensemble_moments(trajectories.moments.values, trajectories.initial_condition.values)


def _predict(
    experiment: Experiment, directory: ResultDirectory, name: str, learned: ReducedModel
) -> tuple[dict[str, np.ndarray], Prediction]:
    fits = read_current(directory.fit(name), FIT_KIND, fit_fingerprint(experiment, name), "fit")
    theta = {}
    for part in PARTS:
        n_initial = fits.attrs["n_initial_conditions"][part]
        initial = fits.initial.sel(part=part).values[:n_initial]
        theta[part] = np.asarray(learned.predict(initial, experiment.times))
    plan, table = experiment.plans[name], experiment.table.evaluation
    moments = {}
    for part, values in theta.items():
        if plan.is_solvable:
            moments[part] = learned.moments(values, experiment.moments)
        else:
            moments[part] = sampled_prediction(
                plan.model,
                values,
                experiment.moments,
                n_samples=table.samples,
                n_sweeps=table.sweeps,
                seed=model_seed(experiment, part, EVALUATION, name),
            )
    return theta, moments


def _mean_field(experiment: Experiment, ensembles: dict[str, EnsembleMoments]) -> Prediction:
    n_species = len(experiment.network.species)
    return {
        part: mean_field_prediction(
            experiment.network,
            experiment.lattice,
            experiment.kernel,
            initial_densities=ensemble.mean[:, 0, :n_species],
            times=experiment.times,
            terms=experiment.moments,
        )
        for part, ensemble in ensembles.items()
    }


def _parameters(learned: ReducedModel) -> dict[str, int]:
    """Numbers of coefficients and of degrees of freedom at allocated vertices."""
    return {
        "coefficients": len(learned.field.coefficients),
        "degrees_of_freedom": sum(
            function.n_allocated * math.prod(function.u.shape[1:])
            for function in learned.field.functions
        ),
    }


def _lone_initial_conditions(ensembles: dict[str, EnsembleMoments]) -> list[str]:
    return [
        f"{part}: all replicas are of one initial condition. Give `initial_condition` in your data "
        "if they are not."
        for part, ensemble in ensembles.items()
        if len(ensemble.mean) == 1
    ]


def _warnings(name: str, learned: ReducedModel, theta: dict[str, np.ndarray]) -> list[str]:
    """Say which part of the predictions extrapolates."""
    warnings = []
    for part, values in theta.items():
        share = unvisited(learned.field, values.reshape(-1, values.shape[-1])).mean()
        if share > 0:
            warnings.append(
                f"{name}, {part}: {share:.2%} of the predicted coefficients lie in cells that no "
                "training trajectory visited; the model extrapolates there."
            )
    return warnings


def _dataset(
    experiment: Experiment,
    name: str,
    theta: dict[str, np.ndarray] | None,
    predicted: Prediction,
    ensembles: dict[str, EnsembleMoments],
) -> xr.Dataset:
    dims = ("part", "initial_condition", "time")
    arrays = {
        "moments": predicted,
        "simulated": {part: ensembles[part].mean for part in PARTS},
        "standard_error": {part: ensembles[part].standard_error for part in PARTS},
    }
    variables = {
        key: ((*dims, "moment"), padded(values), {"units": "per site"})
        for key, values in arrays.items()
    }
    coords: dict[str, Any] = {
        "part": list(PARTS),
        "time": ("time", experiment.times, {"units": "1"}),
        "moment": [term.name for term in experiment.moments],
    }
    if theta is not None:
        variables["theta"] = ((*dims, "coefficient"), padded(theta), {"units": "1"})
        coords["coefficient"] = list(experiment.plans[name].model.coefficients)
    return xr.Dataset(
        variables,
        coords=coords,
        attrs={
            "kind": KIND,
            "model": name,
            "fingerprint": metrics_fingerprint(experiment),
            "n_initial_conditions": {part: len(values) for part, values in predicted.items()},
        },
    )


def _metrics(
    experiment: Experiment,
    ensembles: dict[str, EnsembleMoments],
    predictions: dict[str, Prediction],
    facts: dict[str, dict[str, Any]],
) -> dict[str, Any]:
    test = _part_metrics("test", ensembles, predictions)
    for name, known in facts.items():
        test["models"][name] |= known
    return {
        "experiment": experiment.name,
        "seed": experiment.seed,
        "version": version(),
        "fingerprint": metrics_fingerprint(experiment),
        "units": {"rmse": "per site", "noise_floor": "per site", "wall_seconds": "s", "times": "1"},
        "moments": [term.name for term in experiment.moments],
        "times": experiment.times,
        "n_initial_conditions": {part: len(e.mean) for part, e in ensembles.items()},
        **test,
        "train": _part_metrics("train", ensembles, predictions),
    }


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
            "time_mean": floor.time_mean,
            "time_max": floor.time_max,
            "t0": floor.over_time[0],
            "over_time": floor.over_time,
        },
        "models": models,
    }
