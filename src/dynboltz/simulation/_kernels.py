"""The two lattice kernels: what they simulate, and which networks they accept."""

from __future__ import annotations

import abc
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import final

import numpy as np
from jaxtyping import Float64, UInt8, UInt64

from dynboltz._arguments import checked
from dynboltz.lattices import Lattice
from dynboltz.reactions import ReactionNetwork

from ._collision import CollisionTables, coarse_probabilities, run_collision
from ._continuous_time import ContinuousTimeTables, run_continuous_time
from ._events import check_events
from ._records import Records
from ._tables import neighbour_table, pair_table, site_table


@checked
class AbstractKernel(abc.ABC):
    """Dynamics of particles on a lattice, recorded at equal intervals."""

    @property
    @abc.abstractmethod
    def time_step(self) -> float:
        """Time between two records."""

    @abc.abstractmethod
    def check(self, network: ReactionNetwork) -> None:
        """Raise `ValueError` unless the kernel can simulate the network."""

    @abc.abstractmethod
    def run(
        self,
        network: ReactionNetwork,
        lattice: Lattice,
        *,
        initial: UInt8[np.ndarray, "replicas sites"],
        random: UInt64[np.ndarray, "replicas 4"],
        records: Records,
    ) -> None:
        """Simulate every replica from its initial state and its random stream into `records`."""


@final
@checked
@dataclass(frozen=True)
class CollisionKernel(AbstractKernel):
    r"""One hop attempt a particle and step; neighbours react when they collide.

    A step first lets reactions with less than two reactants happen for the time `dt`, exactly
    (Gillespie): without reactants at rate $k$ on each empty site, with one at rate $k$ a particle.
    The first product takes the site, a second one an empty neighbour drawn at random; if there is
    none, nothing happens. Then every particle, in random order, picks one of its neighbours inside
    the lattice. An empty one is where it moves. With a particle there, each reaction of the two
    happens with its probability $p$: the first product takes the target, the second the origin,
    and neither attempts a hop in this step. Otherwise the particle stays.

    Parameters
    ----------
    dt
        Length of a step [time]. Hops and collisions happen once a step whatever it is.

    Raises
    ------
    ValueError
        If `dt` is not positive and finite.

    References
    ----------
    Ernst et al. (2019), Phys. Rev. E 99, 063315, Sec. IV, after Takayasu and Tretyakov (1992).
    Their program keeps one scheduled event across steps and gives up after 20 tries to place a
    second product; here the waiting time is drawn afresh, which is the same for exponential
    waiting times, and all neighbours are looked at.
    """

    dt: float = 0.01

    def __post_init__(self) -> None:
        _check_positive("CollisionKernel: `dt`", self.dt)

    @property
    def time_step(self) -> float:
        """Time between two records: one step."""
        return self.dt

    def check(self, network: ReactionNetwork) -> None:
        """Raise `ValueError` if a reaction of two reactants has a rate."""
        for reaction in network.reactions:
            if len(reaction.reactants) == 2 and reaction.rate is not None:
                raise ValueError(
                    f"CollisionKernel: `{reaction}` has a rate k. Two reactants react at "
                    "collisions: give a probability p, or use ContinuousTimeKernel (in an "
                    'experiment file, kind = "continuous-time").'
                )

    def run(
        self,
        network: ReactionNetwork,
        lattice: Lattice,
        *,
        initial: UInt8[np.ndarray, "replicas sites"],
        random: UInt64[np.ndarray, "replicas 4"],
        records: Records,
    ) -> None:
        """Simulate every replica from its initial state and its random stream into `records`."""
        site_reactions, pair_reactions = site_table(network), pair_table(network)
        coarse = coarse_probabilities(pair_reactions)
        if lattice.n_sites == 1:
            # The kernel does not ask whether a site has a neighbour: only on a lattice of one site
            # has it none, and the target of its hop is then the site itself, which is occupied.
            coarse[:] = 0
        tables = CollisionTables(
            time_step=float(self.dt),
            neighbours=neighbour_table(lattice),
            site_reactions=site_reactions,
            site_bound=float(site_reactions.totals[1:].max()),
            pair_reactions=pair_reactions,
            coarse=coarse,
        )
        n_site_steps = float(lattice.n_sites) * _n_intervals(records)
        rate = site_reactions.totals[0] + tables.site_bound
        check_events(
            "CollisionKernel",
            rate * self.dt * n_site_steps,
            "Lower the rate constants k of the reactions, `dt`, or the number of steps.",
        )
        run_collision(initial, random, *tables, *records)


