"""Metropolis-Hastings sampling of point processes by births, deaths and displacements."""

from __future__ import annotations

from dataclasses import replace
from typing import final

import numpy as np
from jaxtyping import Float, Float64

from dynboltz._arguments import check_memory, check_range, checked
from dynboltz._typing import AnyArray
from dynboltz.distributions import PointProcessModel
from dynboltz.particles import PointPatterns

from ._birth_death_kernel import Proposals, run_chains
from ._condensation import condensed
from ._point_chains import PointChains
from ._rows import coefficient_rows

_MAX_BATCH = 1 << 24


@final
@checked
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

    @property
    def _axis_entries(self) -> dict[str, int | tuple[str, ...]]:
        return self.model._axis_entries

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
        n_bytes = (n_records + 1) * (start.positions.nbytes + start.labels.size)
        check_memory("BirthDeathMove.record", "n_records", n_records, n_bytes)
        n_coefficients = len(self.model.coefficients)
        names = f", those of {tuple(self.model.spaces)}"
        rows = coefficient_rows("BirthDeathMove", theta, names, n_coefficients, len(chains))
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
            Number of samples, at least 1.

        Raises
        ------
        ValueError, CondensationError
            As for `advance`, or if the statistics of so many samples are larger than the memory.
        """
        where = "BirthDeathMove.record_statistics"
        check_range(where, "n_samples", n_samples, least=1)
        n_bytes = 8 * n_samples * len(chains) * len(self.model.coefficients)
        check_memory(where, "n_samples", n_samples, n_bytes)
        batch = max(1, _MAX_BATCH // chains.patterns.positions.size)
        values = []
        for first in range(0, n_samples, batch):
            n_records = min(batch, n_samples - first)
            patterns, chains = self.record(chains, theta, n_proposals, n_records)
            values.append(self.model.statistics(patterns))
        return np.ascontiguousarray(np.concatenate(values).swapaxes(0, 1)), chains
