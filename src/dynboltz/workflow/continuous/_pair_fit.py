"""Coefficients at time 0 of models with pairs."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from jaxtyping import Float64

from dynboltz.learning import fit_point_process, fit_pseudolikelihood
from dynboltz.particles import PointPatterns

from .._directory import ResultDirectory
from .._parts import PARTS
from .._progress import Progress
from .._seeds import Purpose, derive_seed
from ._experiment import BoxExperiment, FunctionalPlan
from ._simulate import open_part, patterns_of


def fit_pairs(
    experiment: BoxExperiment,
    directory: ResultDirectory,
    plan: FunctionalPlan,
    progress: Progress,
) -> dict[str, Float64[np.ndarray, "initial_conditions coefficients"]]:
    """Fit the first time of all initial conditions.

    By pseudolikelihood where training will refine the coefficients, and by maximum likelihood where
    predictions start from them.
    """
    found: dict[str, list[np.ndarray]] = {part: [] for part in PARTS}
    total = sum(getattr(experiment.table.initial, part) for part in PARTS)
    for done, (part, number, patterns) in enumerate(_first_times(experiment, directory)):
        seed = derive_seed(experiment, part, Purpose.FITS, name=plan.name, number=number)
        fit = fit_pseudolikelihood if part == "train" else fit_point_process
        found[part].append(fit(plan.model, patterns, seed=seed).theta)
        progress({"stage": "fit", "model": plan.name, "step": done + 1, "total": total})
    return {part: np.array(theta) for part, theta in found.items()}


def _first_times(
    experiment: BoxExperiment, directory: ResultDirectory
) -> Iterator[tuple[str, int, PointPatterns]]:
    for part in PARTS:
        for number, patterns in patterns_of(experiment, open_part(experiment, directory, part)):
            yield part, number, patterns[:, 0]
