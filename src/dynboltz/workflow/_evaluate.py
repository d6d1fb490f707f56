"""The fourth stage: errors of all models against the simulations."""

from __future__ import annotations

import functools
import math
import time
from collections.abc import Mapping, Sequence
from typing import Any

import jax
import numpy as np
import xarray as xr
from jaxtyping import Float64

from dynboltz import store
from dynboltz._warnings import collected
from dynboltz.distributions import LatticeModel
from dynboltz.evaluation import mean_field_prediction, reaches, squared_error
from dynboltz.evaluation._squared_errors import N_HALVES
from dynboltz.laws import LearnedLaw
from dynboltz.learning import ReducedModel
from dynboltz.store import StoreError

from ._coefficient_laws import (
    predict_by_machine,
    read_coefficient_law,
    static_fits,
)
from ._directory import ResultDirectory
from ._example_states import example_states
from ._experiment import BASELINE, Experiment, ReducedModelPlan
from ._fingerprint import fit_fingerprint, metrics_fingerprint
from ._fit import HALVES, half_of, initial_states
from ._fit import KIND as FIT_KIND
from ._laws import PredictedByLaw, coverage, finite, predict_by_law, read_law
from ._lineage import lineage_of_all
from ._metrics import ByPart, Prediction, Simulated, error_metrics, squares_of
from ._parts import PARTS, padded
from ._progress import Progress, silent
from ._references import (
    ClosureKind,
    Reference,
    closure_prediction,
    matching_of_half,
    matching_prediction,
)
from ._sampled_models import (
    SampledModel,
    enough_short_runs,
    equilibrium_variables,
    sample_model,
    sampled_metrics,
    short_runs_of_halves,
)
from ._schema import StoreInitial
from ._simulate import open_part
from ._stored import read_current, write_product
from ._timings import read_timings, timed, wall_seconds
from ._train import load_model
from ._transfer import (
    TransferData,
    simulate_transfer,
    transfer_dataset,
    transfer_errors,
    transfer_moments,
)
from ._verdicts import (
    Compared,
    comparison_warnings,
    extrapolation_warnings,
    fit_residuals,
    fit_warnings,
    law_warnings,
    metastability_warnings,
    poor_model_warnings,
    remedy,
    sampling_warnings,
    start_warnings,
    training_warnings,
)

KIND = "dynboltz-prediction"
NO_NETWORK = (
    "The file names no `network`: mean field and everything else that follows from reactions is "
    "left out."
)
UNCERTAIN = 3.0
"""Of the standard deviation of a prediction, in units of the noise of the simulated means."""
UNITS = {"squared_error": "per site squared"}
"""Of variables that are not per site."""


