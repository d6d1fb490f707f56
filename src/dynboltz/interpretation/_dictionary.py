"""Elementary candidates: constants, monomials, exponentials."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Sequence
from typing import final

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from dynboltz._arguments import checked

from ._candidate import Candidate


def constant() -> Candidate:
    """The function 1."""
    return Candidate("1", Monomial(()), latex="1")


@checked
def linear(coefficients: Sequence[str]) -> tuple[Candidate, ...]:
    r"""The coefficients themselves: relaxation $\dot\theta_k = \dots + w_{kl} \theta_l$."""
    return monomials(coefficients, order=1)


@checked
def monomials(coefficients: Sequence[str], order: int) -> tuple[Candidate, ...]:
    r"""Products of 1 to `order` coefficients, lower orders first.

    Raises
    ------
    ValueError
        If the order is less than 1.
    """
    if order < 1:
        raise ValueError(f"monomials: `order` must be at least 1, got {order}.")
    places = [
        chosen
        for degree in range(1, order + 1)
        for chosen in itertools.combinations_with_replacement(range(len(coefficients)), degree)
    ]
    return tuple(_monomial(tuple(coefficients), chosen) for chosen in places)


@checked
def exponentials(coefficients: Sequence[str]) -> tuple[Candidate, ...]:
    r"""$e^{\theta_l}$ of each coefficient: activities and weights of bonds."""
    return tuple(
        Candidate(f"exp({name})", Exponential(place), latex=rf"e^{{{coefficient_latex(name)}}}")
        for place, name in enumerate(coefficients)
    )


def coefficient_latex(name: str) -> str:
    """Symbol of a coefficient."""
    return rf"\theta_{{\text{{{name}}}}}"


@final
class Monomial(eqx.Module):
    """Product of the coefficients at some places, which may be repeated; 1 for none."""

    places: tuple[int, ...] = eqx.field(static=True)

    def __call__(self, theta: Float[Array, " coefficients"]) -> Float[Array, ""]:
        """Value at one point."""
        _check_place(theta, max(self.places, default=-1))
        value = jnp.ones((), theta.dtype)
        for place in self.places:
            value = value * theta[place]
        return value


@final
class Exponential(eqx.Module):
    """Exponential of the coefficient at a place."""

    place: int = eqx.field(static=True)

    def __call__(self, theta: Float[Array, " coefficients"]) -> Float[Array, ""]:
        """Value at one point."""
        _check_place(theta, self.place)
        return jnp.exp(theta[self.place])


def _check_place(theta: Float[Array, " coefficients"], place: int) -> None:
    """Raise `ValueError` if there is no such coefficient; JAX would take the last one."""
    if place >= len(theta):
        raise ValueError(
            f"Candidate: `theta` must have {place + 1} or more coefficients, those that the "
            f"candidate was made for, got {len(theta)}."
        )


def _monomial(names: tuple[str, ...], places: tuple[int, ...]) -> Candidate:
    powers = Counter(places)
    text = (names[p] + (f"^{n}" if n > 1 else "") for p, n in powers.items())
    latex = (coefficient_latex(names[p]) + (f"^{n}" if n > 1 else "") for p, n in powers.items())
    return Candidate(" ".join(text), Monomial(places), latex=r"\, ".join(latex))
