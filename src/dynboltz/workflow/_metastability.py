"""Whether learned models of an experiment have an equilibrium that sampling finds."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float64

from dynboltz.sampling import GibbsSampler, compare_starts, start_from_data, start_random

from ._directory import ResultDirectory
from ._experiment import Experiment
from ._fit import model_seed
from ._initial_states import EVALUATION
from ._simulate import open_part

N_TIMES = 5


def metastable_times(
    experiment: Experiment,
    directory: ResultDirectory,
    name: str,
    theta: Float64[np.ndarray, "initial_conditions times coefficients"],
) -> list[float]:
    """Times at which long chains from the data and from random units disagree.

    Looks at the first test initial condition, at a few times from the first to the last.

    Parameters
    ----------
    experiment, directory
        The experiment and its trajectories.
    name
        Name of the model.
    theta
        Its predicted coefficients.
    """
    table, model = experiment.table.evaluation, experiment.plans[name].model
    trajectories = open_part(experiment, directory, "test")
    seeds = model_seed(experiment, "test", EVALUATION, name).spawn(2 * N_TIMES)
    sampler = GibbsSampler(model)
    times = np.unique(np.linspace(0, len(experiment.times) - 1, N_TIMES).round().astype(int))
    found = []
    for place, time in enumerate(times):
        data = trajectories.state[: table.chains, int(time)].values
        visible = np.resize(data.reshape(len(data), -1), (table.chains, model.lattice.n_sites))
        starts = {
            "data": start_from_data(model, visible, seed=seeds[2 * place]),
            "random": start_random(model, table.chains, seed=seeds[2 * place + 1]),
        }
        half = table.long_sweeps // 2
        comparison = compare_starts(
            sampler, theta[0, time], starts, n_samples=max(4, half), burn_in=half
        )
        if comparison.metastable:
            found.append(float(experiment.times[time]))
    return found


def metastability_warnings(name: str, times: list[float]) -> list[str]:
    """Say that the moments of a model depend on where its chains start."""
    if not times:
        return []
    shown = ", ".join(f"{time:g}" for time in times)
    return [
        f"{name}: metastable at t = {shown}. Long chains from the data and from random units "
        "disagree there, so that the predicted moments are those of short runs, not of the "
        "model's equilibrium."
    ]
