"""Errors over initial conditions."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from jaxtyping import Float64

from dynboltz._arguments import checked
from dynboltz._numbers import check_finite


class ErrorSummary(NamedTuple):
    """An error over time, and what it comes to.

    Attributes
    ----------
    over_time
        Error of each moment at each time, per site.
    time_mean, time_max
        Mean and maximum over all times, per site.
    """

    over_time: Float64[np.ndarray, "times moments"]
    time_mean: Float64[np.ndarray, " moments"]
    time_max: Float64[np.ndarray, " moments"]


@checked
def root_mean_square_error(
    predicted: Float64[np.ndarray, "initial_conditions times moments"],
    simulated: Float64[np.ndarray, "_initial_conditions _times _moments"],
) -> Float64[np.ndarray, "times moments"]:
    r"""Root of the mean square error over initial conditions, at each time.

    $$\mathrm{RMSE}_k(t) = \Big[ \frac{1}{n} \sum_{i=1}^{n}
    \big(\tilde\mu_{ik}(t) - \mu_{ik}(t)\big)^2 \Big]^{1/2}$$

    The simulated means have sampling errors of their own, so that even a perfect prediction has an
    error of about `noise_floor`.

    Parameters
    ----------
    predicted
        Predicted moments $\tilde\mu$, per site.
    simulated
        Means over simulated replicas $\mu$, per site.

    Raises
    ------
    ValueError
        If the shapes differ or a value is not finite.

    References
    ----------
    Ernst et al. (2019), Fig. 3(c), there in sums over 1000 sites.
    """
    if predicted.shape != simulated.shape:
        raise ValueError(
            f"root_mean_square_error: `predicted` has the shape {predicted.shape}, `simulated` "
            f"{simulated.shape}; they must be the same."
        )
    if not (np.all(np.isfinite(predicted)) and np.all(np.isfinite(simulated))):
        raise ValueError(
            "root_mean_square_error: all moments must be finite. A prediction that is not has left "
            "the region where the model was trained."
        )
    check_any("root_mean_square_error", "predicted", predicted)
    with np.errstate(over="ignore"):
        return np.sqrt(np.mean((predicted - simulated) ** 2, axis=0))


@checked
def noise_floor(
    standard_error: Float64[np.ndarray, "initial_conditions times moments"],
) -> Float64[np.ndarray, "times moments"]:
    """Expected root mean square error of the exact moments against the simulated means.

    The root of the mean square over initial conditions of the standard errors that are known. Those
    of single replicas are not and NaN; so is the result where all of them are.

    Parameters
    ----------
    standard_error
        Standard errors of the simulated means, per site.

    Raises
    ------
    ValueError
        If there is no initial condition, or a standard error is infinite.
    """
    check_any("noise_floor", "standard_error", standard_error)
    known = ~np.isnan(standard_error)
    check_finite(
        "noise_floor",
        "`standard_error`, where it is known,",
        np.where(known, standard_error, 0.0),
        ("initial condition", "time", "moment"),
    )
    with np.errstate(over="ignore"):
        squares = np.where(known, standard_error, 0.0) ** 2
    count = known.sum(axis=0)
    mean = np.full(count.shape, np.nan)
    np.divide(squares.sum(axis=0), count, out=mean, where=count > 0)
    return np.sqrt(mean)


@checked
def error_summary(over_time: Float64[np.ndarray, "times moments"]) -> ErrorSummary:
    """Mean and maximum over time of an error.

    Parameters
    ----------
    over_time
        Error of each moment at each time, per site.

    Raises
    ------
    ValueError
        If there is no time.
    """
    check_any("error_summary", "over_time", over_time)
    with np.errstate(over="ignore", invalid="ignore"):
        return ErrorSummary(over_time, over_time.mean(axis=0), over_time.max(axis=0))


def check_any(where: str, name: str, values: np.ndarray, n_axes: int = 1) -> None:
    """Raise `ValueError` if there is nothing to average over along the first axes."""
    if 0 in values.shape[:n_axes]:
        axes = "its first axis" if n_axes == 1 else f"each of its first {n_axes} axes"
        raise ValueError(
            f"{where}: `{name}` must have at least one entry along {axes}, got shape "
            f"{values.shape}."
        )
