"""Differences of moments whose model side comes from chains that know nothing of the data."""

from __future__ import annotations

from collections.abc import Mapping
from typing import final

import numpy as np
from jaxtyping import Float, Float64, UInt8

from dynboltz._arguments import check_range, checked
from dynboltz._typing import AnyArray
from dynboltz.lattices import child_seeds, numbered_seed
from dynboltz.sampling import Chains, GibbsSampler, advance, start_random

from ._data import TrainingData, check_data, read_states
from ._objective import MomentDifference, Selection, check_selected, restored
from ._phases import HiddenAverage
from ._replica_summaries import replica_summaries


@final
@checked
class ChainMoments:
    """Moments of the model after some sweeps from random units, or from persistent chains.

    Both phases count hidden units with their probabilities given the visible ones, see
    `HiddenAverage`. Without `replicas`, the data enter through their summaries, hence all replicas
    without noise.

    Parameters
    ----------
    sampler
        Sampler of the model.
    data
        The trajectories, with a reader of states if `replicas` is given or hidden layers are
        coupled with each other.
    replicas
        Lattices drawn from the replicas for each estimate; all if left out.
    chains
        Chains for each snapshot.
    sweeps
        Number of sweeps.
    persistent
        Whether the chains of a snapshot go on from where they were when it was last looked at.
    seed
        Seed of the choice of lattices and of the samples.

    References
    ----------
    Ernst et al. (2019), Sec. IV B; Tieleman (2008), Proc. ICML 25, 1064.
    """

    def __init__(
        self,
        sampler: GibbsSampler,
        data: TrainingData,
        *,
        replicas: int | None,
        chains: int,
        sweeps: int,
        persistent: bool,
        seed: np.random.SeedSequence,
    ) -> None:
        for name, value in (("chains", chains), ("replicas", replicas or 1)):
            check_range("ChainMoments", name, value, least=1)
        check_range("ChainMoments", "sweeps", sweeps, least=0)  # 0: chains stay where they are
        if data.states is None and (data.summaries is None or replicas is not None):
            raise ValueError("ChainMoments: `data.states` is needed to read states; got None.")
        data = check_data("ChainMoments", data, sampler.model.coefficients)
        self._sampler, self._data = sampler, data
        self._average = HiddenAverage(sampler)
        self._summaries = data.summaries if replicas is None else None
        self._replicas = min(replicas or data.n_replicas, data.n_replicas)
        self._chains, self._sweeps = chains, sweeps
        self._kept = _KeptChains(sampler, data, chains) if persistent else None
        keep = self._summaries is None
        self._drawn = replica_summaries(self._average.clamped, data) if keep else None
        self._seed, self._calls = seed, 0

    def __call__(
        self, theta: Float[AnyArray, "initial_conditions times coefficients"], selection: Selection
    ) -> MomentDifference:
        """Differences at the coefficients `theta` of the selected snapshots."""
        selection = check_selected("ChainMoments", theta, selection, self._data)
        if not theta.size:
            return MomentDifference(np.zeros(theta.shape), np.zeros(theta.shape[:2]))
        rows = np.asarray(theta).reshape(-1, theta.shape[-1])
        for_awake, for_start = child_seeds(numbered_seed(self._seed, self._calls), 2)
        self._calls += 1
        if self._kept is None:
            start = start_random(self._sampler.model, len(rows) * self._chains, seed=for_start)
        else:
            start = self._kept.read(selection, for_start)
        after = advance(self._sampler, start, rows, self._sweeps)
        if self._kept is not None:
            self._kept.write(selection, after)
        difference = self._difference(rows, after, selection, for_awake)
        return MomentDifference(difference.reshape(theta.shape), np.full(theta.shape[:2], np.nan))

    @property
    def _axis_entries(self) -> dict[str, tuple[str, ...]]:
        return {"coefficients": self._sampler.model.coefficients}

    def state(self) -> dict[str, np.ndarray]:
        """Number of calls so far, and the persistent chains."""
        kept = {} if self._kept is None else self._kept.state()
        return {"calls": np.array(self._calls), **kept}

    def restore(self, state: Mapping[str, np.ndarray]) -> None:
        """Go on as after that many calls, with those chains."""
        state = restored("ChainMoments.restore", state, self.state())
        self._calls = int(state["calls"])
        if self._kept is not None:
            self._kept.restore(state)

    def _difference(
        self,
        rows: Float64[np.ndarray, "rows coefficients"],
        chains: Chains,
        selection: Selection,
        seed: np.random.SeedSequence,
    ) -> Float64[np.ndarray, "rows coefficients"]:
        """Moments of the chains minus those of the data.

        Averages over independent hidden units are linear in the summaries of the visible states, so
        that the difference of the summaries is enough.
        """
        average, n_rows = self._average, len(rows)
        for_choice, for_hidden = child_seeds(seed, 2)
        if average.clamped is None:
            visible = self._read(selection, for_choice)
            return average.of_chains(rows, chains) - average.of_states(rows, visible, for_hidden)
        asleep = average.summaries(chains.visible, n_rows)
        if self._summaries is not None:
            chosen = self._summaries[np.ix_(selection.initial_conditions, selection.times)]
            awake = chosen.reshape(n_rows, -1)
        elif self._drawn is not None:
            awake = self._drawn.means(selection, self._replicas_from(for_choice))
        else:
            awake = average.summaries(self._read(selection, for_choice), n_rows)
        return average.of_summaries(rows, asleep - awake)

    def _read(
        self, selection: Selection, seed: np.random.SeedSequence
    ) -> UInt8[np.ndarray, "states sites"]:
        """Lattices of the selected snapshots, of replicas that are drawn."""
        replicas = self._replicas_from(seed)
        states = [
            read_states(self._data, self._sampler.model, int(i), selection.times, replicas)
            for i in selection.initial_conditions
        ]
        return np.concatenate(states).reshape(-1, states[0].shape[-1])

    def _replicas_from(self, seed: np.random.SeedSequence) -> np.ndarray:
        permutation = np.random.default_rng(seed).permutation(self._data.n_replicas)
        return permutation[: self._replicas]


