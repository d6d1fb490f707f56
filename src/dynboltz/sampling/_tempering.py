"""Parallel tempering: chains at several temperatures that exchange their states."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np
from jaxtyping import Bool, Float, Float64, Int64, UInt8

from dynboltz._arguments import checked
from dynboltz._numbers import check_finite
from dynboltz._typing import AnyArray

from ._chains import Chains, advance
from ._estimate import check_numbers
from ._gibbs import GibbsSampler


@final
@checked
@dataclass(frozen=True)
class Tempering:
    """Samples of the last set of coefficients of a ladder, and how well its chains mixed.

    Attributes
    ----------
    states
        States under the last set of coefficients after each round.
    swap_rates
        Fraction of the proposed exchanges between neighbouring sets that were accepted.
    round_trips
        How often a state reached the last set of coefficients that had not been there since it
        was under the first set, in each ladder.
    chains
        All chains after the last round.
    """

    states: UInt8[np.ndarray, "layers rounds ladders sites"]
    swap_rates: Float64[np.ndarray, " pairs"]
    round_trips: Int64[np.ndarray, " ladders"]
    chains: Chains


@checked
def even_ladder(
    first: Float[AnyArray, " coefficients"],
    last: Float[AnyArray, " coefficients"],
    n_temperatures: int,
) -> Float64[np.ndarray, "temperatures coefficients"]:
    r"""Sets of coefficients in equal steps on the straight line between two of them.

    With `first` equal to $\beta_0\,\theta$ and `last` to $\theta$ these are temperatures,
    $\theta_i = \beta_i\,\theta$ with the inverse temperatures $\beta_i$ from $\beta_0$ to 1.

    Parameters
    ----------
    first
        Coefficients under which chains mix easily, such as a fraction of `last`, or its biases
        alone.
    last
        Coefficients to sample.
    n_temperatures
        Number of sets, at least 2. About as many as the root of the number of units, times a
        constant, keep the fraction of accepted exchanges from falling as lattices grow.

    Raises
    ------
    ValueError
        If there are fewer than two sets, or a coefficient is not finite.
    """
    check_numbers("even_ladder", n_temperatures=(n_temperatures, 2))
    check_finite("even_ladder", "`first`", first, ("coefficient",))
    check_finite("even_ladder", "`last`", last, ("coefficient",))
    return np.linspace(
        np.asarray(first, np.float64), np.asarray(last, np.float64), n_temperatures, axis=0
    )


@checked
def temper(
    sampler: GibbsSampler,
    ladder: Float[AnyArray, "temperatures coefficients"],
    chains: Chains,
    *,
    n_rounds: int,
    burn_in: int,
    n_sweeps: int = 1,
    seed: int | np.random.SeedSequence,
) -> Tempering:
    r"""Sample a model whose chains get stuck, by parallel tempering of several ladders at once.

    A ladder is one chain under each set of coefficients $\theta_i$. In a round, every chain makes
    some sweeps, then neighbours $i$ and $j = i + 1$ exchange their states with probability

    $$\min\left(1, e^{(\theta_i - \theta_j) \cdot (s(x_j) - s(x_i))}\right),$$

    $s$ summed over the lattice; $i$ is even in one round and odd in the next. The exchange keeps
    the product of the distributions, so that each chain samples its own $\theta_i$, while states
    cross barriers where these are low.

    Parameters
    ----------
    sampler
        Sampler of the model.
    ladder
        Sets of coefficients, in the order of the model, from the one that mixes most easily to the
        one to sample; see `even_ladder`.
    chains
        The same number of chains under each set, those under the first set first: chain
        `i * n_ladders + l` is under set `i` of ladder `l`. Left as they are.
    n_rounds
        Number of rounds, at least 2.
    burn_in
        Number of rounds before them whose states and exchanges are not recorded.
    n_sweeps
        Number of sweeps a round, at least 1.
    seed
        Seed of the exchanges; the chains have random streams of their own.

    Raises
    ------
    ValueError
        If a number is too small, or the chains are not as many under each set; otherwise as for
        `GibbsSampler.sweep`.

    References
    ----------
    Hukushima and Nemoto (1996), J. Phys. Soc. Jpn. 65, 1604.
    """
    check_numbers(
        "temper",
        temperatures=(len(ladder), 2),
        n_rounds=(n_rounds, 2),
        burn_in=(burn_in, 0),
        n_sweeps=(n_sweeps, 1),
    )
    rows = np.asarray(ladder, dtype=np.float64)
    if len(chains) == 0 or len(chains) % len(rows):
        raise ValueError(
            f"temper: the number of chains must be a multiple of the {len(rows)} sets of "
            f"coefficients, got {len(chains)}."
        )
    generator = np.random.default_rng(seed)
    n_layers, n_chains, n_sites = chains.states.shape
    n_ladders = n_chains // len(rows)
    states = np.empty((n_layers, n_rounds, n_ladders, n_sites), dtype=np.uint8)
    accepted = np.zeros(len(rows) - 1)
    from_first = np.zeros((len(rows), n_ladders), dtype=bool)
    from_first[0] = True
    trips = np.zeros(n_ladders, dtype=np.int64)
    for number in range(-burn_in, n_rounds):
        chains = advance(sampler, chains, rows, n_sweeps)
        swaps = _propose(sampler, rows, chains, number % 2, generator)
        origin = _origins(swaps)
        chains = _exchange(chains, origin)
        from_first = np.take_along_axis(from_first, origin, axis=0)
        if number >= 0:
            states[:, number] = chains.states[:, -n_ladders:]
            accepted += swaps.mean(axis=1)
            trips += from_first[-1]
        from_first[0], from_first[-1] = True, False
    proposed = np.array([len(range(pair % 2, n_rounds, 2)) for pair in range(len(accepted))])
    return Tempering(states, accepted / proposed, trips, chains)


def _propose(
    sampler: GibbsSampler,
    ladder: Float64[np.ndarray, "temperatures coefficients"],
    chains: Chains,
    parity: int,
    generator: np.random.Generator,
) -> Bool[np.ndarray, "pairs ladders"]:
    """Which chains exchange states with their upper neighbours; every second pair has its turn."""
    statistics = sampler.model.counter.count(chains.states)
    statistics = statistics.reshape(len(ladder), -1, statistics.shape[1])
    log_ratio = -np.einsum("pk,plk->pl", np.diff(ladder, axis=0), np.diff(statistics, axis=0))
    swaps = -generator.standard_exponential(log_ratio.shape) < log_ratio
    swaps[1 - parity :: 2] = False
    return swaps


def _origins(
    swaps: Bool[np.ndarray, "pairs ladders"],
) -> Int64[np.ndarray, "temperatures ladders"]:
    """Place in the ladder that the state of each place comes from."""
    upwards = np.pad(swaps, ((0, 1), (0, 0))).astype(np.int64)
    downwards = np.pad(swaps, ((1, 0), (0, 0))).astype(np.int64)
    return np.arange(len(upwards))[:, None] + upwards - downwards


def _exchange(chains: Chains, origin: Int64[np.ndarray, "temperatures ladders"]) -> Chains:
    n_ladders = origin.shape[1]
    moved = (origin * n_ladders + np.arange(n_ladders)).ravel()
    return Chains(np.ascontiguousarray(chains.states[:, moved]), chains.random)
