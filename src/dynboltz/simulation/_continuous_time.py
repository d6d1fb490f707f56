"""The continuous-time kernel: hops and reactions as Poisson processes on the lattice.

Every particle proposes a reaction of its own at rate `site_bound` and an event in each direction
at rate `bond_bound`; proposals are accepted with the ratio of the true rate to the bound (exact
thinning). A bond between two particles gets proposals from both of its ends.
"""

from __future__ import annotations

from typing import NamedTuple, no_type_check

import numba
import numpy as np

from dynboltz.lattices import bounded, exponential, uniform
from dynboltz.lattices._counts import make_workspace

from ._inlined import inlined
from ._particles import find_reaction, list_particles, remove, site_event
from ._records import Records, record
from ._tables import NeighbourTable, ReactionTable

_NO_MARK = np.uint8(0)


class ContinuousTimeTables(NamedTuple):
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
        Reactions of two neighbours.
    hop_rates
        Hop rate of each byte.
    bond_bound
        Rate of the proposals of one particle in one direction.
    """

    neighbours: NeighbourTable
    site_reactions: ReactionTable
    site_bound: float
    pair_reactions: ReactionTable
    hop_rates: np.ndarray
    bond_bound: float


@inlined
@no_type_check
def _react_at_bond(state, particles, slots, n, bond, members, u, tables, random):
    products = tables.pair_reactions.products[find_reaction(tables.pair_reactions, members, u)]
    first_end = bounded(random, 2)
    for end in range(2):
        site = bond[end]
        state[site] = products[end ^ first_end]
        if state[site] == 0:
            n = remove(particles, slots, n, slots[site])
    return n


@inlined
@no_type_check
def _bond_event(state, particles, slots, n, tables, random):
    """Propose one hop or reaction of two neighbours; return the new number of particles."""
    slot = bounded(random, n)
    origin = particles[slot]
    direction = bounded(random, tables.neighbours.sites.shape[1])
    if direction >= tables.neighbours.counts[origin]:
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
        bond = (origin, target)
        n = _react_at_bond(state, particles, slots, n, bond, members, 2.0 * u, tables, random)
    return n


@inlined
@no_type_check
def _evolve(state, particles, slots, n, duration, tables, random):
    """Let the lattice evolve for a time; return the new number of particles."""
    reactions, bound = tables.site_reactions, tables.site_bound
    bonds_bound = tables.bond_bound * tables.neighbours.sites.shape[1]
    time = 0.0
    while True:
        at_sites = reactions.totals[0] * state.size + bound * n
        rate = at_sites + bonds_bound * n
        if rate == 0.0:
            return n
        time += exponential(random) / rate
        if time >= duration:
            return n
        if uniform(random) * rate < at_sites:
            n = site_event(
                state, particles, slots, n, bound, _NO_MARK, reactions, tables.neighbours, random
            )
        else:
            n = _bond_event(state, particles, slots, n, tables, random)


@numba.njit(cache=True, nogil=True)
@no_type_check
def _run_replica(state, replica, n_steps, time_step, tables, random, records):
    snapshot = np.empty((1, state.size), dtype=np.uint8)
    counts = np.empty(records.moments.shape[2], dtype=np.int64)
    workspace = make_workspace(records.tables)
    particles = np.empty(state.size, dtype=np.uint32)
    slots = np.empty(state.size, dtype=np.uint32)
    n = list_particles(state, particles, slots)
    record(state, replica, 0, records, snapshot, counts, workspace)
    for step in range(1, n_steps + 1):
        n = _evolve(state, particles, slots, n, time_step, tables, random)
        record(state, replica, step, records, snapshot, counts, workspace)


@numba.njit(cache=True, nogil=True, parallel=True)
@no_type_check
def run_continuous_time(
    initial,
    n_steps,
    time_step,
    random,
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

    Takes the fields of `ContinuousTimeTables` and of `Records`, since a parallel loop cannot take nested tuples.
    """
    for replica in numba.prange(initial.shape[0]):
        tables = ContinuousTimeTables(
            neighbours, site_reactions, site_bound, pair_reactions, hop_rates, bond_bound
        )
        records = Records(counts, states, moments)
        state = initial[replica].copy()
        _run_replica(state, replica, n_steps, time_step, tables, random[replica], records)
