"""Counting terms in batches of lattice states.

A state is copied into an array with a margin, which holds the periodic images or stays empty, so
that every factor of a product is one constant shift. The padded state is then packed into one
bit plane a species, and a product is a chain of shifted ANDs over machine words.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, final, no_type_check

import numba
import numpy as np
from jaxtyping import Int64, UInt8

from ._lattice import Lattice
from ._term import Term

WORD = 64


class CountTables(NamedTuple):
    """Flat tables of the products to count, as the compiled functions take them.

    Attributes
    ----------
    row_sites
        First site of the lattice row shown by each row of the padded array, -1 for an empty row.
    row
        Length of a lattice row, cells of margin before and after it, 1 if periodic else 0.
    anchors
        Bit mask of the padded cells that are sites.
    plane_layers, plane_species
        Layer and species of each bit plane.
    term_of_product
        Term that each product belongs to.
    pointers
        First factor of each product; one entry more than there are products.
    planes, shifts
        Bit plane and cell shift of each factor.
    """

    row_sites: np.ndarray
    row: np.ndarray
    anchors: np.ndarray
    plane_layers: np.ndarray
    plane_species: np.ndarray
    term_of_product: np.ndarray
    pointers: np.ndarray
    planes: np.ndarray
    shifts: np.ndarray


@no_type_check
@numba.njit(cache=True, nogil=True)
def make_workspace(tables):
    """Return the scratch arrays that `count_terms` needs, one set a thread.

    They are the padded bytes (8 bytes an element), the bit planes with spare words at both ends,
    and the words of a product.
    """
    n_words = tables.anchors.size
    padded = np.zeros(n_words * (WORD // 8), dtype=np.uint64)
    planes = np.zeros((tables.plane_layers.size, 3 * n_words + 2), dtype=np.uint64)
    product = np.zeros(n_words, dtype=np.uint64)
    return padded, planes, product


@no_type_check
@numba.njit(cache=True, nogil=True)
def _fill_padded(state, row_sites, row, cells):
    length, below, above, periodic = row[0], row[1], row[2], row[3]
    width = below + length + above
    for r in range(row_sites.size):
        first = row_sites[r]
        if first < 0:
            continue
        start = r * width + below
        inside = cells[start : start + length]
        source = state[first : first + length]
        for c in range(inside.size):
            inside[c] = source[c]
        if periodic:
            for c in range(below):
                cells[start - below + c] = state[first + (c - below) % length]
            for c in range(above):
                cells[start + length + c] = state[first + c % length]


@no_type_check
@numba.njit(cache=True, nogil=True)
def _pack_plane(padded, species, plane, first_word):
    low = np.uint64(0x7F7F7F7F7F7F7F7F)
    high = np.uint64(0x8080808080808080)
    gather = np.uint64(0x0102040810204080)
    wanted = np.uint64(species) * np.uint64(0x0101010101010101)
    for w in range(padded.size // 8):
        bits = np.uint64(0)
        for byte in range(8):
            x = padded[8 * w + byte] ^ wanted
            zero_bytes = ~(((x & low) + low) | x) & high
            eight = ((zero_bytes >> np.uint64(7)) * gather) >> np.uint64(56)
            bits |= eight << np.uint64(8 * byte)
        plane[first_word + w] = bits


@no_type_check
@numba.njit(cache=True, nogil=True)
def _count_ones(word):
    word -= (word >> np.uint64(1)) & np.uint64(0x5555555555555555)
    pairs = np.uint64(0x3333333333333333)
    word = (word & pairs) + ((word >> np.uint64(2)) & pairs)
    word = (word + (word >> np.uint64(4))) & np.uint64(0x0F0F0F0F0F0F0F0F)
    return np.int64((word * np.uint64(0x0101010101010101)) >> np.uint64(56))


@no_type_check
@numba.njit(cache=True, nogil=True)
def pack_state(states, tables, workspace):
    """Pack one state, `states` [layers, sites], into the bit planes of the workspace."""
    padded, planes, _ = workspace
    packed_layer = -1
    for p in range(tables.plane_layers.size):
        layer = tables.plane_layers[p]
        if layer != packed_layer:
            _fill_padded(states[layer], tables.row_sites, tables.row, padded.view(np.uint8))
            packed_layer = layer
        _pack_plane(padded, tables.plane_species[p], planes[p], tables.anchors.size + 1)


@no_type_check
@numba.njit(cache=True, nogil=True)
def product_bits(p, tables, workspace):
    """Write the bit mask of the anchors at which product `p` holds into the workspace."""
    _, planes, product = workspace
    n_words = tables.anchors.size
    product[:] = tables.anchors
    for f in range(tables.pointers[p], tables.pointers[p + 1]):
        position = tables.shifts[f] + WORD * (n_words + 1)
        first = position // WORD
        low = np.uint64(position % WORD)
        high = np.uint64(WORD - 1) - low
        lower = planes[tables.planes[f], first : first + n_words]
        upper = planes[tables.planes[f], first + 1 : first + 1 + n_words]
        for w in range(product.size):
            product[w] &= (lower[w] >> low) | ((upper[w] << high) << np.uint64(1))
    return product


@no_type_check
@numba.njit(cache=True, nogil=True)
def count_terms(states, tables, workspace, counts):
    """Add the number of times that each term holds in `states` [layers, sites] to `counts`."""
    pack_state(states, tables, workspace)
    for p in range(tables.term_of_product.size):
        total = np.int64(0)
        for word in product_bits(p, tables, workspace):
            total += _count_ones(word)
        counts[tables.term_of_product[p]] += total


@no_type_check
@numba.njit(cache=True, nogil=True, parallel=True)
def _count_batch(states, tables, n_blocks, counts):
    n_states = states.shape[1]
    for block in numba.prange(n_blocks):
        workspace = make_workspace(tables)
        for s in range(block * n_states // n_blocks, (block + 1) * n_states // n_blocks):
            count_terms(states[:, s], tables, workspace, counts[s])


@final
class TermCounter:
    """Counts terms in lattice states.

    Parameters
    ----------
    lattice
        The lattice. Every layer has one unit a site; units that do not exist stay empty.
    species
        Names of the species of each layer, layer 0 first. A state holds 0 for an empty unit and
        `i + 1` for the species `i` of its layer.
    terms
        What to count.

    Raises
    ------
    ValueError
        If a term names an unknown species or layer, has offsets of another dimension than the
        lattice, or is wider than the lattice.

    Attributes
    ----------
    tables
        The products in the form that `count_terms` takes.
    """

    def __init__(
        self, lattice: Lattice, species: Sequence[Sequence[str]], terms: Sequence[Term]
    ) -> None:
        self.lattice = lattice
        self.species = tuple(tuple(names) for names in species)
        self.terms = tuple(terms)
        for term in self.terms:
            check_term(term, lattice, self.species)
        self.tables = _compile(lattice, self.species, self.terms)

    def count(
        self, states: UInt8[np.ndarray, "layers states sites"]
    ) -> Int64[np.ndarray, "states terms"]:
        """Number of times each term holds in each state.

        Parameters
        ----------
        states
            Layers first; one state is one row over the sites.
        """
        expected = (len(self.species), self.lattice.n_sites)
        if states.ndim != 3 or (states.shape[0], states.shape[2]) != expected:
            raise ValueError(
                f"TermCounter.count: `states` must have shape ({expected[0]}, states, "
                f"{expected[1]}): layers, states, sites; got {states.shape}."
            )
        counts = np.zeros((states.shape[1], len(self.terms)), dtype=np.int64)
        _count_batch(np.ascontiguousarray(states), self.tables, numba.get_num_threads(), counts)
        return counts


def check_term(term: Term, lattice: Lattice, species: tuple[tuple[str, ...], ...]) -> None:
    """Raise `ValueError` if the term does not fit the lattice and the species of its layers."""
    for product in term.products:
        for factor in product:
            if not 0 <= factor.layer < len(species):
                raise ValueError(
                    f"Term {term.name!r} names layer {factor.layer}; there are {len(species)}."
                )
            if factor.species not in species[factor.layer]:
                raise ValueError(
                    f"Term {term.name!r} names the species {factor.species!r}; layer "
                    f"{factor.layer} has {', '.join(species[factor.layer])}."
                )
            if len(factor.offset) != lattice.dim:
                raise ValueError(
                    f"Term {term.name!r} has the offset {factor.offset}; the lattice has "
                    f"{lattice.dim} axes."
                )
        extent = np.ptp([factor.offset for factor in product], axis=0) + 1
        if np.any(extent > np.array(lattice.shape)):
            raise ValueError(
                f"Term {term.name!r} spans {tuple(int(e) for e in extent)} sites; the lattice of "
                f"shape {lattice.shape} is too small for it."
            )


def _compile(
    lattice: Lattice, species: tuple[tuple[str, ...], ...], terms: tuple[Term, ...]
) -> CountTables:
    products = [(index, product) for index, term in enumerate(terms) for product in term.products]
    factors = [factor for _, product in products for factor in product]
    offsets = np.array([factor.offset for factor in factors] or [(0,) * lattice.dim])
    below = np.maximum(0, -offsets.min(axis=0))
    above = np.maximum(0, offsets.max(axis=0))
    shape = tuple(int(n) for n in np.array(lattice.shape) + below + above)
    strides = np.array([int(np.prod(shape[axis + 1 :])) for axis in range(lattice.dim)])
    row_sites, anchors = _pad(lattice, shape, below)
    planes = sorted({(factor.layer, factor.species) for factor in factors})
    return CountTables(
        row_sites=row_sites,
        row=np.array(
            [lattice.shape[-1], below[-1], above[-1], lattice.boundary == "periodic"], np.int64
        ),
        anchors=anchors,
        plane_layers=np.array([layer for layer, _ in planes], np.int64),
        plane_species=np.array(
            [species[layer].index(name) + 1 for layer, name in planes], np.int64
        ),
        term_of_product=np.array([index for index, _ in products], np.int64),
        pointers=np.cumsum([0] + [len(product) for _, product in products], dtype=np.int64),
        planes=np.array([planes.index((f.layer, f.species)) for f in factors], np.int64),
        shifts=np.array([int(np.dot(f.offset, strides)) for f in factors], np.int64),
    )


def _pad(lattice: Lattice, shape: tuple[int, ...], below: np.ndarray):
    cells = np.indices(shape).reshape(lattice.dim, -1) - below[:, None]
    lengths = np.array(lattice.shape)[:, None]
    inside = np.all((cells >= 0) & (cells < lengths), axis=0)

    rows = cells[:, :: shape[-1]].copy()
    rows[-1] = 0
    shown = np.all((rows >= 0) & (rows < lengths), axis=0) | (lattice.boundary == "periodic")
    first_sites = np.ravel_multi_index(tuple(rows % lengths), lattice.shape)
    row_sites = np.where(shown, first_sites, -1).astype(np.int64)

    bits = np.zeros(-(-inside.size // WORD) * WORD, dtype=np.uint8)
    bits[: inside.size] = inside
    return row_sites, np.packbits(bits, bitorder="little").view(np.uint64)