@final
@checked
@dataclass(frozen=True)
class ContinuousTimeKernel(AbstractKernel):
    r"""The lattice master equation in continuous time, simulated exactly.

    A particle hops to each empty neighbour at rate $D$. Two neighbours react at the rate $k$ of
    each reaction of their species, and the products take the two sites in random order. A particle
    reacts at rate $k$, and an empty site creates at rate $k$; a second product goes to an empty
    neighbour drawn at random, and without one nothing happens.

    Parameters
    ----------
    hop_rate
        Rate $D$ of a hop to one neighbour [1/time], for all species or by species.
    interval
        Time between two records.

    Raises
    ------
    ValueError
        If a hop rate is negative or not finite, or `interval` is not positive and finite.
    """

    hop_rate: float | Mapping[str, float]
    interval: float = 0.01

    def __post_init__(self) -> None:
        _check_positive("ContinuousTimeKernel: `interval`", self.interval)
        rates = self.hop_rate if isinstance(self.hop_rate, Mapping) else {"": self.hop_rate}
        for rate in rates.values():
            if not 0 <= rate < math.inf:
                raise ValueError(
                    "ContinuousTimeKernel: `hop_rate` must be finite and not negative, got "
                    f"{self.hop_rate}."
                )

    @property
    def time_step(self) -> float:
        """Time between two records."""
        return self.interval

    def check(self, network: ReactionNetwork) -> None:
        """Raise `ValueError` if a reaction has a probability, or hop rates and species differ."""
        for reaction in network.reactions:
            if reaction.probability is not None:
                raise ValueError(
                    f"ContinuousTimeKernel: `{reaction}` has a probability p. There are no "
                    "collisions in continuous time: give a rate k, or use CollisionKernel."
                )
        self._hop_rates(network)

    def run(
        self,
        network: ReactionNetwork,
        lattice: Lattice,
        *,
        initial: UInt8[np.ndarray, "replicas sites"],
        random: UInt64[np.ndarray, "replicas 4"],
        records: Records,
    ) -> None:
        """Simulate every replica from its initial state and its random stream into `records`."""
        site_reactions, pair_reactions = site_table(network), pair_table(network)
        hop_rates = self._hop_rates(network)
        tables = ContinuousTimeTables(
            time_step=float(self.interval),
            neighbours=neighbour_table(lattice),
            site_reactions=site_reactions,
            site_bound=float(site_reactions.totals[1:].max()),
            pair_reactions=pair_reactions,
            hop_rates=hop_rates,
            bond_bound=float(max(hop_rates.max(), pair_reactions.totals.max() / 2)),
        )
        n_directions = tables.neighbours.sites.shape[1]
        rate = site_reactions.totals[0] + tables.site_bound + n_directions * tables.bond_bound
        check_events(
            "ContinuousTimeKernel",
            rate * self.interval * float(lattice.n_sites) * _n_intervals(records),
            "Lower `hop_rate`, the rate constants k of the reactions, `interval`, or the number of "
            "steps.",
        )
        run_continuous_time(initial, random, *tables, *records)

    def _hop_rates(self, network: ReactionNetwork) -> Float64[np.ndarray, " bytes"]:
        rates = self.hop_rate
        if not isinstance(rates, Mapping):
            rates = dict.fromkeys(network.species, rates)
        if set(rates) != set(network.species):
            raise ValueError(
                "ContinuousTimeKernel: `hop_rate` must name each species once "
                f"({', '.join(network.species)}), got {', '.join(rates) or 'none'}."
            )
        return np.array([0.0, *(rates[name] for name in network.species)], dtype=np.float64)


def _n_intervals(records: Records) -> int:
    """Number of intervals between records, of all replicas."""
    n_replicas, n_times = records.moments.shape[:2]
    return n_replicas * (n_times - 1)


def _check_positive(what: str, value: float) -> None:
    if not 0 < value < math.inf:
        raise ValueError(f"{what} must be positive and finite, got {value}.")
