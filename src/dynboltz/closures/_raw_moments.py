"""Raw moments of particle numbers above an order by those up to it, for the classical closures."""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Iterator
from typing import Literal

from ._expression import ONE, Expression, monomial, power, product, total

WellMixedKind = Literal["zero", "poisson", "normal", "log-normal", "derivative-matching"]

Powers = tuple[int, ...]
"""Powers of the particle numbers, one a species; also what stands for the raw moment."""


def closed_raw_moment(powers: Powers, order: int, kind: WellMixedKind) -> Expression:
    """The raw moment of `powers` in terms of those up to `order`.

    The factors of the expression are the powers of raw moments.
    """
    if kind == "zero":
        return _by_central_moments(powers, order)
    if kind in ("poisson", "normal"):
        return _by_cumulants(powers, order, poisson=kind == "poisson")
    if kind == "log-normal":
        return _matched(powers, 2)
    return _matched(powers, order)


@functools.cache
def _by_central_moments(powers: Powers, order: int) -> Expression:
    """Central moments above the order are zero: the binomial expansion, solved for the highest."""
    if sum(powers) <= order:
        return _raw(powers)
    means = {_unit(place, len(powers)): p for place, p in enumerate(powers)}
    summands = []
    for lower in _up_to(powers):
        if lower != powers:
            missing = _minus(powers, lower)
            around = product(*(power(unit, p) for unit, p in zip(means, missing, strict=True)))
            sign = -((-1) ** sum(missing))
            rest = product(_by_central_moments(lower, order), around)
            summands.append((sign * _choose(powers, lower), rest))
    return total(summands)


@functools.cache
def _by_cumulants(powers: Powers, order: int, *, poisson: bool) -> Expression:
    """The moment as the sum over cumulants, of which those above the order are given."""
    if sum(powers) <= order:
        return _raw(powers)
    return total(
        (number, product(_cumulant(k, order, poisson=poisson), rest))
        for number, k, rest in _cumulant_sum(powers, order, poisson=poisson)
    )


@functools.cache
def _cumulant(powers: Powers, order: int, *, poisson: bool) -> Expression:
    if sum(powers) > order:
        pure = sum(p > 0 for p in powers) == 1
        mean = tuple(min(p, 1) for p in powers)
        return _by_cumulants(mean, order, poisson=poisson) if poisson and pure else {}
    lower = (
        (-number, product(_cumulant(k, order, poisson=poisson), rest))
        for number, k, rest in _cumulant_sum(powers, order, poisson=poisson)
        if k != powers
    )
    return total([(1, _raw(powers)), *lower])


def _cumulant_sum(
    powers: Powers, order: int, *, poisson: bool
) -> Iterator[tuple[int, Powers, Expression]]:
    r"""Number of times each cumulant and the moment that it is multiplied with.

    $\mu_m = \sum_k \binom{m - e}{k - e} \kappa_k \mu_{m - k}$ over $e \le k \le m$ with $e$ one
    power of the first species that has any.
    """
    first = next(place for place, p in enumerate(powers) if p)
    unit = _unit(first, len(powers))
    for k in _up_to(powers):
        if k[first]:
            number = _choose(_minus(powers, unit), _minus(k, unit))
            yield number, k, _by_cumulants(_minus(powers, k), order, poisson=poisson)


@functools.cache
def _matched(powers: Powers, order: int) -> Expression:
    r"""Product of powers of the moments up to the order, by Singh and Hespanha (2006).

    The exponents solve $\binom{m}{s} = \sum_p \gamma_p \binom{p}{s}$ for all $s$ up to the order;
    the system is triangular with ones on its diagonal. Order 2 is that of log-normal numbers.
    """
    followed = [p for p in itertools.product(range(order + 1), repeat=len(powers)) if sum(p)]
    exponents: dict[Powers, int] = {}
    for s in sorted((p for p in followed if sum(p) <= order), key=sum, reverse=True):
        known = sum(gamma * _choose(p, s) for p, gamma in exponents.items())
        exponents[s] = _choose(powers, s) - known
    return {monomial(dict(exponents)): ONE[()]}


def _raw(powers: Powers) -> Expression:
    return power(powers) if any(powers) else ONE


def _unit(place: int, n_species: int) -> Powers:
    return tuple(int(other == place) for other in range(n_species))


def _up_to(powers: Powers) -> Iterator[Powers]:
    return itertools.product(*(range(p + 1) for p in powers))


def _minus(left: Powers, right: Powers) -> Powers:
    return tuple(x - y for x, y in zip(left, right, strict=True))


def _choose(upper: Powers, lower: Powers) -> int:
    return math.prod(math.comb(m, k) for m, k in zip(upper, lower, strict=True))
