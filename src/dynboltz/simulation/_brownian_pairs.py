"""Reactions of two particles within a radius (Doi), with neighbour cells."""

from __future__ import annotations

import math
from typing import NamedTuple, no_type_check

import numpy as np

from dynboltz._compiled import compiled
from dynboltz.lattices import bounded, inlined, uncounted, uniform

from ._brownian_motion import inside, move, separation


class Workspace(NamedTuple):
    """Memory of the search for pairs.

    Attributes
    ----------
    heads
        Particle that was put into each cell last, -1 for none.
    cells
        Cell of each particle.
    following
        Particle that was put into the same cell before each particle, -1 for none.
    used
        Whether a particle reacted in this step.
    """

    heads: np.ndarray
    cells: np.ndarray
    following: np.ndarray
    used: np.ndarray


@compiled()
@no_type_check
def make_pair_workspace(n_cells, n_slots):
    """Empty cells and unused particles."""
    heads = np.empty(n_cells, dtype=np.int32)
    for cell in range(n_cells):
        heads[cell] = -1
    return Workspace(
        heads,
        np.empty(n_slots, dtype=np.int32),
        np.empty(n_slots, dtype=np.int32),
        np.zeros(n_slots, dtype=np.bool_),
    )


@inlined
@no_type_check
def _cell(cloud, slot, shape):
    cell = 0
    for axis in range(shape.size):
        along = np.int64(cloud.positions[slot, axis] / cloud.lengths[axis] * shape[axis])
        cell = cell * shape[axis] + min(along, shape[axis] - 1)
    return cell


@inlined
@no_type_check
def _find(cloud, a, b, pairs, members, duration):
    """Reaction of two particles in the time `duration`, -1 if there is none."""
    square = 0.0
    for axis in range(cloud.lengths.size):
        square += separation(cloud, a, b, axis) ** 2
    if square > pairs.reach[members]:
        return np.int64(-1)
    first, last = pairs.pointers[members], pairs.pointers[members + 1]
    total = 0.0
    for reaction in range(first, last):
        if square <= pairs.squares[reaction]:
            total += pairs.rates[reaction]
    u = uniform(cloud.random)
    if u >= total * duration:
        return np.int64(-1)
    probability = -math.expm1(-total * duration)
    if u >= probability:
        return np.int64(-1)
    remaining = u / probability * total
    chosen = np.int64(-1)
    for reaction in range(first, last):
        if square <= pairs.squares[reaction] and remaining >= 0.0:
            chosen = reaction
            remaining -= pairs.rates[reaction]
    return chosen


@uncounted
@no_type_check
def find_events(cloud, n, duration, pairs, grid, workspace, events):
    """Pairs that react in the time `duration`, each pair for itself.

    Particles are put into the cells one by one, and each meets those that are there already.

    Parameters
    ----------
    events
        Gets two particles and their reaction [events, 3], as many as there is room for.

    Returns
    -------
    n_events
        Number of events, whether there was room or not.
    """
    heads, following, cells = workspace.heads, workspace.following, workspace.cells
    n_labels = np.int64(math.sqrt(pairs.reach.size))
    n_events = 0
    for slot in range(n):
        cell = _cell(cloud, slot, grid.shape)
        base = np.int64(cloud.labels[slot]) * n_labels
        for place in range(grid.counts[cell]):
            other = heads[grid.neighbours[cell, place]]
            while other >= 0:
                members = base + cloud.labels[other]
                reaction = _find(cloud, slot, other, pairs, members, duration)
                if reaction >= 0:
                    if n_events < events.shape[0]:
                        events[n_events, 0] = slot
                        events[n_events, 1] = other
                        events[n_events, 2] = reaction
                    n_events += 1
                other = following[other]
        cells[slot] = cell
        following[slot] = heads[cell]
        heads[cell] = slot
    for slot in range(n):
        heads[cells[slot]] = -1
    return n_events


@inlined
@no_type_check
def _happen(cloud, a, b, first, second):
    """Put the products: two where the reactants were, one in their middle, none."""
    if first and not second:
        for axis in range(cloud.lengths.size):
            middle = cloud.positions[a, axis] + 0.5 * separation(cloud, a, b, axis)
            cloud.positions[a, axis] = inside(middle, cloud.lengths[axis], cloud.periodic)
    cloud.labels[a] = first
    cloud.labels[b] = second


@inlined
@no_type_check
def _close_gaps(cloud, n):
    kept = 0
    for slot in range(n):
        if cloud.labels[slot]:
            if kept < slot:
                move(cloud, slot, kept)
            kept += 1
    return kept


@compiled()
@no_type_check
def react_in_pairs(cloud, n, duration, pairs, grid, workspace, events):
    """Let pairs react in random order, each particle at most once.

    Returns the number of particles and the memory for events.
    """
    s0, s1, s2, s3 = cloud.random[0], cloud.random[1], cloud.random[2], cloud.random[3]
    n_events = find_events(cloud, n, duration, pairs, grid, workspace, events)
    if n_events > events.shape[0]:
        events = np.empty((2 * n_events, 3), dtype=np.int32)
        cloud.random[0], cloud.random[1], cloud.random[2], cloud.random[3] = s0, s1, s2, s3
        n_events = find_events(cloud, n, duration, pairs, grid, workspace, events)
    for event in range(n_events):
        drawn = event + bounded(cloud.random, n_events - event)
        for column in range(3):
            kept = events[event, column]
            events[event, column] = events[drawn, column]
            events[drawn, column] = kept
        a, b, reaction = events[event, 0], events[event, 1], events[event, 2]
        if workspace.used[a] or workspace.used[b]:
            continue
        workspace.used[a] = True
        workspace.used[b] = True
        if cloud.labels[a] == cloud.labels[b] and bounded(cloud.random, 2):
            a, b = b, a
        _happen(cloud, a, b, pairs.products[reaction, 0], pairs.products[reaction, 1])
    for event in range(n_events):
        workspace.used[events[event, 0]] = False
        workspace.used[events[event, 1]] = False
    return (_close_gaps(cloud, n) if n_events else n), events
