"""Tables of the kernel that adds up what the partners of all units say at once.

The lattice is laid out with a margin around it, wide enough for every partner, so that a partner
of any unit is a fixed number of cells away. A *field* holds, for each cell, the number that the
unit there adds to the codes of the units that look at it. The codes of a whole layer are then sums
of shifted fields, which processors add many at a time. On a periodic lattice the margin repeats
the other side; on a closed one it is 0.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from jaxtyping import Int64, UInt8, UInt16, UInt32

from dynboltz.distributions import LatticeModel

from ._codes import Codes
from ._local_rule import LocalRule
from ._tables import GibbsTables, pointers

CODES_PER_UNIT = 4
"""Tables with more codes than this for each unit cost more to fill than they save."""
STRIDE = 4
"""Entries of a code: one for each of up to four labels."""
_NO_CELLS = np.empty(0, dtype=np.int64)


class FieldTables(NamedTuple):
    """What the kernel needs to know about a model; pointers as in `GibbsTables`.

    Attributes
    ----------
    n_cells
        Number of cells.
    sites
        Cell of each site.
    blocks
        Layer, first and last position, and range of cells of each block, in the order of a sweep.
    positions
        Cells of the units, block by block.
    partner_pointers
        First partner of each layer.
    partner_fields, partner_shifts
        Field of each partner, and how many cells away it is.
    layer_fields
        First field of each layer, whose numbers tell its labels apart, and one number behind the
        last; the last entry counts all fields.
    increments
        Number of each label in each field, times `STRIDE`.
    labels
        Label of each number of the first field of a layer, by layer.
    margin_pointers
        First cell of the margin of each field.
    margin_cells, margin_sources
        Cells of the margin that are looked at, and the cells that they repeat.
    constants
        Number that a field has inside the lattice whatever the units hold; only for the fields
        behind those of the layers.
    code_pointers
        First entry of each layer.
    occurring, occurring_pointers
        Codes that units can have, layer by layer, and the first of each layer.
    """

    n_cells: int
    sites: Int64[np.ndarray, " sites"]
    blocks: Int64[np.ndarray, "blocks entries"]
    positions: UInt32[np.ndarray, " positions"]
    partner_pointers: Int64[np.ndarray, " pointers"]
    partner_fields: Int64[np.ndarray, " partners"]
    partner_shifts: Int64[np.ndarray, " partners"]
    layer_fields: Int64[np.ndarray, " layer_pointers"]
    increments: UInt16[np.ndarray, "fields labels"]
    labels: UInt8[np.ndarray, "layers numbers"]
    margin_pointers: Int64[np.ndarray, " margin_pointers"]
    margin_cells: UInt32[np.ndarray, " margin"]
    margin_sources: UInt32[np.ndarray, " margin"]
    constants: UInt16[np.ndarray, " fields"]
    code_pointers: Int64[np.ndarray, " pointers"]
    occurring: Int64[np.ndarray, " codes"]
    occurring_pointers: Int64[np.ndarray, " pointers"]


class _Field(NamedTuple):
    """Numbers that the labels of a layer add to codes."""

    layer: int
    increments: tuple[int, ...]


def field_tables(
    model: LatticeModel, tables: GibbsTables, rules: list[LocalRule], codes: list[Codes]
) -> FieldTables | None:
    """Tables of a model, or nothing if its codes are too many or its layers have many species."""
    n_units = [int(layer.exists(model.lattice).sum()) for layer in model.layers]
    suits = [
        0 < len(c.counts) <= CODES_PER_UNIT * n and rule.n_species < STRIDE
        for c, rule, n in zip(codes, rules, n_units, strict=True)
    ]
    return _build(model, tables, rules, codes) if all(suits) else None


def _build(
    model: LatticeModel, tables: GibbsTables, rules: list[LocalRule], codes: list[Codes]
) -> FieldTables:
    layout = _Layout(model, rules)
    seen = [list(_partner_fields(rule, c)) for rule, c in zip(rules, codes, strict=True)]
    fields = _ordered_fields(rules, [field for layer in seen for field in layer])
    number = {field: place for place, field in enumerate(fields)}
    shifts = [layout.shift(p.offset) for rule in rules for p in rule.partners]
    places = [number[field] for layer in seen for field in layer]
    increments = np.zeros((len(fields), STRIDE), dtype=np.uint16)
    for place, field in enumerate(fields):
        increments[place, : len(field.increments)] = STRIDE * np.array(field.increments)
    n_layers = len(rules)
    moving = [field for field in fields if field.layer < n_layers]
    layer_of = np.array([field.layer for field in moving])
    layer_fields = np.searchsorted(layer_of, np.arange(n_layers + 1))
    margins = [layout.margin(_shifts_of(place, places, shifts)) for place in range(len(moving))]
    margins += [(_NO_CELLS, _NO_CELLS)] * (len(fields) - len(moving))
    blocks, positions = _blocks(tables, layout, model.lattice.n_sites)
    return FieldTables(
        n_cells=math.prod(layout.shape),
        sites=layout.sites,
        blocks=blocks,
        positions=positions.astype(np.uint32),
        partner_pointers=pointers([len(rule.partners) for rule in rules]),
        partner_fields=np.array(places, dtype=np.int64),
        partner_shifts=np.array(shifts, dtype=np.int64),
        layer_fields=layer_fields.astype(np.int64),
        increments=increments,
        labels=_labels([fields[first] for first in layer_fields[:-1]]),
        margin_pointers=pointers([len(cells) for cells, _ in margins]),
        margin_cells=np.concatenate([cells for cells, _ in margins]).astype(np.uint32),
        margin_sources=np.concatenate([sources for _, sources in margins]).astype(np.uint32),
        constants=np.where(np.arange(len(fields)) < len(moving), 0, increments[:, 1]).astype(
            np.uint16
        ),
        code_pointers=pointers([STRIDE * len(c.counts) for c in codes]),
        occurring=np.concatenate([np.flatnonzero(c.occurs) for c in codes]),
        occurring_pointers=pointers([int(c.occurs.sum()) for c in codes]),
    )


def _partner_fields(rule: LocalRule, codes: Codes) -> Iterator[_Field]:
    for place, partner in enumerate(rule.partners):
        row = codes.increments[place, : rule.n_labels[place]]
        yield _Field(partner.layer, tuple(int(i) for i in row))


def _ordered_fields(rules: list[LocalRule], seen: list[_Field]) -> list[_Field]:
    """All fields, layer by layer; the first of each layer tells all its labels apart."""
    ordered = []
    for layer in range(len(rules) + 1):
        found = sorted({field for field in seen if field.layer == layer})
        found.sort(key=lambda field: len(set(field.increments)), reverse=True)
        if layer < len(rules):
            n_labels = rules[layer].n_species + 1
            if not found or len(set(found[0].increments)) < n_labels:
                found.insert(0, _Field(layer, tuple(range(n_labels))))
        ordered += found
    return ordered


def _labels(fields: list[_Field]) -> UInt8[np.ndarray, "layers numbers"]:
    labels = np.zeros((len(fields), 1 + max(max(f.increments) for f in fields)), dtype=np.uint8)
    for layer, field in enumerate(fields):
        labels[layer, list(field.increments)] = np.arange(len(field.increments))
    return labels


def _shifts_of(field: int, places: list[int], shifts: list[int]) -> list[int]:
    return [shift for place, shift in zip(places, shifts, strict=True) if place == field]


def _blocks(tables: GibbsTables, layout: _Layout, n_sites: int):
    """Blocks of `GibbsTables` in terms of cells."""
    blocks, positions, first = [], [], 0
    for layer, start, stop, _ in tables.blocks:
        cells = np.sort(layout.sites[tables.units[start:stop].astype(np.int64) - layer * n_sites])
        low, high = (cells[0], cells[-1] + 1) if len(cells) else (0, 0)
        blocks.append((layer, first, first + len(cells), low, high))
        positions.append(cells)
        first += len(cells)
    return np.array(blocks, dtype=np.int64), np.concatenate(positions)


class _Layout:
    """Cells of a lattice with a margin."""

    def __init__(self, model: LatticeModel, rules: list[LocalRule]) -> None:
        self.lattice = model.lattice
        offsets = [p.offset for rule in rules for p in rule.partners] or [(0,) * self.lattice.dim]
        self.width = np.abs(np.array(offsets)).max(axis=0)
        self.shape = tuple(int(n) for n in np.array(self.lattice.shape) + 2 * self.width)
        self.strides = np.cumprod([1, *self.shape[:0:-1]])[::-1]
        inside = np.indices(self.lattice.shape).reshape(self.lattice.dim, -1)
        self.sites = self._cells(inside)

    def _cells(self, places: Int64[np.ndarray, "axes cells"]) -> Int64[np.ndarray, " cells"]:
        """Cells at places of the lattice."""
        return self.strides @ (places + self.width[:, None])

    def shift(self, offset: tuple[int, ...]) -> int:
        """Number of cells from a unit to one at an offset."""
        return int(np.dot(offset, self.strides))

    def margin(
        self, shifts: list[int]
    ) -> tuple[Int64[np.ndarray, " cells"], Int64[np.ndarray, " cells"]]:
        """Cells of the margin of a periodic lattice that units look at, and what they repeat."""
        if self.lattice.boundary == "closed" or not shifts:
            return _NO_CELLS, _NO_CELLS
        looked_at = np.unique(self.sites[:, None] + np.array(shifts))
        cells = np.setdiff1d(looked_at, self.sites)
        places = np.array(np.unravel_index(cells, self.shape)) - self.width[:, None]
        return cells, self._cells(places % np.array(self.lattice.shape)[:, None])
