"""The exact master equation of small lattices: every state enumerated, nothing sampled.

States of a lattice are numbered by reading them as digits, site 0 the most significant. Matrices
act on columns of probabilities: the entry `[after, before]` belongs to the transition from
`before` to `after`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import final

import numpy as np
from jaxtyping import Float64, Int64, UInt8
from scipy import sparse

from dynboltz._arguments import checked
from dynboltz._digits import against
from dynboltz._numbers import check_finite
from dynboltz.lattices import Lattice
from dynboltz.reactions import ReactionNetwork

from ._transitions import Transitions, digits

LONGEST_STEP = 50.0
"""Longest time of one uniformisation, in units of the fastest state; exp(-50) is not yet tiny."""

MOST_JUMPS = 1e8
"""Jumps of one evolution; their uniformisation takes minutes even for the smallest lattice."""

NEGLIGIBLE = 1e-18
"""Weight of a term of the uniformisation that no longer changes a probability in float64."""


@checked
def enumerate_states(lattice: Lattice, n_species: int) -> UInt8[np.ndarray, "states sites"]:
    """All states of a lattice in the order of their numbers.

    The number of a state is the mixed-radix number whose digits, in base `n_species + 1`, are its
    sites, site 0 the most significant.

    Parameters
    ----------
    lattice
        The lattice.
    n_species
        Number of species. A site holds 0 if empty and `i + 1` for species `i`.

    Raises
    ------
    ValueError
        If there is no species, or too many states to enumerate.
    """
    if n_species < 1:
        raise ValueError(f"enumerate_states: `n_species` must be at least 1, got {n_species}.")
    return digits(lattice.n_sites, n_species + 1)


@final
@checked
@dataclass(frozen=True, eq=False)
class CollisionStep:
    """One exact step of the collision kernel; made by `collision_step`.

    Attributes
    ----------
    generator
        Generator of the reactions with 0 or 1 reactants [1/time], states by states.
    dt
        Length of the step [time].
    attempt
        One hop attempt of a random particle whose turn is still to come. Its states tell apart
        such particles and those whose turn is over.
    begin
        Index among the states of `attempt` of each state with all turns to come.
    end
        Index among the lattice's states of each state of `attempt`, turns forgotten.
    n_attempts
        Largest number of hop attempts in a step, one a site.
    """

    generator: sparse.csr_array
    dt: float
    attempt: sparse.csr_array
    begin: Int64[np.ndarray, " states"]
    end: Int64[np.ndarray, " extended"]
    n_attempts: int

    @property
    def _axis_entries(self) -> dict[str, int]:
        return {"states": len(self.begin)}

    def apply(self, p: Float64[np.ndarray, " states"]) -> Float64[np.ndarray, " states"]:
        """Distribution over states after the step.

        Parameters
        ----------
        p
            Distribution before the step, in the order of `enumerate_states`.

        Raises
        ------
        ValueError
            If `p` does not have one entry a state, or one is not finite.
        """
        _check_distribution("CollisionStep.apply", "p", p, self.begin.size)
        extended = np.zeros(self.end.size)
        extended[self.begin] = _propagate(self.generator, p, self.dt)
        for _ in range(self.n_attempts):
            extended = self.attempt @ extended
        return np.bincount(self.end, weights=extended, minlength=p.size)


@checked
def collision_step(network: ReactionNetwork, lattice: Lattice, dt: float) -> CollisionStep:
    r"""Build one exact step of the collision kernel for the distribution over all states.

    First the reactions with 0 or 1 reactants run for the time `dt`, $p' = e^{Q\,dt} p$. Then every
    particle makes one hop attempt, in an order drawn uniformly from all orders: onto an empty
    neighbour it moves, at an occupied one the reactions of the pair fire with their
    probabilities. The average over all orders is taken exactly, as a Markov chain that draws one
    particle after the other among those whose turn is still to come.

    Parameters
    ----------
    network
        Reactions; those of two reactants have a probability.
    lattice
        A small lattice.
    dt
        Length of the step [time], not negative.

    Raises
    ------
    ValueError
        If a reaction of two reactants has a rate, `dt` is negative or not finite, or there are
        too many states to enumerate: $(2 M + 1)^N$ for $M$ species on $N$ sites.

    References
    ----------
    Ernst et al. (2019), Sec. IV, after Takayasu and Tretyakov (1992).
    """
    for reaction in network.reactions:
        if len(reaction.reactants) == 2 and reaction.probability is None:
            raise ValueError(
                f"collision_step: the reaction {reaction} has a rate; at a collision two reactants "
                "react with a probability p. Give p, or use continuous_time_generator."
            )
    if not (math.isfinite(dt) and dt >= 0):
        raise ValueError(f"collision_step: `dt` must be finite and not negative, got {dt}.")
    n_species = len(network.species)
    attempts = Transitions(network, lattice, 2 * n_species + 1)
    attempts.add_hop_attempts()
    local = Transitions(network, lattice, n_species + 1)
    local.add_local_reactions()
    forgotten = np.where(attempts.states > n_species, attempts.states - n_species, attempts.states)
    return CollisionStep(
        generator=local.generator(),
        dt=dt,
        attempt=attempts.matrix(),
        begin=local.states @ attempts.places,
        end=forgotten @ local.places,
        n_attempts=lattice.n_sites,
    )


@checked
def continuous_time_generator(
    network: ReactionNetwork, lattice: Lattice, hop_rate: float | Mapping[str, float]
) -> sparse.csr_array:
    r"""Build the generator $Q$ of the continuous-time kernel, $dp/dt = Q p$.

    Each particle hops to each empty neighbouring site at the rate $D$ of its species, each
    neighbouring pair reacts at the rates $k$ of its reactions, and the products take the two
    sites of the pair in random order. Where two sites are neighbours twice, on a periodic axis of
    length 2, they have two bonds and everything happens twice as often.

    Parameters
    ----------
    network
        Reactions, all with a rate.
    lattice
        A small lattice.
    hop_rate
        Rate $D$ of hops to one neighbouring site [1/time], one number or one a species.

    Returns
    -------
    generator
        Entry `[after, before]` is the rate from one state to the other [1/time], in the order of
        `enumerate_states`; columns add up to 0.

    Raises
    ------
    ValueError
        If a reaction has a probability, a hop rate is missing, negative or not finite or belongs
        to no species, or there are too many states to enumerate: $(M + 1)^N$ for $M$ species on
        $N$ sites.

    References
    ----------
    Ernst et al. (2019), Sec. IV A, eq. (36), are two of its moment equations.
    """
    for reaction in network.reactions:
        if reaction.rate is None:
            raise ValueError(
                f"continuous_time_generator: the reaction {reaction} has a probability; in "
                "continuous time a pair reacts at a rate k. Give k, or use collision_step."
            )
    hop_rates = _hop_rates(network.species, hop_rate)
    transitions = Transitions(network, lattice, len(network.species) + 1)
    transitions.add_local_reactions()
    transitions.add_hops(hop_rates)
    transitions.add_pair_reactions()
    return transitions.generator()


@checked
def evolve(
    p0: Float64[np.ndarray, " states"],
    generator: sparse.csr_array,
    times: Float64[np.ndarray, " times"],
) -> Float64[np.ndarray, "times states"]:
    r"""Solve the master equation, $p(t) = e^{Q t} p(0)$.

    The exponential is summed by uniformisation, $e^{Qt} = \sum_n \frac{(\Lambda t)^n}{n!}
    e^{-\Lambda t} (1 + Q / \Lambda)^n$ with $\Lambda$ the fastest rate of leaving a state. All
    terms are positive, so that probabilities stay positive and nothing cancels.

    Parameters
    ----------
    p0
        Distribution at time 0.
    generator
        Generator $Q$ [1/time], columns adding up to 0.
    times
        Times of the result [time], not negative and in order.

    Raises
    ------
    ValueError
        If `p0` does not fit the generator or is not finite, or the times are negative, not finite
        or out of order.
    """
    _check_distribution("evolve", "p0", p0, generator.diagonal().size)
    steps = np.diff(times, prepend=0.0)
    if not np.all(np.isfinite(times)) or np.any(steps < 0):
        raise ValueError(f"evolve: `times` must be finite, not negative and in order, got {times}.")
    result = np.empty((len(times), p0.size))
    p = p0
    for index, step in enumerate(steps):
        p = _propagate(generator, p, float(step))
        result[index] = p
    return result


def _propagate(
    generator: sparse.csr_array, p: Float64[np.ndarray, " states"], time: float
) -> Float64[np.ndarray, " states"]:
    fastest = float(-generator.diagonal().min())
    if not fastest * time <= MOST_JUMPS:
        raise ValueError(
            "The exact master equation: the rates are too large; "
            f"{against(fastest * time, MOST_JUMPS)} jumps are to be expected in the time {time:g} "
            f"(allowed: at most {MOST_JUMPS:g}). Lower the rates, or take a shorter time."
        )
    n_steps = max(1, math.ceil(fastest * time / LONGEST_STEP))
    for _ in range(n_steps):
        p = _uniformise(generator, p, fastest, time / n_steps)
    return p


def _uniformise(generator, p, fastest, time):
    """Sum the jumps of a Poisson clock of rate `fastest`, whose ticks may leave the state."""
    mean = fastest * time
    term = p * math.exp(-mean)
    total, weight, n = term.copy(), math.exp(-mean), 0
    while n < mean or weight > NEGLIGIBLE:
        n += 1
        term = (mean * term + time * (generator @ term)) / n
        weight *= mean / n
        total += term
    return total


def _check_distribution(where: str, name: str, p: np.ndarray, n_states: int) -> None:
    if p.shape != (n_states,):
        raise ValueError(
            f"{where}: the distribution must have shape ({n_states},), one probability a state, "
            f"got {p.shape}."
        )
    check_finite(where, f"`{name}`", p, ("state",))


def _hop_rates(species: tuple[str, ...], hop_rate: float | Mapping[str, float]) -> list[float]:
    rates = hop_rate if isinstance(hop_rate, Mapping) else dict.fromkeys(species, hop_rate)
    if set(rates) != set(species):
        raise ValueError(
            f"`hop_rate` must give one rate for each of the species {', '.join(species)}, got "
            f"rates for {', '.join(rates) or 'none'}."
        )
    for name, rate in rates.items():
        if not (math.isfinite(rate) and rate >= 0):
            raise ValueError(
                f"`hop_rate` must be finite and not negative, got {rate} for species {name}."
            )
    return [float(rates[name]) for name in species]
