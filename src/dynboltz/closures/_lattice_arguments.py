"""Defaults and checks of what a closure of a lattice is made of."""

from __future__ import annotations

from collections.abc import Mapping

from dynboltz.lattices import Lattice
from dynboltz.reactions import ReactionNetwork

from ._lattice_factors import LatticeKind

DEFAULT_REACH = {1: 16, 2: 6, 3: 3}
"""Hops between the sites of followed pairs, by the number of axes."""


def reach_of(lattice: Lattice, closure: LatticeKind, reach: int | None) -> int:
    """Largest number of hops between the sites of followed pairs."""
    if closure != "kirkwood":
        if reach is not None:
            raise ValueError(
                f'lattice_closure: `reach` belongs to the closure "kirkwood"; leave it out for '
                f"{closure!r}, got {reach}."
            )
        return 1 if closure == "pair" else 0
    if reach is not None and reach < 1:
        raise ValueError(f"lattice_closure: `reach` must be at least 1, got {reach}.")
    furthest = sum(length // 2 for length in lattice.shape)
    return min(DEFAULT_REACH[lattice.dim] if reach is None else reach, furthest)


def hop_rates_of(
    network: ReactionNetwork, hop_rate: float | Mapping[str, float]
) -> dict[str, float]:
    """Hop rate of each species."""
    if not isinstance(hop_rate, Mapping):
        hop_rate = dict.fromkeys(network.species, float(hop_rate))
    wrong = {name: rate for name, rate in hop_rate.items() if not 0 <= rate < float("inf")}
    if wrong or set(hop_rate) != set(network.species):
        raise ValueError(
            "lattice_closure: `hop_rate` must be one finite rate, not negative, or one for each "
            f"of the species {', '.join(network.species)}; got {dict(hop_rate)}."
        )
    return {name: float(rate) for name, rate in hop_rate.items()}
