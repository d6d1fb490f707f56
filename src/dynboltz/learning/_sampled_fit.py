"""Fits of snapshots by natural gradients that persistent chains estimate."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from jaxtyping import Float64, Shaped, UInt8

from dynboltz._arguments import checked
from dynboltz._typing import AnyArray
from dynboltz.distributions import LatticeModel
from dynboltz.lattices import check_states
from dynboltz.sampling import GibbsSampler, advance, start_from_data

from ._data import TrainingData, check_data, read_states
from ._natural_step import fading_rate, natural_step, remembered
from ._phases import HiddenAverage
from ._settings import FitSettings
from ._static import (
    InitialFits,
    Progress,
    check_any_states,
    starting_point,
    warn_of_idle_units,
    warn_of_worse_fits,
)

DAMPING = 1e-3
"""Added to the metric, relative to its diagonal."""
LARGEST_STEP = 0.1
"""Of any coefficient; a longer step could carry the chains into another phase."""
MEMORY = 0.8
"""Share of the metric that is kept from the estimates before."""
FIRST = 5
"""Times as many steps for a snapshot whose fit starts from afar."""
RIDGE = 1e-6
"""Added to the metric, so that coefficients without effect have a small one."""


class SampledFits(NamedTuple):
    """Coefficients of snapshots.

    Attributes
    ----------
    theta
        Coefficients at all times.
    metric
        Fisher metric there, per site: of the visible distribution, or of all units together if
        hidden layers are coupled with each other.
    residual
        How far each fit is from its end, see `InitialFits`; NaN for the first snapshot, which is
        given.
    """

    theta: Float64[np.ndarray, "initial_conditions times coefficients"]
    metric: Float64[np.ndarray, "initial_conditions times coefficients coefficients"]
    residual: Float64[np.ndarray, "initial_conditions times"]


@checked
def fit_trajectories_sampled(
    model: LatticeModel,
    data: TrainingData,
    settings: FitSettings,
    *,
    seed: np.random.SeedSequence,
    progress: Progress | None = None,
) -> SampledFits:
    r"""Fit the coefficients of all snapshots, each starting from those of the snapshot before.

    For each snapshot, chains start from its states and stay with it. A step changes the
    coefficients by $\eta (G + \pi)^{-1} [\mu - \tilde\mu - \pi (\theta - \theta_0)]$ with the
    moments $\mu$ of the data, $\tilde\mu$ of the chains, the metric $G$ that the chains show, the
    coefficients $\theta_0$ of the snapshot before and the strength $\pi$ of the prior that ties
    them to it; the weight decay adds its own prior. The steps shrink over their second half, and
    the fit is the mean over it.

    Parameters
    ----------
    model
        The model.
    data
        The trajectories, with a reader of states. `data.initial` are the coefficients of the first
        snapshot, which are kept; the fit of the second starts from them, but for coefficients that
        `settings.start` names.
    settings
        How to fit.
    seed
        Seed of the chains.
    progress
        Called after each snapshot.

    Raises
    ------
    ValueError
        If there is no reader of states, a number of the data is not finite, or `settings.start`
        names a coefficient that the model lacks.
    """
    if data.states is None:
        raise ValueError(
            "fit_trajectories_sampled: `data.states` is needed to read states; got None."
        )
    data = check_data("fit_trajectories_sampled", data, model.coefficients)
    fit = _SnapshotFit(GibbsSampler(model), settings)
    n_initial, n_times = len(data.initial), len(data.times)
    firsts = np.array([_first_start(initial, model, settings) for initial in data.initial])
    warn_of_idle_units("fit_trajectories_sampled", model, firsts, settings)
    theta = np.tile(data.initial[:, None], (1, n_times, 1))
    metric = np.empty((*theta.shape, theta.shape[-1]))
    residual = np.full((n_initial, n_times), np.nan)
    for i, of_trajectory in enumerate(seed.spawn(n_initial)):
        seeds = of_trajectory.spawn(n_times)
        metric[i, 0] = fit.metric(theta[i, 0], _states(data, model, i, 0), seeds[0])
        for j in range(1, n_times):
            start = _first_start(theta[i, 0], model, settings) if j == 1 else theta[i, j - 1]
            n_steps = settings.steps * (FIRST if j == 1 else 1)
            found = fit(start, _states(data, model, i, j), n_steps, seeds[j])
            theta[i, j], metric[i, j], residual[i, j] = found
            if progress:
                done, total = i * (n_times - 1) + j, n_initial * (n_times - 1)
                progress({"stage": "fit", "step": done, "total": total, "residual": found[2]})
    return SampledFits(theta, metric, residual)


@checked
def fit_initial_persistent(
    model: LatticeModel,
    states: Shaped[AnyArray, "snapshots replicas sites"],
    settings: FitSettings,
    *,
    seed: np.random.SeedSequence,
) -> InitialFits:
    """Fit the coefficients of single snapshots.

    Each fit starts from `settings.start`. Biases of a visible model that it does not name start
    from those of independent sites with the densities of the snapshot: steps are short, and from
    0, a half-full lattice, a dilute one would hardly be reached.

    Parameters
    ----------
    model
        The model.
    states
        Visible states of each snapshot.
    settings
        How to fit, see `fit_trajectories_sampled`.
    seed
        Seed of the chains.

    Raises
    ------
    TypeError, ValueError
        If the states do not fit the model.

    Warns
    -----
    LearningWarning
        If the states are less likely after the fit than before, for models with an exact solution.
    """
    shape = ("snapshots", "replicas", model.lattice.n_sites)
    states = check_states("fit_initial_persistent", states, model.species[0], shape)
    check_any_states("fit_initial_persistent", states)
    fit = _SnapshotFit(GibbsSampler(model), settings)
    start = starting_point(model, settings)
    warn_of_idle_units("fit_initial_persistent", model, start, settings)
    seeds = seed.spawn(len(states))
    n_steps = FIRST * settings.steps
    starts = [_independent_start(model, snapshot, settings) for snapshot in states]
    found = [
        fit(own, snapshot, n_steps, child)
        for own, snapshot, child in zip(starts, states, seeds, strict=True)
    ]
    theta = np.array([theta for theta, _, _ in found])
    warn_of_worse_fits("fit_initial_persistent", model, states, np.array(starts), theta, fit.decay)
    return InitialFits(theta, np.array([r for _, _, r in found]))


def _independent_start(
    model: LatticeModel, states: UInt8[np.ndarray, "replicas sites"], settings: FitSettings
) -> Float64[np.ndarray, " coefficients"]:
    """Coefficients of independent sites, but for those that the settings name.

    Half a particle more of each kind keeps them finite.
    """
    start = starting_point(model, settings)
    if not model.is_visible:
        return start
    species = model.layers[0].species
    numbers = np.bincount(states.ravel(), minlength=len(species) + 1) + 0.5
    known = {
        f"b.{name}": np.log(n / numbers[0]) for name, n in zip(species, numbers[1:], strict=True)
    }
    for place, name in enumerate(model.coefficients):
        if name in known and name not in settings.start:
            start[place] = known[name]
    return start


def _states(
    data: TrainingData, model: LatticeModel, i: int, j: int
) -> UInt8[np.ndarray, "replicas sites"]:
    return read_states(data, model, i, np.array([j]), np.arange(data.n_replicas))[0]


def _first_start(
    initial: Float64[np.ndarray, " coefficients"], model: LatticeModel, settings: FitSettings
) -> Float64[np.ndarray, " coefficients"]:
    named = [name in settings.start for name in model.coefficients]
    return np.where(named, starting_point(model, settings), initial)


class _SnapshotFit:
    """The fit of one snapshot."""

    def __init__(self, sampler: GibbsSampler, settings: FitSettings) -> None:
        self._sampler, self._settings = sampler, settings
        self._average = HiddenAverage(sampler)
        couples = np.array([term.order > 1 for term in sampler.model.terms])
        self.decay = np.where(couples, settings.weight_decay, 0.0)

    def __call__(
        self,
        start: Float64[np.ndarray, " coefficients"],
        states: UInt8[np.ndarray, "replicas sites"],
        n_steps: int,
        seed: np.random.SeedSequence,
    ) -> tuple[np.ndarray, np.ndarray, float]:
        """Coefficients, metric and residual of a snapshot."""
        settings = self._settings
        for_chains, for_hidden = seed.spawn(2)
        chosen = np.resize(np.arange(len(states)), settings.chains)
        chains = start_from_data(self._sampler.model, states[chosen], seed=for_chains)
        awake = self._awake(states)
        theta, metric, total = start, None, np.zeros_like(start)
        of_data, remaining = np.zeros_like(start), np.zeros_like(start)
        half = n_steps // 2
        for step, child in enumerate(for_hidden.spawn(n_steps)):
            chains = advance(self._sampler, chains, theta, settings.sweeps)
            values = self._average.of_chains(np.tile(theta, (len(chains), 1)), chains)
            seen = self._covariance(values)
            metric = remembered(metric, seen, MEMORY)
            moments = awake(theta, child)
            gradient = moments - values.mean(axis=0)
            gradient -= settings.prior_strength * (theta - start) + self.decay * theta
            rate = fading_rate(settings.learning_rate, step, n_steps)
            damped = metric + np.diag(self._damping(metric))
            theta = theta + rate * natural_step(damped, gradient, largest=LARGEST_STEP)
            if step >= half:
                total += theta
                of_data += moments
                remaining += gradient
        assert metric is not None
        size = max(float(np.linalg.norm(of_data)), RIDGE)
        return total / (n_steps - half), metric, float(np.linalg.norm(remaining)) / size

    def metric(
        self,
        theta: Float64[np.ndarray, " coefficients"],
        visible: UInt8[np.ndarray, "states sites"],
        seed: np.random.SeedSequence,
    ) -> Float64[np.ndarray, "coefficients coefficients"]:
        """Metric that states drawn from the model show."""
        if len(visible) == 1:  # shows no spread; chains that start from it do
            for_chains, seed = seed.spawn(2)
            chosen = np.resize(visible, (self._settings.chains, visible.shape[1]))
            chains = start_from_data(self._sampler.model, chosen, seed=for_chains)
            visible = advance(self._sampler, chains, theta, FIRST * self._settings.sweeps).visible
        rows = np.tile(theta, (len(visible), 1))
        return self._covariance(self._average.of_states(rows, visible, seed))

    def _awake(
        self, states: UInt8[np.ndarray, "replicas sites"]
    ) -> Callable[[np.ndarray, np.random.SeedSequence], np.ndarray]:
        """Moments of the data, given coefficients and a seed of hidden units."""
        average = self._average
        if average.clamped is None:
            return lambda theta, seed: average.of_states(theta[None], states, seed)[0]
        summary = average.clamped.summarise(states).mean(axis=0)
        return lambda theta, seed: average.of_summaries(theta[None], summary[None])[0]

    def _covariance(
        self, values: Float64[np.ndarray, "states coefficients"]
    ) -> Float64[np.ndarray, "coefficients coefficients"]:
        n_coefficients = values.shape[1]
        found = np.cov(values.T).reshape(n_coefficients, n_coefficients)
        return self._sampler.model.lattice.n_sites * found + RIDGE * np.eye(n_coefficients)

    def _damping(
        self, metric: Float64[np.ndarray, "coefficients coefficients"]
    ) -> Float64[np.ndarray, " coefficients"]:
        return DAMPING * np.diag(metric) + self._settings.prior_strength + self.decay
