"""What a simulation records: states, and the moments counted in them."""

from __future__ import annotations

from typing import NamedTuple, no_type_check

import numpy as np

from dynboltz._compiled import compiled
from dynboltz.lattices import BLOCK, CountTables, count_terms, make_workspace

from ._particles import SPECIES


class Records(NamedTuple):
    """Arrays that the kernels fill.

    Attributes
    ----------
    tables
        The terms to count.
    states
        Recorded states [replicas, times, sites]; no times if states are not kept.
    moments
        Counts of the terms per site [replicas, times, moments].
    """

    tables: CountTables
    states: np.ndarray
    moments: np.ndarray


@compiled()
@no_type_check
def make_scratch(records, n_sites):
    """Return the arrays that `record` needs, one set a replica."""
    snapshot = np.empty((1, n_sites), dtype=np.uint8)
    counts = np.empty(records.moments.shape[2], dtype=np.int64)
    return snapshot, counts, make_workspace(records.tables, BLOCK)


@compiled()
@no_type_check
def record(state, replica, time, records, scratch):
    """Record one state."""
    snapshot, counts, workspace = scratch
    _strip(state, snapshot[0])
    if records.states.shape[1]:
        recorded = records.states[replica, time]
        for site in range(recorded.size):
            recorded[site] = snapshot[0, site]
    counts[:] = 0
    count_terms(snapshot, records.tables, workspace, counts)
    for moment in range(counts.size):
        records.moments[replica, time, moment] = counts[moment] / state.size


@compiled()
@no_type_check
def _strip(state, species):
    for site in range(species.size):
        species[site] = state[site] & SPECIES
