"""Projected equations as text."""

from __future__ import annotations

from collections.abc import Sequence

from ._equation import ProjectedEquation, WeightedTerm


def projection_text(equations: Sequence[ProjectedEquation], reference: str | None) -> str:
    """Equations below each other, each with its terms and what is known of it."""
    return "\n".join(_equation_text(equation, reference) for equation in equations)


def _equation_text(equation: ProjectedEquation, reference: str | None) -> str:
    width = max((len(term.candidate.name) for term in equation.terms), default=0)
    lines = [equation.to_text(), *(_term_text(term, width) for term in equation.terms)]
    lines.append(f"  size of the right-hand side {equation.magnitude:.3g}{_residual(equation)}")
    if reference is not None and equation.difference is not None:
        lines.append(f"  {reference} differs by {equation.difference:.2%}")
    return "\n".join([*lines, *(f"  note: {note}" for note in equation.notes)])


def _term_text(term: WeightedTerm, width: int) -> str:
    expected = term.candidate.expected
    known = "" if expected is None else f"   expected {expected:.4g}"
    number = f"{term.weight: .4g} +- {term.standard_error:.1g}"
    return f"  {term.candidate.name:{width}} {number}{known}"


def _residual(equation: ProjectedEquation) -> str:
    if equation.residual is None:
        return ""
    known = "" if equation.condition is None else f", condition number {equation.condition:.3g}"
    return f"; residual {equation.residual:.2%} on held-out initial conditions{known}"
