"""Means over simulated replicas and their standard errors."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from jaxtyping import Float64, Int64


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
        If an initial condition has a single replica.
    """
    numbers, counts = np.unique(initial_condition, return_counts=True)
    if counts.min() < 2:
        raise ValueError(
            f"ensemble_moments: initial condition {numbers[counts.argmin()]} has one replica; at "
            "least two are needed for a standard error."
        )
    groups = [moments[initial_condition == number] for number in numbers]
    return EnsembleMoments(
        np.array([group.mean(axis=0) for group in groups]),
        np.array([group.std(axis=0, ddof=1) / np.sqrt(len(group)) for group in groups]),
    )
