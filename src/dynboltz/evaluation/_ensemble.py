"""Means over simulated replicas and their standard errors."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from jaxtyping import Float64, Int64

from dynboltz._arguments import checked


class EnsembleMoments(NamedTuple):
    """Moments of simulated ensembles.

    Attributes
    ----------
    mean
        Means over the replicas of each initial condition, per site.
    standard_error
        Standard errors of these means, per site.
    """

    mean: Float64[np.ndarray, "initial_conditions times moments"]
    standard_error: Float64[np.ndarray, "initial_conditions times moments"]


@checked
def ensemble_moments(
    moments: Float64[np.ndarray, "replicas times moments"],
    initial_condition: Int64[np.ndarray, " replicas"],
) -> EnsembleMoments:
    r"""Average moments over the replicas of each initial condition.

    The standard error of a mean over $R$ replicas is $s / \sqrt{R}$ with the sample standard
    deviation $s$ (divisor $R - 1$).

    Parameters
    ----------
    moments
        Moments of each replica, per site.
    initial_condition
        Number of the initial condition of each replica; the results are in ascending order.

    Raises
    ------
    ValueError
        If there is no replica, or an initial condition has a single one.
    """
    numbers, counts = np.unique(initial_condition, return_counts=True)
    if not counts.size:
        raise ValueError("ensemble_moments: `moments` has no replica; at least two are needed.")
    if counts.min() < 2:
        raise ValueError(
            f"ensemble_moments: initial condition {numbers[counts.argmin()]} has one replica; at "
            "least two are needed for a standard error."
        )
    groups = [moments[initial_condition == number] for number in numbers]
    with np.errstate(over="ignore", invalid="ignore"):
        return EnsembleMoments(
            np.array([group.mean(axis=0) for group in groups]),
            np.array([group.std(axis=0, ddof=1) / np.sqrt(len(group)) for group in groups]),
        )
