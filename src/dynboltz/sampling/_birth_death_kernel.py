"""Compiled Metropolis-Hastings moves of point patterns: births, deaths, displacements."""

from __future__ import annotations

import math
from typing import NamedTuple, no_type_check

import numba
import numpy as np
from jaxtyping import Float64

from dynboltz.distributions import (
    fill_squared_distances,
    n_occupied,
    pair_energy,
    single_energy,
)
from dynboltz.lattices import bounded, uniform


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
@numba.njit(cache=True, nogil=True)
def _energy(point, species, n, skip, chain, tables):
    """Energy of a particle at `point` among `n` others, but for the one in the slot `skip`."""
    coefficients, labels, squared = chain.coefficients, chain.labels, chain.squared
    total = single_energy(point, species, coefficients, tables, chain.local, chain.work)
    fill_squared_distances(point, chain.coordinates, n, tables.periods, squared)
    limits, functions = tables.squared_cutoffs[species], tables.pair[species]
    for other in range(n):
        kind = labels[other] - 1
        if squared[other] < limits[kind] and other != skip:
            total += pair_energy(squared[other], functions[kind], coefficients, tables)
    return total


@no_type_check
@numba.njit(cache=True, nogil=True)
def _choose(chain, n):
    """Draw one of the particles; return its slot, with its position in `chain.present`."""
    slot = bounded(chain.random, n)
    for axis in range(chain.present.size):
        chain.present[axis] = chain.coordinates[axis, slot]
    return slot


@no_type_check
@numba.njit(cache=True, nogil=True)
def _accepts(log_ratio, random):
    return log_ratio >= 0.0 or uniform(random) < math.exp(log_ratio)


@no_type_check
@numba.njit(cache=True, nogil=True)
def _put(chain, slot, position):
    for axis in range(position.size):
        chain.coordinates[axis, slot] = position[axis]


@no_type_check
@numba.njit(cache=True, nogil=True)
def _birth(chain, n, log_measure, tables):
    """Try to add a particle anywhere; return the number of particles, -1 if no slot is left."""
    species = bounded(chain.random, tables.pair.shape[0])
    for axis in range(chain.proposed.size):
        chain.proposed[axis] = tables.lengths[axis] * uniform(chain.random)
    energy = _energy(chain.proposed, species, n, -1, chain, tables)
    if not _accepts(log_measure - math.log(n + 1.0) - energy, chain.random):
        return n
    if n == chain.labels.size:
        return -1
    _put(chain, n, chain.proposed)
    chain.labels[n] = species + 1
    return n + 1


@no_type_check
@numba.njit(cache=True, nogil=True)
def _death(chain, n, log_measure, tables):
    """Try to remove a particle; return the number of particles."""
    if n == 0:
        return 0
    slot = _choose(chain, n)
    species = np.int64(chain.labels[slot]) - 1
    energy = _energy(chain.present, species, n, slot, chain, tables)
    if not _accepts(math.log(np.float64(n)) - log_measure + energy, chain.random):
        return n
    for axis in range(chain.present.size):
        chain.coordinates[axis, slot] = chain.coordinates[axis, n - 1]
        chain.coordinates[axis, n - 1] = 0.0
    chain.labels[slot] = chain.labels[n - 1]
    chain.labels[n - 1] = 0
    return n - 1


@no_type_check
@numba.njit(cache=True, nogil=True)
def _inside(position, length, period):
    """Bring a position back into [0, length] from at most one length outside."""
    if period == length:
        if position < 0.0:
            position += length
        return position - length if position >= length else position
    if position < 0.0:
        position = -position
    return 2.0 * length - position if position > length else position


@no_type_check
@numba.njit(cache=True, nogil=True)
def _displace(chain, n, reach, tables):
    """Try to displace a particle."""
    if n == 0:
        return
    slot = _choose(chain, n)
    species = np.int64(chain.labels[slot]) - 1
    for axis in range(reach.size):
        moved = chain.present[axis] + reach[axis] * (2.0 * uniform(chain.random) - 1.0)
        chain.proposed[axis] = _inside(moved, tables.lengths[axis], tables.periods[axis])
    before = _energy(chain.present, species, n, slot, chain, tables)
    after = _energy(chain.proposed, species, n, slot, chain, tables)
    if _accepts(before - after, chain.random):
        _put(chain, slot, chain.proposed)


@no_type_check
@numba.njit(cache=True, nogil=True)
def _propose(chain, n, proposals, log_measure, tables):
    """Make one proposal; return the number of particles, -1 if no slot is left."""
    kind = uniform(chain.random)
    if kind < proposals.displacement:
        _displace(chain, n, proposals.reach, tables)
        return n
    if kind < 0.5 * (1.0 + proposals.displacement):
        return _birth(chain, n, log_measure, tables)
    return _death(chain, n, log_measure, tables)


@no_type_check
@numba.njit(cache=True, nogil=True, parallel=True)
def run_chains(positions, labels, coefficients, tables, proposals, n_proposals, random, full):
    """Fill `positions` and `labels` [records, chains, slots] behind the first record.

    Every chain goes on from its first record with its own stream, which is advanced, and makes
    `n_proposals` a record. Rows of `coefficients` are for equal groups of successive chains.
    `full` [chains] is the number of proposals after which a chain had no slot left, or -1.
    """
    n_records, n_chains, n_slots, dim = positions.shape
    log_measure = math.log(np.float64(tables.pair.shape[0]))
    for axis in range(dim):
        log_measure += math.log(tables.lengths[axis])
    for number in numba.prange(n_chains):
        chain = _Chain(
            positions[0, number].T.copy(),
            labels[0, number].copy(),
            coefficients[number // (n_chains // coefficients.shape[0])],
            random[number],
            np.empty(dim),
            np.empty(dim),
            np.empty(dim),
            np.empty(4 ** (dim - 1)),
            np.empty(n_slots),
        )
        n = n_occupied(chain.labels)
        for record in range(1, n_records):
            made = 0
            while made < n_proposals and n >= 0:
                n = _propose(chain, n, proposals, log_measure, tables)
                made += 1
            if n < 0:
                full[number] = (record - 1) * n_proposals + made
                break
            positions[record, number] = chain.coordinates.T
            labels[record, number] = chain.labels
