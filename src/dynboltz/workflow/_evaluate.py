"""The fourth stage: errors of all models against the simulations."""

from __future__ import annotations

import functools
import math
import time
from typing import Any

import jax
import numpy as np
import xarray as xr
from jaxtyping import Float64

from dynboltz import store
from dynboltz._warnings import collected
from dynboltz.evaluation import (
    EnsembleMoments,
    ensemble_moments,
    mean_field_prediction,
    relative_summary,
)
from dynboltz.learning import ReducedModel
from dynboltz.store import StoreError

from ._directory import ResultDirectory
from ._example_states import example_states
from ._experiment import BASELINE, Experiment, ReducedModelPlan
from ._fingerprint import fit_fingerprint, metrics_fingerprint
from ._fit import KIND as FIT_KIND
from ._fit import initial_states
from ._lineage import lineage_of_all
from ._metrics import Prediction, error_metrics
from ._parts import PARTS, padded
from ._progress import Progress, silent
from ._references import ClosureKind, Reference, closure_prediction, matching_prediction
from ._sampled_models import (
    SampledModel,
    equilibrium_variables,
    sample_model,
    sampled_metrics,
    short_runs,
)
from ._schema import StoreInitial
from ._simulate import open_part
from ._stored import read_current, write_product
from ._timings import read_timings, timed, wall_seconds
from ._train import load_model
from ._transfer import TransferData, simulate_transfer, transfer_dataset, transfer_moments
from ._verdicts import (
    comparison_warnings,
    extrapolation_warnings,
    fit_residuals,
    fit_warnings,
    metastability_warnings,
    training_warnings,
)

KIND = "dynboltz-prediction"


def evaluate(
    experiment: Experiment, directory: ResultDirectory, *, progress: Progress = silent
) -> dict[str, Any]:
    """Predict all moments with every model and compare them with the simulations."""
    current = _current_metrics(experiment, directory)
    if current is not None:
        return current
    start = time.perf_counter()
    with timed(directory, "evaluate"), jax.enable_x64(True):
        ensembles = {part: _ensemble(experiment, directory, part) for part in PARTS}
        evaluation = _Evaluation(experiment, directory, ensembles)
        ceilings = experiment.table.evaluation.ceilings
        closures, matchings = experiment.table.evaluation.closures, experiment.matchings
        models = [*experiment.plans, *matchings, BASELINE, *closures, *ceilings]
        for step, name in enumerate(models):
            progress({"stage": "evaluate", "model": name, "step": step, "total": len(models)})
            if name == BASELINE:
                evaluation.add_baseline()
            elif name in matchings:
                evaluation.add_matching(name, matchings[name])
            elif name in closures:
                evaluation.add_closure(name)
            elif name in ceilings:
                evaluation.add_ceiling(name, ceilings[name])
            else:
                evaluation.add_model(name)
        progress({"stage": "evaluate", "step": len(models), "total": len(models)})
        metrics = evaluation.metrics() | {"lineage": evaluation.origin}
        timings = read_timings(directory) | {"evaluate": time.perf_counter() - start}
        metrics["wall_seconds"] = wall_seconds(timings)
        store.write_json(directory.metrics, metrics)
    return metrics


