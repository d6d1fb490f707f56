"""Moment equations of a well-mixed system with mass-action kinetics."""

from __future__ import annotations

import itertools
import math
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import final

from dynboltz._arguments import checked
from dynboltz.reactions import Reaction, ReactionNetwork

from ._abstract_moment import AbstractMoment
from ._equations import MomentEquations
from ._moment import latex_name

Powers = tuple[int, ...]
"""Powers of the numbers of particles, one a species."""

Polynomial = Mapping[Powers, Fraction]


@final
@checked
@dataclass(frozen=True)
class RawMoment(AbstractMoment):
    r"""Mean of a product of powers of particle numbers, $\langle n_A^2 n_B \rangle$.

    Parameters
    ----------
    powers
        Species and their positive powers, in the order of the network's species.
    """

    powers: tuple[tuple[str, int], ...]

    def __str__(self) -> str:
        factors = (name if power == 1 else f"{name}^{power}" for name, power in self.powers)
        return " ".join(factors) or "1"

    @property
    def order(self) -> int:
        """Sum of the powers."""
        return sum(power for _, power in self.powers)

    @property
    def sort_key(self) -> tuple:
        """Lower orders first, then by species."""
        return self.order, tuple((name, -power) for name, power in self.powers)

    def to_latex(self) -> str:
        r"""LaTeX without delimiters, `\langle n_{A}^{2} n_{B} \rangle`."""
        if not self.powers:
            return "1"
        factors = (
            f"n_{{{latex_name(name)}}}" + (f"^{{{power}}}" if power > 1 else "")
            for name, power in self.powers
        )
        return rf"\langle {' '.join(factors)} \rangle"


@checked
def well_mixed_equations(network: ReactionNetwork, order: int) -> MomentEquations[RawMoment]:
    r"""Derive the time derivatives of all raw moments of particle numbers up to an order.

    $$\frac{d}{dt} \langle n^m \rangle = \sum_r \big\langle a_r(n) \big((n + \nu_r)^m - n^m\big)
    \big\rangle$$

    with the stoichiometry $\nu_r$ and the propensities of mass action: $k$ without a reactant,
    $k n_A$, $k n_A n_B$, and $k n_A (n_A - 1) / 2$ for $A + A$, so that $k$ is the rate of each
    pair. Nothing excludes particles from each other.

    Parameters
    ----------
    network
        The reactions. Their numbers do not enter; two reactants with a probability $p$ are taken
        to have a rate instead.
    order
        Highest order on the left-hand sides, at least 1.

    Raises
    ------
    ValueError
        If `order` is less than 1.
    """
    if order < 1:
        raise ValueError(f"well_mixed_equations: `order` must be at least 1, got {order}.")
    n_species = len(network.species)
    candidates = itertools.product(range(order + 1), repeat=n_species)
    powers = [p for p in candidates if 1 <= sum(p) <= order]
    rows = {_moment(p, network.species): _row(p, network) for p in powers}
    moments = sorted(rows, key=lambda moment: moment.sort_key)
    return MomentEquations(network, tuple(moments), tuple(rows[m] for m in moments))


def _row(powers: Powers, network: ReactionNetwork) -> dict[RawMoment, dict[str, Fraction]]:
    row: dict[RawMoment, dict[str, Fraction]] = defaultdict(dict)
    for number, reaction in enumerate(network.reactions, start=1):
        propensity = _propensity(reaction, network.species)
        change = _change(powers, network.stoichiometry[:, number - 1].tolist())
        for product, coefficient in _times(propensity, change).items():
            if coefficient:
                row[_moment(product, network.species)][f"k{number}"] = coefficient
    return dict(row)


def _propensity(reaction: Reaction, species: tuple[str, ...]) -> Polynomial:
    counts = Counter(reaction.reactants)
    powers = tuple(counts[name] for name in species)
    if 2 not in powers:
        return {powers: Fraction(1)}
    fewer = tuple(min(power, 1) for power in powers)
    return {powers: Fraction(1, 2), fewer: Fraction(-1, 2)}


def _change(powers: Powers, by: list[int]) -> Polynomial:
    """Expand $(n + by)^powers - n^powers$ by the binomial theorem."""
    expanded: dict[Powers, Fraction] = {}
    for lower in itertools.product(*(range(power + 1) for power in powers)):
        factors = (
            math.comb(power, low) * step ** (power - low)
            for power, low, step in zip(powers, lower, by, strict=True)
        )
        expanded[lower] = Fraction(math.prod(factors))
    del expanded[powers]
    return expanded


def _times(left: Polynomial, right: Polynomial) -> Polynomial:
    product: dict[Powers, Fraction] = defaultdict(Fraction)
    for (a, x), (b, y) in itertools.product(left.items(), right.items()):
        product[tuple(i + j for i, j in zip(a, b, strict=True))] += x * y
    return product


def _moment(powers: Powers, species: tuple[str, ...]) -> RawMoment:
    named = zip(species, powers, strict=True)
    return RawMoment(tuple((name, power) for name, power in named if power))
