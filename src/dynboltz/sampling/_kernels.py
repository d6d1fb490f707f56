"""Compiled Gibbs updates.

A chain is copied into one row of cells, all layers behind each other, followed by a cell that is
always empty and one that always holds 1. Both ways to update a unit draw one random number and
compare it with the cumulative conditional probabilities, so they agree draw by draw.
"""

from __future__ import annotations

import math
from typing import NamedTuple, no_type_check

import numba
import numpy as np
from jaxtyping import Bool, Float64

from dynboltz._compiled import compiled
from dynboltz.lattices import advance

_UNIT_53 = 2.0**-53


class Conditionals(NamedTuple):
    """Coefficients, and the conditional probabilities tabulated for them.

    Attributes
    ----------
    theta
        Rows for equal groups of successive chains.
    by_code
        Whether the probabilities of each layer are tabulated.
    thresholds
        Cumulative probabilities for each row and code; unset for layers that are not tabulated.
    """

    theta: Float64[np.ndarray, "rows coefficients"]
    by_code: Bool[np.ndarray, " layers"]
    thresholds: Float64[np.ndarray, "rows thresholds"]


@no_type_check
@compiled()
def _accumulate(fields):
    """Replace the fields of the species by the probabilities of all labels below each of them."""
    largest = 0.0
    for s in range(fields.size):
        largest = max(largest, fields[s])
    running = math.exp(-largest)
    total = running
    for s in range(fields.size):
        weight = math.exp(fields[s] - largest)
        total += weight
        fields[s] = running
        running += weight
    for s in range(fields.size):
        fields[s] /= total


@no_type_check
@compiled()
def tabulate_code(theta, tables, first, probabilities):
    """Fill in the probabilities of all labels below each species, for one code.

    The code is named by its first threshold among those of `tables`.
    """
    for s in range(probabilities.size):
        field = 0.0
        for e in range(tables.entry_pointers[first + s], tables.entry_pointers[first + s + 1]):
            field += tables.entry_counts[e] * theta[tables.entry_coefficients[e]]
        probabilities[s] = field
    _accumulate(probabilities)


@no_type_check
@compiled(parallel=True)
def fill_thresholds(theta, tables, by_code, thresholds):
    """Cumulative probabilities for each row of `theta` and each code of the layers chosen."""
    for row in numba.prange(theta.shape[0]):
        for layer in range(by_code.size):
            n_species = tables.n_species[layer]
            if not by_code[layer]:
                continue
            for t in range(
                tables.threshold_pointers[layer], tables.threshold_pointers[layer + 1], n_species
            ):
                tabulate_code(theta[row], tables, t, thresholds[row, t : t + n_species])


@no_type_check
@compiled()
def _update_by_code(cells, block, increments, thresholds, words):
    """Update the units of a block; their codes say where their thresholds are."""
    units, neighbours, fields = block
    s0, s1, s2, s3 = words
    n_partners = np.uint64(increments.shape[0])
    position = np.uint64(0)
    for unit in units:
        place = np.uint64(0)
        for j in range(n_partners):
            place += increments[j, cells[neighbours[position + j]]]
        position += n_partners
        bits, s0, s1, s2, s3 = advance(s0, s1, s2, s3)
        number = np.float64(bits >> np.uint64(11)) * _UNIT_53
        label = np.uint8(0)
        for s in range(np.uint64(fields.size)):
            label += number >= thresholds[place + s]
        cells[unit] = label
    return s0, s1, s2, s3


@no_type_check
@compiled()
def _update_by_products(cells, block, rule, tables, words):
    """Update the units of a block; their fields are summed product by product."""
    units, neighbours, fields = block
    theta, layer = rule
    s0, s1, s2, s3 = words
    n_partners = neighbours.size // max(units.size, 1)
    for i in range(units.size):
        seen = neighbours[i * n_partners : (i + 1) * n_partners]
        fields[:] = 0.0
        for p in range(tables.product_pointers[layer], tables.product_pointers[layer + 1]):
            step = tables.coefficient_steps[p] * np.int64(units[i])
            coefficient = tables.coefficients[tables.coefficient_starts[p] + step]
            holds = coefficient >= 0
            for f in range(tables.factor_pointers[p], tables.factor_pointers[p + 1]):
                holds &= cells[seen[tables.factor_partners[f]]] == tables.factor_labels[f]
            if holds:
                fields[tables.product_species[p]] += theta[coefficient]
        _accumulate(fields)
        bits, s0, s1, s2, s3 = advance(s0, s1, s2, s3)
        number = np.float64(bits >> np.uint64(11)) * _UNIT_53
        label = np.uint8(0)
        for s in range(fields.size):
            label += number >= fields[s]
        cells[units[i]] = label
    return s0, s1, s2, s3


@no_type_check
@compiled()
def _sweep_blocks(cells, conditionals, row, tables, words):
    """Update every block once."""
    theta, thresholds = conditionals.theta[row], conditionals.thresholds[row]
    for b in range(tables.blocks.shape[0]):
        layer, first, stop, start = tables.blocks[b]
        low, high = tables.partner_pointers[layer], tables.partner_pointers[layer + 1]
        block = (
            tables.units[first:stop],
            tables.neighbours[start : start + (stop - first) * (high - low)],
            np.zeros(tables.n_species[layer]),
        )
        if conditionals.by_code[layer]:
            own = thresholds[tables.threshold_pointers[layer] :]
            words = _update_by_code(cells, block, tables.increments[low:high], own, words)
        else:
            words = _update_by_products(cells, block, (theta, layer), tables, words)
    return words


@no_type_check
@compiled(parallel=True)
def sweep_chains(records, conditionals, tables, n_sweeps, random):
    """Fill `records` [layers, records, chains, sites] behind the first, `n_sweeps` apart.

    Every chain goes on from its first record with its own stream, which is advanced.
    """
    n_layers, n_records, n_chains, n_sites = records.shape
    for chain in numba.prange(n_chains):
        cells = np.zeros(n_layers * n_sites + 2, dtype=np.uint8)
        cells[n_layers * n_sites + 1] = 1
        for layer in range(n_layers):
            for site in range(n_sites):
                cells[layer * n_sites + site] = records[layer, 0, chain, site]
        row = chain // (n_chains // conditionals.theta.shape[0])
        words = (random[chain, 0], random[chain, 1], random[chain, 2], random[chain, 3])
        for record in range(1, n_records):
            for _ in range(n_sweeps):
                words = _sweep_blocks(cells, conditionals, row, tables, words)
            for layer in range(n_layers):
                for site in range(n_sites):
                    records[layer, record, chain, site] = cells[layer * n_sites + site]
        for word in range(4):
            random[chain, word] = words[word]