class _Evaluation:
    """What is found out about the models, one after the other."""

    def __init__(
        self,
        experiment: Experiment,
        directory: ResultDirectory,
        ensembles: dict[str, EnsembleMoments],
    ) -> None:
        self._experiment, self._directory, self._ensembles = experiment, directory, ensembles
        self._predictions: dict[str, Prediction] = {}
        self._facts: dict[str, dict[str, Any]] = {}
        self._seconds: dict[str, float] = {}
        self._sampled: dict[str, dict[str, Any]] = {}
        self._warnings: list[str] = []
        self._metastable: dict[str, str] = {}

    def add_baseline(self) -> None:
        """The mean-field equations."""
        start = time.perf_counter()
        predicted = _mean_field(self._experiment, self._ensembles)
        self._seconds[BASELINE] = time.perf_counter() - start
        self._predictions[BASELINE] = predicted
        self._write(BASELINE, _dataset(self._experiment, BASELINE, predicted, self._ensembles))

    def add_closure(self, kind: ClosureKind) -> None:
        """A classical closure; without errors if it became unphysical."""
        reference = closure_prediction(self._experiment, kind, self._initial_states)
        self._add_reference(kind, reference)

    def add_matching(self, label: str, name: str) -> None:
        """Entropic matching in the family of a model."""
        fits = _read_fits(self._experiment, self._directory, name)
        initial = {part: _initial(fits, part) for part in PARTS}
        reference = matching_prediction(self._experiment, label, name, initial)
        self._add_reference(label, reference, self._experiment.plans[name])

    def _add_reference(
        self, label: str, reference: Reference, plan: ReducedModelPlan | None = None
    ) -> None:
        if reference.message:
            self._warnings.append(f"{label}: has no errors. {reference.message}")
            return
        self._seconds[label] = reference.seconds
        self._predictions[label] = reference.moments
        dataset = _dataset(
            self._experiment, label, reference.moments, self._ensembles, reference.theta, plan=plan
        )
        self._write(label, dataset)

    def add_model(self, name: str) -> None:
        """A learned model."""
        experiment, directory = self._experiment, self._directory
        plan = experiment.plans[name]
        learned = load_model(experiment, directory, name)
        fits = _read_fits(experiment, directory, name)
        start = time.perf_counter()
        theta = _predict(experiment, fits, learned)
        integration = time.perf_counter() - start
        times, n_learned = experiment.times, len(plan.learned_times(experiment.times))
        self._facts[name] = {
            "parameters": _parameters(learned),
            "learned_until": float(times[n_learned - 1]),
        }
        residuals = fit_residuals(fits)
        if residuals:
            self._facts[name]["fit_residual"] = residuals
        self._warnings += fit_warnings(plan, fits) + training_warnings(plan, learned)
        self._warnings += extrapolation_warnings(name, learned, times, n_learned, theta)
        sampled = None
        if plan.is_solvable:
            predicted = {part: learned.moments(t, experiment.moments) for part, t in theta.items()}
            self._seconds[name] = time.perf_counter() - start
        else:
            sampled = sample_model(experiment, directory, name, theta["test"], "test")
            seconds = integration + sampled.seconds * len(theta["test"])
            begun = time.perf_counter()
            train = short_runs(experiment, name, theta["train"], "train").mean
            self._seconds[name] = seconds + time.perf_counter() - begun
            predicted = {"train": train, "test": sampled.short_run}
            self._add_sampled(name, name, sampled)
            self._sampled[name]["seconds"] = {
                "integration": integration / len(PARTS),
                "short_runs": sampled.seconds,
            }
            self._transfer(name, theta["test"][0])
        self._predictions[name] = predicted
        self._write(
            name, _dataset(experiment, name, predicted, self._ensembles, theta, sampled, plan)
        )

    def add_ceiling(self, ceiling: str, name: str) -> None:
        """The static fits of a model."""
        experiment, plan = self._experiment, self._experiment.plans[name]
        fits = _read_fits(experiment, self._directory, name)
        n_initial = fits.attrs["n_initial_conditions"]["train"]
        sampled = sample_model(
            experiment, self._directory, name, fits.theta.values[:n_initial], "train", label=ceiling
        )
        self._add_sampled(ceiling, name, sampled)
        nothing = np.full_like(self._ensembles["test"].mean, np.nan)
        unknown = np.full((*nothing.shape[:2], sampled.theta.shape[-1]), np.nan)
        moments = {"train": sampled.short_run, "test": nothing}
        theta = {"train": sampled.theta, "test": unknown}
        dataset = _dataset(experiment, ceiling, moments, self._ensembles, theta, sampled, plan)
        self._write(ceiling, dataset)

    def metrics(self) -> dict[str, Any]:
        """What `metrics.json` holds, but for the time it took."""
        metrics = error_metrics(self._experiment, self._ensembles, self._predictions, self._facts)
        lone = _lone_initial_conditions(self._experiment, self._ensembles)
        worse = [
            warning
            for plan in self._experiment.plans.values()
            for warning in comparison_warnings(
                plan, len(plan.learned_times(self._experiment.times)), metrics["models"]
            )
        ]
        metrics["prediction_seconds"] = self._seconds
        single = _single_replicas(self._ensembles)
        metrics["warnings"] = lone + single + worse + self._warnings
        metrics["warnings"] += self._verdicts_on_chains()
        return metrics | self._sampled

    def _add_sampled(self, label: str, name: str, sampled: SampledModel) -> None:
        ensemble = self._ensembles[sampled.part]
        self._sampled[label] = sampled_metrics(self._experiment, name, sampled, ensemble)
        self._metastable[label] = name

    def _verdicts_on_chains(self) -> list[str]:
        """What it means where chains remember their start, once ceilings are known as well."""
        ceilings = {
            name: self._sampled[ceiling]["short_run"]
            for ceiling, name in self._experiment.table.evaluation.ceilings.items()
            if ceiling in self._sampled
        }
        return [
            warning
            for label, name in self._metastable.items()
            for warning in metastability_warnings(
                label,
                self._experiment.plans[name],
                self._sampled[label]["metastable_times"],
                self._sampled[label]["short_run"],
                ceilings.get(name),
            )
        ]

    def _transfer(self, name: str, theta: Float64[np.ndarray, "times coefficients"]) -> None:
        """States of a model, and its predictions on the other lattice, if there is one."""
        experiment, directory = self._experiment, self._directory
        fingerprint = metrics_fingerprint(experiment)
        drawn = example_states(experiment, name, theta, fingerprint)
        write_product(drawn, directory.sample(name), self.origin)
        if self._other_lattice is None:
            return
        moments = transfer_moments(experiment, name, theta, self._other_lattice)
        simulated = self._other_lattice.moments.mean
        self._sampled[name]["transfer"] = relative_summary(
            moments[None] - simulated, simulated, experiment.moments
        )
        dataset = transfer_dataset(experiment, name, moments, self._other_lattice, fingerprint)
        write_product(dataset, directory.transfer(name), self.origin)

    @functools.cached_property
    def origin(self) -> dict[str, Any]:
        """What the predictions are made from."""
        return lineage_of_all(self._experiment, self._directory)

    @functools.cached_property
    def _initial_states(self) -> dict[str, list[np.ndarray]]:
        """Simulated states at time 0 by part, read once for all closures."""
        return {part: initial_states(self._experiment, self._directory, part) for part in PARTS}

    @functools.cached_property
    def _other_lattice(self) -> TransferData | None:
        table = self._experiment.table.evaluation.transfer
        return None if table is None else simulate_transfer(self._experiment, table)

    def _write(self, name: str, dataset: xr.Dataset) -> None:
        write_product(dataset, self._directory.prediction(name), self.origin)


