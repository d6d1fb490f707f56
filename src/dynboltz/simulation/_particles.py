"""The list of occupied sites, and reactions at one site, which both kernels share.

A state is one byte a site: 0 if empty, else the species in the low seven bits. `mark` is 0 or the
high bit, and is set in the bytes of new particles.
"""

from __future__ import annotations

from typing import no_type_check

import numpy as np

from dynboltz.lattices import bounded, uniform

from ._inlined import inlined

FLAG = np.uint8(0x80)
SPECIES = np.uint8(0x7F)


@inlined
@no_type_check
def list_particles(state, particles, slots):
    """Fill `particles` with the occupied sites and return their number."""
    n = 0
    for site in range(state.size):
        if state[site]:
            n = append(particles, slots, n, site)
    return n


@inlined
@no_type_check
def append(particles, slots, n, site):
    """Add a site to the list. `slots`, the place of each site in the list, may be None."""
    particles[n] = site
    if slots is not None:
        slots[site] = n
    return n + 1


@inlined
@no_type_check
def remove(particles, slots, n, slot):
    """Remove one entry of the list."""
    last = particles[n - 1]
    particles[slot] = last
    if slots is not None:
        slots[last] = slot
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
def empty_neighbour(state, site, neighbours, random):
    """Draw one of the empty neighbours of a site, -1 if there is none."""
    n_empty = 0
    for direction in range(neighbours.counts[site]):
        n_empty += state[neighbours.sites[site, direction]] == 0
    if n_empty == 0:
        return np.int64(-1)
    remaining = bounded(random, n_empty)
    direction = 0
    while True:
        neighbour = neighbours.sites[site, direction]
        if state[neighbour] == 0:
            if remaining == 0:
                return np.int64(neighbour)
            remaining -= 1
        direction += 1


@inlined
@no_type_check
def react_at_site(state, site, bound, mark, reactions, neighbours, random):
    """Let the content of a site react with probability `totals / bound`.

    Returns the site of the second product, -1 if there is none. Without room for a second product
    nothing happens.
    """
    members = state[site] & SPECIES
    u = uniform(random) * bound
    if u >= reactions.totals[members]:
        return np.int64(-1)
    first, second = reactions.products[find_reaction(reactions, members, u)]
    other = np.int64(-1)
    if second:
        other = empty_neighbour(state, site, neighbours, random)
        if other < 0:
            return other
        state[other] = second | mark
    state[site] = first | mark if first else 0
    return other


@inlined
@no_type_check
def site_event(state, particles, slots, n, bound, mark, reactions, neighbours, random):
    """Propose one reaction without or with one reactant; return the new number of particles.

    An empty site is proposed at rate `reactions.totals[0]`, a particle at rate `bound`.
    """
    creation = reactions.totals[0] * state.size
    if uniform(random) * (creation + bound * n) < creation:
        site = bounded(random, state.size)
        if state[site]:
            return n
        other = react_at_site(state, site, reactions.totals[0], mark, reactions, neighbours, random)
        if state[site]:
            n = append(particles, slots, n, site)
    else:
        slot = bounded(random, n)
        site = np.int64(particles[slot])
        other = react_at_site(state, site, bound, mark, reactions, neighbours, random)
        if state[site] == 0:
            n = remove(particles, slots, n, slot)
    if other >= 0:
        n = append(particles, slots, n, other)
    return n
