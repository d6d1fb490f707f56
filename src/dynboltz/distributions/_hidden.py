r"""Hidden units summed out: what a visible state says about them, and their free energy.

A hidden unit that is coupled to visible sites only sees them through integers $n_t$, the number
of products of each of its terms $t$ that hold around it. The histogram of these integers over the
units of a layer is all that the exact expectation over the hidden units needs of the data.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple, no_type_check

import jax
import jax.numpy as jnp
import numba
import numpy as np
from jaxtyping import Array, Bool, Float, Float64, Int32, Int64, UInt8

from dynboltz._arguments import checked
from dynboltz._compiled import compiled
from dynboltz._numbers import check_finite
from dynboltz._typing import AnyArray
from dynboltz.lattices import (
    WORD,
    Factor,
    Product,
    Term,
    TermCounter,
    check_states,
    fill_rows,
    make_workspace,
    pack_state,
)

from ._model import LatticeModel

MAX_CODES = 1_000_000
MAX_FREE_UNITS = 32
"""Units of a layer with coefficients of their own that are told apart."""


@checked
@dataclass(frozen=True)
class HiddenLayer:
    """The terms of hidden units of one layer that share their coefficients, seen from one of them.

    Attributes
    ----------
    number
        Number of the layer.
    units
        Which units of the layer these are.
    n_species
        Number of hidden species.
    coefficients
        Index of the coefficient of each term.
    species
        Index of the hidden species of each term.
    products
        The visible products of each term with offsets relative to the unit; empty for a bias.
    codes
        The integers of the terms for each code, the first term slowest.
    """

    number: int
    units: Bool[np.ndarray, " sites"]
    n_species: int
    coefficients: tuple[int, ...]
    species: tuple[int, ...]
    products: tuple[tuple[Product, ...], ...]
    codes: Int64[np.ndarray, "codes terms"]

    @property
    def _axis_entries(self) -> dict[str, int]:
        return {"codes": len(self.codes), "terms": len(self.products), "sites": len(self.units)}

    @functools.cached_property
    def _counts(self) -> Float64[np.ndarray, "codes terms"]:
        return self.codes.astype(np.float64)

    @functools.cached_property
    def _by_species(self) -> list[tuple[Int64[np.ndarray, " own"], Int64[np.ndarray, " own"]]]:
        """Coefficients and numbers of the terms of each hidden species."""
        coefficients, species = np.array(self.coefficients, int), np.array(self.species, int)
        terms = [np.flatnonzero(species == s) for s in range(self.n_species)]
        return [(coefficients[own], own) for own in terms]

    def free_energy(
        self, theta: Float[AnyArray, " coefficients"], counts: Int64[np.ndarray, "... terms"]
    ) -> Float[Array, " ..."]:
        r"""Log weight of a unit, $\ln(1 + \sum_\beta e^{f_\beta})$, for given integers."""
        self._check_coefficients("HiddenLayer.free_energy", theta)
        coefficients, species = np.array(self.coefficients, int), np.array(self.species, int)
        empty = jnp.zeros(counts.shape[:-1], theta.dtype)
        fields = [
            jnp.asarray(counts[..., species == s], theta.dtype) @ theta[coefficients[species == s]]
            for s in range(self.n_species)
        ]
        return jax.nn.logsumexp(jnp.stack([empty, *fields]), axis=0)

    def moments(
        self,
        theta: Float64[np.ndarray, "rows coefficients"],
        histograms: Float64[np.ndarray, "rows codes"],
    ) -> Float64[np.ndarray, "rows terms"]:
        r"""Mean of each term, $\sum_c w_c\, n_t(c)\, p(\beta_t \mid c)$, for weights of codes."""
        self._check_coefficients("HiddenLayer.moments", theta)
        check_finite("HiddenLayer.moments", "`theta`", theta)
        check_finite("HiddenLayer.moments", "`histograms`", histograms)
        occurring = np.flatnonzero(histograms.any(axis=0))
        histograms, counts = histograms[:, occurring], self._counts[occurring]
        fields = np.stack([theta[:, own] @ counts[:, terms].T for own, terms in self._by_species])
        weights, total = label_weights(fields)
        occupied = histograms * weights / total
        moments = np.empty((len(theta), len(self.species)))
        for t, s in enumerate(self.species):
            moments[:, t] = occupied[s] @ counts[:, t]
        return moments

    def _check_coefficients(self, where: str, theta: Float[AnyArray, "*rows coefficients"]) -> None:
        """Raise unless there are the coefficients that the terms name."""
        least = max(self.coefficients, default=-1) + 1
        if theta.shape[-1] < least:
            raise ValueError(
                f"{where}: `theta` must hold all coefficients of the model, at least {least}, "
                f"got {theta.shape[-1]}."
            )


def label_weights(
    fields: Float64[np.ndarray, "species ..."],
) -> tuple[Float64[np.ndarray, "species ..."], Float64[np.ndarray, " ..."]]:
    r"""Weights $e^{f_\beta}$ of the species of units and their sum with the 1 of an empty unit.

    Both are divided by the largest weight, so that nothing overflows.
    """
    highest = np.maximum(fields.max(axis=0), 0.0)
    weights = np.exp(fields - highest)
    return weights, np.exp(-highest) + weights.sum(axis=0)


@checked
def hidden_layers(model: LatticeModel) -> tuple[HiddenLayer, ...]:
    """Terms of every hidden layer, for models whose hidden units are independent given the data.

    A layer whose coefficients are tied by translation is one entry; one with a coefficient of a
    single place has an entry for each of its units.

    Raises
    ------
    ValueError
        If a term couples hidden units with each other, if the integers of a layer take more than
        a million combinations, or if a layer has more than 32 units with coefficients of their own.
    """
    numbers = range(1, len(model.layers))
    return tuple(itertools.chain.from_iterable(_of_layer(model, number) for number in numbers))


def _of_layer(model: LatticeModel, number: int) -> Iterator[HiddenLayer]:
    naming = [t for t in model.terms if any(f.layer == number for p in t.products for f in p)]
    if not naming:
        raise ValueError(f"LatticeModel: no term names the hidden layer {number}.")
    exists = model.layers[number].exists(model.lattice)
    if all(term.at is None for term in naming):
        yield _hidden_layer(model, number, exists)
        return
    if exists.sum() > MAX_FREE_UNITS:
        raise ValueError(
            f"Layer {number}: {exists.sum()} units have coefficients of their own, more than "
            f"{MAX_FREE_UNITS}; use sampled moments for this model."
        )
    for unit in np.flatnonzero(exists):
        yield _hidden_layer(model, number, np.arange(exists.size) == unit)


def _hidden_layer(
    model: LatticeModel, number: int, members: Bool[np.ndarray, " sites"]
) -> HiddenLayer:
    coefficients, species, products = [], [], []
    for index, term in enumerate(model.terms):
        shared = _products_of(model, term, number, members)
        units = {f for product in shared for f in product if f.layer == number}
        if not units:
            continue
        names = {f.species for f in units}
        if len(names) > 1:
            raise ValueError(f"Term {term.name!r} couples several species of layer {number}.")
        coefficients.append(index)
        species.append(model.layers[number].species.index(names.pop()))
        seen = tuple(_seen_from_unit(term, product, number) for product in shared)
        stencil = model.layers[number].stencil
        if any(f.offset not in stencil for product in seen for f in product):
            raise ValueError(f"Term {term.name!r} reaches beyond the stencil {stencil}.")
        products.append(seen)
    ranges = [range(len(p) + 1) if all(p) else [len(p)] for p in products]
    if np.prod([float(len(r)) for r in ranges]) > MAX_CODES:
        raise ValueError(
            f"Layer {number}: its units tell more than {MAX_CODES} surroundings apart; use sampled "
            "moments for this model."
        )
    codes = np.array(list(itertools.product(*ranges)), dtype=np.int64)
    return HiddenLayer(
        number,
        members,
        len(model.layers[number].species),
        tuple(coefficients),
        tuple(species),
        tuple(products),
        codes,
    )


def _products_of(
    model: LatticeModel, term: Term, number: int, members: Bool[np.ndarray, " sites"]
) -> tuple[Product, ...]:
    """Products of a term, without those that name other units of a layer."""
    if term.at is None:
        return term.products
    at = term.at
    return tuple(
        product
        for product in term.products
        if all(f.layer != number or members[model.lattice.site(f.seen_from(at))] for f in product)
    )


def _seen_from_unit(term: Term, product: Product, number: int) -> Product:
    units = [f for f in product if f.layer > 0]
    if len(units) != 1 or units[0].layer != number:
        raise ValueError(
            f"Term {term.name!r} couples hidden units with each other, so they cannot be summed "
            "out one by one; use sampled moments for this model."
        )
    origin = np.array(units[0].offset)
    return tuple(
        Factor(f.species, tuple(int(x) for x in np.array(f.offset) - origin))
        for f in product
        if f.layer == 0
    )


@checked
class Surroundings:
    """Histogram of the surroundings of hidden units of one layer that share their coefficients.

    Parameters
    ----------
    model
        The model.
    layer
        The terms of these units, one of `hidden_layers(model)`.

    Raises
    ------
    ValueError
        If the layer is one of another model.
    """

    def __init__(self, model: LatticeModel, layer: HiddenLayer) -> None:
        _check_layer(model, layer)
        coupled = [(t, p) for t, products in enumerate(layer.products) for p in products if p]
        radix = np.ones(len(layer.products), dtype=np.int64)
        for t in range(len(radix) - 2, -1, -1):
            following = layer.products[t + 1]
            radix[t] = radix[t + 1] * (len(following) + 1 if all(following) else 1)
        self.n_codes = len(layer.codes)
        self._species, self._n_sites = model.species[0], model.lattice.n_sites
        self._weights = np.array([radix[t] for t, _ in coupled], dtype=np.int64)
        exists = layer.units
        self._partners = None
        if all(len(product) == 1 for _, product in coupled):
            factors = [product[0] for _, product in coupled]
            self._partners = _partners(model, factors, self._weights, exists)
            return
        terms = [Term(str(i), (product,)) for i, (_, product) in enumerate(coupled)]
        self._tables = TermCounter(model.lattice, model.species[:1], terms).tables
        self._cells = _site_cells(self._tables, exists)

    def histogram(
        self, visible: UInt8[np.ndarray, "states sites"]
    ) -> Int64[np.ndarray, "states codes"]:
        """Number of units of each code in each visible state.

        Raises
        ------
        ValueError
            If a state does not have one label a site, or a label is not 0 to the number of species.
        """
        where, shape = "Surroundings.histogram", ("states", self._n_sites)
        visible = check_states(where, visible, self._species, shape, argument="visible")
        histogram = np.zeros((len(visible), self.n_codes), dtype=np.int64)
        visible = np.ascontiguousarray(visible)
        if self._partners is not None:
            _histogram_of_partners(visible, self._partners, histogram)
        else:
            _histogram(visible, self._tables, self._weights, self._cells, histogram)
        return histogram


def _check_layer(model: LatticeModel, layer: HiddenLayer) -> None:
    """Raise unless the terms of hidden units can be those of a model."""
    factors = [f for products in layer.products for product in products for f in product]
    fits = (
        0 < layer.number < len(model.layers)
        and layer.n_species == len(model.layers[layer.number].species)
        and layer.units.size == model.lattice.n_sites
        and all(k < len(model.terms) for k in layer.coefficients)
        and all(f.species in model.species[0] for f in factors)
        and all(len(f.offset) == model.lattice.dim for f in factors)
    )
    if not fits:
        raise ValueError(
            f"Surroundings: `layer` must be one of `hidden_layers(model)`, got {layer.units.size} "
            f"units of layer {layer.number} for a model of {len(model.layers)} layers of "
            f"{model.lattice.n_sites} sites with the coefficients {', '.join(model.coefficients)}."
        )


class _Partners(NamedTuple):
    """Visible units around the hidden ones, for terms that couple pairs of units.

    Attributes
    ----------
    sites
        Site at each offset from each hidden unit; none is beyond the edge, where no unit exists.
    kinds
        Row of `increments` of each offset.
    increments
        What each label of a partner adds to the code, for each kind of partner.
    """

    sites: Int32[np.ndarray, "offsets units"]
    kinds: Int64[np.ndarray, " offsets"]
    increments: Int32[np.ndarray, "kinds labels"]


def _partners(
    model: LatticeModel, factors: list[Factor], weights: Int64[np.ndarray, " factors"], exists
) -> _Partners:
    species = model.species[0]
    offsets = sorted({factor.offset for factor in factors})
    increments = np.zeros((len(offsets), len(species) + 1), dtype=np.int64)
    for factor, weight in zip(factors, weights, strict=True):
        increments[offsets.index(factor.offset), species.index(factor.species) + 1] += weight
    sites = np.array([model.lattice.translate(offset)[exists] for offset in offsets])
    sites = sites.reshape(len(offsets), int(exists.sum()))
    rows, kinds = np.unique(increments, axis=0, return_inverse=True)
    return _Partners(
        sites.astype(np.int32), kinds.reshape(-1).astype(np.int64), rows.astype(np.int32)
    )


@no_type_check
@compiled(parallel=True)
def _histogram_of_partners(visible, partners, histogram):
    n_offsets, n_units = partners.sites.shape
    for s in numba.prange(visible.shape[0]):
        fields = np.empty((partners.increments.shape[0], visible.shape[1]), dtype=np.int32)
        for kind in range(fields.shape[0]):
            for site in range(visible.shape[1]):
                fields[kind, site] = partners.increments[kind, visible[s, site]]
        codes = np.zeros(n_units, dtype=np.int32)
        for j in range(n_offsets):
            field, sites = fields[partners.kinds[j]], partners.sites[j]
            for unit in range(n_units):
                codes[unit] += field[sites[unit]]
        for unit in range(n_units):
            histogram[s, codes[unit]] += 1


def _site_cells(tables, exists):
    bits = np.unpackbits(tables.anchors.view(np.uint8), bitorder="little")
    return np.flatnonzero(bits)[exists].astype(np.int64)


@no_type_check
@compiled(parallel=True)
def _histogram(visible, tables, weights, cells, histogram):
    for s in numba.prange(visible.shape[0]):
        workspace = make_workspace(tables, tables.anchors.size)
        pack_state(visible[s : s + 1], tables, workspace)
        fill_rows(0, tables, workspace)
        codes = np.zeros(tables.anchors.size * WORD, dtype=np.int64)
        for p in range(weights.size):
            bits = workspace[2][tables.row_of_product[p]]
            for cell in cells:
                bit = (bits[cell // WORD] >> np.uint64(cell % WORD)) & np.uint64(1)
                codes[cell] += weights[p] * np.int64(bit)
        for cell in cells:
            histogram[s, codes[cell]] += 1
