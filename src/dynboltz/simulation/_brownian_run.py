"""Brownian dynamics of all replicas.

A step is symmetric: half the diffusion, reactions, half the diffusion, where reactions of single
particles and of pairs come first by turns. Half steps of diffusion between two steps are one.
"""

from __future__ import annotations

from typing import no_type_check

import numba
import numpy as np

from dynboltz._compiled import compiled
from dynboltz.lattices import uncounted

from ._brownian_motion import Cloud, diffuse
from ._brownian_pairs import make_pair_workspace, react_in_pairs
from ._brownian_singles import FULL, react_alone
from ._brownian_tables import CellGrid, PairTable
from ._tables import ReactionTable


@compiled()
@no_type_check
def _react(cloud, n, duration, order, alone, paired, workspace, events):
    """Let reactions happen, those of single particles first where `order` is even."""
    singles, radii = alone
    pairs, grid = paired
    for turn in range(2):
        if (turn + order) % 2 == 0:
            if singles.cumulative.size:
                n = react_alone(cloud, n, duration, singles, radii)
                if n == FULL:
                    break
        elif pairs.rates.size:
            n, events = react_in_pairs(cloud, n, duration, pairs, grid, workspace, events)
    return n, events


@uncounted
@no_type_check
def _record(cloud, n, out_positions, out_labels):
    for slot in range(n):
        out_labels[slot] = cloud.labels[slot]
        for axis in range(cloud.lengths.size):
            out_positions[slot, axis] = cloud.positions[slot, axis]


@compiled()
@no_type_check
def _run_replica(cloud, n, schedule, alone, paired, out_positions, out_labels):
    """Simulate one replica; return the number of records that were reached."""
    durations, steps, widths = schedule
    workspace = make_pair_workspace(paired[1].counts.size, cloud.labels.size)
    events = np.empty((16, 3), dtype=np.int32)
    order = 0
    for record in range(steps.size):
        if steps[record]:
            diffuse(cloud, n, widths[record, 0])
        for step in range(steps[record]):
            n, events = _react(cloud, n, durations[record], order, alone, paired, workspace, events)
            if n == FULL:
                return record
            order += 1
            diffuse(cloud, n, widths[record, 1 if step < steps[record] - 1 else 0])
        _record(cloud, n, out_positions[record], out_labels[record])
    return steps.size


@compiled(parallel=True)
@no_type_check
def run_brownian(
    positions,
    labels,
    numbers,
    random,
    lengths,
    periodic,
    schedule,
    single_fields,
    radii,
    pair_fields,
    grid_fields,
    out_positions,
    out_labels,
    reached,
):
    """Simulate every replica; `random` [replicas, 4] holds its stream.

    Takes tables as plain tuples of their arrays. `positions`, `labels` and `numbers` of particles
    are the initial state, and the first two change. `schedule` is the length of the steps before
    each record, their number, and deviations [records, 2, labels] of half and whole steps.
    `reached` gets the number of records of each replica before its slots were full.
    """
    for replica in numba.prange(labels.shape[0]):
        pointers, cumulative, totals, products = single_fields
        singles = ReactionTable(pointers, cumulative, totals, products)
        first, rates, squares, made, reach = pair_fields
        pairs = PairTable(first, rates, squares, made, reach)
        shape, neighbours, counts = grid_fields
        grid = CellGrid(shape, neighbours, counts)
        budgets = np.empty(labels.shape[1], dtype=np.float64)
        cloud = Cloud(
            positions[replica], labels[replica], budgets, lengths, periodic, random[replica]
        )
        reached[replica] = _run_replica(
            cloud,
            numbers[replica],
            schedule,
            (singles, radii),
            (pairs, grid),
            out_positions[replica],
            out_labels[replica],
        )
