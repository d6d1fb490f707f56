"""Terms: the statistics of lattice states that coefficients and moments belong to."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, final

from dynboltz._arguments import check_range, checked


@checked
class Factor(NamedTuple):
    """One factor of a product: 1 if the unit at `offset` holds `species`, else 0."""

    species: str
    offset: tuple[int, ...]
    layer: int = 0

    def seen_from(self, at: tuple[int, ...]) -> tuple[int, ...]:
        """Coordinates of the unit for a product at some site; they may lie beyond the edge."""
        if len(at) != len(self.offset):
            raise ValueError(
                f"Factor.seen_from: `at` must have {len(self.offset)} entries, got {at}."
            )
        return tuple(a + o for a, o in zip(at, self.offset, strict=True))


Product = tuple[Factor, ...]


@final
@checked
@dataclass(frozen=True)
class Term:
    r"""A statistic of lattice states, the same at all sites or at one site only.

    $$s(x) = \sum_{\text{products } P} \; \sum_{\text{sites } a} \;
    \prod_{(\alpha, o, l) \in P} [\, x^{(l)}_{a + o} = \alpha \,]$$

    Products that reach beyond a closed edge count zero. With `at`, the sum over the sites has the
    one site $a$ that it names. A coefficient of an energy and a moment of a distribution both
    belong to a term; moments are quoted per visible site.

    Parameters
    ----------
    name
        Name of the coefficient (`b.A`, `J.A.A`, `W.A.X`) or of the moment (`A`, `A.A`).
    products
        The products that share the coefficient, each a tuple of factors.
    at
        Coordinates of the only site where the products are counted; all sites if left out.

    Raises
    ------
    ValueError
        If there is no product, an empty one, or one that names the same unit twice.
    """

    name: str
    products: tuple[Product, ...]
    at: tuple[int, ...] | None = None

    def __post_init__(self) -> None:
        if not self.products or not all(self.products):
            raise ValueError(f"Term {self.name!r} needs at least one product of one factor.")
        for product in self.products:
            units = [(factor.layer, factor.offset) for factor in product]
            if len(set(units)) < len(units):
                raise ValueError(f"Term {self.name!r} names the same unit twice in {product}.")

    @property
    def order(self) -> int:
        """Largest number of factors in a product."""
        return max(len(product) for product in self.products)


@checked
def run_term(name: str, species: Sequence[str], dim: int) -> Term:
    """Term of the given species on consecutive sites, summed over the axes.

    One species is a bias, two are nearest neighbours, three a run of three, and so on. A run that
    reads differently backwards is summed over both directions, so that `A.B` counts every
    neighbouring pair of an A and a B.

    Parameters
    ----------
    name
        Name of the term.
    species
        Species along the run.
    dim
        Number of axes of the lattice.
    """
    check_range("run_term", "dim", dim, 1, 3)
    orders = {tuple(species), tuple(reversed(species))}
    axes = range(dim) if len(species) > 1 else range(1)
    products = tuple(
        tuple(
            Factor(label, tuple(place if a == axis else 0 for a in range(dim)))
            for place, label in enumerate(order)
        )
        for axis, order in itertools.product(axes, sorted(orders))
    )
    return Term(name, products)


@checked
def neighbour_moments(species: Sequence[str], dim: int, max_order: int = 4) -> tuple[Term, ...]:
    """Moments of neighbouring sites, order by order.

    Order 1 has one moment a species, order 2 one for every pair of species, higher orders one a
    species: the same species on `order` consecutive sites. Moments are named by their species
    joined with dots, `A`, `A.B`, `A.A.A`.

    Parameters
    ----------
    species
        Names of the species.
    dim
        Number of axes of the lattice.
    max_order
        Highest order, at least 1.
    """
    check_range("neighbour_moments", "dim", dim, 1, 3)
    check_range("neighbour_moments", "max_order", max_order, 1)
    runs: list[tuple[str, ...]] = [(label,) for label in species]
    if max_order >= 2:
        runs += itertools.combinations_with_replacement(species, 2)
    runs += [(label,) * order for order in range(3, max_order + 1) for label in species]
    return tuple(run_term(".".join(run), run, dim) for run in runs)
