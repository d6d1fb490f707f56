"""Learned models on another lattice than the one they were learned on."""

from __future__ import annotations

import dataclasses
from typing import NamedTuple

import numpy as np
import xarray as xr
from jaxtyping import Float64

from dynboltz.evaluation import (
    EnsembleMoments,
    ShortRunMoments,
    ensemble_moments,
    error_summary,
    noise_floor,
    relative_summary,
    sample_until,
    sampled_prediction,
    squared_error,
)
from dynboltz.lattices import Lattice, child_seeds
from dynboltz.simulation import random_counts, simulate

from ._experiment import Experiment
from ._initial_states import initial_counts
from ._schema import CountsInitial, TransferTable
from ._seeds import Purpose, derive_seed

KIND = "dynboltz-prediction"
PART = "test"


class TransferData(NamedTuple):
    """Simulations on the other lattice, from the densities of the first test initial condition.

    Attributes
    ----------
    lattice
        The lattice.
    times
        Times, as far as models are learned.
    moments
        Means over replicas and their standard errors, per site.
    """

    lattice: Lattice
    times: Float64[np.ndarray, " times"]
    moments: EnsembleMoments


def simulate_transfer(experiment: Experiment, table: TransferTable) -> TransferData:
    """Simulate on the other lattice."""
    initial = experiment.table.initial
    assert isinstance(initial, CountsInitial)
    lattice = Lattice(tuple(table.shape), experiment.lattice.boundary)
    ratio = lattice.n_sites / experiment.lattice.n_sites
    counts = initial_counts(experiment, initial, PART, 0)
    scaled = {name: round(number * ratio) for name, number in counts.items()}
    of_states, of_dynamics = child_seeds(derive_seed(experiment, PART, Purpose.TRANSFER), 2)
    species = experiment.network.species
    learned = [plan.learned_times(experiment.times) for plan in experiment.plans.values()]
    times = max(learned, key=len, default=experiment.times)
    trajectories = simulate(
        experiment.network,
        lattice,
        random_counts(lattice, species, scaled, table.replicas, seed=of_states),
        kernel=experiment.kernel,
        n_steps=len(times) - 1,
        seed=of_dynamics,
        moments=experiment.moments,
        keep_states=False,
    )
    alike = np.zeros(table.replicas, dtype=np.int64)
    return TransferData(lattice, times, ensemble_moments(trajectories.moments, alike))


def transfer_moments(
    experiment: Experiment,
    name: str,
    theta: Float64[np.ndarray, "times coefficients"],
    data: TransferData,
) -> ShortRunMoments:
    """Moments that a model predicts there: short runs with the coefficients as they are."""
    model, table = experiment.plans[name].model, experiment.table.evaluation
    lattice = Lattice(data.lattice.shape, model.lattice.boundary)
    fewer = experiment.lattice.n_sites / lattice.n_sites

    def draw(n_samples: int, seed: np.random.SeedSequence) -> ShortRunMoments:
        return sampled_prediction(
            dataclasses.replace(model, lattice=lattice),
            theta[None, : len(data.times)],
            experiment.moments,
            counted_on=data.lattice,
            n_samples=n_samples,
            n_sweeps=table.sweeps,
            seed=seed,
        )

    floor = error_summary(noise_floor(data.moments.standard_error)).time_mean
    n_samples = max(4, round(table.samples * fewer))
    seed = derive_seed(experiment, PART, Purpose.TRANSFER, name=name)
    return sample_until(draw, floor, n_samples=n_samples, seed=seed)[0]


def transfer_errors(
    experiment: Experiment, runs: ShortRunMoments, data: TransferData
) -> dict[str, dict[str, float]]:
    """Relative errors there, the noise of the simulations and that of the short runs."""
    mean, terms = data.moments.mean, experiment.moments
    squares = squared_error(runs.mean, mean, runs.standard_error)
    return {
        "transfer": relative_summary(squares, mean, terms, squared=True),
        "transfer_noise_floor": relative_summary(data.moments.standard_error, mean, terms),
        "transfer_monte_carlo": relative_summary(runs.standard_error, mean, terms),
    }


def transfer_dataset(
    experiment: Experiment,
    name: str,
    runs: ShortRunMoments,
    data: TransferData,
    fingerprint: str,
) -> xr.Dataset:
    """Prediction and simulation on the other lattice."""
    dims = ("part", "initial_condition", "time", "moment")
    return xr.Dataset(
        {
            "moments": (dims, runs.mean[None], {"units": "per site"}),
            "monte_carlo": (dims, runs.standard_error[None], {"units": "per site"}),
            "simulated": (dims, data.moments.mean[None], {"units": "per site"}),
            "standard_error": (dims, data.moments.standard_error[None], {"units": "per site"}),
        },
        coords={
            "part": [PART],
            "time": ("time", data.times, {"units": "1"}),
            "moment": [term.name for term in experiment.moments],
        },
        attrs={
            "kind": KIND,
            "model": name,
            "fingerprint": fingerprint,
            "lattice": list(data.lattice.shape),
            "n_initial_conditions": {PART: 1},
        },
    )
