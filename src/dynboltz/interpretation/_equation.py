"""One equation of a projection: its terms, their errors, and what to think of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, final

from dynboltz._arguments import checked

from ._candidate import Candidate
from ._dictionary import coefficient_latex

ILL_CONDITIONED = 1e3
"""Condition number from which on the weights of single terms mean little: an error of the field of
one in a thousand can then change them by as much as they are."""


@final
@checked
@dataclass(frozen=True, eq=False)
class WeightedTerm:
    """A term of an equation.

    Attributes
    ----------
    candidate
        The function.
    weight
        Its weight.
    standard_error
        Of the weight, over initial conditions, the terms being given.
    """

    candidate: Candidate
    weight: float
    standard_error: float


@final
@checked
@dataclass(frozen=True, eq=False)
class ProjectedEquation:
    r"""$F_k(\theta) \approx \sum_j w_{kj} \phi_j(\theta)$ for one coefficient.

    Attributes
    ----------
    coefficient
        Whose derivative.
    terms
        The chosen terms, in the order of the candidates.
    magnitude
        Root mean square of $F_k$ over the points [1/time].
    residual
        Root mean square of $F_k$ minus the sum of the terms over that of $F_k$, on initial
        conditions that neither terms nor weights were chosen from; none if $F_k$ is zero.
    difference
        Root mean square of $F_k$ minus the reference over that of $F_k$; none without a reference
        or if $F_k$ is zero.
    condition
        Condition number of the scaled columns of the chosen terms; none if there are no terms.
    notes
        What to know before reading weights.
    """

    coefficient: str
    terms: tuple[WeightedTerm, ...]
    magnitude: float
    residual: float | None
    difference: float | None
    condition: float | None
    notes: tuple[str, ...]

    def to_text(self) -> str:
        """The equation in one line."""
        return f"d/dt {self.coefficient} = {self._sum(lambda candidate: candidate.name)}"

    def to_latex(self) -> str:
        """The equation, aligned at its equals sign."""
        left = rf"\frac{{d}}{{dt}} {coefficient_latex(self.coefficient)}"
        return f"{left} &= {self._sum(Candidate.to_latex, number_latex)}"

    def to_record(self) -> dict[str, Any]:
        """Numbers and text."""
        return {
            "coefficient": self.coefficient,
            "terms": [
                {
                    "name": term.candidate.name,
                    "weight": term.weight,
                    "standard_error": term.standard_error,
                    "expected": term.candidate.expected,
                }
                for term in self.terms
            ],
            "magnitude": self.magnitude,
            "residual": self.residual,
            "difference": self.difference,
            "condition": self.condition,
            "notes": list(self.notes),
        }

    def _sum(
        self, write: Callable[[Candidate], str], number: Callable[[float], str] = "{:.4g}".format
    ) -> str:
        """Terms joined by their signs."""
        text = ""
        for term in self.terms:
            sign = "-" if term.weight < 0 else "+"
            symbol = write(term.candidate)
            size = number(abs(term.weight)) + ("" if symbol == "1" else f" {symbol}")
            text += f" {sign} {size}" if text else f"{'-' if sign == '-' else ''}{size}"
        return text or "0"


def number_latex(value: float) -> str:
    r"""Four digits, `1.2 \cdot 10^{-5}` for small and large numbers."""
    mantissa, _, exponent = f"{value:.4g}".partition("e")
    return rf"{mantissa} \cdot 10^{{{int(exponent)}}}" if exponent else mantissa
