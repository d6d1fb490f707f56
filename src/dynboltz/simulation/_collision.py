"""The collision kernel: one hop attempt a particle and step, reactions at collisions.

A step visits the particles in random order by a Fisher-Yates pass over the list of their sites: a
random entry of the pending prefix is taken out and its new site joins the visited rest. The high
bit of a byte says whether a particle has been visited; its meaning alternates every step, so that
no pass is needed to clear it. A pending entry whose site is empty or visited lost its particle to
a collision. Entries are cleaned up only after a step with a collision that reacted.
"""

from __future__ import annotations

from typing import NamedTuple, no_type_check

import numba
import numpy as np

from dynboltz.lattices import advance, exponential, uniform
from dynboltz.lattices._counts import make_workspace

from ._inlined import inlined
from ._particles import FLAG, SPECIES, find_reaction, list_particles, site_event
from ._records import Records, record
from ._tables import NeighbourTable, ReactionTable

_HALF = np.uint64(32)
_LOW = np.uint64(0xFFFFFFFF)
_GRAIN = 2**12


class CollisionTables(NamedTuple):
    """What the kernel needs to know of the lattice and the network.

    Attributes
    ----------
    neighbours
        Neighbours of each site.
    site_reactions
        Reactions with less than two reactants.
    site_bound
        Largest total rate of one particle.
    pair_reactions
        Reactions of two particles, moving one first.
    coarse
        Probability that a pair reacts, in units of 2^-32, rounded up.
    """

    neighbours: NeighbourTable
    site_reactions: ReactionTable
    site_bound: float
    pair_reactions: ReactionTable
    coarse: np.ndarray


def coarse_probabilities(pair_reactions: ReactionTable) -> np.ndarray:
    """Probabilities in units of 2^-32, rounded up to a multiple of `_GRAIN`."""
    grains = np.ceil(np.minimum(pair_reactions.totals, 1.0) * (2**32 // _GRAIN))
    return grains.astype(np.uint64) * np.uint64(_GRAIN)


@inlined
@no_type_check
def _react_at_sites(state, particles, n, mark, tables, duration, random):
    reactions, bound = tables.site_reactions, tables.site_bound
    time = 0.0
    while True:
        rate = reactions.totals[0] * state.size + bound * n
        if rate == 0.0:
            return n
        time += exponential(random) / rate
        if time >= duration:
            return n
        n = site_event(state, particles, None, n, bound, mark, reactions, tables.neighbours, random)


@inlined
@no_type_check
def _collide(state, origin, target, members, mark, tables, random):
    """Finish a collision that passed the coarse test; return whether it reacted."""
    reactions = tables.pair_reactions
    u = uniform(random) * np.float64(tables.coarse[members]) * 2.0**-32
    if u >= reactions.totals[members]:
        state[origin] ^= FLAG
        return False
    first, second = reactions.products[find_reaction(reactions, members, u)]
    state[target] = first | mark if first else 0
    state[origin] = second | mark if second else 0
    return True


@inlined
@no_type_check
def _move_particles(state, particles, n, mark, tables, random):
    """Let every particle attempt one hop; return whether a collision reacted.

    One random number serves a particle: its high half selects the entry, its low half times the
    number of neighbours the direction, and the fraction left over is the coarse test of a
    reaction. The moves without a reaction are written without a branch, since whether the target
    is empty cannot be predicted.
    """
    neighbours, coarse = tables.neighbours, tables.coarse
    n_bytes = np.uint64(tables.site_reactions.totals.size)
    s0, s1, s2, s3 = random[0], random[1], random[2], random[3]
    reacted = False
    pending = np.uint64(n)
    while pending:
        bits, s0, s1, s2, s3 = advance(s0, s1, s2, s3)
        slot = ((bits >> _HALF) * pending) >> _HALF
        pending -= np.uint64(1)
        origin = particles[slot]
        particles[slot] = particles[pending]
        content = state[origin] ^ mark
        if content <= FLAG:
            particles[pending] = origin
            continue
        species = content ^ FLAG
        direction = (bits & _LOW) * neighbours.counts[origin]
        target = neighbours.sites[origin, direction >> _HALF]
        occupant = state[target]
        members = species * n_bytes + (occupant & SPECIES)
        if (direction & _LOW) < coarse[members]:
            random[0], random[1], random[2], random[3] = s0, s1, s2, s3
            reacted |= _collide(state, origin, target, members, mark, tables, random)
            s0, s1, s2, s3 = random[0], random[1], random[2], random[3]
            particles[pending] = origin
        else:
            visited = np.uint8(species | mark)
            free = occupant == 0
            state[origin] = np.uint8(0) if free else visited
            state[target] = visited if free else occupant
            particles[pending] = target if free else origin
    random[0], random[1], random[2], random[3] = s0, s1, s2, s3
    return reacted


@inlined
@no_type_check
def _clean_up(state, particles, n, mark):
    """Keep one entry for each particle, flipping its high bit; return their number."""
    kept = 0
    for entry in range(n):
        site = particles[entry]
        content = state[site] ^ mark
        keep = (content != 0) & (content < FLAG)
        particles[kept] = site
        kept += keep
        state[site] ^= np.uint8(keep) << np.uint8(7)
    return kept


@numba.njit(cache=True, nogil=True)
@no_type_check
def _run_replica(state, replica, n_steps, time_step, tables, random, records):
    snapshot = np.empty((1, state.size), dtype=np.uint8)
    counts = np.empty(records.moments.shape[2], dtype=np.int64)
    workspace = make_workspace(records.tables)
    particles = np.empty(state.size, dtype=np.uint32)
    n = list_particles(state, particles, None)
    mark = FLAG
    record(state, replica, 0, records, snapshot, counts, workspace)
    for step in range(1, n_steps + 1):
        n = _react_at_sites(state, particles, n, mark ^ FLAG, tables, time_step, random)
        if _move_particles(state, particles, n, mark, tables, random):
            n = _clean_up(state, particles, n, mark)
        else:
            mark ^= FLAG
        record(state, replica, step, records, snapshot, counts, workspace)


@numba.njit(cache=True, nogil=True, parallel=True)
@no_type_check
def run_collision(
    initial,
    n_steps,
    time_step,
    random,
    neighbours,
    site_reactions,
    site_bound,
    pair_reactions,
    coarse,
    counts,
    states,
    moments,
):
    """Simulate every replica; `random` [replicas, 4] holds its stream.

    Takes the fields of `CollisionTables` and of `Records`, since a parallel loop cannot take nested tuples.
    """
    for replica in numba.prange(initial.shape[0]):
        tables = CollisionTables(neighbours, site_reactions, site_bound, pair_reactions, coarse)
        records = Records(counts, states, moments)
        state = initial[replica].copy()
        _run_replica(state, replica, n_steps, time_step, tables, random[replica], records)
