"""Metropolis-Hastings sampling of point processes by births, deaths and displacements."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import final

import numpy as np
from jaxtyping import Float, Float64, UInt64

from dynboltz._typing import AnyArray
from dynboltz.distributions import PointProcessModel
from dynboltz.lattices import streams
from dynboltz.particles import PointPatterns

from ._birth_death_kernel import Proposals, run_chains
from ._condensation import condensed

_MAX_BATCH = 1 << 24


@final
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
        If there is no chain or no slot.
    """
    if n_chains < 1 or n_slots < 1:
        raise ValueError(
            "start_empty: `n_chains` and `n_slots` must be at least 1, got "
            f"{n_chains} and {n_slots}."
        )
    patterns = PointPatterns(
        np.zeros((n_chains, n_slots, model.box.dim)),
        np.zeros((n_chains, n_slots), dtype=np.uint8),
        model.species,
        model.box,
    )
    return PointChains(patterns, streams(seed, n_chains))


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
        If the patterns do not fit the model or the slots.
    """
    model.check_patterns(patterns)
    largest = int(patterns.counts().sum(axis=-1).max())
    if patterns.labels.ndim != 2 or largest > n_slots:
        raise ValueError(
            "start_from_patterns: `patterns` must have one batch axis and at most "
            f"{n_slots} particles a pattern (`n_slots`), got the shape {patterns.labels.shape} "
            f"with up to {largest} particles."
        )
    start = start_empty(model, len(patterns.labels), n_slots, seed=seed)
    n = min(n_slots, patterns.labels.shape[1])
    start.patterns.positions[:, :n] = patterns.positions[:, :n]
    start.patterns.labels[:, :n] = patterns.labels[:, :n]
    return start


@final
class BirthDeathMove:
    r"""Metropolis-Hastings sampler of a point process.

    A proposal adds a particle of any species at any place, all equally likely, removes one of the
    particles, or displaces one. In a box of volume $V$ with $S$ species, a birth among $n$
    particles is accepted with the probability

    $$\min\Big(1, \frac{S\,V}{n + 1}\, e^{-\Delta E}\Big), \qquad
    \Delta E = \nu_\alpha(x) + \sum_j \nu_{\alpha \alpha_j}(|x - x_j|),$$

    its inverse is that of a death, and displacements are accepted with $\min(1, e^{-\Delta E})$.
    The functions are evaluated exactly, as the polynomials that they are on each element, and a
    proposal costs a time proportional to $n$. Each chain has its own random stream, so results do
    not depend on the number of threads.

    Parameters
    ----------
    model
        The model.
    reach
        Largest displacement along each axis [length]; by default half the largest cutoff, or a
        quarter of the shortest side for independent particles.
    displacement
        Probability that a proposal is a displacement; births and deaths share the rest evenly.

    Raises
    ------
    ValueError
        If `reach` is not between 0 and the shortest side, or `displacement` not in [0, 1).

    References
    ----------
    Geyer and Møller (1994), Scand. J. Stat. 21, 359.
    """

    def __init__(
        self, model: PointProcessModel, *, reach: float | None = None, displacement: float = 0.5
    ) -> None:
        shortest = min(model.box.lengths)
        if reach is None:
            cutoffs = [space.cutoff for space in model.pair.values()]
            reach = max(cutoffs) / 2 if cutoffs else shortest / 4
        if not 0 < reach <= shortest:
            raise ValueError(
                "BirthDeathMove: `reach` must be positive and at most the shortest side of the "
                f"box, {shortest}, got {reach}."
            )
        if not 0 <= displacement < 1:
            raise ValueError(
                "BirthDeathMove: `displacement` must be a probability below 1, or the number of "
                f"particles never changes; got {displacement}."
            )
        self.model = model
        self._proposals = Proposals(float(displacement), np.full(model.box.dim, float(reach)))

    def advance(
        self, chains: PointChains, theta: Float[AnyArray, "*rows coefficients"], n_proposals: int
    ) -> PointChains:
        """Chains after some more proposals; advancing twice equals advancing once by the sum.

        Parameters
        ----------
        chains
            The chains; left as they are.
        theta
            Coefficients, in the order of the model: one set, or rows for equal groups of
            successive chains.
        n_proposals
            Number of proposals.

        Raises
        ------
        ValueError
            If the chains or the coefficients do not fit the model, or a number is negative.
        CondensationError
            If a chain runs out of slots.
        """
        return self.record(chains, theta, n_proposals, 1)[1]

    def record(
        self,
        chains: PointChains,
        theta: Float[AnyArray, "*rows coefficients"],
        n_proposals: int,
        n_records: int,
    ) -> tuple[PointPatterns, PointChains]:
        """Patterns [records, chains] every `n_proposals`, and the chains after the last record.

        Parameters
        ----------
        chains
            The chains; left as they are.
        theta
            Coefficients, in the order of the model: one set, or rows for equal groups of
            successive chains.
        n_proposals
            Number of proposals a record.
        n_records
            Number of records, at least 1.

        Raises
        ------
        ValueError, CondensationError
            As for `advance`.
        """
        if n_proposals < 0 or n_records < 1:
            raise ValueError(
                "BirthDeathMove: `n_proposals` must not be negative and `n_records` at least 1, "
                f"got {n_proposals} and {n_records}."
            )
        start = chains.patterns
        self.model.check_patterns(start)
        rows = self.check_theta(theta, len(chains))
        positions = np.empty((n_records + 1, *start.positions.shape))
        labels = np.empty((n_records + 1, *start.labels.shape), dtype=np.uint8)
        positions[0], labels[0] = start.positions, start.labels
        random, full = chains.random.copy(), np.full(len(chains), -1)
        coefficients = np.ascontiguousarray((self.model.matrix @ rows.T).T)
        tables, proposals = self.model.tables, self._proposals
        run_chains(positions, labels, coefficients, tables, proposals, n_proposals, random, full)
        if (full >= 0).any():
            chain = int(np.argmax(full >= 0))
            row = rows[chain * len(rows) // len(chains)]
            raise condensed(self.model, row, start.labels.shape[1], int(full[chain]))
        last = replace(start, positions=positions[-1].copy(), labels=labels[-1].copy())
        records = replace(start, positions=positions[1:], labels=labels[1:])
        return records, PointChains(last, random)

    def record_statistics(
        self,
        chains: PointChains,
        theta: Float[AnyArray, "*rows coefficients"],
        n_proposals: int,
        n_samples: int,
    ) -> tuple[Float64[np.ndarray, "chains samples coefficients"], PointChains]:
        """Sufficient statistics along chains, totals over the box, and the chains afterwards.

        Parameters
        ----------
        chains, theta, n_proposals
            As for `record`.
        n_samples
            Number of samples.

        Raises
        ------
        ValueError, CondensationError
            As for `advance`.
        """
        batch = max(1, _MAX_BATCH // chains.patterns.positions.size)
        values = []
        for first in range(0, n_samples, batch):
            n_records = min(batch, n_samples - first)
            patterns, chains = self.record(chains, theta, n_proposals, n_records)
            values.append(self.model.statistics(patterns))
        return np.ascontiguousarray(np.concatenate(values).swapaxes(0, 1)), chains

    def check_theta(
        self, theta: Float[AnyArray, "*rows coefficients"], n_chains: int
    ) -> Float64[np.ndarray, "rows coefficients"]:
        """Rows of coefficients; raise `ValueError` if they do not fit the model and the chains."""
        rows = np.array(theta, dtype=np.float64, ndmin=2, order="C")
        n = len(self.model.coefficients)
        fits = rows.ndim == 2 and rows.shape[1] == n and len(rows) > 0
        if not fits or n_chains % len(rows) or not np.all(np.isfinite(rows)):
            raise ValueError(
                f"BirthDeathMove: `theta` must hold {n} finite coefficients, those of "
                f"{tuple(self.model.spaces)}, or rows of them for equal groups of the {n_chains} "
                f"chains; got shape {np.shape(theta)}"
                + ("." if np.all(np.isfinite(rows)) else ", not finite.")
            )
        return rows
