"""Errors over time relative to what was simulated."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float64

from dynboltz._arguments import checked
from dynboltz._numbers import check_finite
from dynboltz.lattices import Term

from ._errors import check_any


@checked
def relative_rms(
    difference: Float64[np.ndarray, "initial_conditions times moments"],
    simulated: Float64[np.ndarray, "initial_conditions times moments"],
) -> Float64[np.ndarray, " moments"]:
    r"""Root mean square difference over the mean of the simulated moment.

    $$\epsilon_k = \Big[ \frac{1}{n T} \sum_{i,t} \Delta_{ik}(t)^2 \Big]^{1/2} \Big/
    \frac{1}{n T} \sum_{i,t} \mu_{ik}(t)$$

    Parameters
    ----------
    difference
        Predicted minus simulated moments, or standard errors for the noise floor.
    simulated
        Simulated moments; infinite results mark those that are zero throughout.

    Raises
    ------
    ValueError
        If there is no initial condition or no time, or a simulated moment is not finite.
    """
    _check_simulated("relative_rms", simulated)
    with np.errstate(over="ignore", invalid="ignore"):
        return _relative_root(difference**2, simulated)


def _check_simulated(
    where: str, simulated: Float64[np.ndarray, "initial_conditions times moments"]
) -> None:
    """Raise `ValueError` unless there is something to average over, and all of it finite.

    Infinite moments would come out as errors of 0.
    """
    check_any(where, "simulated", simulated, n_axes=2)
    check_finite(where, "`simulated`", simulated, ("initial condition", "time", "moment"))


def _relative_root(
    squares: Float64[np.ndarray, "initial_conditions times moments"],
    simulated: Float64[np.ndarray, "initial_conditions times moments"],
) -> Float64[np.ndarray, " moments"]:
    mean = simulated.mean(axis=(0, 1))
    rms = np.sqrt(np.maximum(squares.mean(axis=(0, 1)), 0.0))
    return np.divide(rms, mean, out=np.full_like(rms, np.inf), where=mean > 0)


@checked
def relative_summary(
    difference: Float64[np.ndarray, "initial_conditions times moments"],
    simulated: Float64[np.ndarray, "initial_conditions times moments"],
    terms: Sequence[Term],
    *,
    squared: bool = False,
) -> dict[str, float]:
    """Relative errors (`relative_rms`), averaged over the species and over the pairs of species.

    Parameters
    ----------
    difference, simulated
        As for `relative_rms`.
    terms
        The moments; those of order 1 are means, those of order 2 neighbours.
    squared
        Whether `difference` holds squared errors, see `squared_error`; means of them below 0
        count as 0.

    Raises
    ------
    ValueError
        If there is not one term for each moment, or as `relative_rms`.
    """
    if len(terms) != simulated.shape[-1]:
        raise ValueError(
            f"relative_summary: `terms` must be one for each of the {simulated.shape[-1]} moments "
            f"of `simulated`, got {len(terms)}."
        )
    _check_simulated("relative_summary", simulated)
    with np.errstate(over="ignore", invalid="ignore"):
        squares = difference if squared else difference**2
        errors = _relative_root(squares, simulated)
    orders = np.array([term.order for term in terms])
    groups = {"means_rel_rms": orders == 1, "neighbours_rel_rms": orders == 2}
    return {name: float(errors[chosen].mean()) for name, chosen in groups.items() if chosen.any()}
