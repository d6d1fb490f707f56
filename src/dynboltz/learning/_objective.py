"""The action and its gradient with respect to the coefficients, exact or sampled."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any, NamedTuple, Protocol, runtime_checkable

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, Int64

from dynboltz._arguments import check_range, checked, fitted
from dynboltz._numbers import check_finite
from dynboltz._typing import AnyArray
from dynboltz.distributions import AbstractSolution, ClampedStatistics
from dynboltz.lattices import child_seeds, numbered_seed
from dynboltz.sampling import GibbsSampler, contrastive_divergence

from ._data import TrainingData, check_data, read_states

_AXES = ("initial condition", "time", "coefficient")


class Selection(NamedTuple):
    """The initial conditions and times that an update looks at."""

    initial_conditions: np.ndarray
    times: np.ndarray


def check_selected(
    where: str,
    theta: Float[AnyArray, "initial_conditions times coefficients"],
    selection: Selection,
    data: TrainingData,
) -> Selection:
    """Return the selection with arrays, or raise unless it fits the coefficients and the data."""
    sizes: dict[str, Any] = {"initial_conditions": theta.shape[0], "times": theta.shape[1]}
    numbers = Int64[np.ndarray, " initial_conditions"], Int64[np.ndarray, " times"]
    parts = []
    for name, annotation, n in zip(
        Selection._fields, numbers, (len(data.initial), len(data.times)), strict=True
    ):
        part = fitted(where, f"selection.{name}", getattr(selection, name), annotation, sizes)
        if part.size and not 0 <= part.min() <= part.max() < n:
            raise ValueError(
                f"{where}: `selection.{name}` must be numbers from 0 to {n - 1}, got {part}."
            )
        parts.append(part)
    return Selection(*parts)


def restored(
    where: str, state: Mapping[str, np.ndarray], arrays: Mapping[str, np.ndarray]
) -> dict[str, np.ndarray]:
    """Arrays of a state, or raise `ValueError` unless they are like those of a present one."""
    for name, own in arrays.items():
        given = np.asarray(state.get(name))
        if given.shape != own.shape or given.dtype != own.dtype:
            raise ValueError(
                f"{where}: `state` must hold the arrays {tuple(arrays)} of a state of the same "
                f"source; {name!r} must be {own.dtype} of shape {own.shape}, got {given.dtype} of "
                f"shape {given.shape}."
            )
    return {name: np.asarray(state[name]) for name in arrays}


class MomentDifference(NamedTuple):
    r"""What a set of coefficients has to say about the data.

    Attributes
    ----------
    difference
        Moments of the model minus those of the data, per site:
        $\tilde\mu - \mu = \partial D_{KL} / \partial \theta$.
    divergence
        Negative log likelihood per site, which is the divergence up to the entropy of the data;
        NaN for sampled moments.
    """

    difference: Float[AnyArray, "initial_conditions times coefficients"]
    divergence: Float[AnyArray, "initial_conditions times"]


@runtime_checkable
class MomentSource(Protocol):
    """Where differences of moments come from."""

    def __call__(
        self, theta: Float[AnyArray, "initial_conditions times coefficients"], selection: Selection
    ) -> MomentDifference:
        """Differences at the coefficients `theta` of the selected snapshots."""
        ...

    def state(self) -> dict[str, np.ndarray]:
        """Everything that later calls depend on, to go on from."""
        ...

    def restore(self, state: Mapping[str, np.ndarray]) -> None:
        """Go on from a state."""
        ...


@checked
class ExactMoments:
    """Exact moments of both phases.

    Parameters
    ----------
    solution
        Exact solution of the model.
    data
        The trajectories.
    """

    def __init__(self, solution: AbstractSolution, data: TrainingData) -> None:
        self._solution, self._clamped = solution, ClampedStatistics(solution.model)
        self._coefficients = solution.model.coefficients
        if data.summaries is None:
            raise ValueError("ExactMoments: `data.summaries` is needed, see `summarise`; got None.")
        features = self._clamped.n_features
        self._data = check_data("ExactMoments", data, self._coefficients, n_features=features)
        self._summaries = jnp.asarray(self._data.summaries)

    @property
    def _axis_entries(self) -> dict[str, tuple[str, ...]]:
        return {"coefficients": self._coefficients}

    def __call__(
        self, theta: Float[AnyArray, "initial_conditions times coefficients"], selection: Selection
    ) -> MomentDifference:
        """Differences at the coefficients `theta` of the selected snapshots."""
        selection = check_selected("ExactMoments", theta, selection, self._data)
        check_finite("ExactMoments", "`theta`", theta, _AXES)
        summaries = self._summaries[np.ix_(selection.initial_conditions, selection.times)]
        divergence, difference = _differences(self._solution, self._clamped, theta, summaries)
        return MomentDifference(difference, divergence)

    def state(self) -> dict[str, np.ndarray]:
        """Nothing: exact moments depend on no earlier call."""
        return {}

    def restore(self, state: Mapping[str, np.ndarray]) -> None:
        """Nothing to do."""


@functools.partial(jax.jit, static_argnums=(0, 1))
def _differences(solution, clamped, theta, summaries):
    def divergence(theta, summary):
        return solution.free_energy(theta) - clamped.log_weight(theta, summary)

    return jax.vmap(jax.vmap(jax.value_and_grad(divergence)))(theta, summaries)


@checked
class SampledMoments:
    """Moments by contrastive divergence.

    Parameters
    ----------
    sampler
        Sampler of the model.
    data
        The trajectories, with a reader of states.
    replicas
        Lattices drawn from the replicas for each estimate; all if left out.
    sweeps
        Number of sweeps k.
    seed
        Seed of the choice of lattices and of the samples.
    """

    def __init__(
        self,
        sampler: GibbsSampler,
        data: TrainingData,
        replicas: int | None,
        sweeps: int,
        seed: np.random.SeedSequence,
    ) -> None:
        if data.states is None:
            raise ValueError("SampledMoments: `data.states` is needed to read states; got None.")
        check_range("SampledMoments", "sweeps", sweeps, least=1)
        if replicas is not None:
            check_range("SampledMoments", "replicas", replicas, least=1)
        data = check_data("SampledMoments", data, sampler.model.coefficients)
        self._sampler, self._data, self._sweeps = sampler, data, sweeps
        self._n = min(replicas or data.n_replicas, data.n_replicas)
        self._seed, self._calls = seed, 0

    def __call__(
        self, theta: Float[AnyArray, "initial_conditions times coefficients"], selection: Selection
    ) -> MomentDifference:
        """Differences at the coefficients `theta` of the selected snapshots."""
        selection = check_selected("SampledMoments", theta, selection, self._data)
        if not theta.size:
            return MomentDifference(np.zeros(theta.shape), np.zeros(theta.shape[:2]))
        for_samples, for_choice = child_seeds(numbered_seed(self._seed, self._calls), 2)
        self._calls += 1
        choice = np.random.default_rng(for_choice)
        chosen = choice.permutation(self._data.n_replicas)[: self._n]
        states = [
            read_states(self._data, self._sampler.model, int(i), selection.times, chosen)
            for i in selection.initial_conditions
        ]
        visible = np.concatenate(states).reshape(-1, states[0].shape[-1])
        rows = np.asarray(theta).reshape(-1, theta.shape[-1])
        moments = contrastive_divergence(
            self._sampler, rows, visible, self._sweeps, seed=for_samples
        )
        shape = (*theta.shape[:2], self._n, theta.shape[-1])
        difference = (moments.asleep - moments.awake).reshape(shape).mean(axis=2)
        return MomentDifference(difference, np.full(theta.shape[:2], np.nan))

    @property
    def _axis_entries(self) -> dict[str, tuple[str, ...]]:
        return {"coefficients": self._sampler.model.coefficients}

    def state(self) -> dict[str, np.ndarray]:
        """Number of calls so far."""
        return {"calls": np.array(self._calls)}

    def restore(self, state: Mapping[str, np.ndarray]) -> None:
        """Go on as after that many calls."""
        self._calls = int(restored("SampledMoments.restore", state, self.state())["calls"])
