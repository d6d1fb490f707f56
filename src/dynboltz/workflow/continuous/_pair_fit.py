"""Coefficients at time 0 of models with pairs."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from jaxtyping import Float64

from dynboltz.evaluation._squared_errors import N_HALVES
from dynboltz.lattices import numbered_seed
from dynboltz.learning import fit_point_process, fit_pseudolikelihood
from dynboltz.particles import PointPatterns

from .._directory import ResultDirectory
from .._parts import PARTS
from .._progress import Progress
from .._seeds import Purpose, derive_seed
from ._experiment import BoxExperiment, FunctionalPlan
from ._known import known_start
from ._simulate import open_part, patterns_of

FEWEST = 2 * N_HALVES
"""Replicas that can be split, as a fit needs two; with fewer, errors are those of shared starts."""


def fit_pairs(
    experiment: BoxExperiment,
    directory: ResultDirectory,
    plan: FunctionalPlan,
    progress: Progress,
) -> tuple[
    dict[str, Float64[np.ndarray, "initial_conditions coefficients"]],
    Float64[np.ndarray, "halves initial_conditions coefficients"],
]:
    """Fit the first time of all initial conditions, and of halves of the replicas of the test.

    By pseudolikelihood where training will refine the coefficients, and by maximum likelihood where
    predictions start from them.
    """
    found: dict[str, list[np.ndarray]] = {part: [] for part in PARTS}
    halves: list[np.ndarray] = []
    total = sum(getattr(experiment.table.initial, part) for part in PARTS)
    for done, (part, number, patterns) in enumerate(_first_times(experiment, directory)):
        seed = derive_seed(experiment, part, Purpose.FITS, name=plan.name, number=number)
        fit = fit_pseudolikelihood if part == "train" else fit_point_process
        known = known_start(experiment, plan, part, number) if part == "test" else None
        if known is not None:
            found[part].append(known)
            halves.append(np.array([known] * N_HALVES))
        else:
            found[part].append(fit(plan.model, patterns, seed=seed).theta)
            if part == "test" and patterns.batch[0] >= FEWEST:
                halves.append(_of_halves(experiment, plan, patterns, number))
            elif part == "test":
                halves.append(np.array([found[part][-1]] * N_HALVES))
        progress({"stage": "fit", "model": plan.name, "step": done + 1, "total": total})
    return {part: np.array(theta) for part, theta in found.items()}, np.stack(halves, axis=1)


def _of_halves(
    experiment: BoxExperiment, plan: FunctionalPlan, patterns: PointPatterns, number: int
) -> Float64[np.ndarray, "halves coefficients"]:
    parent = derive_seed(experiment, "test", Purpose.FITS_OF_HALVES, name=plan.name, number=number)
    fits = [
        fit_point_process(plan.model, patterns[h::N_HALVES], seed=numbered_seed(parent, h))
        for h in range(N_HALVES)
    ]
    return np.array([fit.theta for fit in fits])


def _first_times(
    experiment: BoxExperiment, directory: ResultDirectory
) -> Iterator[tuple[str, int, PointPatterns]]:
    for part in PARTS:
        for number, patterns in patterns_of(experiment, open_part(experiment, directory, part)):
            yield part, number, patterns[:, 0]
