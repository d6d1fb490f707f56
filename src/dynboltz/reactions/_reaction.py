"""One reaction, and what makes a reaction valid."""

from __future__ import annotations

import math
import numbers
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

from dynboltz._arguments import checked
from dynboltz._digits import against

ROUNDING = 1e-12
"""Slack for probabilities such as 0.1 + 0.2 + 0.7, whose sum in floating point may exceed 1."""


@final
@checked
@dataclass(frozen=True)
class Reaction:
    """A reaction of up to two reactants into up to two products.

    Parameters
    ----------
    reactants
        Species that are consumed, 0 to 2 names; the same name twice for a pair of one species.
    products
        Species that are made, 0 to 2 names. Their order says where they are placed.
    rate
        Rate constant $k$ [1/time]: per empty site without a reactant, per particle with one, per
        neighbouring pair with two.
    probability
        Probability $p$ [-] that a collision of the two reactants leads to this reaction.

    Raises
    ------
    TypeError
        If the sides are not tuples, or the rate or probability is not a real number.
    ValueError
        If a name is not an identifier, a side has more than two species, the reaction changes
        nothing, not exactly one of `rate` and `probability` is given, `rate` is negative or not
        finite, `probability` is outside [0, 1] or given for fewer than two reactants.
    """

    reactants: tuple[str, ...]
    products: tuple[str, ...]
    rate: float | None = None
    probability: float | None = None

    def __post_init__(self) -> None:
        check_side(self.reactants, "reactants")
        check_side(self.products, "products")
        check_change(self.reactants, self.products)
        check_kinetics(self.reactants, self.rate, self.probability)

    def to_text(self) -> str:
        """One line of the text syntax, `A + A -> 0 ; p = 0.01`."""
        name, value = ("p", self.probability) if self.rate is None else ("k", self.rate)
        assert value is not None
        return f"{equation_text(self.reactants, self.products)} ; {name} = {number_text(value)}"

    def __str__(self) -> str:
        return self.to_text()


@checked
def equation_text(reactants: Sequence[str], products: Sequence[str]) -> str:
    """Both sides as text, `A + A -> 0`."""
    return " -> ".join(" + ".join(side) or "0" for side in (reactants, products))


def number_text(value: float) -> str:
    """Shortest decimal that reads back as the same float."""
    return repr(float(value)).removesuffix(".0")


def check_name(name: str) -> None:
    """Raise unless `name` can name a species."""
    if not name.isidentifier():
        raise ValueError(
            f"{name!r} cannot name a species: a name starts with a letter or an underscore and "
            "goes on with letters, digits and underscores."
        )


def check_side(names: tuple[str, ...], side: str) -> None:
    """Raise unless `names` can be the reactants or products (`side`) of a reaction."""
    if not isinstance(names, tuple):
        raise TypeError(f"Reaction: `{side}` must be a tuple of species names, got {names!r}.")
    for name in names:
        check_name(name)
    if len(names) > 2:
        raise ValueError(
            f"A reaction has at most two {side}, got {len(names)} ({' + '.join(names)}). "
            "Write it as a sequence of reactions through an intermediate species."
        )


def check_change(reactants: tuple[str, ...], products: tuple[str, ...]) -> None:
    """Raise if the two sides are the same."""
    if Counter(reactants) == Counter(products):
        raise ValueError(
            f"{equation_text(reactants, products)} changes nothing: reactants and products are "
            "the same. Remove it."
        )


def check_kinetics(
    reactants: tuple[str, ...], rate: float | None, probability: float | None
) -> None:
    """Raise unless exactly one of rate and probability is given, and it is valid."""
    if rate is not None and probability is not None:
        raise ValueError("A reaction has a rate k or a probability p, not both.")
    if rate is not None:
        check_rate(rate)
    elif probability is not None:
        check_probability(probability, reactants)
    else:
        raise ValueError("A reaction needs a rate k or, with two reactants, a probability p.")


def check_rate(rate: float) -> None:
    """Raise unless `rate` is finite and not negative."""
    if not isinstance(rate, numbers.Real):
        raise TypeError(f"The rate k must be a real number, got {rate!r}.")
    if not (math.isfinite(rate) and rate >= 0):
        raise ValueError(f"The rate k must be finite and not negative, got {float(rate)}.")


def check_probability(probability: float, reactants: tuple[str, ...]) -> None:
    """Raise unless `probability` is in [0, 1] and belongs to two reactants."""
    if not isinstance(probability, numbers.Real):
        raise TypeError(f"The probability p must be a real number, got {probability!r}.")
    if len(reactants) != 2:
        raise ValueError(
            f"A probability p belongs to the collision of two reactants; this reaction has "
            f"{len(reactants)}. Give a rate k."
        )
    if not 0 <= probability <= 1:
        raise ValueError(f"The probability p must be between 0 and 1, got {float(probability)}.")


class Rivals:
    """Reactions of a network so far, by their reactants."""

    def __init__(self) -> None:
        self._reactions: dict[tuple[str, ...], list[Reaction]] = {}

    def add(self, reaction: Reaction) -> None:
        """Add a reaction; raise `ValueError` if it cannot join the others."""
        rivals = self._reactions.setdefault(tuple(sorted(reaction.reactants)), [])
        products = sorted(reaction.products)
        for other in rivals:
            if sorted(other.products) == products:
                raise ValueError(
                    f"The reaction {reaction} is there already, as {other}. Merge the two into one."
                )
        rivals.append(reaction)
        total = math.fsum(one.probability or 0.0 for one in rivals)
        if total > 1 + ROUNDING:
            raise ValueError(
                f"The probabilities p of the reactions of {' + '.join(reaction.reactants)} must "
                f"add up to at most 1; with {reaction} they add up to {against(total, 1.0, 6)}."
            )
