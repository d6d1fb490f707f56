"""Compiled Metropolis-Hastings moves of point patterns: births, deaths, displacements."""

from __future__ import annotations

import math
from typing import NamedTuple, no_type_check

import numba
import numpy as np
from jaxtyping import Float64

from dynboltz._compiled import compiled
from dynboltz.distributions import (
    fill_squared_distances,
    pair_energy,
    single_energy,
)
from dynboltz.lattices import bounded, inlined, uniform


class Proposals(NamedTuple):
    """What is proposed.

    Attributes
    ----------
    displacement
        Probability of a displacement; births and deaths share the rest evenly.
    reach
        Largest displacement along each axis [length].
    """

    displacement: float
    reach: Float64[np.ndarray, " dim"]


class _Chain(NamedTuple):
    """One chain.

    Attributes
    ----------
    coordinates, labels
        Its particles: positions along each axis [dim, slots], labels [slots].
    coefficients
        Of the local polynomials.
    random
        State of the random stream.
    proposed, present
        Proposed and present position of the particle in question.
    local, work, squared
        Room to work in.
    """

    coordinates: np.ndarray
    labels: np.ndarray
    coefficients: np.ndarray
    random: np.ndarray
    proposed: np.ndarray
    present: np.ndarray
    local: np.ndarray
    work: np.ndarray
    squared: np.ndarray


@no_type_check
@compiled(_nrt=False)  # pyright: ignore[reportCallIssue]
def _energy(point, species, n, skip, chain, tables):
    """Energy of a particle at `point` among `n` others, but for the one in the slot `skip`."""
    coefficients, labels, squared = chain.coefficients, chain.labels, chain.squared
    total = single_energy(point, species, coefficients, tables, chain.local, chain.work)
    fill_squared_distances(point, chain.coordinates, n, tables.periods, squared)
    if skip >= 0:
        squared[skip] = np.inf
    limits, functions = tables.squared_cutoffs[species], tables.pair[species]
    for other in range(np.uint64(n)):
        kind = np.uint64(labels[other]) - np.uint64(1)
        if squared[other] < limits[kind]:
            total += pair_energy(squared[other], functions[kind], coefficients, tables)
    return total


@inlined
@no_type_check
def _choose(chain, n):
    """Draw one of the particles; return its slot, with its position in `chain.present`."""
    slot = bounded(chain.random, n)
    for axis in range(chain.present.size):
        chain.present[axis] = chain.coordinates[axis, slot]
    return slot


@inlined
@no_type_check
def _put(chain, slot, position, label):
    for axis in range(position.size):
        chain.coordinates[axis, slot] = position[axis]
    chain.labels[slot] = label


@inlined
@no_type_check
def _remove(chain, n, slot):
    for axis in range(chain.present.size):
        chain.coordinates[axis, slot] = chain.coordinates[axis, n - 1]
        chain.coordinates[axis, n - 1] = 0.0
    chain.labels[slot] = chain.labels[n - 1]
    chain.labels[n - 1] = 0


@inlined
@no_type_check
def _inside(position, length, period):
    """Bring a position back into [0, length] from at most one length outside."""
    if period == length:
        if position < 0.0:
            position += length
        return position - length if position >= length else position
    if position < 0.0:
        position = -position
    return 2.0 * length - position if position > length else position


@inlined
@no_type_check
def _draw(chain, n, leaves, arrives, reach, tables):
    """Draw the particle that leaves, and the one that arrives: elsewhere the same, or a new one.

    Return the slot of the first, or -1, and the species. Positions are in `chain.present` and
    `chain.proposed`.
    """
    if not leaves:
        for axis in range(reach.size):
            chain.proposed[axis] = tables.lengths[axis] * uniform(chain.random)
        return -1, bounded(chain.random, tables.pair.shape[0])
    slot = bounded(chain.random, n)
    for axis in range(reach.size):
        chain.present[axis] = chain.coordinates[axis, slot]
        if arrives:
            moved = chain.present[axis] + reach[axis] * (2.0 * uniform(chain.random) - 1.0)
            chain.proposed[axis] = _inside(moved, tables.lengths[axis], tables.periods[axis])
    return slot, np.int64(chain.labels[slot]) - 1


@inlined
@no_type_check
def _propose(chain, n, proposals, log_measure, tables):
    """Make one proposal; return the number of particles, -1 if no slot is left.

    Something leaves, or arrives, or both: a death, a birth, a displacement.
    """
    kind = uniform(chain.random)
    leaves = kind < 0.5 * (1.0 + proposals.displacement)
    arrives = kind < proposals.displacement or not leaves
    if leaves and n == 0:
        return 0
    slot, species = _draw(chain, n, leaves, arrives, proposals.reach, tables)
    log_ratio = 0.0
    if leaves:
        log_ratio += _energy(chain.present, species, n, slot, chain, tables)
        log_ratio += math.log(np.float64(n)) - log_measure
    if arrives:
        log_ratio -= _energy(chain.proposed, species, n, slot, chain, tables)
        log_ratio += log_measure - math.log(np.float64(n if leaves else n + 1))
    if log_ratio < 0.0 and uniform(chain.random) >= math.exp(log_ratio):
        return n
    if leaves and arrives:
        _put(chain, slot, chain.proposed, species + 1)
        return n
    if leaves:
        _remove(chain, n, slot)
        return n - 1
    if n == chain.labels.size:
        return -1
    _put(chain, n, chain.proposed, species + 1)
    return n + 1


@no_type_check
@compiled()
def _run_chain(positions, labels, coefficients, tables, proposals, n_proposals, random):
    """Fill the records of one chain; return when it had no slot left, or -1."""
    n_records, n_slots, dim = positions.shape
    room = np.empty((4, max(dim, 4 ** (dim - 1))))
    chain = _Chain(
        np.zeros((dim, n_slots)),
        np.zeros(n_slots, dtype=np.uint8),
        coefficients,
        random,
        room[0, :dim],
        room[1, :dim],
        room[2, :dim],
        room[3],
        np.empty(n_slots),
    )
    log_measure = math.log(np.float64(tables.pair.shape[0]))
    for axis in range(dim):
        log_measure += math.log(tables.lengths[axis])
    n = 0
    while n < n_slots and labels[0, n]:
        _put(chain, n, positions[0, n], labels[0, n])
        n += 1
    for record in range(1, n_records):
        for made in range(n_proposals):
            n = _propose(chain, n, proposals, log_measure, tables)
            if n < 0:
                return (record - 1) * n_proposals + made + 1
        for slot in range(n_slots):
            for axis in range(dim):
                positions[record, slot, axis] = chain.coordinates[axis, slot]
            labels[record, slot] = chain.labels[slot]
    return -1


@no_type_check
@compiled(parallel=True)
def run_chains(positions, labels, coefficients, tables, proposals, n_proposals, random, full):
    """Fill `positions` and `labels` [records, chains, slots] behind the first record.

    Every chain goes on from its first record with its own stream, which is advanced, and makes
    `n_proposals` a record. Rows of `coefficients` are for equal groups of successive chains.
    `full` [chains] is the number of proposals after which a chain had no slot left, or -1.
    """
    per_row = positions.shape[1] // coefficients.shape[0]
    for number in numba.prange(positions.shape[1]):
        full[number] = _run_chain(
            positions[:, number],
            labels[:, number],
            coefficients[number // per_row],
            tables,
            proposals,
            n_proposals,
            random[number],
        )
