"""Sums of products of integer powers, the form of every closed moment."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from fractions import Fraction
from typing import Any

Monomial = tuple[tuple[Any, int], ...]
"""Factors and their powers, not zero, positive or negative; the empty one is 1."""

Expression = Mapping[Monomial, Fraction]
"""Coefficient of each monomial."""

ONE: Expression = {(): Fraction(1)}


def monomial(powers: Mapping[Any, int]) -> Monomial:
    """The product of some factors with their powers; those with the power 0 are left out."""
    nonzero = ((factor, power) for factor, power in powers.items() if power)
    return tuple(sorted(nonzero, key=lambda pair: repr(pair[0])))


def power(factor: Any, exponent: int = 1) -> Expression:
    """One factor alone."""
    return {monomial({factor: exponent}): Fraction(1)}


def total(summands: Iterable[tuple[Fraction | int, Expression]]) -> Expression:
    """Sum of expressions with their coefficients."""
    collected: dict[Monomial, Fraction] = defaultdict(Fraction)
    for coefficient, expression in summands:
        for product, number in expression.items():
            collected[product] += coefficient * number
    return {product: number for product, number in collected.items() if number}


def product(*expressions: Expression) -> Expression:
    """Product of expressions, expanded."""
    result = ONE
    for expression in expressions:
        result = total(
            (x * y, {_joined(a, b): Fraction(1)})
            for a, x in result.items()
            for b, y in expression.items()
        )
    return result


def _joined(left: Monomial, right: Monomial) -> Monomial:
    powers = dict(left)
    for factor, exponent in right:
        powers[factor] = powers.get(factor, 0) + exponent
    return monomial(powers)
