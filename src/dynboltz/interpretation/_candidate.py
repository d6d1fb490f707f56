"""Candidates: named functions that a right-hand side may be made of."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, final

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from dynboltz._arguments import checked


@final
@checked
class Candidate(eqx.Module):
    r"""A named function $\phi(\theta)$ that a right-hand side may be made of.

    Attributes
    ----------
    name
        How it is written in equations.
    function
        Maps $\theta$ to one number, the same function in all equations, or to one value for each
        coefficient, a vector field of which each equation takes its own component. Written with
        `jax.numpy`, or an `AbstractVectorField`.
    expected
        Weight that theory gives it, such as a rate constant; none if there is no such theory.
    latex
        How it is written in LaTeX; by default its name as text.
    """

    name: str = eqx.field(static=True)
    function: Callable[[Array], Any]
    expected: float | None = eqx.field(static=True, default=None)
    latex: str | None = eqx.field(static=True, default=None)

    def __call__(self, theta: Float[Array, " coefficients"]) -> Float[Array, " coefficients"]:
        """Values in the equations of all coefficients.

        Raises
        ------
        ValueError
            If the function gives neither one number nor one for each coefficient.
        """
        values = jnp.asarray(self.function(theta), theta.dtype)
        self.check_shape(values.shape, len(theta))
        return jnp.broadcast_to(values, theta.shape)

    def check_shape(self, shape: tuple[int, ...], n_coefficients: int) -> None:
        """Raise `ValueError` unless values at one point are one number or one a coefficient."""
        if shape not in {(), (n_coefficients,)}:
            raise ValueError(
                f"Candidate {self.name!r}: `function` must give one number, or one for each of the "
                f"{n_coefficients} coefficients; got shape {shape}."
            )

    def to_latex(self) -> str:
        """LaTeX, for mathematics."""
        return self.latex or rf"\text{{{self.name}}}"


def check_candidates(candidates: Sequence[Candidate], where: str) -> None:
    """Raise `ValueError` unless there are candidates, each with a name of its own."""
    names = [candidate.name for candidate in candidates]
    if not names:
        raise ValueError(
            f"{where}: `candidates` is empty; begin with `[constant(), *linear(coefficients)]`."
        )
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(f"{where}: several candidates are named {', '.join(twice)}; keep one.")
