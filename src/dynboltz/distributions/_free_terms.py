"""Terms of all sites taken apart into terms of one product at one site each."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool

from dynboltz.lattices import Factor, Lattice, Product, Term

from ._layer import Layer


def free_terms(term: Term, lattice: Lattice, layers: Sequence[Layer]) -> tuple[Term, ...]:
    """One term for each product of a term and each site where all of its units exist.

    Their names end with the coordinates of the units, `b.A[3]`, `W.A.X[3;2]`, `J.A.B[0,1;0,2]`, in
    the order of the layers and of the species of each layer.

    Parameters
    ----------
    term
        The term; one that is placed already is kept.
    lattice
        The lattice.
    layers
        The visible layer, then the hidden layers.
    """
    if term.at is not None:
        return (term,)
    exists = [layer.exists(lattice) for layer in layers]
    return tuple(
        Term(_name(term, product, at, lattice, layers), (product,), at)
        for at in np.ndindex(*lattice.shape)
        for product in term.products
        if all(unit_exists(factor, at, lattice, exists) for factor in product)
    )


def unit_exists(
    factor: Factor,
    at: tuple[int, ...],
    lattice: Lattice,
    exists: Sequence[Bool[np.ndarray, " sites"]],
) -> bool:
    """Whether the unit of a factor of a product at some site is one of those of its layer."""
    site = lattice.site(factor.seen_from(at))
    return site >= 0 and bool(exists[factor.layer][site])


def _name(
    term: Term, product: Product, at: tuple[int, ...], lattice: Lattice, layers: Sequence[Layer]
) -> str:
    ordered = sorted(product, key=lambda f: (f.layer, layers[f.layer].species.index(f.species)))
    units = []
    for factor in ordered:
        place = np.unravel_index(lattice.site(factor.seen_from(at)), lattice.shape)
        units.append(",".join(str(int(x)) for x in place))
    return f"{term.name}[{';'.join(units)}]"
