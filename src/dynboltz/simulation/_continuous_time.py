"""The continuous-time kernel: hops and reactions as Poisson processes on the lattice.

Every particle proposes a reaction of its own at rate `site_bound` and an event in each direction
at rate `bond_bound`; proposals are accepted with the ratio of the true rate to the bound (exact
thinning). A bond between two particles gets proposals from both of its ends.
"""

from __future__ import annotations

from typing import NamedTuple, no_type_check

import numba
import numpy as np

from dynboltz._compiled import compiled
from dynboltz.lattices import bounded, exponential, inlined, uniform

from ._particles import find_reaction, populate, remove, site_event
from ._records import Records, make_scratch, record
from ._tables import MOST, NeighbourTable, ReactionTable

_NO_MARK = np.uint8(0)


class ContinuousTimeTables(NamedTuple):
    """What the kernel needs to know of the lattice and the network.

    Attributes
    ----------
    time_step
        Time between two records.
    neighbours
        Neighbours of each site.
    site_reactions
        Reactions with less than two reactants.
    site_bound
        Largest total rate of one particle.
    pair_reactions
        Reactions of two neighbours.
    hop_rates
        Hop rate of each byte.
    bond_bound
        Rate of the proposals of one particle in one direction.
    """

    time_step: float
    neighbours: NeighbourTable
    site_reactions: ReactionTable
    site_bound: float
    pair_reactions: ReactionTable
    hop_rates: np.ndarray
    bond_bound: float


@inlined
@no_type_check
def _react_at_bond(population, n, bond, reaction, tables):
    """Place the products at the two ends in random order; return the number of particles."""
    products = tables.pair_reactions.products[reaction]
    first_end = bounded(population.random, 2)
    for end in range(2):
        site = bond[end]
        population.state[site] = products[end ^ first_end]
        if population.state[site] == 0:
            n = remove(population, n, population.slots[site])
    return n


@inlined
@no_type_check
def _bond_event(population, n, tables):
    """Propose one hop or reaction of two neighbours; return the number of particles."""
    state, particles, slots, random = population
    slot = bounded(random, n)
    origin = particles[slot]
    direction = bounded(random, tables.neighbours.sites.shape[1])
    if direction >= tables.neighbours.counts[origin] & MOST:
        return n
    target = tables.neighbours.sites[origin, direction]
    u = uniform(random) * tables.bond_bound
    if state[target] == 0:
        if u < tables.hop_rates[state[origin]]:
            state[target], state[origin] = state[origin], 0
            particles[slot] = target
            slots[target] = slot
        return n
    members = state[origin] * tables.hop_rates.size + state[target]
    if 2.0 * u < tables.pair_reactions.totals[members]:
        reaction = find_reaction(tables.pair_reactions, members, 2.0 * u)
        n = _react_at_bond(population, n, (origin, target), reaction, tables)
    return n


@inlined
@no_type_check
def _evolve(population, n, tables):
    """Let the lattice evolve to the next record; return the number of particles."""
    creation = tables.site_reactions.totals[0] * population.state.size
    bonds_bound = tables.bond_bound * tables.neighbours.sites.shape[1]
    time = 0.0
    while True:
        at_sites = creation + tables.site_bound * n
        rate = at_sites + bonds_bound * n
        if rate == 0.0:
            return n
        time += exponential(population.random) / rate
        if time >= tables.time_step:
            return n
        if uniform(population.random) * rate < at_sites:
            n = site_event(population, n, _NO_MARK, tables)
        else:
            n = _bond_event(population, n, tables)


@compiled()
@no_type_check
def _run_replica(initial, replica, random, tables, records):
    scratch = make_scratch(records, initial.size)
    population, n = populate(initial, True, random)
    for time in range(records.moments.shape[1]):
        if time:
            n = _evolve(population, n, tables)
        record(population.state, replica, time, records, scratch)


@compiled(parallel=True)
@no_type_check
def run_continuous_time(
    initial,
    random,
    time_step,
    neighbours,
    site_reactions,
    site_bound,
    pair_reactions,
    hop_rates,
    bond_bound,
    counts,
    states,
    moments,
):
    """Simulate every replica; `random` [replicas, 4] holds its stream.

    Takes the fields of `ContinuousTimeTables` and of `Records`, since a parallel loop cannot take
    nested tuples.
    """
    for replica in numba.prange(initial.shape[0]):
        tables = ContinuousTimeTables(
            time_step,
            neighbours,
            site_reactions,
            site_bound,
            pair_reactions,
            hop_rates,
            bond_bound,
        )
        records = Records(counts, states, moments)
        _run_replica(initial[replica], np.int64(replica), random[replica], tables, records)
