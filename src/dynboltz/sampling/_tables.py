"""Flat tables of a model for the Gibbs kernels."""

from __future__ import annotations

import functools
from typing import NamedTuple, no_type_check

import numpy as np
from jaxtyping import Bool, Int64, UInt32

from dynboltz._compiled import compiled
from dynboltz.distributions import LatticeModel

from ._codes import Codes
from ._local_rule import LocalRule, Partner


class GibbsTables(NamedTuple):
    """What the kernels need to know about a model.

    Units are numbered layer by layer. Two more cells follow the units: one that is always empty,
    for partners beyond a closed edge, and one that always holds 1. Pointers have one entry more
    than there are things they point from.

    Attributes
    ----------
    blocks
        Layer, first unit, end of the units and first neighbour of each block, in the order of a
        sweep.
    units
        Units, block by block.
    neighbours
        Cells of the partners of each unit, unit by unit.
    n_species
        Number of species of each layer.
    partner_pointers
        First partner of each layer.
    increments
        What a partner adds to the place of the first threshold, for each label.
    threshold_pointers
        First threshold of each layer. A code has one threshold a species.
    entry_pointers
        First entry of each threshold.
    entry_coefficients, entry_counts
        Coefficient of each entry, and how often it enters the field.
    product_pointers
        First product of each layer, as one of its units sees it.
    product_species
        Species of each product.
    coefficient_starts, coefficient_steps
        Where the coefficient of each product is found in `coefficients`: at the start, plus the
        step for each unit before; the step is 0 if all units share the coefficient.
    coefficients
        Coefficients of products, -1 where a unit takes no part.
    factor_pointers
        First factor of each product.
    factor_partners, factor_labels
        Place of the partner of each factor, and the label it has to hold.
    """

    blocks: Int64[np.ndarray, "blocks entries"]
    units: UInt32[np.ndarray, " updates"]
    neighbours: UInt32[np.ndarray, " neighbours"]
    n_species: Int64[np.ndarray, " layers"]
    partner_pointers: Int64[np.ndarray, " pointers"]
    increments: UInt32[np.ndarray, "partners labels"]
    threshold_pointers: Int64[np.ndarray, " pointers"]
    entry_pointers: Int64[np.ndarray, " entry_pointers"]
    entry_coefficients: Int64[np.ndarray, " entries"]
    entry_counts: Int64[np.ndarray, " entries"]
    product_pointers: Int64[np.ndarray, " pointers"]
    product_species: Int64[np.ndarray, " products"]
    coefficient_starts: Int64[np.ndarray, " products"]
    coefficient_steps: Int64[np.ndarray, " products"]
    coefficients: Int64[np.ndarray, " entries_of_products"]
    factor_pointers: Int64[np.ndarray, " factor_pointers"]
    factor_partners: Int64[np.ndarray, " factors"]
    factor_labels: Int64[np.ndarray, " factors"]


def compile_tables(model: LatticeModel, rules: list[LocalRule], codes: list[Codes]) -> GibbsTables:
    """Tables of a model; the blocks of the hidden layers come before those of the visible one."""
    return GibbsTables(
        **_block_tables(model, rules),
        **_code_tables(codes),
        **_product_tables(rules),
        **_coefficient_tables(rules, model.lattice.n_sites),
    )


@functools.cache
def unit_exists(model: LatticeModel) -> Bool[np.ndarray, "layers sites"]:
    """Whether the unit at each site of each layer exists."""
    return np.stack([layer.exists(model.lattice) for layer in model.layers])


def pointers(sizes: list[int]) -> Int64[np.ndarray, " pointers"]:
    """First entry of each group of entries, and one behind the last."""
    return np.cumsum([0, *sizes], dtype=np.int64)


def _block_tables(model: LatticeModel, rules: list[LocalRule]) -> dict[str, np.ndarray]:
    blocks, units, neighbours = [], [], []
    n_units, n_neighbours = 0, 0
    exists = unit_exists(model)
    for rule in [*rules[1:], rules[0]]:
        sites = np.flatnonzero(exists[rule.layer])
        cells = _neighbours(model, rule)[sites]
        for members in _blocks(model, rule, sites, cells):
            block = sites[members] + rule.layer * model.lattice.n_sites
            blocks.append((rule.layer, n_units, n_units + block.size, n_neighbours))
            units.append(block)
            neighbours.append(cells[members].ravel())
            n_units += block.size
            n_neighbours += neighbours[-1].size
    return {
        "blocks": np.array(blocks, dtype=np.int64),
        "units": np.concatenate(units).astype(np.uint32),
        "neighbours": np.concatenate(neighbours).astype(np.uint32),
    }


