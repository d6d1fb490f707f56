"""Counting terms in batches of lattice states.

A periodic state is copied into an array with a margin that holds the images, so that every factor
of a product is one constant shift; on a closed lattice, anchors whose factors lie beyond an edge
are masked instead. The bytes are packed into one bit plane a species. Rows of bits are made of
these, a block of words at a time: first one for each species at each offset, then products of
earlier rows, so that products that begin alike share their beginnings. Terms of all sites count
the ones of their rows, terms of one site read one bit.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple, final, no_type_check

import numba
import numpy as np
from jaxtyping import Bool, Int64, Shaped, UInt64

from dynboltz._arguments import checked
from dynboltz._compiled import compiled
from dynboltz._typing import AnyArray

from ._lattice import Lattice
from ._states import check_layers
from ._term import Factor, Product, Term
from ._term_checks import check_term

WORD = 64
BLOCK = 32
"""Words of a row that are made at once, so that the rows of many products fit the cache."""


class CountTables(NamedTuple):
    """Flat tables of the products to count, as the compiled functions take them.

    Attributes
    ----------
    row_sites
        First site of the lattice row shown by each row of the padded array; the whole lattice is
        one row if there are no margins.
    row
        Length of a lattice row, cells of margin before and after it.
    anchors
        Bit mask of the padded cells that are sites.
    plane_layers, plane_species
        Layer and species of each bit plane.
    shift_planes, shifts
        Bit plane and number of cells by which it is shifted, for each of the first rows.
    masks, mask_of_shift
        Bit masks of anchors, and the one of those that have a cell at the shift.
    left, right
        Earlier rows that the other rows are products of.
    term_of_product, row_of_product
        Term that each product of all sites belongs to, and its row.
    placed
        Term, row, word and bit of each product of one site, the words in increasing order.
    """

    row_sites: np.ndarray
    row: np.ndarray
    anchors: np.ndarray
    plane_layers: np.ndarray
    plane_species: np.ndarray
    shift_planes: np.ndarray
    shifts: np.ndarray
    masks: np.ndarray
    mask_of_shift: np.ndarray
    left: np.ndarray
    right: np.ndarray
    term_of_product: np.ndarray
    row_of_product: np.ndarray
    placed: np.ndarray


@no_type_check
@compiled()
def make_workspace(tables, block):
    """Return the scratch arrays that `count_terms` needs, one set a thread.

    They are the padded bytes (8 bytes an element), the bit planes with spare words at both ends,
    and at most `block` words of each row.
    """
    n_words = tables.anchors.size
    padded = np.zeros(n_words * (WORD // 8), dtype=np.uint64)
    planes = np.zeros((tables.plane_layers.size, 3 * n_words + 2), dtype=np.uint64)
    rows = np.zeros((tables.shifts.size + tables.left.size, min(n_words, block)), dtype=np.uint64)
    return padded, planes, rows


@no_type_check
@compiled()
def _fill_padded(state, row_sites, row, cells):
    length, below, above = row[0], row[1], row[2]
    width = below + length + above
    for r in range(row_sites.size):
        first = row_sites[r]
        start = r * width + below
        inside = cells[start : start + length]
        source = state[first : first + length]
        for c in range(inside.size):
            inside[c] = source[c]
        for place in range(start - 1, start - 1 - below, -1):
            cells[place] = cells[place + length]
        for place in range(start + length, start + length + above):
            cells[place] = cells[place - length]


@no_type_check
@compiled()
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
@compiled()
def _count_ones(word):
    word -= (word >> np.uint64(1)) & np.uint64(0x5555555555555555)
    pairs = np.uint64(0x3333333333333333)
    word = (word & pairs) + ((word >> np.uint64(2)) & pairs)
    word = (word + (word >> np.uint64(4))) & np.uint64(0x0F0F0F0F0F0F0F0F)
    return np.int64((word * np.uint64(0x0101010101010101)) >> np.uint64(56))


@no_type_check
@compiled()
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
@compiled()
def fill_rows(start, tables, workspace):
    """Fill the rows of the workspace from word `start` on; return the number of words."""
    _, planes, rows = workspace
    n_words, n_shifts = tables.anchors.size, tables.shifts.size
    length = min(rows.shape[1], n_words - start)
    for s in range(n_shifts):
        position = tables.shifts[s] + WORD * (n_words + 1 + start)
        first = position // WORD
        low = np.uint64(position % WORD)
        high = np.uint64(WORD - 1) - low
        plane, mask = tables.shift_planes[s], tables.mask_of_shift[s]
        for w in range(length):
            above = (planes[plane, first + w + 1] << high) << np.uint64(1)
            shifted = (planes[plane, first + w] >> low) | above
            rows[s, w] = shifted & tables.masks[mask, start + w]
    for p in range(tables.left.size):
        left, right = tables.left[p], tables.right[p]
        for w in range(length):
            rows[n_shifts + p, w] = rows[left, w] & rows[right, w]
    return length


@no_type_check
@compiled()
def count_terms(states, tables, workspace, counts):
    """Add the number of times that each term holds in `states` [layers, sites] to `counts`."""
    pack_state(states, tables, workspace)
    rows = workspace[2]
    next_placed = 0
    for start in range(0, tables.anchors.size, rows.shape[1]):
        length = fill_rows(start, tables, workspace)
        while next_placed < len(tables.placed) and tables.placed[next_placed, 2] < start + length:
            term, row, word, bit = tables.placed[next_placed]
            counts[term] += np.int64((rows[row, word - start] >> np.uint64(bit)) & np.uint64(1))
            next_placed += 1
        for p in range(tables.term_of_product.size):
            row = tables.row_of_product[p]
            total = np.int64(0)
            for w in range(length):
                total += _count_ones(rows[row, w])
            counts[tables.term_of_product[p]] += total


@no_type_check
@compiled(parallel=True)
def _count_batch(states, tables, n_blocks, counts):
    n_states = states.shape[1]
    for block in numba.prange(n_blocks):
        workspace = make_workspace(tables, BLOCK)
        for s in range(block * n_states // n_blocks, (block + 1) * n_states // n_blocks):
            count_terms(states[:, s], tables, workspace, counts[s])


@final
@checked
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
        lattice, is wider than the lattice, or is placed where the lattice has no site for it.

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
        self, states: Shaped[AnyArray, "layers states sites"]
    ) -> Int64[np.ndarray, "states terms"]:
        """Number of times each term holds in each state.

        Parameters
        ----------
        states
            Layers first; one state is one row over the sites.

        Raises
        ------
        TypeError, ValueError
            If the states do not fit the layers and the lattice, see `check_layers`.
        """
        states = check_layers("TermCounter.count", states, self.species, self.lattice.n_sites)
        counts = np.zeros((states.shape[1], len(self.terms)), dtype=np.int64)
        _count_batch(np.ascontiguousarray(states), self.tables, numba.get_num_threads(), counts)
        return counts


def _compile(
    lattice: Lattice, species: tuple[tuple[str, ...], ...], terms: tuple[Term, ...]
) -> CountTables:
    products = [(index, product) for index, term in enumerate(terms) for product in term.products]
    factors = sorted({factor for _, product in products for factor in product})
    planes = sorted({(factor.layer, factor.species) for factor in factors})
    offsets = sorted({factor.offset for factor in factors})
    below, above = _margins(lattice, offsets)
    shape = tuple(int(n) for n in np.array(lattice.shape) + below + above)
    row_sites, sites = _pad(lattice, shape, below)
    row_length = lattice.n_sites if sites.all() else lattice.shape[-1]
    masks = {offset: _mask(lattice, sites, offset) for offset in offsets}
    rows, pairs = _share([product for _, product in products], factors)
    everywhere = [i for i, (index, _) in enumerate(products) if terms[index].at is None]
    return CountTables(
        row_sites=row_sites,
        row=np.array([row_length, below[-1], above[-1]], np.int64),
        anchors=_pack_bits(sites),
        plane_layers=np.array([layer for layer, _ in planes], np.int64),
        plane_species=np.array(
            [species[layer].index(name) + 1 for layer, name in planes], np.int64
        ),
        shift_planes=np.array([planes.index((f.layer, f.species)) for f in factors], np.int64),
        shifts=np.array(
            [_distance(f.offset, shape) if masks[f.offset].any() else 0 for f in factors], np.int64
        ),
        masks=_pack_bits(np.array(list(masks.values()), bool).reshape(-1, sites.size)),
        mask_of_shift=np.array([offsets.index(f.offset) for f in factors], np.int64),
        left=np.array([left for left, _ in pairs], np.int64),
        right=np.array([right for _, right in pairs], np.int64),
        term_of_product=np.array([products[i][0] for i in everywhere], np.int64),
        row_of_product=np.array([rows[i] for i in everywhere], np.int64),
        placed=_placed(lattice, terms, [index for index, _ in products], rows, sites),
    )


def _placed(
    lattice: Lattice,
    terms: tuple[Term, ...],
    term_of_product: Sequence[int],
    rows: Sequence[int],
    sites: Bool[np.ndarray, " cells"],
) -> Int64[np.ndarray, "products entries"]:
    """Term, row, word and bit of the products that are counted at one site."""
    cells = np.flatnonzero(sites)
    entries = [
        (index, row, *divmod(int(cells[lattice.site(at)]), WORD))
        for index, row in zip(term_of_product, rows, strict=True)
        if (at := terms[index].at) is not None
    ]
    entries.sort(key=lambda entry: entry[2])
    return np.array(entries, dtype=np.int64).reshape(-1, 4)


def _share(
    products: Sequence[Product], factors: Sequence[Factor]
) -> tuple[list[int], list[tuple[int, int]]]:
    """Row of each product, and the two earlier rows that each row behind the factors joins."""
    rows: dict[Product, int] = {(factor,): row for row, factor in enumerate(factors)}
    pairs = []
    for product in products:
        for length in range(2, len(product) + 1):
            if product[:length] not in rows:
                pairs.append((rows[product[: length - 1]], rows[product[length - 1 : length]]))
                rows[product[:length]] = len(rows)
    return [rows[product] for product in products], pairs


def _margins(lattice: Lattice, offsets: Sequence[tuple[int, ...]]) -> tuple[np.ndarray, np.ndarray]:
    """Cells that hold images, before and behind the lattice along each axis."""
    if lattice.boundary == "closed" or not offsets:
        return np.zeros(lattice.dim, np.int64), np.zeros(lattice.dim, np.int64)
    return np.maximum(0, -np.min(offsets, axis=0)), np.maximum(0, np.max(offsets, axis=0))


def _mask(
    lattice: Lattice, sites: Bool[np.ndarray, " cells"], offset: tuple[int, ...]
) -> Bool[np.ndarray, " cells"]:
    """Cells that are sites and have a site at an offset."""
    mask = sites.copy()
    mask[sites] = lattice.translate(offset) >= 0
    return mask


def _distance(offset: tuple[int, ...], shape: tuple[int, ...]) -> int:
    """Number of cells by which an offset moves in an array of the given shape."""
    return sum(step * math.prod(shape[axis + 1 :]) for axis, step in enumerate(offset))


def _pad(
    lattice: Lattice, shape: tuple[int, ...], below: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """First site of each row of the padded array, and which cells are sites.

    Without margins the whole lattice is one row.
    """
    cells = np.indices(shape).reshape(lattice.dim, -1) - below[:, None]
    lengths = np.array(lattice.shape)[:, None]
    sites = np.all((cells >= 0) & (cells < lengths), axis=0)
    if sites.all():
        return np.zeros(1, np.int64), sites
    rows = cells[:, :: shape[-1]].copy()
    rows[-1] = 0
    first_sites = np.ravel_multi_index(tuple(rows % lengths), lattice.shape)
    return np.asarray(first_sites, dtype=np.int64), sites


def _pack_bits(cells: Bool[np.ndarray, "*masks cells"]) -> UInt64[np.ndarray, "*masks words"]:
    bits = np.zeros((*cells.shape[:-1], -(-cells.shape[-1] // WORD) * WORD), dtype=np.uint8)
    bits[..., : cells.shape[-1]] = cells
    return np.packbits(bits, axis=-1, bitorder="little").view(np.uint64)
