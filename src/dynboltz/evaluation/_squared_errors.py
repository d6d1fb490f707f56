"""Squared errors of predictions without the noise of their starts and of their sampling."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float64, Int64

from dynboltz._arguments import checked
from dynboltz._numbers import check_finite

N_HALVES = 2


@checked
def halves_of(
    initial_condition: Int64[np.ndarray, " replicas"],
) -> Int64[np.ndarray, " replicas"]:
    """Half, 0 or 1, that each replica belongs to: those of an initial condition take turns.

    Parameters
    ----------
    initial_condition
        Number of the initial condition of each replica.
    """
    half = np.empty(len(initial_condition), dtype=np.int64)
    for number in np.unique(initial_condition):
        own = initial_condition == number
        half[own] = np.arange(own.sum()) % N_HALVES
    return half


@checked
def half_means(
    values: Float64[np.ndarray, "replicas ..."],
    initial_condition: Int64[np.ndarray, " replicas"],
) -> Float64[np.ndarray, "halves initial_conditions ..."]:
    """Means over either half of the replicas of each initial condition, see `halves_of`.

    Parameters
    ----------
    values
        Values of each replica, such as its moments.
    initial_condition
        Number of the initial condition of each replica; the results are in ascending order.
        An initial condition with a single replica has no halves, and NaN for both.

    Raises
    ------
    ValueError
        If a value is not finite.
    """
    check_finite("half_means", "`values`", values, ("replica",))
    numbers, counts = np.unique(initial_condition, return_counts=True)
    half = halves_of(initial_condition)
    means = np.full((N_HALVES, len(numbers), *values.shape[1:]), np.nan)
    for place in np.flatnonzero(counts >= N_HALVES):
        own = initial_condition == numbers[place]
        for h in range(N_HALVES):
            means[h, place] = values[own & (half == h)].mean(axis=0)
    return means


@checked
def squared_error(
    predicted: Float64[np.ndarray, "*shape"],
    simulated: Float64[np.ndarray, "*shape"],
    monte_carlo: Float64[np.ndarray, "*shape"] | float = 0.0,
) -> Float64[np.ndarray, "*shape"]:
    r"""Square of the difference of a prediction whose start is known, and a simulated mean.

    $$\epsilon^2 = (\tilde\mu - \mu)^2 - \sigma_\mathrm{MC}^2$$

    The noise of $\mu$ stays in it, that of a sampled $\tilde\mu$ does not: the expectation is the
    squared bias plus the squared standard error of $\mu$, which is the noise floor. A single value
    can be negative.

    Parameters
    ----------
    predicted
        Predictions $\tilde\mu$.
    simulated
        Means over replicas $\mu$ that the predictions do not depend on.
    monte_carlo
        Standard errors of sampled predictions.
    """
    return (predicted - simulated) ** 2 - np.square(monte_carlo)


@checked
def cross_fitted_square(
    predicted: Float64[np.ndarray, " halves *shape"],
    simulated: Float64[np.ndarray, " halves *shape"],
    standard_error: Float64[np.ndarray, "*shape"],
) -> Float64[np.ndarray, "*shape"]:
    r"""Squared error of predictions whose starts were fitted to the replicas.

    $$\epsilon^2 = (\tilde\mu_1 - \mu_1)(\tilde\mu_2 - \mu_2) + \sigma^2$$

    with the mean $\mu_h$ over half $h$ of the replicas, the prediction $\tilde\mu_h$ from the start
    that was fitted to that half, and the standard error $\sigma$ of the mean over all replicas.
    The halves are independent of each other, so the product has the squared bias as expectation,
    whatever noise a start shares with the replicas it was fitted to. It is the squared error of
    cross-fitting, start and comparison from different halves, without the noise of either:

    $$(\tilde\mu_1 - \mu_1)(\tilde\mu_2 - \mu_2) = \tfrac12 (\tilde\mu_1 - \mu_2)^2
    + \tfrac12 (\tilde\mu_2 - \mu_1)^2 - \tfrac12 (\tilde\mu_1 - \tilde\mu_2)^2
    - \tfrac12 (\mu_1 - \mu_2)^2$$

    The expectation is therefore that of `squared_error` with a known start, and the noise floor
    is the same. A single value can be negative.

    Parameters
    ----------
    predicted
        Predictions from the start of either half; if sampled, independently of each other.
    simulated
        Means over either half, see `half_means`.
    standard_error
        Standard errors of the means over all replicas.
    """
    first, second = predicted - simulated
    return first * second + standard_error**2


@checked
def root_mean_square(
    squares: Float64[np.ndarray, "initial_conditions times moments"],
) -> Float64[np.ndarray, "times moments"]:
    """Root of the mean over initial conditions of squared errors, at each time.

    Means below 0, which noise can bring about where a prediction is nearly perfect, count as 0.

    Parameters
    ----------
    squares
        Squared errors, see `squared_error` and `cross_fitted_square`.

    Raises
    ------
    ValueError
        If a value is not finite, or there is no initial condition.
    """
    if not len(squares):
        raise ValueError("root_mean_square: `squares` must have one initial condition or more.")
    if not np.all(np.isfinite(squares)):
        raise ValueError(
            "root_mean_square: all squared errors must be finite. A prediction that is not has "
            "left the region where the model was trained."
        )
    return np.sqrt(np.maximum(squares.mean(axis=0), 0.0))
