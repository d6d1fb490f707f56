"""Transitions between the enumerated states of a lattice, with their weights."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import final

import numpy as np
from jaxtyping import Bool, Float64, Int64, UInt8
from scipy import sparse

from dynboltz.lattices import Lattice
from dynboltz.reactions import Reaction, ReactionNetwork

MAX_STATES = 600_000
"""Largest number of states; the hop phase of the collision kernel needs more than the lattice."""

MAX_VALUES = 256
"""Largest number of values of a site that fit into uint8."""


@final
class Transitions:
    """Transitions between the states of a lattice whose sites take `base` values."""

    def __init__(self, network: ReactionNetwork, lattice: Lattice, base: int) -> None:
        self.network = network
        self.inside = [[int(j) for j in row if j >= 0] for row in lattice.neighbours()]
        self.states = digits(lattice.n_sites, base)
        self.places = places(lattice.n_sites, base)
        self.pieces: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []

    def add(
        self,
        source: Int64[np.ndarray, " sources"],
        changes: Mapping[int, int],
        weight: float | Float64[np.ndarray, " sources"],
    ) -> None:
        """From each state `source` to the one with the sites of `changes` set to new values."""
        target = source.copy()
        for site, value in changes.items():
            target += (value - self.states[source, site].astype(np.int64)) * self.places[site]
        self.pieces.append((source, target, np.broadcast_to(weight, source.shape)))

    def matrix(self) -> sparse.csr_array:
        """Sum of the weights, `[target, source]`."""
        shape = (len(self.states), len(self.states))
        if not self.pieces:
            return sparse.csr_array(shape)
        sources, targets, weights = (np.concatenate(p) for p in zip(*self.pieces, strict=True))
        return sparse.csr_array((weights, (targets, sources)), shape=shape)

    def generator(self) -> sparse.csr_array:
        """Rates `[target, source]` with the rates of leaving on the diagonal."""
        rates = self.matrix()
        return sparse.csr_array(rates - sparse.diags_array(rates.sum(axis=0)))

    def values(self, names: tuple[str, ...]) -> list[int]:
        """Values of two sites that hold `names`, 0 for none."""
        values = [self.network.species.index(name) + 1 for name in names]
        return values + [0] * (2 - len(values))

    def directed_bonds(self) -> Iterator[tuple[int, int]]:
        """Every bond in both directions."""
        for site, neighbours in enumerate(self.inside):
            for neighbour in neighbours:
                yield site, neighbour

    def add_local_reactions(self) -> None:
        """Reactions with 0 or 1 reactants."""
        for reaction in self.network.reactions:
            if len(reaction.reactants) < 2:
                for site in range(len(self.inside)):
                    self.add_local_reaction(reaction, site)

    def add_local_reaction(self, reaction: Reaction, site: int) -> None:
        """Put the first product at `site`, a second one at an empty neighbour."""
        assert reaction.rate is not None
        first, second = self.values(reaction.products)
        source = np.flatnonzero(self.states[:, site] == self.values(reaction.reactants)[0])
        if not second:
            self.add(source, {site: first}, reaction.rate)
            return
        empty = self.states[source][:, self.inside[site]] == 0
        n_empty = empty.sum(axis=1)
        for free, neighbour in zip(empty.T, self.inside[site], strict=True):
            weight = reaction.rate / n_empty[free]
            self.add(source[free], {site: first, neighbour: second}, weight)

    def add_hops(self, hop_rates: list[float]) -> None:
        """Hops in continuous time, at one rate a species."""
        for site, neighbour in self.directed_bonds():
            free = self.states[:, neighbour] == 0
            for value, rate in enumerate(hop_rates, start=1):
                source = np.flatnonzero(free & (self.states[:, site] == value))
                self.add(source, {site: 0, neighbour: value}, rate)

    def add_pair_reactions(self) -> None:
        """Reactions of pairs; half the rate in each direction puts the products in any order."""
        for reaction in self.network.reactions:
            if len(reaction.reactants) == 2:
                assert reaction.rate is not None
                first, second = self.values(reaction.products)
                for site, neighbour in self.directed_bonds():
                    source = np.flatnonzero(self.holds_pair(reaction, site, neighbour))
                    self.add(source, {neighbour: first, site: second}, reaction.rate / 2)

    def holds_pair(
        self, reaction: Reaction, site: int, neighbour: int
    ) -> Bool[np.ndarray, " states"]:
        """Where the two sites hold the two reactants, either way round."""
        a, b = self.values(reaction.reactants)
        here, there = self.states[:, site], self.states[:, neighbour]
        return ((here == a) & (there == b)) | ((here == b) & (there == a))

    def add_hop_attempts(self) -> None:
        """One attempt of a random particle still to come, values 1..M; M+1..2M are done."""
        n_species = len(self.network.species)
        n_waiting = np.sum((self.states >= 1) & (self.states <= n_species), axis=1)
        self.add(np.flatnonzero(n_waiting == 0), {}, 1.0)
        for site, neighbours in enumerate(self.inside):
            for value in range(1, n_species + 1):
                source = np.flatnonzero(self.states[:, site] == value)
                chance = 1 / n_waiting[source] / max(1, len(neighbours))
                if not neighbours:
                    self.add(source, {site: value + n_species}, chance)
                for neighbour in neighbours:
                    self.add_attempt(source, chance, site, neighbour)

    def add_attempt(
        self,
        source: Int64[np.ndarray, " sources"],
        chance: Float64[np.ndarray, " sources"],
        site: int,
        neighbour: int,
    ) -> None:
        """Attempt from `site`, which holds the same value in all states `source`."""
        here = int(self.states[source[0], site])
        there = self.states[source, neighbour]
        for occupant in np.unique(there):
            met = there == occupant
            for probability, here_after, there_after in self.outcomes(here, int(occupant)):
                changes = {site: here_after, neighbour: there_after}
                self.add(source[met], changes, chance[met] * probability)

    def outcomes(self, here: int, there: int) -> list[tuple[float, int, int]]:
        """Probabilities of the values of both sites after a particle `here` tries to hop."""
        species = self.network.species
        done = [0, *range(len(species) + 1, 2 * len(species) + 1)]
        if there == 0:
            return [(1.0, 0, done[here])]
        pair = sorted((species[here - 1], species[(there - 1) % len(species)]))
        outcomes = []
        for reaction in self.network.reactions:
            if sorted(reaction.reactants) == pair:
                first, second = self.values(reaction.products)
                outcomes.append((reaction.probability or 0.0, done[second], done[first]))
        none_fires = max(0.0, 1 - math.fsum(outcome[0] for outcome in outcomes))
        return [*outcomes, (none_fires, done[here], there)]


def places(n_sites: int, base: int) -> Int64[np.ndarray, " sites"]:
    """What a digit of each site counts; raise `ValueError` if there are too many states."""
    if base > MAX_VALUES:
        raise ValueError(
            f"The exact master equation needs {base} values a site; the limit is {MAX_VALUES}. "
            "Take fewer species."
        )
    magnitude = n_sites * math.log10(base)
    if magnitude > math.log10(MAX_STATES):
        raise ValueError(
            f"The exact master equation needs {base}^{n_sites}, about 10^{magnitude:.1f}, states; "
            f"the limit is {MAX_STATES}. Take a smaller lattice or fewer species."
        )
    return base ** np.arange(n_sites - 1, -1, -1, dtype=np.int64)


def digits(n_sites: int, base: int) -> UInt8[np.ndarray, "states sites"]:
    """All states in the order of their numbers."""
    counts = places(n_sites, base)
    return (np.arange(base**n_sites)[:, None] // counts % base).astype(np.uint8)
