"""Initial states."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Shaped, UInt8

from dynboltz._arguments import check_memory, check_range, checked
from dynboltz._typing import AnyArray
from dynboltz.lattices import Lattice, check_states


@checked
def random_counts(
    lattice: Lattice,
    species: Sequence[str],
    counts: Mapping[str, int],
    n_replicas: int,
    *,
    seed: int | np.random.SeedSequence,
) -> UInt8[np.ndarray, "replicas sites"]:
    """Place given numbers of particles at distinct sites drawn at random.

    Parameters
    ----------
    lattice
        The lattice.
    species
        Names of the species, which number them.
    counts
        Number of particles of each species; none of those left out.
    n_replicas
        Number of states, not negative.
    seed
        Seed. Replica `i` does not depend on `n_replicas`.

    Raises
    ------
    ValueError
        If `counts` names an unknown species, has a negative number, or more particles than there
        are sites; if `n_replicas` is negative, or the states are larger than the memory.
    """
    check_range("random_counts", "n_replicas", n_replicas, least=0)
    check_memory("random_counts", "n_replicas", n_replicas, n_replicas * lattice.n_sites)
    for name, count in counts.items():
        if name not in species or count < 0:
            raise ValueError(
                "random_counts: `counts` must give a number, not negative, for some of the "
                f"species {', '.join(species)}; got {dict(counts)}."
            )
    total = sum(counts.values())
    if total > lattice.n_sites:
        raise ValueError(f"random_counts: {total} particles do not fit on {lattice.n_sites} sites.")
    ordered = np.zeros(lattice.n_sites, dtype=np.uint8)
    ordered[:total] = np.repeat(
        [list(species).index(name) + 1 for name in counts], list(counts.values())
    )
    generator = np.random.default_rng(seed)
    return generator.permuted(np.tile(ordered, (n_replicas, 1)), axis=1)


@checked
def from_states(
    states: Shaped[AnyArray, "replicas ..."], lattice: Lattice, species: Sequence[str]
) -> UInt8[np.ndarray, "replicas sites"]:
    """Check given states and flatten them over the sites.

    Parameters
    ----------
    states
        One state a replica, with the axes of the lattice or one axis of its sites in C order;
        0 for an empty site and `i + 1` for species `i`.
    lattice
        The lattice.
    species
        Names of the species, which number them.

    Raises
    ------
    TypeError, ValueError
        If there is no replica, the shape is not that of the lattice, or an entry is not 0 to the
        number of species.
    """
    return initial_states("from_states", states, lattice, species)


def initial_states(
    where: str,
    states: Shaped[AnyArray, "replicas ..."],
    lattice: Lattice,
    species: Sequence[str],
    argument: str = "states",
) -> UInt8[np.ndarray, "replicas sites"]:
    """Check the states given to a public function as `argument` and flatten them."""
    states = np.asarray(states)
    sites = (lattice.n_sites,)
    if states.shape[:1] == (0,) or states.shape[1:] not in (lattice.shape, sites):
        raise ValueError(
            f"{where}: `{argument}` must have the shape (replicas, {str(lattice.shape)[1:]} or "
            f"(replicas, {lattice.n_sites}), with at least one replica; got {states.shape}."
        )
    labels = check_states(where, states, species, states.shape, argument=argument)
    return np.ascontiguousarray(labels.reshape(-1, lattice.n_sites))
