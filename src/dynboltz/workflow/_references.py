"""Predictions that nothing is learned for: classical closures and entropic matching."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, final

import diffrax
import numpy as np
from jaxtyping import Float64, UInt8

from dynboltz.closures import entropic_matching, lattice_closure, sampled_entropic_matching
from dynboltz.distributions import observed_moments
from dynboltz.dynamics import integrate
from dynboltz.simulation import ContinuousTimeKernel

from ._experiment import Experiment
from ._sampled_models import short_runs
from ._seeds import Purpose, derive_seed

ClosureKind = Literal["pair", "kirkwood"]
"""The closures beside mean field."""
ByPart = dict[str, Float64[np.ndarray, "..."]]
"""Values [initial condition, time, moment or coefficient] by part."""

TOLERANCE = 1e-6
"""Relative error of a step of the coefficients, far below that of the matching itself."""


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
    """

    moments: ByPart
    theta: ByPart | None
    seconds: float
    message: str = ""


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
    experiment: Experiment, label: str, name: str, initial: dict[str, np.ndarray]
) -> Reference:
    """Moments by entropic matching in the family of a model.

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
    """
    start = time.perf_counter()
    plan, kernel = experiment.plans[name], experiment.kernel
    assert isinstance(kernel, ContinuousTimeKernel)
    if plan.is_solvable:
        field = entropic_matching(plan.model, experiment.network, hop_rate=kernel.hop_rate)
    else:
        seed = derive_seed(experiment, "test", Purpose.MATCHING, name=label)
        field = sampled_entropic_matching(
            plan.model, experiment.network, hop_rate=kernel.hop_rate, seed=seed
        )
    solver = diffrax.Tsit5() if plan.is_solvable else "heun"
    theta = {
        part: np.asarray(integrate(field, values, experiment.times, method=solver, rtol=TOLERANCE))
        for part, values in initial.items()
    }
    moments_of = _moments_of(experiment, label, name)
    moments = {part: moments_of(part, path) for part, path in theta.items()}
    return Reference(moments, theta, time.perf_counter() - start)


def _moments_of(
    experiment: Experiment, label: str, name: str
) -> Callable[[str, np.ndarray], np.ndarray]:
    plan = experiment.plans[name]
    if plan.is_solvable:
        return lambda _, theta: observed_moments(plan.model, theta, experiment.moments)
    return lambda part, theta: short_runs(experiment, name, theta, part, label=label).mean