def _current_metrics(experiment: Experiment, directory: ResultDirectory) -> dict[str, Any] | None:
    """Metrics of these settings, if all predictions are there as well."""
    try:
        metrics = store.read_json(directory.metrics)
        for name in metrics["models"]:
            found = store.read_dataset(directory.prediction(name), KIND)
            if found.attrs["fingerprint"] != metrics_fingerprint(experiment):
                return None
    except StoreError:
        return None
    return metrics if metrics.get("fingerprint") == metrics_fingerprint(experiment) else None


def _ensemble(experiment: Experiment, directory: ResultDirectory, part: str) -> EnsembleMoments:
    trajectories = open_part(experiment, directory, part)
    return ensemble_moments(trajectories.moments.values, trajectories.initial_condition.values)


def _read_fits(experiment: Experiment, directory: ResultDirectory, name: str) -> xr.Dataset:
    return read_current(directory.fit(name), FIT_KIND, fit_fingerprint(experiment, name), "fit")


def initial_of_test(
    experiment: Experiment, directory: ResultDirectory, name: str
) -> Float64[np.ndarray, "initial_conditions coefficients"]:
    """Coefficients of a model at time 0, for the initial conditions of the test."""
    return _initial(_read_fits(experiment, directory, name), "test")


def _initial(fits: xr.Dataset, part: str) -> Float64[np.ndarray, "initial_conditions coefficients"]:
    n_initial = fits.attrs["n_initial_conditions"][part]
    return fits.initial.sel(part=part).values[:n_initial]


def _predict(
    experiment: Experiment, fits: xr.Dataset, learned: ReducedModel
) -> dict[str, np.ndarray]:
    """Coefficients of all initial conditions, by part."""
    with collected():  # `extrapolation_warnings` says it by part.
        return {
            part: np.asarray(learned.predict(_initial(fits, part), experiment.times))
            for part in PARTS
        }


def _mean_field(experiment: Experiment, ensembles: dict[str, EnsembleMoments]) -> Prediction:
    n_species = len(experiment.network.species)
    return {
        part: mean_field_prediction(
            experiment.network,
            experiment.lattice,
            experiment.kernel,
            initial_densities=ensemble.mean[:, 0, :n_species],
            times=experiment.times - experiment.times[0],
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


def _lone_initial_conditions(
    experiment: Experiment, ensembles: dict[str, EnsembleMoments]
) -> list[str]:
    if not isinstance(experiment.table.initial, StoreInitial):
        return []
    return [
        f"{part}: all replicas are of one initial condition. Give `initial_condition` in your data "
        "if they are not."
        for part, ensemble in ensembles.items()
        if len(ensemble.mean) == 1
    ]


def _single_replicas(ensembles: dict[str, EnsembleMoments]) -> list[str]:
    """Say which noise is not known, because an initial condition has one replica only."""
    warnings = []
    for part, ensemble in ensembles.items():
        lacking = int(np.isnan(ensemble.standard_error).any(axis=(1, 2)).sum())
        if lacking:
            n_initial = len(ensemble.mean)
            known = "those with more" if lacking < n_initial else "no others, so that it is unknown"
            warnings.append(
                f"{part}: {lacking} of {n_initial} initial conditions have a single replica, which "
                f"shows no noise; the noise floor is that of {known}."
            )
    return warnings


def _dataset(
    experiment: Experiment,
    name: str,
    predicted: Prediction,
    ensembles: dict[str, EnsembleMoments],
    theta: dict[str, np.ndarray] | None = None,
    sampled: SampledModel | None = None,
    plan: ReducedModelPlan | None = None,
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
    attrs: dict[str, Any] = {
        "kind": KIND,
        "model": name,
        "fingerprint": metrics_fingerprint(experiment),
        "n_initial_conditions": {part: len(values) for part, values in predicted.items()},
    }
    if theta is not None and plan is not None:
        variables["theta"] = ((*dims, "coefficient"), padded(theta), {"units": "1"})
        coords["coefficient"] = list(plan.model.coefficients)
        if name not in experiment.matchings:
            attrs["learned_until"] = float(plan.learned_times(experiment.times)[-1])
    dataset = xr.Dataset(variables, coords=coords, attrs=attrs)
    if sampled is None:
        return dataset
    n_rows = dataset.sizes["initial_condition"]
    return dataset.merge(equilibrium_variables(experiment, sampled, PARTS, n_rows))