def _neighbours(model: LatticeModel, rule: LocalRule) -> Int64[np.ndarray, "sites partners"]:
    cells = [_cells(model, partner) for partner in rule.partners]
    return np.array(cells, dtype=np.int64).reshape(len(cells), model.lattice.n_sites).T


def _cells(model: LatticeModel, partner: Partner) -> Int64[np.ndarray, " sites"]:
    n_sites, n_layers = model.lattice.n_sites, len(model.layers)
    sites = model.lattice.translate(partner.offset)
    inside = sites + partner.layer * n_sites if partner.layer < n_layers else n_layers * n_sites + 1
    return np.where(sites >= 0, inside, n_layers * n_sites)


def _blocks(
    model: LatticeModel, rule: LocalRule, sites: np.ndarray, cells: np.ndarray
) -> list[np.ndarray]:
    """Members of each block, so that the units of a block are no partners of each other."""
    same_layer = [place for place, p in enumerate(rule.partners) if p.layer == rule.layer]
    n_sites = model.lattice.n_sites
    rank = np.full((len(model.layers) + 1) * n_sites + 2, -1, dtype=np.int64)
    rank[sites + rule.layer * n_sites] = np.arange(sites.size)
    colours = _colour(rank[cells[:, same_layer]])
    return [np.flatnonzero(colours == colour) for colour in range(colours.max() + 1)]


@no_type_check
@compiled()
def _colour(neighbours):
    """Greedy colouring: each unit gets the lowest colour that no neighbour before it has."""
    colours = np.full(neighbours.shape[0], -1, dtype=np.int64)
    for unit in range(neighbours.shape[0]):
        taken = np.zeros(neighbours.shape[1] + 1, dtype=np.bool_)
        for other in neighbours[unit]:
            if other >= 0 and colours[other] >= 0:
                taken[colours[other]] = True
        colour = 0
        while taken[colour]:
            colour += 1
        colours[unit] = colour
    return colours


def _code_tables(codes: list[Codes]) -> dict[str, np.ndarray]:
    n_species = [c.counts.shape[1] for c in codes]
    n_labels = max(c.increments.shape[1] for c in codes)
    increments = [
        np.pad(c.increments * n, ((0, 0), (0, n_labels - c.increments.shape[1])))
        for c, n in zip(codes, n_species, strict=True)
    ]
    return {
        "n_species": np.array(n_species, dtype=np.int64),
        "partner_pointers": pointers([len(i) for i in increments]),
        "increments": np.concatenate(increments).astype(np.uint32),
        **_entry_tables(codes),
    }


def _entry_tables(codes: list[Codes]) -> dict[str, np.ndarray]:
    firsts = pointers([c.counts.shape[0] * c.counts.shape[1] for c in codes])
    thresholds, coefficients, counts = [], [], []
    for c, first in zip(codes, firsts[:-1], strict=True):
        code, species, coefficient = np.nonzero(c.counts)
        thresholds.append(first + code * c.counts.shape[1] + species)
        coefficients.append(c.coefficients[coefficient])
        counts.append(c.counts[code, species, coefficient])
    behind = np.arange(firsts[-1] + 1)
    return {
        "threshold_pointers": firsts,
        "entry_pointers": np.searchsorted(np.concatenate(thresholds), behind).astype(np.int64),
        "entry_coefficients": np.concatenate(coefficients),
        "entry_counts": np.concatenate(counts),
    }


def _product_tables(rules: list[LocalRule]) -> dict[str, np.ndarray]:
    products = [product for rule in rules for product in rule.products]
    factors = np.array([f for product in products for f in product.factors], dtype=np.int64)
    factors = factors.reshape(-1, 2)
    return {
        "product_pointers": pointers([len(rule.products) for rule in rules]),
        "product_species": np.array([p.species for p in products], dtype=np.int64),
        "factor_pointers": pointers([len(p.factors) for p in products]),
        "factor_partners": np.ascontiguousarray(factors[:, 0]),
        "factor_labels": np.ascontiguousarray(factors[:, 1]),
    }


def _coefficient_tables(rules: list[LocalRule], n_sites: int) -> dict[str, np.ndarray]:
    """Coefficients of the products; those of one unit lie next to each other."""
    starts, steps, tables, size = [], [], [], 0
    for rule in rules:
        for own in (False, True):
            rows = [p.coefficients for p in rule.products if (len(p.coefficients) > 1) == own]
            step = len(rows) if own else 0
            starts += [size + row - step * rule.layer * n_sites for row in range(len(rows))]
            steps += [step] * len(rows)
            tables.append(np.array(rows, dtype=np.int64).T.ravel())
            size += tables[-1].size
    return {
        "coefficient_starts": np.array(starts, dtype=np.int64),
        "coefficient_steps": np.array(steps, dtype=np.int64),
        "coefficients": np.concatenate(tables),
    }
