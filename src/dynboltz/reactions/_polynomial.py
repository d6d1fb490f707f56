"""Polynomials of up to second degree in the amounts of species, for rate laws."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import TypeAlias

Polynomial: TypeAlias = dict[tuple[str, ...], float]
"""Coefficient of each product of amounts, whose names are sorted; none of them is 0."""

MOST = 2


class NotMassActionError(ValueError):
    """A rate law is not a polynomial of up to second degree."""


class MissingValueError(NotMassActionError):
    """A formula needs a value that the model does not give."""


def constant(value: float) -> Polynomial:
    """The number `value`."""
    return _sum_of([((), value)])


def variable(name: str, factor: float = 1.0) -> Polynomial:
    """`factor` times the amount of a species."""
    return _sum_of([((name,), factor)])


def add(first: Polynomial, second: Polynomial) -> Polynomial:
    """Sum of both."""
    return _sum_of([*first.items(), *second.items()])


def negative(polynomial: Polynomial) -> Polynomial:
    """The polynomial with the opposite sign."""
    return {names: -value for names, value in polynomial.items()}


def multiply(first: Polynomial, second: Polynomial) -> Polynomial:
    """Product of both; raises `NotMassActionError` above the second degree."""
    if first and second and max(map(len, first)) + max(map(len, second)) > MOST:
        raise NotMassActionError("it is of third or higher order in the amounts of species")
    return _sum_of(
        (tuple(sorted(one + other)), value * factor)
        for one, value in first.items()
        for other, factor in second.items()
    )


def divide(first: Polynomial, second: Polynomial) -> Polynomial:
    """Quotient by a constant other than 0."""
    divisor = constant_value(second)
    if divisor is None:
        raise NotMassActionError("it divides by the amount of a species")
    if divisor == 0.0:
        raise NotMassActionError("it divides by 0")
    return _sum_of((names, value / divisor) for names, value in first.items())


def raise_to(base: Polynomial, exponent: Polynomial) -> Polynomial:
    """Power with a constant exponent; of species only to 0, 1 and 2."""
    power, number = constant_value(exponent), constant_value(base)
    if power is None:
        raise NotMassActionError("it has the amount of a species in an exponent")
    if number is not None:
        return constant(evaluated(math.pow, number, power))
    if power not in (0.0, 1.0, 2.0):
        raise NotMassActionError(f"it raises the amount of a species to the power {power:g}")
    result = constant(1.0)
    for _ in range(int(power)):
        result = multiply(result, base)
    return result


def constant_value(polynomial: Polynomial) -> float | None:
    """The number that a polynomial without species is, otherwise `None`."""
    if set(polynomial) - {()}:
        return None
    return polynomial.get((), 0.0)


def evaluated(function: Callable[..., float], *arguments: float) -> float:
    """A function of the `math` module; raises `NotMassActionError` outside its domain."""
    try:
        return float(function(*arguments))
    except (ValueError, ArithmeticError) as error:
        values = ", ".join(f"{argument:g}" for argument in arguments)
        raise NotMassActionError(f"a function in it has no value at {values} ({error})") from None


def _sum_of(terms: Iterable[tuple[tuple[str, ...], float]]) -> Polynomial:
    total: Polynomial = {}
    for names, value in terms:
        total[names] = total.get(names, 0.0) + value
    if not all(map(math.isfinite, total.values())):
        raise NotMassActionError("a number in it is not finite")
    return {names: value for names, value in total.items() if value != 0.0}
