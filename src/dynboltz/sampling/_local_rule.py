"""What a unit sees: the products of a model as they look from one unit of a layer."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import NamedTuple

from dynboltz.distributions import LatticeModel
from dynboltz.lattices import Factor, Product, Term


class Partner(NamedTuple):
    """A unit seen from another one; the layer behind the last one says where the lattice is."""

    layer: int
    offset: tuple[int, ...]


class LocalProduct(NamedTuple):
    """A product that a unit takes part in by holding `species` (counted from 0).

    It adds its coefficient to the field of that species if every partner, named by its place among
    the partners of the unit, holds the label given for it. `coefficients` has one entry for all
    units or, where coefficients belong to single places, one for the unit at each site, -1 where
    the unit takes no part.
    """

    species: int
    coefficients: tuple[int, ...]
    factors: tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class LocalRule:
    """The conditional distribution of the units of one layer, by the products they are part of.

    Attributes
    ----------
    layer
        Number of the layer.
    n_species
        Number of its species.
    partners
        The units that the distribution depends on.
    n_labels
        Number of values that each partner takes.
    products
        The products.
    """

    layer: int
    n_species: int
    partners: tuple[Partner, ...]
    n_labels: tuple[int, ...]
    products: tuple[LocalProduct, ...]

    @property
    def is_tied(self) -> bool:
        """Whether all units share their coefficients."""
        return all(len(product.coefficients) == 1 for product in self.products)


def local_rule(model: LatticeModel, layer: int) -> LocalRule:
    """Collect the products of a model that the units of a layer take part in."""
    places: dict[Partner, int] = {}
    products = []
    placed = _PlacedProducts(model.lattice.n_sites)
    for coefficient, term in enumerate(model.terms):
        for product in term.products:
            for factor in (f for f in product if f.layer == layer):
                factors = _seen_from(model, term, product, factor)
                seen = tuple((places.setdefault(p, len(places)), label) for p, label in factors)
                species = model.species[layer].index(factor.species)
                if term.at is None:
                    products.append(LocalProduct(species, (coefficient,), seen))
                else:
                    site = model.lattice.site(factor.seen_from(term.at))
                    placed.add(species, seen, site, coefficient)
    labels = [len(names) + 1 for names in model.species] + [2]
    return LocalRule(
        layer=layer,
        n_species=len(model.species[layer]),
        partners=tuple(places),
        n_labels=tuple(labels[partner.layer] for partner in places),
        products=(*products, *placed.products()),
    )


class _PlacedProducts:
    """Products of single places; those that look alike from their units are one, site by site."""

    def __init__(self, n_sites: int) -> None:
        self._n_sites = n_sites
        self._found: dict[tuple, list[int]] = {}

    def add(
        self, species: int, factors: tuple[tuple[int, int], ...], site: int, coefficient: int
    ) -> None:
        """Add a product of the unit at a site; its doubles are further products."""
        for double in itertools.count():
            sites = self._found.setdefault((species, factors, double), [-1] * self._n_sites)
            if sites[site] < 0:
                sites[site] = coefficient
                return

    def products(self) -> list[LocalProduct]:
        """All products."""
        return [
            LocalProduct(species, tuple(sites), factors)
            for (species, factors, _), sites in self._found.items()
        ]


def _seen_from(
    model: LatticeModel, term: Term, product: Product, unit: Factor
) -> list[tuple[Partner, int]]:
    """Partners and labels of the other factors of a product, with offsets from the given one.

    A product that does not name the site it is anchored at needs that site on a closed lattice,
    unless it is at one site anyway.
    """
    seen = [
        (Partner(f.layer, _difference(f.offset, unit.offset)), _label(model, f))
        for f in product
        if f != unit
    ]
    anywhere = term.at is None and model.lattice.boundary == "closed"
    if anywhere and all(any(f.offset) for f in product):
        origin = (0,) * model.lattice.dim
        seen.append((Partner(len(model.layers), _difference(origin, unit.offset)), 1))
    return seen


def _difference(offset: tuple[int, ...], origin: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(int(a) - int(b) for a, b in zip(offset, origin, strict=True))


def _label(model: LatticeModel, factor: Factor) -> int:
    return model.species[factor.layer].index(factor.species) + 1
