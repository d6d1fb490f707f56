"""Compiled Gibbs updates by sums of shifted fields, see `_field_tables`.

Units are drawn by the alias method from draws of 32 bits: conditional probabilities are rounded to
multiples of 2^-32. The last two bits of a draw name a *column*, a label. The entry of the column
holds a bound for the draw, and in its own last two bits another label, the *alias*; the unit gets
the label of the column below the bound, and the alias from there on.

References
----------
Walker (1977), ACM Trans. Math. Softw. 3, 253, for the alias method.
"""

from __future__ import annotations

from typing import no_type_check

import numba
import numpy as np

from dynboltz._compiled import compiled
from dynboltz.lattices import advance

from ._field_tables import STRIDE
from ._kernels import tabulate_code

_TWO_30 = 1 << 30
_TWO_32 = 2.0**32
_LABEL = np.uint32(STRIDE - 1)


@no_type_check
@compiled(parallel=True)
def fill_entries(theta, gibbs, tables, entries):
    """Alias tables for each row of `theta` and each code, one entry a column."""
    for row in numba.prange(theta.shape[0]):
        shares = np.empty(STRIDE, dtype=np.int64)
        here, coefficients = entries[row], theta[row]
        for layer in range(gibbs.n_species.size):
            below = np.ones(STRIDE)
            n_species = gibbs.n_species[layer]
            below_species = below[:n_species]
            for c in range(tables.occurring_pointers[layer], tables.occurring_pointers[layer + 1]):
                code = tables.occurring[c]
                first = gibbs.threshold_pointers[layer] + code * n_species
                tabulate_code(coefficients, gibbs, first, below_species)
                total = 0
                for label in range(STRIDE):
                    up_to = np.int64(below[label] * _TWO_32 + 0.5)
                    shares[label] = up_to - total
                    total = up_to
                _fill_columns(shares, here, tables.code_pointers[layer] + code * STRIDE)


@no_type_check
@compiled()
def _fill_columns(shares, entries, place):
    """Divide the draws of each column between its label and an alias.

    There are 2^30 draws a column, and `shares` says how many of all draws a label has to get. The
    label with the fewest keeps its own, and the label with the most makes up for the rest.
    """
    for column in range(STRIDE):
        entries[place + column] = column
    column, alias = _extremes(shares)
    while shares[column] < _TWO_30:
        # A draw that equals an entry but for its last two bits is below it if the column is.
        bound = max(shares[column] - (column < alias), 0)
        entries[place + column] = bound * STRIDE + alias
        shares[alias] -= _TWO_30 - shares[column]
        shares[column] = _TWO_30
        column, alias = _extremes(shares)


@no_type_check
@compiled()
def _extremes(shares):
    """Labels with the fewest and the most draws."""
    fewest, most = 0, 0
    for label in range(1, STRIDE):
        fewest = label if shares[label] < shares[fewest] else fewest
        most = label if shares[label] > shares[most] else most
    return fewest, most


@no_type_check
@compiled()
def _add_up(codes, fields, partners, first, stop):
    """Codes of the cells from `first` to `stop`, four partners at a time."""
    total = codes[first:stop]
    total[:] = 0
    n_partners = partners[0].size
    n_fours = n_partners // 4
    for j in range(0, 4 * n_fours, 4):
        a = _seen(fields, partners, j, first, stop)
        b = _seen(fields, partners, j + 1, first, stop)
        c = _seen(fields, partners, j + 2, first, stop)
        d = _seen(fields, partners, j + 3, first, stop)
        for cell in range(total.size):
            total[cell] += a[cell] + b[cell] + c[cell] + d[cell]
    for j in range(4 * n_fours, n_partners):
        seen = _seen(fields, partners, j, first, stop)
        for cell in range(total.size):
            total[cell] += seen[cell]


@no_type_check
@compiled()
def _seen(fields, partners, place, first, stop):
    """What the cells from `first` to `stop` see of one partner."""
    places, shifts = partners
    return fields[places[place], first + shifts[place] : stop + shifts[place]]


