"""Attractive particles that run away, or cannot be normalised at all."""

from __future__ import annotations

import itertools
from typing import Literal

import numpy as np
from jaxtyping import Float, Float64

from dynboltz._arguments import checked
from dynboltz._typing import AnyArray
from dynboltz.distributions import PointProcessModel

Stability = Literal["stable", "unstable", "unknown"]

ROUNDING = 1e-12
"""What counts as 0, relative to the largest coefficient of a cubic."""


class CondensationError(ArithmeticError):
    """The number of particles has outgrown the slots of a chain."""


@checked
def stability(model: PointProcessModel, theta: Float[AnyArray, " coefficients"]) -> Stability:
    r"""Whether the model can be normalised, as far as two simple rules tell.

    "stable": no pair function is negative anywhere, so that $\ln Z \le \sum_\alpha \int
    e^{-\nu_\alpha}$. "unstable": $n_\alpha$ particles at one point and $n_\beta$ at a distance $r$
    from it can have an energy that falls with the square of their number,

    $$\nu_{\alpha\alpha}(0) < 0 \quad\text{or}\quad
    \nu_{\alpha\beta}(r) < -\sqrt{\nu_{\alpha\alpha}(0)\, \nu_{\beta\beta}(0)},$$

    which no $1 / n!$ makes up for, so that $Z$ is infinite. Anything else is "unknown".

    A model that is barely unstable still has a state that lasts for longer than any chain, at the
    density where it was fitted.

    Parameters
    ----------
    model
        The model.
    theta
        Coefficients, in the order of the model.

    References
    ----------
    Ruelle, Statistical Mechanics (1969), Sec. 3.2.
    """
    lowest = {
        frozenset(names): _lowest(model, theta, f"nu.{'.'.join(names)}") for names in model.pair
    }
    if all(value >= 0 for value in lowest.values()):
        return "stable"
    contact = {
        name: float(model.values(theta, f"nu.{name}.{name}", np.zeros((1, 1)))[0])
        if (name, name) in model.pair
        else 0.0
        for name in model.species
    }
    if min(contact.values()) < 0:
        return "unstable"
    for a, b in itertools.combinations_with_replacement(model.species, 2):
        if lowest.get(frozenset((a, b)), 0.0) < -np.sqrt(contact[a] * contact[b]):
            return "unstable"
    return "unknown"


def _lowest(model: PointProcessModel, theta: Float[AnyArray, " coefficients"], name: str) -> float:
    """Smallest value of a function of pairs: at the ends of its elements or between them.

    Functions that end at 0 do so within rounding, which differs between processors.
    """
    number = list(model.spaces).index(name)
    first, n = int(model.tables.first[number]), int(model.tables.n_elements[number, 0])
    monomials = model.matrix @ np.asarray(theta, dtype=np.float64)
    cubics = monomials[first : first + 4 * n].reshape(n, 4)
    lowest = min(map(_lowest_of, cubics))
    return 0.0 if abs(lowest) <= ROUNDING * np.abs(cubics).max() else lowest


def _lowest_of(cubic: Float64[np.ndarray, " powers"]) -> float:
    """Smallest value of a cubic, lowest power first, on [0, 1]."""
    polynomial = np.polynomial.Polynomial(cubic)
    turns = np.real(polynomial.deriv().trim().roots())
    inside = turns[(turns > 0) & (turns < 1)]
    return float(polynomial(np.concatenate([[0.0, 1.0], inside])).min())


def condensed(
    model: PointProcessModel,
    theta: Float64[np.ndarray, " coefficients"],
    n_slots: int,
    n_proposals: int,
) -> CondensationError:
    """Error of a chain whose slots have run out: the coefficients, and what to do."""
    lines = [
        f"BirthDeathMove: a chain has more than its {n_slots} slots of particles after "
        f"{n_proposals} proposals, with the coefficients"
    ]
    for name, own in model.slices.items():
        lines.append(f"  {name} = {np.array2string(theta[own], precision=3, threshold=12)}")
    verdict = stability(model, theta)
    if verdict == "stable":
        lines.append("No pair attracts, so the number is bounded: give the chains more slots.")
    elif verdict == "unstable":
        lines.append(
            "Pairs attract so strongly that the model cannot be normalised. Make the pair "
            "functions less negative: a larger ridge in a fit, or a repulsive core."
        )
    else:
        lines.append(
            "Pairs attract. If the expected number is near the slots, give the chains more; if "
            "the number runs away, make the pair functions less negative: a larger ridge in a "
            "fit, or a repulsive core."
        )
    return CondensationError("\n".join(lines))
