"""The fourth stage: what was learned, and predictions of held-out simulations."""

from __future__ import annotations

import time
from typing import Any

import jax
import numpy as np
import xarray as xr

from dynboltz import store
from dynboltz._warnings import collected
from dynboltz.dynamics import FunctionalField
from dynboltz.evaluation import species_pairs
from dynboltz.evaluation._squared_errors import N_HALVES
from dynboltz.store import StoreError

from .._directory import ResultDirectory
from .._lineage import lineage_of_all
from .._parts import PARTS
from .._progress import Progress, silent
from .._stored import write_product
from .._timings import read_timings, timed, wall_seconds
from .._version import version
from ._experiment import BoxExperiment
from ._fingerprint import metrics_fingerprint
from ._fit import halves_of_test, initial_of_test
from ._functions import NAMES
from ._learned import (
    LearnedFunctions,
    constants,
    function_metrics,
    learned_functions,
    learned_weights,
)
from ._metrics import Predicted, held_out_errors, squares_of
from ._model import FunctionalModel
from ._model_errors import about_model
from ._observed import QUANTITIES, Observed, distance_edges, observe
from ._occupancy import grid_points
from ._pair_functions import pair_functions
from ._predicted import density, predict_quantities
from ._sampled_quantities import sampled_quantities
from ._train import load_model

KIND = "dynboltz-functional-prediction"
AXES = ("x", "y", "z")
FINE_POINTS = 200
"""Of densities on a line."""


def evaluate(
    experiment: BoxExperiment, directory: ResultDirectory, *, progress: Progress = silent
) -> dict[str, Any]:
    """Predict the held-out simulations with every model; write predictions and metrics."""
    current = _current_metrics(experiment, directory)
    if current is not None:
        return current
    start = time.perf_counter()
    with timed(directory, "evaluate"), jax.enable_x64(True):
        observed = observe(experiment, directory, "test", progress)
        metrics, predictions = _common(experiment), {}
        for name in experiment.plans:
            learned = load_model(experiment, directory, name)
            with about_model(name):
                with collected() as notes:
                    theta = _predict(experiment, directory, name, learned)
                metrics["warnings"] += [f"{name}: {note}" for note in notes]
                with collected():  # the same as of all replicas
                    halves = _predict_halves(experiment, directory, name, learned)
                with collected() as notes:
                    predicted = _quantities(
                        experiment, name, learned, theta, halves, observed, progress
                    )
                metrics["warnings"] += dict.fromkeys(notes)
            predictions[name] = predicted
            metrics["models"][name] = _facts(experiment, name, learned)
            dataset = _dataset(experiment, name, theta, predicted, observed)
            if experiment.plans[name].has_pairs:
                dataset = dataset.assign(pair_functions(learned.model, theta))
            if isinstance(learned.field, FunctionalField):
                functions = learned_functions(experiment, learned)
                metrics["functions"][name] = function_metrics(experiment, functions)
                dataset = dataset.assign(_function_variables(functions))
                if len(experiment.box.lengths) == 1:
                    dataset = dataset.assign(_curves(experiment, name, theta))
                if "recovered" not in metrics:
                    metrics |= constants(experiment, learned) or {}
            write_product(
                dataset, directory.prediction(name), lineage_of_all(experiment, directory)
            )
        metrics["held_out"] = held_out_errors(predictions, observed)
        timings = read_timings(directory) | {"evaluate": time.perf_counter() - start}
        metrics["wall_seconds"] = wall_seconds(timings)
        metrics["lineage"] = lineage_of_all(experiment, directory)
        store.write_json(directory.metrics, metrics)
    return metrics


def _current_metrics(
    experiment: BoxExperiment, directory: ResultDirectory
) -> dict[str, Any] | None:
    """Metrics of these settings, if all predictions are there as well."""
    fingerprint = metrics_fingerprint(experiment)
    try:
        metrics = store.read_json(directory.metrics)
        for name in experiment.plans:
            found = store.read_dataset(directory.prediction(name), KIND)
            if found.attrs["fingerprint"] != fingerprint:
                return None
    except StoreError:
        return None
    return metrics if metrics.get("fingerprint") == fingerprint else None


def _predict(
    experiment: BoxExperiment, directory: ResultDirectory, name: str, learned: FunctionalModel
) -> np.ndarray:
    """Coefficients of the held-out initial conditions, from the fit of their first time."""
    return learned.predict(initial_of_test(experiment, directory, name), experiment.times)


def _predict_halves(
    experiment: BoxExperiment, directory: ResultDirectory, name: str, learned: FunctionalModel
) -> list[np.ndarray]:
    """Coefficients from fits of either half of the replicas; none if no fit depends on them."""
    starts = halves_of_test(experiment, directory, name)
    if np.array_equal(*starts):
        return []
    return [learned.predict(half, experiment.times) for half in starts]


