"""Models without an exact solution: short runs beside the equilibrium, and their errors."""

from __future__ import annotations

import time
from typing import Any, NamedTuple

import numpy as np
import xarray as xr
from jaxtyping import Float64, Int64

from dynboltz.evaluation import (
    EquilibriumMoments,
    ShortRunMoments,
    equilibrium_moments,
    relative_summary,
    sample_until,
    sampled_prediction,
    squared_error,
)
from dynboltz.lattices import numbered_seed

from ._directory import ResultDirectory
from ._experiment import Experiment
from ._metrics import Simulated
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
        Moments of short runs from random units, and their standard errors.
    chains
        Number of short runs at each time.
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
    short_run: ShortRunMoments
    chains: int
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
    n_samples: int | None = None,
    seed: np.random.SeedSequence | None = None,
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
    n_samples
        Number of runs, by default as many as the experiment says.
    seed
        Seed, by default that of the purpose.
    """
    table = experiment.table.evaluation
    return sampled_prediction(
        experiment.plans[name].model,
        theta,
        experiment.moments,
        counted_on=experiment.lattice,
        n_samples=table.samples if n_samples is None else n_samples,
        n_sweeps=table.sweeps,
        seed=derive_seed(experiment, part, purpose, name=label or name) if seed is None else seed,
    )


def enough_short_runs(
    experiment: Experiment,
    name: str,
    theta: Float64[np.ndarray, "initial_conditions times coefficients"],
    part: str,
    floor: Float64[np.ndarray, " moments"],
    *,
    label: str | None = None,
) -> tuple[ShortRunMoments, int]:
    """Moments of so many short runs that their error is small beside the noise floor.

    Returns
    -------
    found, n_chains
        See `dynboltz.evaluation.sample_until`.
    """

    def draw(n_samples: int, seed: np.random.SeedSequence) -> ShortRunMoments:
        return short_runs(experiment, name, theta, part, n_samples=n_samples, seed=seed)

    seed = derive_seed(experiment, part, Purpose.EVALUATION, name=label or name)
    n_samples = max(2, experiment.table.evaluation.samples)  # a single one has no error
    return sample_until(draw, floor, n_samples=n_samples, seed=seed)


def short_runs_of_halves(
    experiment: Experiment,
    name: str,
    theta: Float64[np.ndarray, "halves initial_conditions times coefficients"],
    part: str,
    n_chains: int,
) -> Float64[np.ndarray, "halves initial_conditions times moments"]:
    """Moments of short runs for the starts of two halves, independent of each other.

    Each half has half of the chains of the prediction for all replicas.
    """
    parent = derive_seed(experiment, part, Purpose.EVALUATION_OF_HALVES, name=name)
    own = max(1, n_chains // 2)
    runs = [
        short_runs(experiment, name, rows, part, n_samples=own, seed=numbered_seed(parent, half))
        for half, rows in enumerate(theta)
    ]
    return np.array([run.mean for run in runs])


def sample_model(
    experiment: Experiment,
    directory: ResultDirectory,
    name: str,
    theta: Float64[np.ndarray, "initial_conditions times coefficients"],
    part: str,
    floor: Float64[np.ndarray, " moments"],
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
    floor
        Noise floor that Monte Carlo errors are to be small beside.
    label
        Name of the prediction, if it is not the model's.
    """
    table, plan = experiment.table.evaluation, experiment.plans[name]
    start = time.perf_counter()
    moments, chains = enough_short_runs(experiment, name, theta, part, floor, label=label)
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
        ShortRunMoments(*(np.pad(v, missing, constant_values=np.nan) for v in moments)),
        chains,
        places,
        equilibrium,
        seconds,
    )


def sampled_metrics(
    experiment: Experiment,
    name: str,
    model: SampledModel,
    simulated: Simulated,
    squares: Float64[np.ndarray, "initial_conditions times moments"] | None,
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
    simulated
        The simulations of that part.
    squares
        Squared errors of the short runs; `None` for coefficients that were fitted to each time of
        these simulations, whose errors no noise floor belongs to.
    """
    terms, plan = experiment.moments, experiment.plans[name]
    n_learned = len(plan.learned_times(experiment.times))
    means, runs, found = simulated.ensemble.mean, model.short_run, model.equilibrium
    squares_known, error_of_means = squares is not None, simulated.ensemble.standard_error
    if squares is None:
        squares = squared_error(runs.mean, means, runs.standard_error)

    def relative(
        values: np.ndarray, *, beyond: bool = False, squared: bool = False
    ) -> dict[str, float]:
        chosen = slice(n_learned, None) if beyond else slice(n_learned)
        return relative_summary(values[:, chosen], means[:, chosen], terms, squared=squared)

    at, error = means[:1, model.places], np.nan_to_num(found.standard_error)[None]
    metrics: dict[str, Any] = {
        "part": model.part,
        "short_run": relative(squares, squared=True),
        "equilibrium": relative_summary(
            squared_error(found.mean[None], at, error), at, terms, squared=True
        ),
        "monte_carlo": relative(runs.standard_error),
        "equilibrium_monte_carlo": relative_summary(error, at, terms),
        "short_runs": model.chains,
        "equilibrium_times": experiment.times[model.places],
        "r_hat": found.r_hat,
        "metastable_times": experiment.times[model.places][found.metastable].tolist(),
    }
    known = np.isfinite(error_of_means).all(axis=(1, 2))
    if squares_known and known.any():  # single replicas show no noise
        metrics["noise_floor"] = relative_summary(
            error_of_means[known, :n_learned], means[known, :n_learned], terms
        )
    beyond = squares[:, n_learned:]
    if beyond.size and np.all(np.isfinite(beyond)):
        metrics["beyond_training"] = relative(squares, beyond=True, squared=True)
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
