"""What to warn of: fits and trainings that went wrong, and predictions that are of little use."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import xarray as xr
from jaxtyping import Float64

from dynboltz._digits import against
from dynboltz._fit import POOR_TRAINING, POOR_VALIDATION
from dynboltz.learning import ReducedModel

from ._experiment import BASELINE, Experiment, ReducedModelPlan
from ._parts import PARTS
from ._visited import unvisited

MAX_RESIDUAL = 0.05
"""Of a fit that counts as converged; the noise of chains stays well below."""
LARGEST_ERROR = 0.5
"""Of a coefficient at time 0 [kT]; more of it changes the odds of a pair by two thirds."""
MAX_RISE = 1.1
"""Of the moment error from the first to the last tenth of a training."""
GOOD_ERROR = 0.05
"""Relative error of means and neighbours up to which short runs agree with simulations."""
POOR_ERROR = 0.3
"""Of moments over the training set, as a share of how much they vary: a tenth of the variance is
then not predicted. Models of the shipped experiments are at 0.01 to 0.25, the largest near a phase
transition; models that were no good were at 0.5 and far above."""
MOST_UNKNOWN = 0.02
"""Part of the predictions far from all training trajectories that goes unsaid: single points at
the edge of what was seen."""
LEAST_SPREAD = 0.1
"""Of held-out errors that are called large: a hundredth of the variance."""
MAX_SPREAD = 3.0
"""Of held-out errors over those of the training set, noise subtracted. Models that generalise are
at 0.6 to 1.6; few initial conditions scatter by a factor of two."""
SIGNIFICANT = 3.0
"""Of an error over its noise floor, from which on it is no matter of noise."""
KEEP_WEIGHTS_SMALL = (
    "Weights that grew too large are a common cause: try `fit.weight_decay`, such as 0.1."
)


def start_warnings(
    experiment: Experiment, plan: ReducedModelPlan, halves: dict[str, np.ndarray] | None
) -> list[str]:
    """Say which coefficients at time 0 the data hardly determine, or how far they are off.

    Half of the difference between fits to two halves of the replicas is their standard error. For
    models with hidden units nothing is said: many coefficients give the same distribution there.

    Parameters
    ----------
    experiment
        The experiment.
    plan
        The model.
    halves
        Fits to either half (half, initial condition, coefficient) by part; `None` if starts are
        not fitted.
    """
    if plan.initial == "known" and experiment.has_too_many_replicas:
        return [
            f"{plan.name}: starts as independent sites, but the numbers of particles at time 0 are "
            "fixed, which correlates sites by -1/(N - 1). With more replicas than a quarter of the "
            'sites that shows in the errors at early times; write `initial = "fitted"`.'
        ]
    if halves is None or not plan.model.is_visible:
        return []
    error = np.concatenate([np.abs(both[0] - both[1]) / 2 for both in halves.values()])
    typical = np.sqrt(np.mean(error**2, axis=0))
    vague = [
        f"{name} (± {value:.2g})"
        for name, value in zip(plan.model.coefficients, typical, strict=True)
        if value > LARGEST_ERROR
    ]
    if not vague:
        return []
    return [
        f"{plan.name}: the fits at time 0 hardly determine {', '.join(vague)}: too few particles "
        "or pairs were seen. Simulate more replicas, leave the term out, or, if particles are at "
        'random sites, write `initial = "known"`.'
    ]


def sampling_warnings(label: str) -> list[str]:
    """Say that the Monte Carlo error of a prediction is not small beside the noise floor."""
    return [
        f"{label}: the Monte Carlo error of its moments is more than half the noise floor, though "
        "as many chains were sampled as the bound allows. Errors are without it, but less certain. "
        "Raise `evaluation.samples`."
    ]


def fit_residuals(fits: xr.Dataset) -> dict[str, float]:
    """Largest residuals of the fits by persistent chains, at time 0 and later; empty without.

    Parameters
    ----------
    fits
        The stored fits of a model.
    """
    found = {}
    if "initial_residual" in fits:
        found |= {part: fits.initial_residual.sel(part=part).values for part in PARTS}
    if "residual" in fits:
        found["later"] = fits.residual.values
    return {name: float(np.nanmax(v)) for name, v in found.items() if np.isfinite(v).any()}


def fit_warnings(plan: ReducedModelPlan, fits: xr.Dataset) -> list[str]:
    """Say which fits have not come to their end or are worse than their start, or lack a start.

    Parameters
    ----------
    plan
        The model.
    fits
        Its stored fits.
    """
    residuals, steps = fit_residuals(fits), plan.fit.steps
    where = {"later": "the snapshots after time 0"} | {
        part: f"time 0 of the {part} initial conditions" for part in PARTS
    }
    warnings = [
        f"{plan.name}: the fit at {where[name]} has not converged with `fit.steps` = {steps} "
        f"(largest residual {against(residual, MAX_RESIDUAL, 2)}, allowed {MAX_RESIDUAL}); raise "
        "`fit.steps`."
        for name, residual in residuals.items()
        if residual > MAX_RESIDUAL
    ]
    warnings += [f"{plan.name}: at time 0, {note}" for note in fits.attrs.get("worse", ())]
    idle = _weights_without_start(plan)
    if idle:
        warnings.append(
            f"{plan.name}: the fit starts with {', '.join(idle)} at 0, where the gradient of a "
            "weight to hidden units vanishes; give another value in `fit.start`."
        )
    return warnings


def _weights_without_start(plan: ReducedModelPlan) -> list[str]:
    if plan.initial == "known" or not (plan.initial == "fitted" or plan.follows_snapshots):
        return []
    given = plan.initial if isinstance(plan.initial, dict) else {}
    return [
        term.name
        for term in plan.model.terms
        if len({factor.layer for product in term.products for factor in product}) > 1
        and term.name not in plan.fit.start
        and not given.get(term.name)
    ]


def training_warnings(plan: ReducedModelPlan, learned: ReducedModel) -> list[str]:
    """Say what learning warned of, or that training ended worse than it began.

    Parameters
    ----------
    plan, learned
        The model, as planned and as learned.
    """
    if learned.notes:
        notes = [
            note.replace("`learning_rate`", "`learning.learning_rate`").removeprefix("learn: ")
            for note in learned.notes
        ]
        return [f"{plan.name}: {note}{remedy(plan)}" for note in notes]
    errors = np.asarray(learned.history.get("moment_error", ()))
    if len(errors) < 2 or plan.learning.window is not None:
        return []
    tenth = max(1, len(errors) // 10)
    first, last = errors[:tenth].mean(), errors[-tenth:].mean()
    if last <= MAX_RISE * first:
        return []
    return [
        f"{plan.name}: the moment error rose during training, from {first:.3g} to {last:.3g} per "
        "site; the best step is the model. Lower `learning.learning_rate`." + remedy(plan)
    ]


def comparison_warnings(
    name: str, n_learned: int, models: Mapping[str, Any], advice: str = ""
) -> list[str]:
    """Say that most moments are worse than those of mean field, over the learned times.

    Parameters
    ----------
    name
        Name of the model.
    n_learned
        Number of times that it was learned from.
    models
        Errors of all models on the test set, as in `metrics.json`.
    advice
        What to try.
    """
    errors, baseline = (
        np.asarray(models[one]["rmse"])[:n_learned].mean(axis=0) for one in (name, BASELINE)
    )
    worse = int(np.sum(errors > baseline))
    if 2 * worse <= len(errors):
        return []
    return [
        f"{name}: worse than mean field in {worse} of {len(errors)} moments (RMSE over the "
        f"test set, mean over the learned times).{advice}"
    ]


class Compared(NamedTuple):
    """What a model predicts of one part of the trajectories, and what these show.

    Attributes
    ----------
    squares
        Squared errors of moments, with the noise of the simulated means.
    mean, standard_error
        Means over replicas, and their errors; NaN where there is one replica.
    """

    squares: Float64[np.ndarray, "initial_conditions times moments"]
    mean: Float64[np.ndarray, "initial_conditions times moments"]
    standard_error: Float64[np.ndarray, "initial_conditions times moments"]

    def relative_error(self, n_times: int) -> tuple[float, float]:
        r"""Error without noise, and noise floor, both as a share of how much moments vary.

        $\sqrt{\langle (E_m^2 - \sigma_m^2)_+ / v_m \rangle}$ and
        $\sqrt{\langle \sigma_m^2 / v_m \rangle}$ over the moments $m$, with mean squares $E_m^2$
        of errors, $\sigma_m^2$ of standard errors, and the variance $v_m$ over initial conditions
        and times. Infinite errors stay infinite; the floor is NaN if no noise is known.
        """
        axes, errors = (0, 1), self.standard_error[:, :n_times] ** 2
        known = np.isfinite(errors).all(axis=(1, 2))
        if not known.any():
            return np.nan, np.nan
        noise = errors[known].mean(axis=axes)
        # Moments that do not vary, or no more than noise does, are judged by the noise.
        variance = np.maximum(self.mean[:, :n_times].var(axis=axes), noise)
        variance = np.where(variance > 0, variance, 1.0)
        excess = np.maximum(self.squares[known, :n_times].mean(axis=axes) - noise, 0.0)
        return float(np.sqrt(np.mean(excess / variance))), float(np.sqrt(np.mean(noise / variance)))


def poor_model_warnings(
    plan: ReducedModelPlan, n_learned: int, train: Compared, test: Compared
) -> list[str]:
    """Say in one line that a model is poor, where that shows, and what to try.

    Parameters
    ----------
    plan
        The model.
    n_learned
        Number of times that it was learned from.
    train, test
        Its predictions for either part.
    """
    (own, own_floor), (other, other_floor) = (
        part.relative_error(n_learned) for part in (train, test)
    )
    if own > max(POOR_ERROR, SIGNIFICANT * own_floor):
        return [
            f"{plan.name}: a poor model: even over the training set it errs by {own:.2g} of how "
            f"much the moments vary (noise floor {own_floor:.2g}, subtracted). Try other terms or "
            "hidden units, smaller cells or more `learning.steps`." + remedy(plan)
        ]
    known = max(own, own_floor)
    if other > max(LEAST_SPREAD, MAX_SPREAD * known, SIGNIFICANT * other_floor):
        return [
            f"{plan.name}: a poor model beyond its training: over the test set it errs by "
            f"{other:.2g} of how much the moments vary, over the training set by {own:.2g} (noise "
            f"floors {other_floor:.2g} and {own_floor:.2g}, subtracted). Try more initial "
            "conditions that differ more (`initial.train`), larger cells or more "
            "`learning.smoothness`."
        ]
    return []


def law_warnings(name: str, facts: Mapping[str, Any], parts: Mapping[str, Compared]) -> list[str]:
    """Say that a law of moments is poor, or was asked about what it does not know.

    Parameters
    ----------
    name
        Name of the law.
    facts
        What `metrics.json` says of it.
    parts
        Its predictions by part.
    """
    own, floor = parts["train"].relative_error(parts["train"].mean.shape[1])
    training, validation = (
        np.inf if facts[f"{key}_error"] is None else facts[f"{key}_error"]
        for key in ("training", "validation")
    )
    warnings = []
    if training > POOR_TRAINING:
        warnings.append(
            f"{name}: a poor model: even on the training trajectories it errs by {training:.2g} "
            "times the noise. What it follows may not be enough here; try a model with other terms "
            "or hidden units."
        )
    elif own > max(POOR_ERROR, SIGNIFICANT * floor):
        warnings.append(
            f"{name}: a poor model: even over the training set it errs by {own:.2g} of how much "
            f"the moments vary (noise floor {floor:.2g}, subtracted). Try other terms."
        )
    elif validation > POOR_VALIDATION:
        warnings.append(
            f"{name}: a poor model beyond its training: at training starts that were left out it "
            f"errs by {validation:.2g} times the noise. Try more initial conditions, in between "
            "and around those that you will predict from (`initial.train`)."
        )
    if (facts["uncertain"] or 0) > MOST_UNKNOWN:
        warnings.append(
            f"{name}, test: {facts['uncertain']:.2%} of the predictions are uncertain by more than "
            "three times the noise of the simulations; see the bands, and try more initial "
            "conditions (`initial.train`)."
        )
    unknown = 1 - facts["known"]["test"]
    if unknown > MOST_UNKNOWN:
        warnings.append(
            f"{name}, test: {unknown:.2%} of the predictions are far from all training "
            "trajectories; the model extrapolates there."
        )
    return warnings


def metastability_warnings(
    name: str,
    plan: ReducedModelPlan,
    times: list[float],
    errors: Mapping[str, float] | None = None,
    ceiling: Mapping[str, float] | None = None,
) -> list[str]:
    """Say that the moments of a model depend on where its chains start, and what that means.

    Whether something is wrong, and what, shows in the errors of short runs: of the static fits,
    that is of the family of the model, and of the prediction, that is of the dynamics.

    Parameters
    ----------
    name
        Of the prediction: the model's, or that of a ceiling.
    plan
        The model.
    times
        Where chains disagree.
    errors
        Relative errors of the short runs of this prediction, as in `metrics.json`.
    ceiling
        Those of the static fits of the model, if there are any.
    """
    if not times:
        return []
    shown = ", ".join(f"{time:g}" for time in times)
    text = (
        f"{name}: metastable at t = {shown}. Long chains from the data and from random units "
        "disagree there, so that the predicted moments are those of short runs, not of the "
        "model's equilibrium."
    )
    if errors is None:
        return [text + remedy(plan)]
    own, best = max(errors.values()), None if ceiling is None else max(ceiling.values())
    if own <= GOOD_ERROR:
        return [
            f"{text} The short runs are within {own:.1%} of the simulations: it is only that the "
            "chains mix slowly, and nothing is wrong with the fit."
        ]
    if best is None:
        return [
            f"{text} The short runs are off by {own:.1%}. Name static fits in "
            "`evaluation.ceilings` to see whether it is the family of the model or its dynamics."
            + remedy(plan)
        ]
    if best > GOOD_ERROR:
        return [
            f"{text} Its static fits are off by {best:.1%} themselves: the family of the model "
            f"cannot hold these distributions; give it other terms.{remedy(plan)}"
        ]
    return [
        f"{text} Its static fits are within {best:.1%} of the simulations, and the prediction is "
        f"off by {own:.1%}: it is the dynamics; learn longer or from more initial conditions."
    ]


def remedy(plan: ReducedModelPlan) -> str:
    """What to try for a poor model, or nothing."""
    decays = plan.fit.moments == "persistent" and plan.fit.weight_decay == 0
    return f" {KEEP_WEIGHTS_SMALL}" if decays else ""


def extrapolation_warnings(
    name: str,
    learned: ReducedModel,
    times: Float64[np.ndarray, " times"],
    n_learned: int,
    theta: dict[str, Float64[np.ndarray, "initial_conditions times coefficients"]],
) -> list[str]:
    """Say which part of the predictions extrapolates.

    Parameters
    ----------
    name
        Name of the model.
    learned
        The model.
    times
        Times of the predictions.
    n_learned
        How many of them the model was learned from.
    theta
        Predicted coefficients by part.
    """
    until = f"t = {times[n_learned - 1]:g}, the last learned time"
    warnings = []
    for part, values in theta.items():
        strange = unvisited(learned.field, values.reshape(-1, values.shape[-1]))
        strange = strange.reshape(values.shape[:2])
        if not strange.any():
            continue
        where = ""
        if n_learned < len(times):
            within = strange[:, :n_learned].mean()
            where = f" ({within:.2%} up to {until}, {strange[:, n_learned:].mean():.2%} later)"
        warnings.append(
            f"{name}, {part}: {strange.mean():.2%} of the predicted coefficients lie in cells that "
            f"no training trajectory visited{where}; the model extrapolates there."
        )
    return warnings
