"""Differences of moments and Fisher metrics of point processes from persistent chains."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, final

import numpy as np
from jaxtyping import Float, Float64

from dynboltz._arguments import check_positive, check_range, checked
from dynboltz._typing import AnyArray
from dynboltz.distributions import PointProcessModel
from dynboltz.particles import PointPatterns
from dynboltz.sampling import BirthDeathMove, PointChains, start_from_patterns


class PointLook(NamedTuple):
    r"""What chains show at some coefficients of every snapshot.

    Attributes
    ----------
    difference
        $\mu - \tilde\mu$, data minus model: the derivative of the divergence with respect to
        $\theta$ for $p \propto e^{-\theta \cdot s}$.
    metric
        Fisher metric $\mathrm{Cov}(s)$.
    """

    difference: Float64[np.ndarray, "initial_conditions times coefficients"]
    metric: Float64[np.ndarray, "initial_conditions times coefficients coefficients"]


@final
@checked
class PointMoments:
    """Moments of a point process along solutions, by chains that go on from look to look.

    Every snapshot has chains of its own, which start from its patterns.

    Parameters
    ----------
    model
        The model.
    patterns
        Replicas of each initial condition at all times, with the batch (replicas, times).
    chains
        Chains of a snapshot.
    samples
        Samples that a chain contributes to a look.
    proposals
        Proposals a sample, for each particle of a mean pattern.
    seed
        Seed of the chains.

    Attributes
    ----------
    data
        Mean statistics of the replicas, totals over the box.
    data_metric
        Covariances of the statistics of the replicas: the metric where the model is right.
    n_replicas
        Number of replicas of each initial condition.

    Raises
    ------
    ValueError
        If patterns do not fit the model or each other.
    """

    data: Float64[np.ndarray, "initial_conditions times coefficients"]
    data_metric: Float64[np.ndarray, "initial_conditions times coefficients coefficients"]
    n_replicas: Float64[np.ndarray, " initial_conditions"]

    def __init__(
        self,
        model: PointProcessModel,
        patterns: Sequence[PointPatterns],
        *,
        chains: int,
        samples: int,
        proposals: float,
        seed: int | np.random.SeedSequence,
    ) -> None:
        where = "PointMoments"
        for name, value in (("chains", chains), ("samples", samples)):
            check_range(where, name, value, least=1)
        check_range(where, "chains * samples", chains * samples, least=2)
        check_positive(where, "proposals", proposals)
        if not patterns:
            raise ValueError(f"{where}: `patterns` must have one initial condition or more, got 0.")
        if len({own.batch[1:] for own in patterns}) != 1 or len(patterns[0].batch) != 2:
            raise ValueError(
                "PointMoments: `patterns` must have the batch (replicas, times) for each initial "
                f"condition, the same times for all, got {[own.batch for own in patterns]}."
            )
        if any(own.batch[0] < 2 or own.batch[1] < 1 for own in patterns):
            raise ValueError(
                f"{where}: `patterns` must have two or more replicas and one or more times, got "
                f"{[own.batch for own in patterns]}."
            )
        for own in patterns:
            model.check_patterns(own)
        statistics = [model.statistics(own) for own in patterns]
        self.data = np.stack([own.mean(axis=0) for own in statistics])
        self.data_metric = np.stack([_covariances(own.swapaxes(0, 1)) for own in statistics])
        self.n_replicas = np.array([own.batch[0] for own in patterns], dtype=np.float64)
        counts = [own.counts().sum(axis=-1) for own in patterns]
        mean = np.mean([own.mean() for own in counts])
        self._sampler, self._samples = BirthDeathMove(model), samples
        self._n_proposals = int(np.ceil(proposals * max(1.0, mean)))
        slots = 2 * int(max(own.max() for own in counts)) + 50
        start = _first_of_each(patterns, chains, slots)
        self._chains: PointChains = start_from_patterns(model, start, slots, seed=seed)

    def __call__(
        self, theta: Float[AnyArray, "initial_conditions times coefficients"]
    ) -> PointLook:
        """Move all chains on at the coefficients `theta` of their snapshots, and look at them.

        Raises
        ------
        CondensationError
            If a chain runs out of slots; all chains then stay where they were.
        """
        if theta.shape != self.data.shape:
            raise ValueError(
                f"PointMoments: `theta` must have the shape {self.data.shape} of the initial "
                f"conditions, times and coefficients, got {theta.shape}."
            )
        theta = np.asarray(theta)
        rows = theta.reshape(-1, theta.shape[-1])
        values, self._chains = self._sampler.record_statistics(
            self._chains, rows, self._n_proposals, self._samples
        )
        own = values.reshape(len(rows), -1, rows.shape[1])
        difference = self.data - own.mean(axis=1).reshape(theta.shape)
        return PointLook(difference, _covariances(own).reshape(*theta.shape, theta.shape[-1]))


def _covariances(
    values: Float64[np.ndarray, "rows samples coefficients"],
) -> Float64[np.ndarray, "rows coefficients coefficients"]:
    away = values - values.mean(axis=1, keepdims=True)
    return np.einsum("rsk,rsl->rkl", away, away) / (values.shape[1] - 1)


def _first_of_each(patterns: Sequence[PointPatterns], chains: int, slots: int) -> PointPatterns:
    """Patterns of the first replicas of each snapshot, over again where there are too few."""
    positions, labels = [], []
    for own in patterns:
        chosen = np.resize(np.arange(own.batch[0]), chains)
        room = slots - own.n_slots
        positions.append(np.pad(own.positions[chosen], ((0, 0), (0, 0), (0, room), (0, 0))))
        labels.append(np.pad(own.labels[chosen], ((0, 0), (0, 0), (0, room))))
    shape = (-1, slots)
    return PointPatterns(
        np.stack(positions).swapaxes(1, 2).reshape(*shape, patterns[0].box.dim),
        np.stack(labels).swapaxes(1, 2).reshape(shape),
        patterns[0].species,
        patterns[0].box,
    )
