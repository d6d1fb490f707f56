"""What a projection found: equations to read, to print and to integrate."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, final

import jax.numpy as jnp
import numpy as np

from dynboltz._arguments import checked

from ._equation import ProjectedEquation
from ._known import Ranges
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
    ranges
        Least and greatest value of each coefficient at these points. Nothing is said about the
        field elsewhere.
    """

    equations: tuple[ProjectedEquation, ...]
    n_trajectories: int
    n_points: int
    reference: str | None
    ranges: Ranges | None = None

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
        return ProjectedField(coefficients, candidates, jnp.asarray(weights), self.ranges)

    def to_text(self) -> str:
        """Each equation, its weights with standard errors, how good it is, and where."""
        text = projection_text(self.equations, self.reference)
        return f"{text}\n{self.known_text()}" if self.ranges else text

    def known_text(self) -> str:
        """Where the equations are known, in one line; empty where no ranges are."""
        if self.ranges is None:
            return ""
        names = [equation.coefficient for equation in self.equations]
        shown = ", ".join(
            f"{name} from {low:.3g} to {high:.3g}"
            for name, (low, high) in zip(names, self.ranges, strict=True)
        )
        return f"Known where solutions went, {shown}; elsewhere these equations extrapolate."

    def to_latex(self) -> str:
        r"""LaTeX of the equations, one `aligned` environment without delimiters."""
        rows = " \\\\\n".join(equation.to_latex() for equation in self.equations)
        return f"\\begin{{aligned}}\n{rows}\n\\end{{aligned}}"

    def to_records(self) -> list[dict[str, Any]]:
        """Numbers and text of each equation; nothing that is not known is a number."""
        return [equation.to_record() for equation in self.equations]
