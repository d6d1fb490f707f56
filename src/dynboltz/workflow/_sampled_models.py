"""Models without an exact solution: short runs beside the equilibrium, and their errors."""

from __future__ import annotations

import time
from typing import Any, NamedTuple

import numpy as np
import xarray as xr
from jaxtyping import Float64, Int64

from dynboltz.evaluation import (
    EnsembleMoments,
    EquilibriumMoments,
    ShortRunMoments,
    equilibrium_moments,
    relative_summary,
    sampled_prediction,
)

from ._directory import ResultDirectory
from ._experiment import Experiment
from ._seeds import Purpose, derive_seed
from ._simulate import open_part

UNITS = {"units": "per site"}


class SampledModel(NamedTuple):
    """What sampling says about a model along one trajectory of its coefficients.

    Attributes
    ----------
    part
        Whose initial conditions.
    theta
        Coefficients; NaN where there are none.
    short_run
        Moments of short runs from random units.
    places
        Indices of the times at which the equilibrium was looked for, for the first initial
        condition.
    equilibrium
        What was found.
    seconds
        Time of the short runs for one initial condition [s].
    """

    part: str
    theta: Float64[np.ndarray, "initial_conditions times coefficients"]
    short_run: Float64[np.ndarray, "initial_conditions times moments"]
    places: Int64[np.ndarray, " places"]
    equilibrium: EquilibriumMoments
    seconds: float


def short_runs(
    experiment: Experiment,
    name: str,
    theta: Float64[np.ndarray, "initial_conditions times coefficients"],
    part: str,
    *,
    purpose: Purpose = Purpose.EVALUATION,
    label: str | None = None,
) -> ShortRunMoments:
    """Moments of short runs from random units.

    Parameters
    ----------
    experiment
        The experiment.
    name
        Name of the model.
    theta
        Coefficients of each initial condition of the part.
    part
        `"train"` or `"test"`.
    purpose, label
        What the moments are for, and under which name if not the model's; their random numbers
        are their own.
    """
    table = experiment.table.evaluation
    return sampled_prediction(
        experiment.plans[name].model,
        theta,
        experiment.moments,
        counted_on=experiment.lattice,
        n_samples=table.samples,
        n_sweeps=table.sweeps,
        seed=derive_seed(experiment, part, purpose, name=label or name),
    )


def sample_model(
    experiment: Experiment,
    directory: ResultDirectory,
    name: str,
    theta: Float64[np.ndarray, "initial_conditions times coefficients"],
    part: str,
    *,
    label: str | None = None,
) -> SampledModel:
    """Sample a model along the given coefficients.

    Parameters
    ----------
    experiment, directory
        The experiment and its trajectories.
    name
        Name of the model.
    theta
        Coefficients of each initial condition of the part, up to some of the recorded times.
    part
        `"train"` or `"test"`.
    label
        Name of the prediction, if it is not the model's.
    """
    table, plan = experiment.table.evaluation, experiment.plans[name]
    start = time.perf_counter()
    moments = short_runs(experiment, name, theta, part, label=label).mean
    seconds = (time.perf_counter() - start) / len(theta)
    n_learned = min(len(plan.learned_times(experiment.times)), theta.shape[1])
    count = min(table.equilibrium_times, n_learned)
    places = np.linspace(0, n_learned - 1, count).round().astype(np.int64)
    trajectories = open_part(experiment, directory, part)
    states = trajectories.state[: table.chains, places].values
    visible = np.resize(states, (table.chains, *states.shape[1:])).swapaxes(0, 1)
    equilibrium = equilibrium_moments(
        plan.model,
        theta[0, places],
        visible.reshape(len(places), table.chains, -1),
        experiment.moments,
        counted_on=experiment.lattice,
        n_sweeps=table.long_sweeps,
        seed=derive_seed(experiment, part, Purpose.EQUILIBRIUM, name=label or name),
    )
    missing = ((0, 0), (0, len(experiment.times) - theta.shape[1]), (0, 0))
    return SampledModel(
        part,
        np.pad(theta, missing, constant_values=np.nan),
        np.pad(moments, missing, constant_values=np.nan),
        places,
        equilibrium,
        seconds,
    )


def sampled_metrics(
    experiment: Experiment, name: str, model: SampledModel, ensemble: EnsembleMoments
) -> dict[str, Any]:
    """Relative errors of short runs and of the equilibrium, and where chains disagree.

    Parameters
    ----------
    experiment
        The experiment.
    name
        Name of the model that the coefficients belong to.
    model
        What sampling found.
    ensemble
        The simulations of that part.
    """
    terms, plan = experiment.moments, experiment.plans[name]
    n_learned = len(plan.learned_times(experiment.times))
    simulated = ensemble.mean
    metrics: dict[str, Any] = {
        "part": model.part,
        "short_run": relative_summary(
            (model.short_run - simulated)[:, :n_learned], simulated[:, :n_learned], terms
        ),
        "equilibrium": relative_summary(
            (model.equilibrium.mean - simulated[0, model.places])[None],
            simulated[:1, model.places],
            terms,
        ),
        "equilibrium_times": experiment.times[model.places],
        "r_hat": model.equilibrium.r_hat,
        "metastable_times": experiment.times[model.places][model.equilibrium.metastable].tolist(),
    }
    known = np.isfinite(ensemble.standard_error).all(axis=(1, 2))
    if known.any():  # single replicas show no noise
        metrics["noise_floor"] = relative_summary(
            ensemble.standard_error[known, :n_learned], simulated[known, :n_learned], terms
        )
    beyond = model.short_run[:, n_learned:]
    if beyond.size and np.all(np.isfinite(beyond)):
        metrics["beyond_training"] = relative_summary(
            beyond - simulated[:, n_learned:], simulated[:, n_learned:], terms
        )
    return metrics


def equilibrium_variables(
    experiment: Experiment, model: SampledModel, parts: tuple[str, ...], n_rows: int
) -> xr.Dataset:
    """Equilibrium moments, R-hat and verdicts as variables of a prediction; NaN where unknown."""
    n_times, n_moments = len(experiment.times), len(experiment.moments)
    moments = np.full((len(parts), n_rows, n_times, n_moments), np.nan)
    r_hat = np.full((len(parts), n_rows, n_times), np.nan)
    metastable = np.zeros((len(parts), n_rows, n_times), dtype=np.int8)
    where = parts.index(model.part), 0
    moments[where][model.places] = model.equilibrium.mean
    r_hat[where][model.places] = model.equilibrium.r_hat
    metastable[where][model.places] = model.equilibrium.metastable
    dims = ("part", "initial_condition", "time")
    return xr.Dataset(
        {
            "equilibrium": ((*dims, "moment"), moments, UNITS),
            "r_hat": (dims, r_hat),
            "metastable": (dims, metastable),
        }
    )
