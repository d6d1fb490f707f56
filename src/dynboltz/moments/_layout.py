"""Moment equations as text and as LaTeX."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from dynboltz._lazy import lazy_module

if TYPE_CHECKING:
    import sympy
else:
    sympy = lazy_module("sympy")


Equation = tuple[Any, Mapping[Any, Any]]
"""A moment and the coefficients of its right-hand side."""


def equations_text(equations: Sequence[Equation]) -> str:
    """One equation a line, `d/dt A(0) = -2*k1 A(0) A(1)`."""
    return "\n".join(f"d/dt {moment} = {_sum(terms, _text_term)}" for moment, terms in equations)


def equations_latex(equations: Sequence[Equation]) -> str:
    """Equations below each other, aligned at their equals signs."""
    rows = [
        rf"\frac{{d}}{{dt}} {moment.to_latex()} &= {_sum(terms, _latex_term)}"
        for moment, terms in equations
    ]
    return "\\begin{aligned}\n" + " \\\\\n".join(rows) + "\n\\end{aligned}"


def _sum(terms: Mapping[Any, sympy.Expr], write: Any) -> str:
    """Terms joined by their signs."""
    text = ""
    for moment, coefficient in terms.items():
        negative = coefficient.could_extract_minus_sign()
        term = write(moment, -coefficient if negative else coefficient)
        sign = "-" if negative else "+"
        text += f" {sign} {term}" if text else f"{'-' if negative else ''}{term}"
    return text or "0"


def _text_term(moment: Any, coefficient: sympy.Expr) -> str:
    number = f"({coefficient})" if coefficient.is_Add else str(coefficient)
    return f"{number} {moment}" if moment.order else number


def _latex_term(moment: Any, coefficient: sympy.Expr) -> str:
    number = sympy.latex(coefficient)
    if coefficient.is_Add:
        number = rf"\left({number}\right)"
    return f"{number} {moment.to_latex()}" if moment.order else number
