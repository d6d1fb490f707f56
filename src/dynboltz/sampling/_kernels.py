"""Compiled Gibbs updates.

A chain is copied into one row of cells, all layers behind each other, followed by a cell that is
always empty and one that always holds 1. Both ways to update a unit draw one random number and
compare it with the cumulative conditional probabilities, so they agree draw by draw.
"""

from __future__ import annotations

import math
from typing import no_type_check

import numba
import numpy as np

from dynboltz.lattices import advance

_UNIT_53 = 2.0**-53


@no_type_check
@numba.njit(cache=True, nogil=True)
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
@numba.njit(cache=True, nogil=True, parallel=True)
def fill_thresholds(theta, codes, by_code, thresholds):
    """Cumulative probabilities for each row of `theta` and each code of the layers chosen."""
    for row in numba.prange(theta.shape[0]):
        for layer in range(by_code.size):
            n_species = codes.n_species[layer]
            if not by_code[layer]:
                continue
            for t in range(
                codes.threshold_pointers[layer], codes.threshold_pointers[layer + 1], n_species
            ):
                fields = thresholds[row, t : t + n_species]
                for s in range(n_species):
                    field = 0.0
                    for e in range(codes.entry_pointers[t + s], codes.entry_pointers[t + s + 1]):
                        field += codes.counts[e] * theta[row, codes.coefficients[e]]
                    fields[s] = field
                _accumulate(fields)


@no_type_check
@numba.njit(cache=True, nogil=True)
def _update_by_code(cells, units, neighbours, increments, thresholds, n_species, words):
    """Update the units of a block; their codes say where their thresholds are."""
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
        for s in range(np.uint64(n_species)):
            label += number >= thresholds[place + s]
        cells[unit] = label
    return s0, s1, s2, s3


@no_type_check
@numba.njit(cache=True, nogil=True)
def _sum_products(cells, neighbours, theta, products, layer, fields):
    fields[:] = 0.0
    for p in range(products.product_pointers[layer], products.product_pointers[layer + 1]):
        holds = True
        for f in range(products.factor_pointers[p], products.factor_pointers[p + 1]):
            holds &= cells[neighbours[products.partners[f]]] == products.labels[f]
        if holds:
            fields[products.species[p]] += theta[products.coefficients[p]]


@no_type_check
@numba.njit(cache=True, nogil=True)
def _update_by_products(cells, units, neighbours, theta, products, layer, fields, words):
    """Update the units of a block; their fields are summed product by product."""
    s0, s1, s2, s3 = words
    n_partners = neighbours.size // max(units.size, 1)
    for i in range(units.size):
        seen = neighbours[i * n_partners : (i + 1) * n_partners]
        _sum_products(cells, seen, theta, products, layer, fields)
        _accumulate(fields)
        bits, s0, s1, s2, s3 = advance(s0, s1, s2, s3)
        number = np.float64(bits >> np.uint64(11)) * _UNIT_53
        label = np.uint8(0)
        for s in range(fields.size):
            label += number >= fields[s]
        cells[units[i]] = label
    return s0, s1, s2, s3


@no_type_check
@numba.njit(cache=True, nogil=True)
def _sweep_blocks(cells, theta, thresholds, by_code, blocks, codes, products, words):
    """Update every block once."""
    for b in range(blocks.blocks.shape[0]):
        layer, first, stop, start = blocks.blocks[b]
        n_species = codes.n_species[layer]
        rows = codes.partner_pointers[layer : layer + 2]
        units = blocks.units[first:stop]
        neighbours = blocks.neighbours[start : start + (stop - first) * (rows[1] - rows[0])]
        if by_code[layer]:
            increments = codes.increments[rows[0] : rows[1]]
            own = thresholds[codes.threshold_pointers[layer] :]
            words = _update_by_code(cells, units, neighbours, increments, own, n_species, words)
        else:
            fields = np.zeros(n_species)
            words = _update_by_products(
                cells, units, neighbours, theta, products, layer, fields, words
            )
    return words


@no_type_check
@numba.njit(cache=True, nogil=True, parallel=True)
def sweep_chains(states, theta, thresholds, by_code, blocks, codes, products, n_sweeps, random):
    """Sweep every chain of `states` [layers, chains, sites] in place, advancing its stream.

    `theta` and `thresholds` have one row, or one row a chain.
    """
    n_layers, n_chains, n_sites = states.shape
    for chain in numba.prange(n_chains):
        cells = np.zeros(n_layers * n_sites + 2, dtype=np.uint8)
        cells[n_layers * n_sites + 1] = 1
        for layer in range(n_layers):
            cells[layer * n_sites : (layer + 1) * n_sites] = states[layer, chain]
        row = np.int64(chain) if theta.shape[0] > 1 else 0
        words = (random[chain, 0], random[chain, 1], random[chain, 2], random[chain, 3])
        for _ in range(n_sweeps):
            words = _sweep_blocks(
                cells, theta[row], thresholds[row], by_code, blocks, codes, products, words
            )
        for word in range(4):
            random[chain, word] = words[word]
        for layer in range(n_layers):
            states[layer, chain] = cells[layer * n_sites : (layer + 1) * n_sites]