def _quantities(
    experiment: BoxExperiment,
    name: str,
    learned: FunctionalModel,
    theta: np.ndarray,
    halves: list[np.ndarray],
    observed: Observed,
    progress: Progress,
) -> Predicted:
    """What the model predicts, exactly without pairs, otherwise from chains.

    From chains, the prediction is the mean of those of the halves, each with half of the samples.
    """
    model = learned.model
    if not experiment.plans[name].has_pairs:
        parts = [predict_quantities(experiment, model, half) for half in halves]
        return Predicted(predict_quantities(experiment, model, theta), _stacked(parts), {})
    size = float(observed["number"].value.sum(axis=-1).max())
    if not halves:
        values, errors = sampled_quantities(
            experiment, name, model, theta, size, observed, progress
        )
        return Predicted(values, {}, errors)
    found = [
        sampled_quantities(
            experiment,
            name,
            model,
            half,
            size,
            observed,
            progress,
            half=number,
            share=1 / N_HALVES,
        )
        for number, half in enumerate(halves)
    ]
    values, errors = (_stacked([one[which] for one in found]) for which in range(2))
    return Predicted(
        {key: both.mean(axis=0) for key, both in values.items()},
        values,
        {key: np.sqrt((both**2).sum(axis=0)) / N_HALVES for key, both in errors.items()},
    )


def _stacked(parts: list[dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
    return {key: np.array([part[key] for part in parts]) for key in QUANTITIES} if parts else {}


def _common(experiment: BoxExperiment) -> dict[str, Any]:
    initial = experiment.table.initial
    return {
        "experiment": experiment.name,
        "space": "continuous",
        "seed": experiment.seed,
        "version": version(),
        "fingerprint": metrics_fingerprint(experiment),
        "units": {"D": "length^2/time", "E": "length^2/time", "k": "1/time", "wall_seconds": "s"},
        "times": experiment.times,
        "n_initial_conditions": {part: getattr(initial, part) for part in PARTS},
        "models": {},
        "functions": {},
        "warnings": [],
    }


def _facts(experiment: BoxExperiment, name: str, learned: FunctionalModel) -> dict[str, Any]:
    return {
        "order": experiment.plans[name].table.order,
        "coefficients": len(learned.model.coefficients),
        "parameters": len(learned.covariance),
        "weights": learned_weights(experiment.plans[name], learned),
        "steps": int(np.sum(np.diff(learned.history["window"]) == 0)),
        "action": float(learned.history["action"][-1]),
    }


def _dataset(
    experiment: BoxExperiment,
    name: str,
    theta: np.ndarray,
    predicted: Predicted,
    observed: Observed,
) -> xr.Dataset:
    dims = ("initial_condition", "time")
    axes = AXES[: experiment.box.dim]
    more = {"profile": ("species", *axes), "pair_correlation": ("pair", "distance")}
    variables: dict[str, Any] = {"theta": ((*dims, "coefficient"), theta)}
    for key in QUANTITIES:
        own = (*dims, *more.get(key, ("species",)))
        variables[key] = (own, predicted.quantities[key])
        variables[f"squared_error_{key}"] = (own, squares_of(predicted, observed[key], key))
        variables[f"simulated_{key}"] = (own, observed[key].value)
        variables[f"error_{key}"] = (own, observed[key].error)
    edges, n = distance_edges(experiment), experiment.table.evaluation.profile_bins
    centres = {
        axis: (np.arange(n) + 0.5) / n * length
        for axis, length in zip(axes, experiment.box.lengths, strict=True)
    }
    return xr.Dataset(
        variables,
        coords={
            "time": ("time", experiment.times, {"units": "1"}),
            "species": list(experiment.species),
            "pair": [".".join(pair) for pair in species_pairs(experiment.species)],
            "distance": (edges[1:] + edges[:-1]) / 2,
            **centres,
        },
        attrs={
            "kind": KIND,
            "model": name,
            "fingerprint": metrics_fingerprint(experiment),
            "least_occupancy": experiment.table.evaluation.least_occupancy,
            "box_lengths": list(experiment.box.lengths),
        },
    )


def _function_variables(functions: LearnedFunctions) -> dict[str, Any]:
    bins, over = ("species", "bin"), ("species", "function", "bin")
    return {
        "nu": (bins, np.stack([seen.nu for seen in functions.occupancy])),
        "occupancy": (bins, np.stack([seen.share for seen in functions.occupancy])),
        "function_value": (over, functions.value),
        "function_error": (over, functions.error),
        "function_truth": (over, functions.truth),
        "function": ("function", list(NAMES)),
    }


def _curves(experiment: BoxExperiment, name: str, theta: np.ndarray) -> dict[str, Any]:
    """Densities on a line at many points, to be drawn."""
    points, model = grid_points(experiment.box, FINE_POINTS), experiment.plans[name].model
    curves = [density(model, species, theta, points) for species in experiment.species]
    dims = ("initial_condition", "time", "species", "point")
    return {"density": (dims, np.stack(curves, axis=2)), "position": ("point", points[:, 0])}
