"""Learning of models with pairs: Gauss-Newton with moments of chains."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np

from dynboltz.dynamics import AbstractVectorField, PairField, solve_implicit
from dynboltz.learning import Solution, sampled_gauss_newton

from .._directory import ResultDirectory
from .._progress import Progress
from .._seeds import Purpose, derive_seed
from ._experiment import BoxExperiment, FunctionalPlan
from ._fit import initial_of, read_fit
from ._model import FunctionalModel
from ._simulate import open_part, patterns_of


def learn_pairs(
    experiment: BoxExperiment,
    directory: ResultDirectory,
    plan: FunctionalPlan,
    progress: Progress,
) -> FunctionalModel:
    """Learn the weights of all functions and the coefficients at time 0 together."""
    initial = initial_of(read_fit(experiment, directory, plan.name), "train")
    trajectories = open_part(experiment, directory, "train")
    substeps = plan.table.learning.substeps

    def report(step: dict[str, Any]) -> None:
        progress({**step, "model": plan.name})

    result = sampled_gauss_newton(
        plan.field,
        initial,
        _solution(plan, initial, experiment.times, substeps),
        plan.model,
        [patterns for _, patterns in patterns_of(experiment, trajectories)],
        np.ones(len(experiment.times)),
        plan.sampled_settings,
        seed=derive_seed(experiment, "train", Purpose.LEARNING, name=plan.name),
        progress=report,
    )
    assert isinstance(result.field, PairField)
    history = result.history | {"window": np.zeros(len(result.history["action"]))}
    return FunctionalModel(
        plan.model,
        result.field,
        substeps,
        result.initial,
        result.covariance,
        history,
        np.asarray(experiment.times, dtype=np.float64),
    )


def _solution(
    plan: FunctionalPlan, initial: np.ndarray, times: np.ndarray, substeps: int
) -> Solution:
    """Solve with one operator for all initial conditions, that of the start."""
    operator, fixed = plan.field.stiff_operator(jnp.asarray(initial)), jnp.asarray(times)

    def solution(field: AbstractVectorField, theta0: Any) -> Any:
        return solve_implicit(field, theta0, fixed, operator=operator, substeps=substeps)

    return solution
