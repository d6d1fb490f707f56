"""Compiled Gibbs updates by sums of shifted fields, see `_field_tables`.

Draws are compared with thresholds of 32 bits: conditional probabilities are rounded to multiples of
2^-32.
"""

from __future__ import annotations

import math
from typing import no_type_check

import numba
import numpy as np

from dynboltz.lattices import advance

from ._field_tables import STRIDE
from ._kernels import tabulate_code

_TWO_32 = 2.0**32


@no_type_check
@numba.njit(cache=True, nogil=True, parallel=True)
def fill_field_thresholds(theta, gibbs, code_pointers, thresholds):
    """Last draws that stay below each species, for each row of `theta` and each code."""
    for row in numba.prange(theta.shape[0]):
        for layer in range(gibbs.n_species.size):
            n_species = gibbs.n_species[layer]
            below = np.ones(STRIDE)
            n_codes = (code_pointers[layer + 1] - code_pointers[layer]) // STRIDE
            for code in range(n_codes):
                first = gibbs.threshold_pointers[layer] + code * n_species
                tabulate_code(theta[row], gibbs, first, below[:n_species])
                place = code_pointers[layer] + code * STRIDE
                for s in range(STRIDE):
                    last = math.ceil(below[s] * _TWO_32) - 1.0
                    thresholds[row, place + s] = np.uint32(min(max(last, 0.0), _TWO_32 - 1.0))


@no_type_check
@numba.njit(cache=True, nogil=True)
def _add_up(codes, fields, partners, first, stop):
    """Codes of the cells from `first` to `stop`."""
    places, shifts = partners
    total = codes[first:stop]
    total[:] = 0
    for j in range(places.size):
        seen = fields[places[j], first + shifts[j] : stop + shifts[j]]
        for cell in range(total.size):
            total[cell] += seen[cell]


@no_type_check
@numba.njit(cache=True, nogil=True)
def _label(draw, thresholds, place):
    """Number of species whose threshold the draw is beyond."""
    label = np.uint64(draw > thresholds[place])
    label += np.uint64(draw > thresholds[place + np.uint64(1)])
    return label + np.uint64(draw > thresholds[place + np.uint64(2)])


@no_type_check
@numba.njit(cache=True, nogil=True)
def _draw(codes, positions, thresholds, increments, field, words):
    """Draw the units at some cells; two draws of 32 bits are made of 64 random bits."""
    s0, s1, s2, s3 = words
    one, two = np.uint64(1), np.uint64(2)
    i, n = np.uint64(0), np.uint64(positions.size)
    while i < n:
        bits, s0, s1, s2, s3 = advance(s0, s1, s2, s3)
        position = positions[i]
        draw = np.uint32(bits)
        field[position] = increments[_label(draw, thresholds, np.uint64(codes[position]))]
        if i + one < n:
            position = positions[i + one]
            draw = np.uint32(bits >> np.uint64(32))
            field[position] = increments[_label(draw, thresholds, np.uint64(codes[position]))]
        i += two
    return s0, s1, s2, s3


@no_type_check
@numba.njit(cache=True, nogil=True)
def _derive(fields, layer, positions, tables):
    """Bring the further fields of a layer, and the margins of all, up to date with the first."""
    first = tables.layer_fields[layer]
    for f in range(first, tables.layer_fields[layer + 1]):
        if f > first:
            for position in positions:
                label = tables.labels[layer, fields[first, position] // STRIDE]
                fields[f, position] = tables.increments[f, label]
        for m in range(tables.margin_pointers[f], tables.margin_pointers[f + 1]):
            fields[f, tables.margin_cells[m]] = fields[f, tables.margin_sources[m]]


@no_type_check
@numba.njit(cache=True, nogil=True)
def _sweep(fields, codes, thresholds, tables, words):
    for b in range(tables.blocks.shape[0]):
        layer, start, end, first, stop = tables.blocks[b]
        positions = tables.positions[start:end]
        low, high = tables.partner_pointers[layer], tables.partner_pointers[layer + 1]
        partners = tables.partner_fields[low:high], tables.partner_shifts[low:high]
        _add_up(codes, fields, partners, first, stop)
        own = tables.layer_fields[layer]
        thresholds_here = thresholds[tables.code_pointers[layer] :]
        words = _draw(codes, positions, thresholds_here, tables.increments[own], fields[own], words)
        _derive(fields, layer, positions, tables)
    return words


@no_type_check
@numba.njit(cache=True, nogil=True, parallel=True)
def sweep_fields(records, thresholds, tables, n_sweeps, random):
    """Fill `records` [layers, records, chains, sites] behind the first, `n_sweeps` apart.

    Every chain goes on from its first record with its own stream, which is advanced; chains share
    the rows of `thresholds` in equal groups, one after the other.
    """
    n_layers, n_records, n_chains, n_sites = records.shape
    chains_per_row = n_chains // thresholds.shape[0]
    for chain in numba.prange(n_chains):
        fields = np.zeros((tables.increments.shape[0], tables.n_cells), dtype=np.uint16)
        codes = np.zeros(tables.n_cells, dtype=np.uint16)
        for f in range(tables.layer_fields[n_layers], fields.shape[0]):
            for site in range(n_sites):
                fields[f, tables.sites[site]] = tables.constants[f]
        for layer in range(n_layers):
            own = tables.layer_fields[layer]
            for site in range(n_sites):
                label = records[layer, 0, chain, site]
                fields[own, tables.sites[site]] = tables.increments[own, label]
            _derive(fields, layer, tables.sites, tables)
        row = thresholds[chain // chains_per_row]
        words = (random[chain, 0], random[chain, 1], random[chain, 2], random[chain, 3])
        for record in range(1, n_records):
            for _ in range(n_sweeps):
                words = _sweep(fields, codes, row, tables, words)
            for layer in range(n_layers):
                own = tables.layer_fields[layer]
                for site in range(n_sites):
                    number = fields[own, tables.sites[site]] // STRIDE
                    records[layer, record, chain, site] = tables.labels[layer, number]
        for word in range(4):
            random[chain, word] = words[word]
