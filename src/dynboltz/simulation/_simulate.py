"""Ensembles of trajectories."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

import numpy as np
from jaxtyping import Float64, Shaped, UInt8

from dynboltz._arguments import checked
from dynboltz._typing import AnyArray
from dynboltz.lattices import Lattice, Term, TermCounter, neighbour_moments, streams
from dynboltz.reactions import ReactionNetwork

from ._initial import initial_states
from ._kernels import AbstractKernel
from ._records import Records

_MAX_SPECIES = 127
_MAX_SITES = 2**31


@final
@checked
@dataclass(frozen=True)
class Trajectories:
    """Simulated trajectories.

    Attributes
    ----------
    times
        Times of the records, the first one 0.
    state
        States, 0 for an empty site and `i + 1` for species `i`; no times if they were not kept.
    moments
        Moments per site.
    moment_names
        Names of the moments.
    """

    times: Float64[np.ndarray, " times"]
    state: UInt8[np.ndarray, "replicas kept_times sites"]
    moments: Float64[np.ndarray, "replicas times moments"]
    moment_names: tuple[str, ...]


@checked
def simulate(
    network: ReactionNetwork,
    lattice: Lattice,
    initial: Shaped[AnyArray, "replicas ..."],
    *,
    kernel: AbstractKernel,
    n_steps: int,
    seed: int | np.random.SeedSequence,
    moments: Sequence[Term] | None = None,
    first_replica: int = 0,
    keep_states: bool = True,
) -> Trajectories:
    """Simulate an ensemble of trajectories.

    The result depends on the seed, not on the number of threads (`numba.set_num_threads`).

    Parameters
    ----------
    network
        Species and reactions.
    lattice
        The lattice.
    initial
        Initial state of each replica, as `from_states` takes it.
    kernel
        `CollisionKernel` or `ContinuousTimeKernel`.
    n_steps
        Number of records after the initial one.
    seed
        Seed of all replicas.
    moments
        Terms to count in every record; `neighbour_moments` of the species if left out.
    first_replica
        Number of the first replica. An ensemble simulated in blocks that number on is the same as
        one simulated at once.
    keep_states
        Whether to keep the states, besides the moments.

    Raises
    ------
    ValueError
        If the kernel cannot simulate a reaction of the network, the initial states or the moments
        do not fit the lattice and the species, `n_steps` or `first_replica` is negative, the rates
        are so large that more than 1e14 events are to be expected, or there
        are more than 127 species or 2^31 sites.
    """
    _check_sizes(network, lattice, n_steps)
    kernel.check(network)
    states = initial_states("simulate", initial, lattice, network.species, "initial")
    terms = neighbour_moments(network.species, lattice.dim) if moments is None else moments
    counter = _counter(lattice, network, terms)
    n_replicas, n_times = states.shape[0], n_steps + 1
    records = Records(
        counter.tables,
        np.empty((n_replicas, n_times if keep_states else 0, lattice.n_sites), dtype=np.uint8),
        np.empty((n_replicas, n_times, len(terms)), dtype=np.float64),
    )
    random = streams(seed, n_replicas, first_replica)
    kernel.run(network, lattice, initial=states, random=random, records=records)
    times = kernel.time_step * np.arange(n_times)
    return Trajectories(times, records.states, records.moments, tuple(t.name for t in terms))


def _counter(lattice: Lattice, network: ReactionNetwork, terms: Sequence[Term]) -> TermCounter:
    try:
        return TermCounter(lattice, [network.species], terms)
    except ValueError as error:
        raise ValueError(
            f"simulate: `moments` must fit the lattice and the species. {error}"
        ) from error


def _check_sizes(network: ReactionNetwork, lattice: Lattice, n_steps: int) -> None:
    if n_steps < 0:
        raise ValueError(f"simulate: `n_steps` must not be negative, got {n_steps}.")
    if len(network.species) > _MAX_SPECIES or lattice.n_sites > _MAX_SITES:
        raise ValueError(
            f"simulate: at most {_MAX_SPECIES} species and {_MAX_SITES} sites fit the kernels, "
            f"got {len(network.species)} and {lattice.n_sites}."
        )