class _KeptChains:
    """Chains of every snapshot; they start from random units when first asked for."""

    def __init__(self, sampler: GibbsSampler, data: TrainingData, chains: int) -> None:
        self._model = sampler.model
        shape = len(data.initial), len(data.times), chains
        n_layers, n_sites = len(self._model.layers), self._model.lattice.n_sites
        self._started = np.zeros(shape[:2], dtype=bool)
        self._states = np.zeros((n_layers, *shape, n_sites), dtype=np.uint8)
        self._random = np.zeros((*shape, 4), dtype=np.uint64)

    def read(self, selection: Selection, seed: np.random.SeedSequence) -> Chains:
        """Chains of the selected snapshots, in their order."""
        i, j = np.ix_(selection.initial_conditions, selection.times)
        states, random = self._states[:, i, j], self._random[i, j]
        new = ~self._started[i, j]
        if new.any():
            fresh = start_random(self._model, int(new.sum()) * states.shape[3], seed=seed)
            states[:, new] = fresh.states.reshape(len(states), -1, *states.shape[3:])
            random[new] = fresh.random.reshape(-1, *random.shape[2:])
        return Chains(_flat(states), random.reshape(-1, 4))

    def write(self, selection: Selection, chains: Chains) -> None:
        """Keep the chains of the selected snapshots."""
        i, j = np.ix_(selection.initial_conditions, selection.times)
        self._states[:, i, j] = chains.states.reshape(self._states[:, i, j].shape)
        self._random[i, j] = chains.random.reshape(self._random[i, j].shape)
        self._started[i, j] = True

    def state(self) -> dict[str, np.ndarray]:
        """All chains."""
        return {"started": self._started, "states": self._states, "random": self._random}

    def restore(self, state: Mapping[str, np.ndarray]) -> None:
        """Take other chains."""
        self._started, self._states, self._random = (
            np.array(state[name]) for name in ("started", "states", "random")
        )


def _flat(
    states: UInt8[np.ndarray, "layers initial_conditions times chains sites"],
) -> UInt8[np.ndarray, "layers all_chains sites"]:
    return states.reshape(len(states), -1, states.shape[-1])
