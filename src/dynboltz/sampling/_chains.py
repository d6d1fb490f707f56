"""Chains that go on from where they were: states together with their random streams."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final, no_type_check

import numba
import numpy as np
from jaxtyping import Float, Shaped, UInt8, UInt64

from dynboltz._arguments import check_memory, checked
from dynboltz._compiled import compiled
from dynboltz._typing import AnyArray
from dynboltz.distributions import LatticeModel
from dynboltz.lattices import bounded, streams

from ._gibbs import GibbsSampler, with_hidden
from ._tables import unit_exists

_STREAM = 32  # bytes of the state of a generator


@final
@checked
@dataclass(frozen=True)
class Chains:
    """Markov chains over the states of a model.

    Attributes
    ----------
    states
        Current state of each chain: 0 for an empty unit, `i + 1` for the species `i` of its layer.
    random
        Random stream of each chain, the state of its generator.
    """

    states: UInt8[np.ndarray, "layers chains sites"]
    random: UInt64[np.ndarray, "chains words"]

    @property
    def visible(self) -> UInt8[np.ndarray, "chains sites"]:
        """Current visible states."""
        return self.states[0]

    def __len__(self) -> int:
        return self.states.shape[1]


@checked
def start_random(
    model: LatticeModel, n_chains: int, *, seed: int | np.random.SeedSequence
) -> Chains:
    """Chains that start with every unit empty or of any species, all equally likely.

    Parameters
    ----------
    model
        The model.
    n_chains
        Number of chains, at least 1.
    seed
        Seed of the states and of the random streams.

    Raises
    ------
    ValueError
        If there is no chain, or the chains are larger than the memory.
    """
    return _start_random("start_random", model, n_chains, seed)


def _start_random(
    where: str, model: LatticeModel, n_chains: int, seed: int | np.random.SeedSequence
) -> Chains:
    if n_chains < 1:
        raise ValueError(f"{where}: `n_chains` must be at least 1, got {n_chains}.")
    n_bytes = n_chains * (_STREAM + len(model.layers) * model.lattice.n_sites)
    check_memory(where, "n_chains", n_chains, n_bytes)
    random = streams(seed, n_chains)
    states = np.empty((len(model.layers), n_chains, model.lattice.n_sites), dtype=np.uint8)
    n_labels = np.array([len(layer.species) + 1 for layer in model.layers])
    _fill_at_random(states, n_labels, unit_exists(model), random)
    return Chains(states, random)


@no_type_check
@compiled(parallel=True)
def _fill_at_random(states, n_labels, exists, random):
    """Draw all units [layers, chains, sites] with the streams of their chains."""
    n_layers, n_chains, n_sites = states.shape
    for chain in numba.prange(n_chains):
        for layer in range(n_layers):
            for site in range(n_sites):
                drawn = bounded(random[chain], n_labels[layer])
                states[layer, chain, site] = drawn if exists[layer, site] else 0


@checked
def start_spread(
    model: LatticeModel, n_chains: int, *, seed: int | np.random.SeedSequence
) -> Chains:
    """Chains that start as far apart as possible: in turn empty, full of each species, at random.

    Chains from units drawn at random alone may all fall into the same state, and then agree with
    each other although another state is as likely. Hidden units are empty until their first sweep,
    unless they are drawn at random.

    Parameters
    ----------
    model
        The model.
    n_chains
        Number of chains, at least 1; with as many as two more than there are visible species,
        every kind of start has its turn.
    seed
        Seed of the states and of the random streams.

    Raises
    ------
    ValueError
        If there is no chain, or the chains are larger than the memory.
    """
    chains = _start_random("start_spread", model, n_chains, seed)
    n_labels = len(model.layers[0].species) + 1
    kind = np.arange(n_chains) % (n_labels + 1)
    for label in range(n_labels):
        chains.states[:, kind == label] = 0
        chains.states[0, kind == label] = label
    return chains


@checked
def start_from_data(
    model: LatticeModel,
    visible: Shaped[AnyArray, "chains sites"],
    *,
    seed: int | np.random.SeedSequence,
) -> Chains:
    """Chains that start from visible states; hidden units are empty until their first sweep.

    Parameters
    ----------
    model
        The model.
    visible
        Visible state of each chain.
    seed
        Seed of the random streams.

    Raises
    ------
    TypeError, ValueError
        If `visible` does not have one row of sites a chain, or an entry is not 0 to the number of
        visible species.
    """
    states = with_hidden("start_from_data", model, visible)
    return Chains(states, streams(seed, states.shape[1]))


@checked
def advance(
    sampler: GibbsSampler,
    chains: Chains,
    theta: Float[AnyArray, "*rows coefficients"],
    n_sweeps: int,
) -> Chains:
    """Chains after some more sweeps; advancing twice equals advancing once by the sum.

    Parameters
    ----------
    sampler
        Sampler of the model.
    chains
        The chains; left as they are.
    theta
        Coefficients, in the order of the model: one set, or one row a chain.
    n_sweeps
        Number of sweeps.

    Raises
    ------
    ValueError
        As for `GibbsSampler.sweep`.
    """
    _, after = record(sampler, chains, theta, n_sweeps, 1)
    return after


@checked
def record(
    sampler: GibbsSampler,
    chains: Chains,
    theta: Float[AnyArray, "*rows coefficients"],
    n_sweeps: int,
    n_records: int,
    *,
    hidden_only: bool = False,
) -> tuple[UInt8[np.ndarray, "layers records chains sites"], Chains]:
    """States of the chains every `n_sweeps` sweeps, and the chains after the last record.

    Parameters
    ----------
    sampler
        Sampler of the model.
    chains
        The chains; left as they are.
    theta
        Coefficients, in the order of the model: one set, or one row a chain.
    n_sweeps
        Number of sweeps a record.
    n_records
        Number of records, at least 1.
    hidden_only
        Update the hidden layers only.

    Raises
    ------
    ValueError
        As for `GibbsSampler.sweep`.
    """
    records, random = sampler.record(
        chains.states,
        theta,
        chains.random,
        n_sweeps=n_sweeps,
        n_records=n_records,
        hidden_only=hidden_only,
    )
    last = np.ascontiguousarray(records[:, -1])
    return records, Chains(last, random)
