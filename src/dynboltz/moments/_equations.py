"""Linear equations of motion of moments, with rate constants as symbols."""

from __future__ import annotations

import functools
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import numpy as np

from dynboltz._arguments import checked
from dynboltz._lazy import lazy_module
from dynboltz.reactions import ReactionNetwork

from ._abstract_moment import AbstractMoment
from ._layout import equations_latex, equations_text
from ._linear_system import LinearSystem

if TYPE_CHECKING:
    import sympy
else:
    sympy = lazy_module("sympy")

M = TypeVar("M", bound=AbstractMoment)
Row = Mapping[M, Mapping[str, Fraction]]
"""Number of times each rate constant, by name, of each moment on a right-hand side."""


@checked
@dataclass(frozen=True, eq=False)
class MomentEquations(Generic[M]):
    r"""Time derivatives of moments as linear combinations of moments.

    $$\frac{d \mu_i}{dt} = c_i + \sum_j M_{ij} \mu_j$$

    with $j$ over `known`: first the `moments` themselves, then the `unclosed` ones. Coefficients
    are exact and linear in the rate constants, which are symbols: `k1`, `k2`, ... in the order of
    the reactions, and `D` for the hop rate, or one `D_A` a species.

    Attributes
    ----------
    network
        The reactions.
    moments
        Moments on the left-hand sides.
    rows
        Right-hand side of each of them.
    """

    network: ReactionNetwork
    moments: tuple[M, ...]
    rows: tuple[Row[M], ...]

    @functools.cached_property
    def unclosed(self) -> tuple[M, ...]:
        """Moments on right-hand sides that have no equation, the 1 aside; lower orders first."""
        found = {moment for row in self.rows for moment in row} - set(self.moments)
        return tuple(sorted((m for m in found if m.order), key=lambda m: m.sort_key))

    @property
    def known(self) -> tuple[M, ...]:
        """All moments but the 1: `moments`, then `unclosed`."""
        return (*self.moments, *self.unclosed)

    @functools.cached_property
    def rate_names(self) -> tuple[str, ...]:
        """Names of the rate constants that occur."""
        return tuple(sorted({n for row in self.rows for rates in row.values() for n in rates}))

    def terms(self, moment: M) -> dict[M, sympy.Expr]:
        """Right-hand side of a moment: the coefficient of each moment, lower orders first.

        The coefficient of the moment 1, of order 0, is the constant.

        Raises
        ------
        ValueError
            If the moment has no equation.
        """
        if moment not in self.moments:
            raise ValueError(
                f"MomentEquations.terms: {moment} has no equation here; there are equations of "
                f"{', '.join(map(str, self.moments))}."
            )
        row = self.rows[self.moments.index(moment)]
        return {other: _expression(row[other]) for other in sorted(row, key=lambda m: m.sort_key)}

    @functools.cached_property
    def matrix(self) -> sympy.ImmutableDenseMatrix:
        """Coefficients $M_{ij}$ in the rate constants, `moments` by `known`."""
        flat = [_expression(row.get(other, {})) for row in self.rows for other in self.known]
        return sympy.ImmutableDenseMatrix(len(self.moments), len(self.known), flat)

    @functools.cached_property
    def constant(self) -> sympy.ImmutableDenseMatrix:
        """Constants $c_i$ in the rate constants, a column."""
        return sympy.ImmutableDenseMatrix([_expression(numbers) for numbers in self._constants()])

    def numeric(self, rates: Mapping[str, float]) -> LinearSystem:
        """Equations with numbers in place of the symbols.

        Parameters
        ----------
        rates
            Values of the rate constants [1/time] by name, as `rate_constants` makes them; names
            that do not occur are ignored.

        Raises
        ------
        ValueError
            If a value is missing or not finite.
        """
        missing = [name for name in self.rate_names if name not in rates]
        if missing:
            raise ValueError(
                f"MomentEquations.numeric: no value of {', '.join(missing)}; the equations need "
                f"{', '.join(self.rate_names)}, got {', '.join(rates) or 'none'}."
            )
        for name, rate in rates.items():
            if not math.isfinite(rate):
                raise ValueError(f"MomentEquations.numeric: {name} must be finite, got {rate}.")
        columns = {moment: place for place, moment in enumerate(self.known)}
        matrix = np.zeros((len(self.moments), len(columns)))
        for place, row in enumerate(self.rows):
            for moment, numbers in row.items():
                if moment.order:
                    matrix[place, columns[moment]] = _value(numbers, rates)
        return LinearSystem(matrix, np.array([_value(n, rates) for n in self._constants()]))

    def to_records(self) -> list[dict[str, Any]]:
        """Plain lists, tables and text, as `dynboltz equations --json` prints them."""
        return [
            {
                "moment": str(moment),
                "terms": [
                    {"coefficient": str(coefficient), "moment": str(other)}
                    for other, coefficient in self.terms(moment).items()
                ],
            }
            for moment in self.moments
        ]

    def to_text(self) -> str:
        """One equation a line."""
        return equations_text([(moment, self.terms(moment)) for moment in self.moments])

    def to_latex(self) -> str:
        """LaTeX, one `aligned` environment without delimiters."""
        return equations_latex([(moment, self.terms(moment)) for moment in self.moments])

    def _constants(self) -> Iterable[Mapping[str, Fraction]]:
        for row in self.rows:
            yield next((numbers for moment, numbers in row.items() if not moment.order), {})


def _expression(numbers: Mapping[str, Fraction]) -> sympy.Expr:
    terms = (
        sympy.Rational(number.numerator, number.denominator) * sympy.Symbol(name)
        for name, number in numbers.items()
    )
    return sympy.Add(*terms)


def _value(numbers: Mapping[str, Fraction], rates: Mapping[str, float]) -> float:
    return math.fsum(float(number) * rates[name] for name, number in numbers.items())
