"""From the rate law of a well-mixed reaction to reactions with stochastic rate constants."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

from ._polynomial import MOST, NotMassActionError, Polynomial
from ._reaction import Reaction, equation_text

SAME = 1e-9
"""Relative difference of numbers that stand for the same rate constant."""


def mass_action_reactions(
    law: Polynomial, reactants: Sequence[str], products: Sequence[str], *, reversible: bool
) -> list[Reaction]:
    r"""One-way reactions of a rate law.

    A product of amounts with a positive coefficient consumes the reactants, one with a negative
    coefficient the products. What it holds beyond these takes part without being changed and is
    written on both sides. $k\,n_A(n_A - 1)$ and $k\,n_A^2$ both make $2k$ the rate of each pair of
    $A$, the second being the limit of the first for many particles.

    Parameters
    ----------
    law
        Events per time as a polynomial in the numbers of particles.
    reactants, products
        Species that an event consumes and makes.
    reversible
        Whether negative coefficients are allowed.

    Raises
    ------
    NotMassActionError
        If the law is no such sum.
    """
    law = _without_self_pairs(law, reactants, products, reversible=reversible)
    found = []
    for names, value in law.items():
        forward = value > 0
        if not forward and not reversible:
            raise NotMassActionError(
                f"it has a negative part, -{_product(names)}, but the reaction is not reversible"
            )
        consumed, made = (reactants, products) if forward else (products, reactants)
        found.append(_one_way(names, abs(value), consumed, made))
    return [reaction for reaction in found if reaction is not None]


def _without_self_pairs(
    law: Polynomial, reactants: Sequence[str], products: Sequence[str], *, reversible: bool
) -> Polynomial:
    """Leave out $-k n_A$ where it belongs to $k n_A (n_A - 1)$."""
    kept = dict(law)
    for names, value in law.items():
        if len(names) == MOST and names[0] == names[1]:
            single = (names[0],)
            if math.isclose(kept.get(single, 0.0), -value, rel_tol=SAME):
                if reversible and _can_consume(single, products, reactants):
                    raise NotMassActionError(
                        f"{single[0]}^2 - {single[0]} in it can mean pairs of particles, or a way "
                        "back; write two reactions, or "
                        "reversible=false (=> in Antimony)"
                    )
                del kept[single]
    return kept


def _can_consume(names: Sequence[str], consumed: Sequence[str], made: Sequence[str]) -> bool:
    spectators = Counter(names) - Counter(consumed)
    return Counter(consumed) <= Counter(names) and len(made) + spectators.total() <= MOST


def _one_way(
    names: tuple[str, ...], value: float, consumed: Sequence[str], made: Sequence[str]
) -> Reaction | None:
    """Reaction of the particles `names`, `None` if it changes nothing."""
    if not Counter(consumed) <= Counter(names):
        raise NotMassActionError(
            f"its part {_product(names)} does not vanish with the amounts of what it consumes, "
            f"{' + '.join(consumed)}"
        )
    spectators = tuple((Counter(names) - Counter(consumed)).elements())
    reactants, products = (*consumed, *spectators), (*made, *spectators)
    if len(products) > MOST:
        raise NotMassActionError(
            f"{equation_text(reactants, products)} has more than two products; write it as "
            "reactions through an intermediate species"
        )
    if Counter(reactants) == Counter(products):
        return None
    pairs = 2.0 if len(names) == MOST and names[0] == names[1] else 1.0
    return Reaction(reactants, products, rate=pairs * value)


def _product(names: Sequence[str]) -> str:
    return "*".join(names) or "constant"


def merged(reactions: Sequence[Reaction]) -> tuple[Reaction, ...]:
    """Reactions with the same sides as one, their rates added."""
    rates: dict[tuple[tuple[str, ...], tuple[str, ...]], float] = {}
    first: dict[tuple[tuple[str, ...], tuple[str, ...]], Reaction] = {}
    for reaction in reactions:
        sides = (tuple(sorted(reaction.reactants)), tuple(sorted(reaction.products)))
        assert reaction.rate is not None
        first.setdefault(sides, reaction)
        rates[sides] = rates.get(sides, 0.0) + reaction.rate
    return tuple(
        Reaction(reaction.reactants, reaction.products, rate=rates[sides])
        for sides, reaction in first.items()
    )
