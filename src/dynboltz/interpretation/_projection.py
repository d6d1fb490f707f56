"""What a projection found: equations to read, to print and to integrate."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, final

import jax.numpy as jnp
import numpy as np

from dynboltz._arguments import checked

from ._equation import ProjectedEquation
from ._layout import projection_text
from ._projected_field import ProjectedField


@final
@checked
@dataclass(frozen=True, eq=False)
class Projection:
    """A vector field as sums of few candidates, made by `project`.

    Attributes
    ----------
    equations
        One for each coefficient, in order.
    n_trajectories
        Number of initial conditions.
    n_points
        Number of points.
    reference
        Name of the field that is compared with, if any.
    """

    equations: tuple[ProjectedEquation, ...]
    n_trajectories: int
    n_points: int
    reference: str | None

    def field(self) -> ProjectedField:
        """The equations as a vector field."""
        terms = [term for equation in self.equations for term in equation.terms]
        candidates = tuple({term.candidate.name: term.candidate for term in terms}.values())
        places = {candidate.name: place for place, candidate in enumerate(candidates)}
        weights = np.zeros((len(self.equations), len(candidates)))
        for row, equation in zip(weights, self.equations, strict=True):
            for term in equation.terms:
                row[places[term.candidate.name]] = term.weight
        coefficients = tuple(equation.coefficient for equation in self.equations)
        return ProjectedField(coefficients, candidates, jnp.asarray(weights))

    def to_text(self) -> str:
        """Each equation, its weights with standard errors, and how good it is."""
        return projection_text(self.equations, self.reference)

    def to_latex(self) -> str:
        r"""LaTeX of the equations, one `aligned` environment without delimiters."""
        rows = " \\\\\n".join(equation.to_latex() for equation in self.equations)
        return f"\\begin{{aligned}}\n{rows}\n\\end{{aligned}}"

    def to_records(self) -> list[dict[str, Any]]:
        """Numbers and text of each equation; nothing that is not known is a number."""
        return [equation.to_record() for equation in self.equations]
