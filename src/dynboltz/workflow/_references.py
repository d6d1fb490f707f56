"""Predictions that nothing is learned for: classical closures and entropic matching."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Literal, final

import diffrax
import numpy as np
from jaxtyping import Float64, UInt8

from dynboltz.closures import entropic_matching, lattice_closure, sampled_entropic_matching
from dynboltz.distributions import observed_moments
from dynboltz.dynamics import integrate
from dynboltz.evaluation import reaches
from dynboltz.simulation import ContinuousTimeKernel

from ._experiment import Experiment
from ._metrics import ByPart
from ._sampled_models import short_runs
from ._seeds import Purpose, derive_seed

ClosureKind = Literal["pair", "kirkwood"]
"""The closures beside mean field."""

TOLERANCE = 1e-6
"""Relative error of a step of the coefficients, far below that of the matching itself."""
FEWEST_CHAINS, MOST_CHAINS = 100, 800
"""That move coefficients where moments are sampled; the most take eight times as long."""


@final
@dataclass(frozen=True)
class Reference:
    """What a method without learning predicts.

    Attributes
    ----------
    moments
        Moments per site, by part; NaN behind the time where a closure became unphysical.
    theta
        Coefficients, of entropic matching.
    seconds
        Time for the derivation of the equations and the predictions.
    message
        What became unphysical, if anything.
    monte_carlo
        Standard errors of sampled moments, by part; empty without.
    chains
        Chains that moved the coefficients; 0 without.
    """

    moments: ByPart
    theta: ByPart | None
    seconds: float
    message: str = ""
    monte_carlo: ByPart = field(default_factory=dict)
    chains: int = 0


def closure_prediction(
    experiment: Experiment,
    kind: ClosureKind,
    initial_states: dict[str, list[UInt8[np.ndarray, "_ sites"]]],
) -> Reference:
    """Moments by a closure that starts from those of the simulated initial states.

    Parameters
    ----------
    experiment
        With the continuous-time kernel on a periodic lattice.
    kind
        The closure.
    initial_states
        Simulated states at time 0, by part.
    """
    start = time.perf_counter()
    kernel = experiment.kernel
    assert isinstance(kernel, ContinuousTimeKernel)
    closure = lattice_closure(
        experiment.network, experiment.lattice, kind, hop_rate=kernel.hop_rate
    )
    moments, messages = {}, []
    for part, states in initial_states.items():
        initial = np.array([closure.estimate_initial(row).mean(axis=0) for row in states])
        predicted = closure.predict(initial, experiment.times)
        moments[part] = closure.predict_terms(predicted.values, experiment.moments)
        if predicted.message:
            messages.append(f"{part}: {predicted.message}")
    return Reference(moments, None, time.perf_counter() - start, " ".join(messages))


def matching_prediction(
    experiment: Experiment,
    label: str,
    name: str,
    initial: ByPart,
    floors: dict[str, Float64[np.ndarray, " moments"]],
) -> Reference:
    """Moments by entropic matching in the family of a model.

    Where moments are sampled, those of the prediction and those that move the coefficients alike,
    the prediction is the mean of two that share no random number. Half of their difference is the
    standard error. The chains that move coefficients are doubled until it is at most half the
    noise floor, as far as `MOST_CHAINS`.

    Parameters
    ----------
    experiment
        With the continuous-time kernel on a periodic lattice.
    label
        Name of the prediction.
    name
        Name of a visible model.
    initial
        Its coefficients at time 0, by part.
    floors
        Noise floors, by part.
    """
    start = time.perf_counter()
    if experiment.plans[name].is_solvable:
        return _exact_matching(experiment, name, initial, start)
    chains = FEWEST_CHAINS
    while True:
        runs = [_sampled_matching(experiment, label, name, initial, i, chains) for i in range(2)]
        errors = {p: np.abs(runs[0][0][p] - runs[1][0][p]) / 2 for p in initial}
        small = all(reaches(errors[part], floors[part]) for part in initial)
        if small or chains >= MOST_CHAINS:
            break
        chains *= 2
    moments, theta = (
        {part: (runs[0][kind][part] + runs[1][kind][part]) / 2 for part in initial}
        for kind in range(2)
    )
    seconds = time.perf_counter() - start
    return Reference(moments, theta, seconds, monte_carlo=errors, chains=chains)


def matching_of_half(
    experiment: Experiment, label: str, name: str, initial: ByPart, half: int, chains: int
) -> Reference:
    """Entropic matching from starts that were fitted to half of the replicas.

    Parameters
    ----------
    experiment, label, name
        As for `matching_prediction`.
    initial
        Coefficients at time 0, by part.
    half
        Which half; random numbers are shared neither with the other nor with all replicas.
    chains
        Chains that move the coefficients, if moments are sampled.
    """
    start = time.perf_counter()
    if experiment.plans[name].is_solvable:
        return _exact_matching(experiment, name, initial, start)
    moments, theta = _sampled_matching(experiment, label, name, initial, 2 + half, chains)
    return Reference(moments, theta, time.perf_counter() - start, chains=chains)


def _exact_matching(experiment: Experiment, name: str, initial: ByPart, start: float) -> Reference:
    plan, kernel = experiment.plans[name], experiment.kernel
    assert isinstance(kernel, ContinuousTimeKernel)
    vector_field = entropic_matching(plan.model, experiment.network, hop_rate=kernel.hop_rate)
    times = experiment.times
    theta = {
        part: np.asarray(integrate(vector_field, v, times, method=diffrax.Tsit5(), rtol=TOLERANCE))
        for part, v in initial.items()
    }
    moments = {
        part: observed_moments(plan.model, path, experiment.moments) for part, path in theta.items()
    }
    return Reference(moments, theta, time.perf_counter() - start)


def _sampled_matching(
    experiment: Experiment, label: str, name: str, initial: ByPart, number: int, chains: int
) -> tuple[ByPart, ByPart]:
    """Moments and coefficients with the random numbers of this number."""
    plan, kernel = experiment.plans[name], experiment.kernel
    assert isinstance(kernel, ContinuousTimeKernel)
    of_field = derive_seed(experiment, "test", Purpose.MATCHING, name=label, number=number)
    vector_field = sampled_entropic_matching(
        plan.model, experiment.network, hop_rate=kernel.hop_rate, n_chains=chains, seed=of_field
    )
    theta = {
        part: np.asarray(integrate(vector_field, v, experiment.times, method="heun"))
        for part, v in initial.items()
    }
    samples = max(experiment.table.evaluation.samples, chains)
    moments = {}
    for part, path in theta.items():
        seed = derive_seed(experiment, part, Purpose.EVALUATION, name=label, number=number)
        moments[part] = short_runs(experiment, name, path, part, n_samples=samples, seed=seed).mean
    return moments, theta
