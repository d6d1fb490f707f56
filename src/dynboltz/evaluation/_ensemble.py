"""Means over simulated replicas and their standard errors."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from jaxtyping import Float64, Int64

from dynboltz._arguments import checked
from dynboltz._numbers import check_finite


class EnsembleMoments(NamedTuple):
    """Moments of simulated ensembles.

    Attributes
    ----------
    mean
        Means over the replicas of each initial condition, per site.
    standard_error
        Standard errors of these means, per site; NaN where there is one replica only.
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
    deviation $s$ (divisor $R - 1$); a single replica has a mean, and no standard error.

    Parameters
    ----------
    moments
        Moments of each replica, per site.
    initial_condition
        Number of the initial condition of each replica; the results are in ascending order.

    Raises
    ------
    ValueError
        If there is no replica, or a moment is not finite.
    """
    numbers = np.unique(initial_condition)
    if not numbers.size:
        raise ValueError("ensemble_moments: `moments` has no replica; at least one is needed.")
    check_finite("ensemble_moments", "`moments`", moments, ("replica", "time", "moment"))
    groups = [moments[initial_condition == number] for number in numbers]
    with np.errstate(over="ignore", invalid="ignore"):
        return EnsembleMoments(
            np.array([group.mean(axis=0) for group in groups]), np.array([*map(_error, groups)])
        )


def _error(
    group: Float64[np.ndarray, "replicas times moments"],
) -> Float64[np.ndarray, "times moments"]:
    if len(group) == 1:
        return np.full(group.shape[1:], np.nan)
    return group.std(axis=0, ddof=1) / np.sqrt(len(group))
