"""Flat tables of a lattice and a reaction network, as the compiled kernels take them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, no_type_check

import numpy as np

from dynboltz._compiled import compiled
from dynboltz.lattices import Lattice
from dynboltz.reactions import Reaction, ReactionNetwork

REGULAR = np.uint8(128)
MOST = np.uint8(127)
LARGE = 2**15
"""Sites from which on neighbours of regular sites are computed instead of looked up."""


class NeighbourTable(NamedTuple):
    """Neighbours inside the lattice.

    Attributes
    ----------
    sites
        Neighbours of each site [sites, directions]: the first `counts[site] & MOST` of a row.
    counts
        Number of neighbours of each site, plus `REGULAR` where they are the site itself plus
        `offsets`. That saves visits of a table that is larger than the caches.
    offsets
        Distance in the numbering of sites to each neighbour of a regular site.
    """

    sites: np.ndarray
    counts: np.ndarray
    offsets: np.ndarray


class ReactionTable(NamedTuple):
    """Reactions in sets of the same reactants.

    Attributes
    ----------
    pointers
        First reaction of each set; one entry more than there are sets.
    cumulative
        Sum of the rates or probabilities of a set up to and including each reaction.
    totals
        Sum over each set.
    products
        Bytes of the first and the second product of each reaction, 0 for none.
    """

    pointers: np.ndarray
    cumulative: np.ndarray
    totals: np.ndarray
    products: np.ndarray


def neighbour_table(lattice: Lattice) -> NeighbourTable:
    """Neighbours of each site; a closed edge has fewer."""
    neighbours = lattice.neighbours()
    sites = np.zeros(neighbours.shape, dtype=np.uint32)
    counts = np.zeros(lattice.n_sites, dtype=np.uint8)
    _compact(neighbours, sites, counts)
    middle = np.ravel_multi_index([n // 2 for n in lattice.shape], lattice.shape)
    offsets = sites[middle].astype(np.int64) - middle
    if lattice.n_sites >= LARGE:
        _mark_regular(sites, offsets, counts)
    return NeighbourTable(sites, counts, offsets)


@compiled()
@no_type_check
def _compact(neighbours, sites, counts):
    """Move the neighbours of each site inside the lattice to the front, and count them."""
    for site in range(neighbours.shape[0]):
        for neighbour in neighbours[site]:
            if neighbour >= 0:
                sites[site, counts[site]] = neighbour
                counts[site] += 1


@compiled()
@no_type_check
def _mark_regular(sites, offsets, counts):
    for site in range(sites.shape[0]):
        regular = counts[site] == offsets.size
        for direction in range(offsets.size):
            regular &= np.int64(sites[site, direction]) - site == offsets[direction]
        if regular:
            counts[site] += REGULAR


def site_table(network: ReactionNetwork) -> ReactionTable:
    """Reactions at one site: set 0 on an empty one, set `i + 1` of a particle of species `i`."""
    sides = [(), *((name,) for name in network.species)]
    return reaction_table(
        network, [[r for r in network.reactions if r.reactants == s] for s in sides]
    )


def pair_table(network: ReactionNetwork) -> ReactionTable:
    """Reactions of two neighbours: set `first * (n_species + 1) + second` of their bytes."""
    bytes_ = [None, *network.species]
    return reaction_table(
        network,
        [
            [r for r in network.reactions if r.reactants in ((a, b), (b, a))]
            for a in bytes_
            for b in bytes_
        ],
    )


def reaction_table(network: ReactionNetwork, sets: Sequence[Sequence[Reaction]]) -> ReactionTable:
    """Sets of reactions, their products numbered as the species of the network."""
    byte = {name: index + 1 for index, name in enumerate(network.species)}
    products = [
        ([byte[name] for name in reaction.products] + [0, 0])[:2]
        for members in sets
        for reaction in members
    ]
    with np.errstate(over="ignore"):  # infinite sums are refused as too many events
        cumulative = [np.cumsum([_weight(r) for r in members]) for members in sets]
        totals = np.array([np.sum([_weight(r) for r in members]) for members in sets])
    return ReactionTable(
        pointers=np.cumsum([0] + [len(members) for members in sets], dtype=np.int64),
        cumulative=np.concatenate(cumulative),
        totals=totals,
        products=np.array(products, dtype=np.uint8).reshape(-1, 2),
    )


def _weight(reaction: Reaction) -> float:
    weight = reaction.probability if reaction.rate is None else reaction.rate
    assert weight is not None
    return float(weight)