@no_type_check
@compiled()
def _label(draw, entries, code):
    """Label by the alias table that begins at `code`."""
    entry = entries[np.uint64(code) + np.uint64(draw & _LABEL)]
    return np.uint64((draw if draw < entry else entry) & _LABEL)


@no_type_check
@compiled()
def _draw(codes, positions, entries, increments, field, words):
    """Draw the units at some cells; two draws of 32 bits are made of 64 random bits."""
    s0, s1, s2, s3 = words
    two = np.uint64(2)
    n_pairs = np.uint64(positions.size) // two
    for pair in range(n_pairs):
        bits, s0, s1, s2, s3 = advance(s0, s1, s2, s3)
        first, second = positions[two * pair], positions[two * pair + np.uint64(1)]
        draw = np.uint32(bits)
        field[first] = increments[_label(draw, entries, codes[first])]
        draw = np.uint32(bits >> np.uint64(32))
        field[second] = increments[_label(draw, entries, codes[second])]
    if positions.size % 2:
        bits, s0, s1, s2, s3 = advance(s0, s1, s2, s3)
        last = positions[positions.size - 1]
        field[last] = increments[_label(np.uint32(bits), entries, codes[last])]
    return s0, s1, s2, s3


@no_type_check
@compiled()
def _derive(fields, layer, positions, tables):
    """Bring the further fields of a layer, and the margins of all, up to date with the first."""
    first = tables.layer_fields[layer]
    for f in range(first, tables.layer_fields[layer + 1]):
        if f > first:
            for position in positions:
                label = tables.labels[layer, fields[first, position] // STRIDE]
                fields[f, position] = tables.increments[f, label]
        margin = slice(tables.margin_pointers[f], tables.margin_pointers[f + 1])
        _copy(fields[f], tables.margin_cells[margin], tables.margin_sources[margin])


@no_type_check
@compiled()
def _copy(field, cells, sources):
    """Let cells of the margin repeat others."""
    for m in range(np.uint64(cells.size)):
        field[cells[m]] = field[sources[m]]


@no_type_check
@compiled()
def _sweep(fields, codes, entries, tables, words):
    for b in range(tables.blocks.shape[0]):
        layer, start, end, first, stop = tables.blocks[b]
        positions = tables.positions[start:end]
        low, high = tables.partner_pointers[layer], tables.partner_pointers[layer + 1]
        partners = tables.partner_fields[low:high], tables.partner_shifts[low:high]
        _add_up(codes, fields, partners, first, stop)
        own = tables.layer_fields[layer]
        own_entries = entries[tables.code_pointers[layer] :]
        words = _draw(codes, positions, own_entries, tables.increments[own], fields[own], words)
        _derive(fields, layer, positions, tables)
    return words


@no_type_check
@compiled()
def sweep_chain(records, entries, tables, n_sweeps, random):
    """Fill `records` [layers, records, sites] of a chain behind the first, `n_sweeps` apart.

    The chain goes on with its own stream, which is advanced. `entries` are its alias tables.
    """
    n_layers, n_records, n_sites = records.shape
    fields = np.zeros((tables.increments.shape[0], tables.n_cells), dtype=np.uint16)
    codes = np.zeros(tables.n_cells, dtype=np.uint16)
    for f in range(tables.layer_fields[n_layers], fields.shape[0]):
        for site in range(n_sites):
            fields[f, tables.sites[site]] = tables.constants[f]
    for layer in range(n_layers):
        own = tables.layer_fields[layer]
        for site in range(n_sites):
            label = records[layer, 0, site]
            fields[own, tables.sites[site]] = tables.increments[own, label]
        _derive(fields, layer, tables.sites, tables)
    words = (random[0], random[1], random[2], random[3])
    for record in range(1, n_records):
        for _ in range(n_sweeps):
            words = _sweep(fields, codes, entries, tables, words)
        for layer in range(n_layers):
            own = tables.layer_fields[layer]
            for site in range(n_sites):
                number = fields[own, tables.sites[site]] // STRIDE
                records[layer, record, site] = tables.labels[layer, number]
    for word in range(4):
        random[word] = words[word]
