"""The particles of one replica, and reactions at one site, which both kernels share.

A state is one byte a site: 0 if empty, else the species in the low seven bits. `mark` is 0 or the
high bit, and is set in the bytes of new particles.
"""

from __future__ import annotations

from typing import NamedTuple, no_type_check

import numpy as np

from dynboltz._compiled import compiled
from dynboltz.lattices import bounded, inlined, uniform

from ._tables import MOST, REGULAR

FLAG = np.uint8(0x80)
SPECIES = np.uint8(0x7F)


class Population(NamedTuple):
    """One replica.

    Attributes
    ----------
    state
        Bytes of the sites.
    particles
        Occupied sites, in any order, followed by unused entries.
    slots
        Place of each occupied site in `particles`; empty if the kernel does not need it.
    random
        State of the random stream.
    """

    state: np.ndarray
    particles: np.ndarray
    slots: np.ndarray
    random: np.ndarray


@compiled()
@no_type_check
def populate(initial, with_slots, random):
    """Make the population of an initial state; return it and its number of particles."""
    population = Population(
        initial.copy(),
        np.empty(initial.size, dtype=np.uint32),
        np.empty(initial.size if with_slots else 0, dtype=np.uint32),
        random,
    )
    n = 0
    for site in range(initial.size):
        if initial[site]:
            n = append(population, n, site)
    return population, n


@inlined
@no_type_check
def append(population, n, site):
    """Add an occupied site to the list; return the number of particles."""
    population.particles[n] = site
    if population.slots.size:
        population.slots[site] = n
    return n + 1


@inlined
@no_type_check
def remove(population, n, slot):
    """Remove one entry of the list; return the number of particles."""
    last = population.particles[n - 1]
    population.particles[slot] = last
    if population.slots.size:
        population.slots[last] = slot
    return n - 1


@inlined
@no_type_check
def find_reaction(reactions, members, u):
    """Reaction of the set `members` that the number `u`, in units of `cumulative`, selects."""
    reaction = reactions.pointers[members]
    last = reactions.pointers[members + 1] - 1
    while reaction < last and u >= reactions.cumulative[reaction]:
        reaction += 1
    return reaction


@inlined
@no_type_check
def neighbour_of(site, direction, count, neighbours):
    """Neighbour of a site in a direction; `count` is its entry of the counts."""
    if count & REGULAR:
        return np.uint32(site + neighbours.offsets[direction])
    return neighbours.sites[site, direction]


@inlined
@no_type_check
def empty_neighbour(population, site, neighbours):
    """Draw one of the empty neighbours of a site, -1 if there is none.

    Written without branches on what the neighbours hold, which cannot be predicted.
    """
    state, count = population.state, neighbours.counts[site]
    n_empty = 0
    for direction in range(neighbours.offsets.size):
        neighbour = neighbour_of(site, direction, count, neighbours)
        n_empty += (state[neighbour] == 0) & (direction < (count & MOST))
    if n_empty == 0:
        return np.int64(-1)
    remaining = bounded(population.random, n_empty)
    chosen = np.int64(-1)
    for direction in range(neighbours.offsets.size):
        neighbour = np.int64(neighbour_of(site, direction, count, neighbours))
        empty = state[neighbour] == 0
        chosen = neighbour if empty & (remaining >= 0) else chosen
        remaining -= empty
    return chosen


@inlined
@no_type_check
def react_at_site(population, site, bound, mark, tables):
    """Let the content of a site react with probability `totals / bound`.

    Returns the site of the second product, -1 if there is none. Without room for a second product
    nothing happens.
    """
    state, reactions = population.state, tables.site_reactions
    members = state[site] & SPECIES
    u = uniform(population.random) * bound
    if u >= reactions.totals[members]:
        return np.int64(-1)
    reaction = find_reaction(reactions, members, u)
    first, second = reactions.products[reaction, 0], reactions.products[reaction, 1]
    other = np.int64(-1)
    if second:
        other = empty_neighbour(population, site, tables.neighbours)
        if other < 0:
            return other
        state[other] = second | mark
    state[site] = first | mark if first else 0
    return other


@inlined
@no_type_check
def site_event(population, n, mark, tables):
    """Propose one reaction without or with one reactant; return the number of particles.

    An empty site is proposed at the rate of its reactions, a particle at rate `site_bound`.
    """
    state, random = population.state, population.random
    creation = tables.site_reactions.totals[0]
    if uniform(random) * (creation * state.size + tables.site_bound * n) < creation * state.size:
        site = bounded(random, state.size)
        if state[site]:
            return n
        other = react_at_site(population, site, creation, mark, tables)
        if state[site]:
            n = append(population, n, site)
    else:
        slot = bounded(random, n)
        site = np.int64(population.particles[slot])
        other = react_at_site(population, site, tables.site_bound, mark, tables)
        if state[site] == 0:
            n = remove(population, n, slot)
    if other >= 0:
        n = append(population, n, other)
    return n
