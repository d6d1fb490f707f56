"""Compiled Gibbs updates of many chains side by side; they draw what `_field_kernels` draws."""

from __future__ import annotations

from typing import NamedTuple, no_type_check

import numba
import numpy as np
from jaxtyping import Int64, UInt16, UInt32, UInt64

from dynboltz._compiled import compiled

from ._field_kernels import sweep_chain
from ._field_tables import STRIDE
from ._lanes import LANES, advance_lanes, copy_row, draw_unit

_FEWEST = 5
"""Chains from which on lanes are faster than one chain after the other."""


class _Chains(NamedTuple):
    """Chains that are advanced together, one a lane; lanes without a chain are empty.

    Attributes
    ----------
    fields
        Fields of all chains.
    states
        States of their random streams.
    starts
        First entry of each layer in the alias tables of each chain.
    partners
        How far the entry of each partner is from a cell of the first field.
    firsts
        First cell of each field.
    """

    fields: UInt16[np.ndarray, "fields cells lanes"]
    states: UInt64[np.ndarray, "words lanes"]
    starts: UInt32[np.ndarray, "layers lanes"]
    partners: Int64[np.ndarray, " partners"]
    firsts: Int64[np.ndarray, " fields"]


@no_type_check
@compiled()
def _draw_block(chains, cells, starts, partners, entries, own):
    """Draw the units at some cells; two draws of 32 bits are made of 64 random bits."""
    bits = np.empty(LANES, dtype=np.uint64)
    now, later = (bits, np.uint64(0), starts), (bits, np.uint64(32), starts)
    n_partners, n_own = partners.size, own[0].size
    for pair in range(cells.size // 2):
        advance_lanes(chains.states, bits)
        first, second = np.int64(cells[2 * pair]), np.int64(cells[2 * pair + 1])
        draw_unit(chains.fields, first, partners, n_partners, now, entries, own, n_own)
        draw_unit(chains.fields, second, partners, n_partners, later, entries, own, n_own)
    if cells.size % 2:
        advance_lanes(chains.states, bits)
        last = np.int64(cells[cells.size - 1])
        draw_unit(chains.fields, last, partners, n_partners, now, entries, own, n_own)


@no_type_check
@compiled()
def _copy_margins(fields, layer, tables):
    """Let the cells of the margins of the fields of a layer repeat others."""
    for f in range(tables.layer_fields[layer], tables.layer_fields[layer + 1]):
        first = f * tables.n_cells
        for m in range(tables.margin_pointers[f], tables.margin_pointers[f + 1]):
            source = first + np.int64(tables.margin_sources[m])
            copy_row(fields, first + np.int64(tables.margin_cells[m]), source)


@no_type_check
@compiled()
def _sweep(chains, entries, tables):
    """Update every block once."""
    for b in range(tables.blocks.shape[0]):
        layer, start, stop = tables.blocks[b, :3]
        low, high = tables.partner_pointers[layer], tables.partner_pointers[layer + 1]
        first, last = tables.layer_fields[layer], tables.layer_fields[layer + 1]
        own = chains.firsts[first:last], tables.increments[first:last]
        cells, partners = tables.positions[start:stop], chains.partners[low:high]
        _draw_block(chains, cells, chains.starts[layer], partners, entries, own)
        _copy_margins(chains.fields, layer, tables)


@no_type_check
@compiled()
def _begin(records, rows, n_entries, tables, random):
    """Chains as their first records and their streams say."""
    n_layers, _, n_chains, n_sites = records.shape
    n_fields = tables.increments.shape[0]
    fields = np.zeros((n_fields, tables.n_cells, LANES), dtype=np.uint16)
    states = np.zeros((4, LANES), dtype=np.uint64)
    starts = np.zeros((n_layers, LANES), dtype=np.uint32)
    for f in range(tables.layer_fields[n_layers], n_fields):
        for site in range(n_sites):
            fields[f, tables.sites[site]] = tables.constants[f]
    for layer in range(n_layers):
        for lane in range(n_chains):
            starts[layer, lane] = rows[lane] * n_entries + tables.code_pointers[layer]
        for f in range(tables.layer_fields[layer], tables.layer_fields[layer + 1]):
            for lane in range(n_chains):
                for site in range(n_sites):
                    label = records[layer, 0, lane, site]
                    fields[f, tables.sites[site], lane] = tables.increments[f, label]
        _copy_margins(fields, layer, tables)
    for lane in range(n_chains):
        states[:, lane] = random[lane]
    firsts = tables.n_cells * np.arange(n_fields)
    partners = firsts[tables.partner_fields] + tables.partner_shifts
    return _Chains(fields, states, starts, partners, firsts)


@no_type_check
@compiled()
def _record(fields, records, tables):
    """Write down what the units of all chains hold."""
    n_layers, n_chains, n_sites = records.shape
    for layer in range(n_layers):
        own = tables.layer_fields[layer]
        for lane in range(n_chains):
            for site in range(n_sites):
                number = fields[own, tables.sites[site], lane] // STRIDE
                records[layer, lane, site] = tables.labels[layer, number]


@no_type_check
@compiled()
def _sweep_lanes(records, rows, entries, tables, n_sweeps, random):
    """Fill the records of as many chains as there are lanes, or fewer."""
    chains = _begin(records, rows, entries.shape[1], tables, random)
    for record in range(1, records.shape[1]):
        for _ in range(n_sweeps):
            _sweep(chains, entries, tables)
        _record(chains.fields, records[:, record], tables)
    for lane in range(records.shape[2]):
        random[lane] = chains.states[:, lane]


@no_type_check
@compiled(parallel=True)
def sweep_fields(records, entries, tables, n_sweeps, random):
    """Fill `records` [layers, records, chains, sites] behind the first, `n_sweeps` apart.

    Every chain goes on from its first record with its own stream, which is advanced; chains share
    the rows of `entries` in equal groups, one after the other.
    """
    n_chains = records.shape[2]
    rows = np.arange(n_chains) // (n_chains // entries.shape[0])
    for group in numba.prange((n_chains + LANES - 1) // LANES):
        start, stop = group * LANES, min((group + 1) * LANES, n_chains)
        if stop - start >= _FEWEST:
            here = slice(start, stop)
            _sweep_lanes(records[:, :, here], rows[here], entries, tables, n_sweeps, random[here])
        else:
            for c in range(start, stop):
                sweep_chain(records[:, :, c], entries[rows[c]], tables, n_sweeps, random[c])