def evaluate(
    experiment: Experiment, directory: ResultDirectory, *, progress: Progress = silent
) -> dict[str, Any]:
    """Predict all moments with every model and compare them with the simulations."""
    current = _current_metrics(experiment, directory)
    if current is not None:
        return current
    start = time.perf_counter()
    with timed(directory, "evaluate"), jax.enable_x64(True):
        simulated = {part: Simulated.of(open_part(experiment, directory, part)) for part in PARTS}
        evaluation = _Evaluation(experiment, directory, simulated)
        ceilings = experiment.table.evaluation.ceilings
        closures, matchings = experiment.table.evaluation.closures, experiment.matchings
        baseline = [BASELINE] if experiment.has_network else []
        machines = experiment.coefficient_laws
        models = [
            *experiment.laws,
            *machines,
            *experiment.plans,
            *matchings,
            *baseline,
            *closures,
            *ceilings,
        ]
        for step, name in enumerate(models):
            progress({"stage": "evaluate", "model": name, "step": step, "total": len(models)})
            if name == BASELINE:
                evaluation.add_baseline()
            elif name in experiment.laws:
                evaluation.add_law(name)
            elif name in machines:
                evaluation.add_coefficient_law(name)
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
        simulated: dict[str, Simulated],
    ) -> None:
        self._experiment, self._directory, self._simulated = experiment, directory, simulated
        self._predictions: dict[str, Prediction] = {}
        self._facts: dict[str, dict[str, Any]] = {}
        self._seconds: dict[str, float] = {}
        self._sampled: dict[str, dict[str, Any]] = {}
        self._warnings: list[str] = []
        self._metastable: dict[str, str] = {}

    def add_baseline(self) -> None:
        """The mean-field equations."""
        start = time.perf_counter()
        moments = {
            part: _mean_field(self._experiment, one.ensemble.mean)
            for part, one in self._simulated.items()
        }
        self._seconds[BASELINE] = time.perf_counter() - start
        halves = {
            part: np.array(
                [_mean_field(self._experiment, _filled(half, one)) for half in one.halves]
            )
            for part, one in self._simulated.items()
        }
        self._predictions[BASELINE] = self._compared(moments, halves)
        self._write(BASELINE, self._dataset(BASELINE))

    def add_closure(self, kind: ClosureKind) -> None:
        """A classical closure; without errors if it became unphysical."""
        reference = closure_prediction(self._experiment, kind, self._initial_states)
        halves = []
        for half in range(N_HALVES):
            own = {
                part: [half_of(rows, half) for rows in states]
                for part, states in self._initial_states.items()
            }
            if not reference.message:
                halves.append(closure_prediction(self._experiment, kind, own))
        self._add_reference(kind, reference, halves)

    def add_matching(self, label: str, name: str) -> None:
        """Entropic matching in the family of a model."""
        plan = self._experiment.plans[name]
        fits = _read_fits(self._experiment, self._directory, name)
        floors = {part: one.floor for part, one in self._simulated.items()}
        initial = {part: _initial(fits, part) for part in PARTS}
        reference = matching_prediction(self._experiment, label, name, initial, floors)
        halves, starts = [], _half_starts(fits)
        if starts is not None:
            own = [{part: rows[h] for part, rows in starts.items()} for h in range(N_HALVES)]
            halves = [
                matching_of_half(self._experiment, label, name, rows, half, reference.chains)
                for half, rows in enumerate(own)
            ]
        self._add_reference(label, reference, halves, plan)

    def _add_reference(
        self,
        label: str,
        reference: Reference,
        halves: Sequence[Reference] = (),
        plan: ReducedModelPlan | None = None,
    ) -> None:
        message = next((r.message for r in (reference, *halves) if r.message), "")
        if message:
            self._warnings.append(f"{label}: has no errors. {message}")
            return
        self._seconds[label] = reference.seconds
        of_halves = (
            {part: np.array([r.moments[part] for r in halves]) for part in PARTS}
            if len(halves) == N_HALVES
            else {}
        )
        self._predictions[label] = self._compared(
            reference.moments, of_halves, reference.monte_carlo
        )
        self._tell_sampling(label)
        self._write(label, self._dataset(label, reference.theta, plan=plan))

    def add_law(self, name: str) -> None:
        """A learned law of moments."""
        experiment, directory = self._experiment, self._directory
        model, tried = read_law(experiment, directory, name)
        with collected():  # `law_warnings` says it by part.
            predicted = predict_by_law(experiment, directory, model)
        self._seconds[name] = predicted.seconds
        prediction = self._compared(predicted.moments, predicted.halves)
        self._predictions[name] = prediction
        learned = model.learned
        self._facts[name] = {
            "followed": list(learned.chart.names),
            **_law_facts(learned, predicted, self._simulated["test"]),
            "tried": tried,
        }
        self._finish_law(name, predicted, learned.chart.names)

    def _finish_law(self, name: str, predicted: PredictedByLaw, followed: Sequence[str]) -> None:
        """Warnings of a law, and its predictions with bands."""
        self._warnings += law_warnings(
            name,
            self._facts[name],
            {part: self._beside_simulations(name, part) for part in PARTS},
        )
        dims = ("part", "initial_condition", "time")
        dataset = self._dataset(name).assign(
            uncertainty=((*dims, "moment"), padded(predicted.error), {"units": "per site"}),
            is_known=(dims, padded({p: k.astype(float) for p, k in predicted.is_known.items()})),
        )
        if predicted.theta is not None:
            model = self._experiment.coefficient_laws[name].model
            dataset = _with_theta(dataset, predicted.theta, model)
        dataset.attrs |= {
            "learned_until": self._facts[name]["learned_until"],
            "followed": list(followed),
        }
        self._write(name, dataset)

    def add_coefficient_law(self, name: str) -> None:
        """A Boltzmann machine with a learned law of its coordinates."""
        experiment, directory = self._experiment, self._directory
        learned = read_coefficient_law(experiment, directory, name)
        with collected():  # `law_warnings` says it by part.
            predicted = predict_by_machine(experiment, directory, name, learned)
        self._seconds[name] = predicted.seconds
        self._predictions[name] = self._compared(predicted.moments, predicted.halves)
        initial = experiment.coefficient_laws[name].initial
        self._facts[name] = {
            "start": "given" if isinstance(initial, dict) else initial,
            **_law_facts(learned, predicted, self._simulated["test"]),
        }
        self._finish_law(name, predicted, learned.chart.coordinates)

    def _add_static_fits(
        self, ceiling: str, model: LatticeModel, reference: Mapping[str, float]
    ) -> None:
        """Fits of every snapshot to one half of the replicas, compared with the other."""
        fits = static_fits(self._experiment, self._directory, model, reference)
        self._predictions[ceiling] = self._compared(fits.moments, fits.halves)
        self._write(ceiling, _with_theta(self._dataset(ceiling), fits.theta, model))

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
            "start": plan.start,
            "parameters": _parameters(learned),
            "learned_until": float(times[n_learned - 1]),
        }
        residuals = fit_residuals(fits)
        if residuals:
            self._facts[name]["fit_residual"] = residuals
        self._warnings += fit_warnings(plan, fits) + training_warnings(plan, learned)
        self._warnings += start_warnings(experiment, plan, _half_starts(fits))
        self._warnings += extrapolation_warnings(name, learned, times, n_learned, theta)
        halves = _predict_halves(experiment, fits, learned)
        if plan.is_solvable:
            exact = {part: learned.moments(t, experiment.moments) for part, t in theta.items()}
            self._seconds[name] = time.perf_counter() - start
            of_halves = {
                part: np.array([learned.moments(rows, experiment.moments) for rows in both])
                for part, both in halves.items()
            }
            self._predictions[name] = self._compared(exact, of_halves)
            self._write(name, self._dataset(name, theta, plan=plan))
        else:
            self._add_sampled_model(name, theta, halves, integration)

    def _add_sampled_model(
        self, name: str, theta: ByPart, halves: ByPart, integration: float
    ) -> None:
        experiment, floor = self._experiment, self._simulated["test"].floor
        sampled = sample_model(experiment, self._directory, name, theta["test"], "test", floor)
        seconds = integration + sampled.seconds * len(theta["test"])
        begun = time.perf_counter()
        train, n_train = enough_short_runs(
            experiment, name, theta["train"], "train", self._simulated["train"].floor
        )
        self._seconds[name] = seconds + time.perf_counter() - begun
        chains = {"train": n_train, "test": sampled.chains}
        of_halves = {
            part: short_runs_of_halves(experiment, name, rows, part, chains[part])
            for part, rows in halves.items()
        }
        runs = {"train": train, "test": sampled.short_run}
        self._predictions[name] = self._compared(
            {part: run.mean for part, run in runs.items()},
            of_halves,
            {part: run.standard_error for part, run in runs.items()},
        )
        self._facts[name]["short_runs"] = chains
        self._tell_sampling(name)
        self._add_sampled(name, name, sampled, self._predictions[name].squares["test"])
        self._sampled[name]["seconds"] = {
            "integration": integration / len(PARTS),
            "short_runs": sampled.seconds,
        }
        self._transfer(name, theta["test"][0])
        plan = experiment.plans[name]
        self._write(name, self._dataset(name, theta, sampled=sampled, plan=plan))

    def add_ceiling(self, ceiling: str, name: str) -> None:
        """The static fits of a model."""
        law = self._experiment.coefficient_laws.get(name)
        if law is not None:
            self._add_static_fits(ceiling, law.model, law.reference)
            return
        if self._experiment.plans[name].is_solvable:
            self._add_static_fits(ceiling, self._experiment.plans[name].model, {})
            return
        experiment, plan = self._experiment, self._experiment.plans[name]
        fits = _read_fits(experiment, self._directory, name)
        n_initial = fits.attrs["n_initial_conditions"]["train"]
        sampled = sample_model(
            experiment,
            self._directory,
            name,
            fits.theta.values[:n_initial],
            "train",
            self._simulated["train"].floor,
            label=ceiling,
        )
        self._add_sampled(ceiling, name, sampled)
        nothing = np.full_like(self._simulated["test"].ensemble.mean, np.nan)
        unknown = np.full((*nothing.shape[:2], sampled.theta.shape[-1]), np.nan)
        runs, means = sampled.short_run, self._simulated["train"].ensemble.mean
        predicted = Prediction(
            {"train": runs.mean, "test": nothing},
            {"train": squared_error(runs.mean, means, runs.standard_error), "test": nothing},
            {"train": runs.standard_error, "test": nothing},
        )
        theta = {"train": sampled.theta, "test": unknown}
        dataset = self._dataset(ceiling, theta, predicted, sampled, plan)
        self._write(ceiling, dataset)

    def _compared(
        self, moments: ByPart, halves: ByPart, monte_carlo: ByPart | None = None
    ) -> Prediction:
        """Predictions with their squared errors; halves where starts depend on the replicas."""
        errors = monte_carlo or {}
        squares = {
            part: squares_of(
                self._simulated[part], moments[part], halves.get(part), errors.get(part, 0.0)
            )
            for part in PARTS
        }
        return Prediction(moments, squares, errors)

    def _tell_sampling(self, label: str) -> None:
        """Warn if the Monte Carlo error of the test part is not small beside the noise floor."""
        errors = self._predictions[label].monte_carlo
        if errors and not reaches(errors["test"], self._simulated["test"].floor):
            self._warnings += sampling_warnings(label)

    def metrics(self) -> dict[str, Any]:
        """What `metrics.json` holds, but for the time it took."""
        metrics = error_metrics(self._experiment, self._simulated, self._predictions, self._facts)
        lone = _lone_initial_conditions(self._experiment, self._simulated)
        times = self._experiment.times
        compared = {
            name: (len(plan.learned_times(times)), remedy(plan))
            for name, plan in self._experiment.plans.items()
        }
        compared |= {name: (len(times), "") for name in self._experiment.law_names}
        worse = [
            warning
            for name, (n_learned, advice) in compared.items()
            if self._experiment.has_network
            for warning in comparison_warnings(name, n_learned, metrics["models"], advice)
        ]
        poor = [
            warning
            for plan in self._experiment.plans.values()
            for warning in poor_model_warnings(
                plan,
                len(plan.learned_times(self._experiment.times)),
                *(self._beside_simulations(plan.name, part) for part in ("train", "test")),
            )
        ]
        metrics["prediction_seconds"] = self._seconds
        single = _single_replicas(self._simulated)
        unknown = [] if self._experiment.has_network else [NO_NETWORK]
        metrics["warnings"] = unknown + lone + single + poor + worse + self._warnings
        metrics["warnings"] += self._verdicts_on_chains()
        return metrics | self._sampled

    def _beside_simulations(self, name: str, part: str) -> Compared:
        """Errors of a model beside what simulations show."""
        ensemble = self._simulated[part].ensemble
        squares = self._predictions[name].squares[part]
        return Compared(squares, ensemble.mean, ensemble.standard_error)

    def _add_sampled(
        self, label: str, name: str, sampled: SampledModel, squares: np.ndarray | None = None
    ) -> None:
        simulated = self._simulated[sampled.part]
        self._sampled[label] = sampled_metrics(self._experiment, name, sampled, simulated, squares)
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
        runs = transfer_moments(experiment, name, theta, self._other_lattice)
        self._sampled[name] |= transfer_errors(experiment, runs, self._other_lattice)
        dataset = transfer_dataset(experiment, name, runs, self._other_lattice, fingerprint)
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

    def _dataset(
        self,
        name: str,
        theta: ByPart | None = None,
        predicted: Prediction | None = None,
        sampled: SampledModel | None = None,
        plan: ReducedModelPlan | None = None,
    ) -> xr.Dataset:
        """Predicted and simulated moments, and with which errors, as they are stored."""
        predicted = self._predictions[name] if predicted is None else predicted
        experiment, dims = self._experiment, ("part", "initial_condition", "time")
        arrays = {
            "moments": predicted.moments,
            "simulated": {part: self._simulated[part].ensemble.mean for part in PARTS},
            "standard_error": {
                part: self._simulated[part].ensemble.standard_error for part in PARTS
            },
            "squared_error": predicted.squares,
        }
        if predicted.monte_carlo:
            arrays["monte_carlo"] = predicted.monte_carlo
        variables = {
            key: ((*dims, "moment"), padded(values), {"units": UNITS.get(key, "per site")})
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
            "n_initial_conditions": {
                part: len(values) for part, values in predicted.moments.items()
            },
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

    def _write(self, name: str, dataset: xr.Dataset) -> None:
        write_product(dataset, self._directory.prediction(name), self.origin)


def _with_theta(dataset: xr.Dataset, theta: ByPart, model: LatticeModel) -> xr.Dataset:
    """Predictions with the coefficients of a model."""
    dims = ("part", "initial_condition", "time", "coefficient")
    return dataset.assign(theta=(dims, padded(theta), {"units": "1"})).assign_coords(
        coefficient=list(model.coefficients)
    )


def _law_facts(learned: LearnedLaw, predicted: PredictedByLaw, test: Simulated) -> dict[str, Any]:
    """What `metrics.json` says of a law beside its errors."""
    n_parameters = sum(len(member.law.function.parameters) for member in learned.members)
    return {
        "parameters": {"coefficients": n_parameters},
        "learned_until": float(learned.times[-1]),
        "training_error": finite(learned.training_error),
        "validation_error": finite(learned.validation_error),
        "uncertain": _share_of_uncertain(predicted.error["test"], test),
        "coverage": coverage(
            predicted.moments["test"],
            predicted.error["test"],
            test.ensemble.mean,
            test.ensemble.standard_error,
        ),
        "known": {part: float(known.mean()) for part, known in predicted.is_known.items()},
    }


def _share_of_uncertain(error: np.ndarray, simulated: Simulated) -> float | None:
    """Part of the predictions whose error, as far as the law knows, is far above the noise."""
    noise = simulated.ensemble.standard_error
    known = np.isfinite(noise)
    # Noise changes with time; where it is small for once, as at the start, that is no matter.
    typical = np.maximum(noise, np.nanmean(np.where(known, noise, np.nan), axis=(0, 1)))
    return float(np.mean((error > UNCERTAIN * typical)[known])) if known.any() else None


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


def _filled(half: np.ndarray, simulated: Simulated) -> np.ndarray:
    """Means over a half, or over the single replica of an initial condition."""
    return np.where(np.isfinite(half), half, simulated.ensemble.mean)


def _half_starts(fits: xr.Dataset) -> ByPart | None:
    """Coefficients at time 0 (half, initial condition, coefficient), fitted to either half."""
    if HALVES not in fits:
        return None
    n_initial = fits.attrs["n_initial_conditions"]
    return {part: fits[HALVES].sel(part=part).values[:, : n_initial[part]] for part in PARTS}


def _predict_halves(experiment: Experiment, fits: xr.Dataset, learned: ReducedModel) -> ByPart:
    """Coefficients over time from the starts of either half; none if starts are not fitted."""
    starts = _half_starts(fits)
    if starts is None:
        return {}
    with collected():  # the same as of all replicas
        return {
            part: np.array([np.asarray(learned.predict(rows, experiment.times)) for rows in both])
            for part, both in starts.items()
        }


def _mean_field(
    experiment: Experiment, means: Float64[np.ndarray, "initial_conditions times moments"]
) -> Float64[np.ndarray, "initial_conditions times moments"]:
    """Mean field from the densities that simulations begin with."""
    return mean_field_prediction(
        experiment.network,
        experiment.lattice,
        experiment.kernel,
        initial_densities=means[:, 0, : len(experiment.network.species)],
        times=experiment.times - experiment.times[0],
        terms=experiment.moments,
    )


def _parameters(learned: ReducedModel) -> dict[str, int]:
    """Numbers of coefficients and of degrees of freedom at allocated vertices."""
    return {
        "coefficients": len(learned.field.coefficients),
        "degrees_of_freedom": sum(
            function.n_allocated * math.prod(function.u.shape[1:])
            for function in learned.field.functions
        ),
    }


def _lone_initial_conditions(experiment: Experiment, simulated: dict[str, Simulated]) -> list[str]:
    if not isinstance(experiment.table.initial, StoreInitial):
        return []
    return [
        f"{part}: all replicas are of one initial condition. Give `initial_condition` in your data "
        "if they are not."
        for part, one in simulated.items()
        if len(one.ensemble.mean) == 1
    ]


def _single_replicas(simulated: dict[str, Simulated]) -> list[str]:
    """Say which noise is not known, because an initial condition has one replica only."""
    warnings = []
    for part, one in simulated.items():
        ensemble = one.ensemble
        lacking = int(np.isnan(ensemble.standard_error).any(axis=(1, 2)).sum())
        if lacking:
            n_initial = len(ensemble.mean)
            known = "those with more" if lacking < n_initial else "no others, so that it is unknown"
            warnings.append(
                f"{part}: {lacking} of {n_initial} initial conditions have a single replica, which "
                f"shows no noise; the noise floor is that of {known}."
            )
    return warnings
