"""Chains over point patterns: patterns together with their random streams."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np
from jaxtyping import UInt64

from dynboltz._arguments import check_memory, checked
from dynboltz.distributions import PointProcessModel
from dynboltz.lattices import streams
from dynboltz.particles import PointPatterns


@final
@checked
@dataclass(frozen=True)
class PointChains:
    """Markov chains over point patterns.

    Attributes
    ----------
    patterns
        Current pattern of each chain; its slots are the most particles that a chain may have.
    random
        Random stream of each chain, the state of its generator.
    """

    patterns: PointPatterns
    random: UInt64[np.ndarray, "chains words"]

    def __len__(self) -> int:
        return len(self.random)


@checked
def start_empty(
    model: PointProcessModel, n_chains: int, n_slots: int, *, seed: int | np.random.SeedSequence
) -> PointChains:
    """Chains that start without particles.

    Parameters
    ----------
    model
        The model.
    n_chains
        Number of chains, at least 1.
    n_slots
        The most particles that a chain may have: well beyond the number expected.
    seed
        Seed of the random streams.

    Raises
    ------
    ValueError
        If there is no chain or no slot, or the slots of all chains are more than the memory holds.
    """
    return _start_empty("start_empty", model, n_chains, n_slots, seed)


def _start_empty(
    where: str,
    model: PointProcessModel,
    n_chains: int,
    n_slots: int,
    seed: int | np.random.SeedSequence,
) -> PointChains:
    if n_chains < 1 or n_slots < 1:
        raise ValueError(
            f"{where}: `n_chains` and `n_slots` must be at least 1, got {n_chains} and {n_slots}."
        )
    name, largest = max(("n_slots", n_slots), ("n_chains", n_chains), key=lambda one: one[1])
    size = n_chains * n_slots * (8 * model.box.dim + 1)
    check_memory(where, name, largest, size)
    patterns = PointPatterns(
        np.zeros((n_chains, n_slots, model.box.dim)),
        np.zeros((n_chains, n_slots), dtype=np.uint8),
        model.species,
        model.box,
    )
    return PointChains(patterns, streams(seed, n_chains))


@checked
def start_from_patterns(
    model: PointProcessModel,
    patterns: PointPatterns,
    n_slots: int,
    *,
    seed: int | np.random.SeedSequence,
) -> PointChains:
    """Chains that start from given patterns, one each.

    Parameters
    ----------
    model
        The model.
    patterns
        Patterns with one batch axis, one a chain.
    n_slots
        The most particles that a chain may have: well beyond the number expected.
    seed
        Seed of the random streams.

    Raises
    ------
    ValueError
        If the patterns do not fit the model or the slots, or the slots are more than the memory
        holds.
    """
    model.check_patterns(patterns)
    largest = int(patterns.counts().sum(axis=-1).max())
    if patterns.labels.ndim != 2 or largest > n_slots:
        raise ValueError(
            "start_from_patterns: `patterns` must have one batch axis and at most "
            f"{n_slots} particles a pattern (`n_slots`), got the shape {patterns.labels.shape} "
            f"with up to {largest} particles."
        )
    start = _start_empty("start_from_patterns", model, len(patterns.labels), n_slots, seed)
    n = min(n_slots, patterns.labels.shape[1])
    start.patterns.positions[:, :n] = patterns.positions[:, :n]
    start.patterns.labels[:, :n] = patterns.labels[:, :n]
    return start
