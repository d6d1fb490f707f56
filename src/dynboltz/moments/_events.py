"""The elementary transitions of the continuous-time kernel around one site."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import final

from dynboltz.lattices import Offset
from dynboltz.reactions import Reaction, ReactionNetwork

from ._geometry import Geometry

EMPTY, OCCUPIED = "0", "*"
"""What a site can be required to hold besides a species: nothing, or any species."""

Rate = str | int
"""The species that hops, or the number of the reaction, counted from 0."""


@final
@dataclass(frozen=True)
class Event:
    """A transition of few sites.

    Attributes
    ----------
    rate
        What happens.
    weight
        Number of times its rate constant. Weights of alternatives may be negative, only their
        sums are rates.
    before
        What the sites are required to hold.
    after
        What the sites that change hold afterwards.
    """

    rate: Rate
    weight: Fraction
    before: Mapping[Offset, str]
    after: Mapping[Offset, str]


def events(network: ReactionNetwork, geometry: Geometry) -> tuple[Event, ...]:
    """Everything that can happen at the origin, or at a bond in the direction away from it."""
    return (
        *_hops(network, geometry),
        *itertools.chain.from_iterable(
            _pair_reaction(number, reaction, geometry)
            if len(reaction.reactants) == 2
            else _site_reaction(number, reaction, geometry)
            for number, reaction in enumerate(network.reactions)
        ),
    )


def _hops(network: ReactionNetwork, geometry: Geometry) -> Iterator[Event]:
    here = (0,) * geometry.dim
    for species, there in itertools.product(network.species, geometry.neighbours()):
        yield Event(
            species, Fraction(1), {here: species, there: EMPTY}, {here: EMPTY, there: species}
        )


def _pair_reaction(number: int, reaction: Reaction, geometry: Geometry) -> Iterator[Event]:
    """Half the rate in each direction puts the products in any order."""
    here = (0,) * geometry.dim
    first, second = _two(reaction.products)
    orders = sorted({reaction.reactants, reaction.reactants[::-1]})
    for there, (one, other) in itertools.product(geometry.neighbours(), orders):
        before, after = {here: one, there: other}, {here: first, there: second}
        yield Event(number, Fraction(1, 2), before, after)


def _site_reaction(number: int, reaction: Reaction, geometry: Geometry) -> Iterator[Event]:
    here = (0,) * geometry.dim
    reactant, _ = _two(reaction.reactants)
    first, second = _two(reaction.products)
    if second == EMPTY:
        yield Event(number, Fraction(1), {here: reactant}, {here: first})
        return
    for there in geometry.neighbours():
        before, after = {here: reactant, there: EMPTY}, {here: first, there: second}
        for occupied, weight in _choices(there, Counter(geometry.neighbours())):
            yield Event(number, weight, before | dict.fromkeys(occupied, OCCUPIED), after)


def _choices(
    target: Offset, neighbours: Counter[Offset]
) -> Iterator[tuple[tuple[Offset, ...], Fraction]]:
    r"""Polynomial in the occupation of the others for the chance that `target` is chosen.

    The chance of one direction is $1 / n$ with $n$ the number of directions to empty sites,
    $\sum_T c_T \prod_{i \in T} o_i$ with $o_i = 1$ where a site is occupied.
    """
    others = [site for site in neighbours if site != target]
    for chosen in _subsets(others):
        weight = Fraction(0)
        for occupied in _subsets(chosen):
            n_empty = neighbours.total() - sum(neighbours[site] for site in occupied)
            weight += Fraction((-1) ** (len(chosen) - len(occupied)), n_empty)
        yield chosen, weight


def _subsets(sites: Iterable[Offset]) -> Iterator[tuple[Offset, ...]]:
    members = tuple(sites)
    for size in range(len(members) + 1):
        yield from itertools.combinations(members, size)


def _two(names: tuple[str, ...]) -> tuple[str, str]:
    first, second = (*names, EMPTY, EMPTY)[:2]
    return first, second
