"""Whether terms fit a lattice and its layers."""

from __future__ import annotations

import numpy as np

from ._lattice import Lattice
from ._term import Term


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
    if term.at is not None:
        _check_place(term, term.at, lattice)


def _check_place(term: Term, at: tuple[int, ...], lattice: Lattice) -> None:
    if len(at) != lattice.dim or any(not 0 <= a < lattice.shape[i] for i, a in enumerate(at)):
        raise ValueError(
            f"Term {term.name!r} is placed at {at}; `at` must hold the coordinates of a site of a "
            f"lattice of shape {lattice.shape}, counted from 0."
        )
    for factor in (factor for product in term.products for factor in product):
        if lattice.site(factor.seen_from(at)) < 0:
            raise ValueError(
                f"Term {term.name!r}, placed at {at}, reaches beyond the closed edge of a lattice "
                f"of shape {lattice.shape} by its offset {factor.offset}; leave it out, or place "
                "it elsewhere."
            )
