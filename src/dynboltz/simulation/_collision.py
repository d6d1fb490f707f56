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

from dynboltz._compiled import compiled
from dynboltz.lattices import advance, exponential, inlined, uniform

from ._particles import FLAG, SPECIES, find_reaction, populate, site_event
from ._records import Records, make_scratch, record
from ._tables import REGULAR, NeighbourTable, ReactionTable

_HALF = np.uint64(32)
_LOW = np.uint64(0xFFFFFFFF)
_GRAIN = 2**12


class CollisionTables(NamedTuple):
    """What the kernel needs to know of the lattice and the network.

    Attributes
    ----------
    time_step
        Length of a step.
    neighbours
        Neighbours of each site.
    site_reactions
        Reactions with less than two reactants.
    site_bound
        Largest total rate of one particle.
    pair_reactions
        Reactions of two particles.
    coarse
        Probability that a pair reacts, in units of 2^-32, rounded up.
    """

    time_step: float
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
def _react_at_sites(population, n, mark, tables):
    """Let the reactions with less than two reactants happen; return the number of particles."""
    creation = tables.site_reactions.totals[0] * population.state.size
    time = 0.0
    while True:
        rate = creation + tables.site_bound * n
        if rate == 0.0:
            return n
        time += exponential(population.random) / rate
        if time >= tables.time_step:
            return n
        n = site_event(population, n, mark, tables)


@inlined
@no_type_check
def _collide(population, bond, members, mark, tables):
    """Finish a collision that passed the coarse test; return whether it reacted."""
    state, reactions = population.state, tables.pair_reactions
    origin, target = bond
    u = uniform(population.random) * np.float64(tables.coarse[members]) * 2.0**-32
    if u >= reactions.totals[members]:
        state[origin] ^= FLAG
        return False
    first, second = reactions.products[find_reaction(reactions, members, u)]
    state[target] = first | mark if first else 0
    state[origin] = second | mark if second else 0
    return True


@inlined
@no_type_check
def _move_particles(population, n, mark, tables):
    """Let every particle attempt one hop; return whether a collision reacted.

    One random number serves a particle: its high half selects the entry, its low half times the
    number of neighbours the direction, and the fraction left over is the coarse test of a
    reaction. Whether a site is regular is a branch, for it can be predicted: the target then does
    not wait for what is read of the site. A move without a reaction is written without a branch,
    since whether the target is empty cannot be predicted.
    """
    state, particles, _, random = population
    neighbours, coarse = tables.neighbours, tables.coarse
    n_bytes = np.uint64(tables.site_reactions.totals.size)
    n_directions = np.uint64(neighbours.offsets.size)
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
        count = neighbours.counts[origin]
        if count & REGULAR:
            direction = (bits & _LOW) * n_directions
            target = np.uint32(origin + neighbours.offsets[direction >> _HALF])
        else:
            direction = (bits & _LOW) * np.uint64(count)
            target = neighbours.sites[origin, direction >> _HALF]
        occupant = state[target]
        members = species * n_bytes + (occupant & SPECIES)
        if (direction & _LOW) < coarse[members]:
            random[0], random[1], random[2], random[3] = s0, s1, s2, s3
            reacted |= _collide(population, (origin, target), members, mark, tables)
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


@inlined
@no_type_check
def _step(population, n, mark, tables):
    """Make one step; return the number of particles and the mark of the next visits."""
    n = _react_at_sites(population, n, mark ^ FLAG, tables)
    if _move_particles(population, n, mark, tables):
        return _clean_up(population.state, population.particles, n, mark), mark
    return n, mark ^ FLAG


@compiled()
@no_type_check
def _run_replica(initial, replica, random, tables, records):
    scratch = make_scratch(records, initial.size)
    population, n = populate(initial, False, random)
    mark = np.uint64(FLAG)
    for time in range(records.moments.shape[1]):
        if time:
            n, mark = _step(population, n, mark, tables)
        record(population.state, replica, time, records, scratch)


@compiled(parallel=True)
@no_type_check
def run_collision(
    initial,
    random,
    time_step,
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

    Takes the fields of `CollisionTables` and of `Records`, since a parallel loop cannot take
    nested tuples.
    """
    for replica in numba.prange(initial.shape[0]):
        tables = CollisionTables(
            time_step, neighbours, site_reactions, site_bound, pair_reactions, coarse
        )
        records = Records(counts, states, moments)
        _run_replica(initial[replica], np.int64(replica), random[replica], tables, records)
