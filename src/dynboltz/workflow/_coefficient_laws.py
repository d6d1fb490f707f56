"""Laws of Boltzmann machines of an experiment: snapshots, learning, and what they predict."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from jaxtyping import Float64, UInt8

from dynboltz._warnings import collected
from dynboltz.distributions import ClampedStatistics, LatticeModel
from dynboltz.evaluation._squared_errors import N_HALVES
from dynboltz.laws import (
    CoefficientChart,
    LearnedLaw,
    coefficient_chart,
    emulate,
    fit_snapshots,
    fit_snapshots_sampled,
    law_dataset,
    learn_law,
    load_law,
    nothing_known,
    predict_coefficients,
)
from dynboltz.laws._learn import learned_records

from ._directory import ResultDirectory
from ._experiment import CoefficientLawPlan, Experiment
from ._fingerprint import law_fingerprint
from ._fit import half_of, initial_states
from ._initial_states import known_coefficients
from ._law_files import COEFFICIENT_LAW, law_dataset_of
from ._laws import PredictedByLaw, training_report
from ._lineage import lineage
from ._metrics import ByPart
from ._parts import PARTS, by_part
from ._progress import Progress
from ._seeds import Purpose, derive_seed
from ._simulate import open_part
from ._some_times import at_all_times, some_times
from ._states import blocks_ahead, replicas_by_start
from ._stored import write_model

MOST_POINTS, MOST_CHAINS = 60, 32
"""Snapshots at which chains are sampled for the moments of models without an exact solution, and
chains of each."""


def learn_coefficient_law(
    experiment: Experiment, directory: ResultDirectory, name: str, progress: Progress
) -> None:
    """Learn the law of a model, and store it."""
    plan = experiment.coefficient_laws[name]
    places = learned_records(len(experiment.times))
    progress({"stage": "train", "model": f"{name}, snapshots", "step": 0, "total": 1})
    seed = derive_seed(experiment, "train", Purpose.LEARNING, name=name)
    number = int(seed.generate_state(1)[0])
    chart, coordinates = _learning_data(experiment, directory, plan, places, number)
    progress({"stage": "train", "model": f"{name}, snapshots", "step": 1, "total": 1})
    starts = known_coordinates(experiment, directory, plan, chart, "train")
    if starts is None:
        starts = np.array([own[:, 0].mean(axis=0) for own in coordinates])

    with collected():  # `law_warnings` says it when the law is evaluated.
        learned = learn_law(
            chart,
            nothing_known(chart),
            experiment.times[places],
            coordinates,
            starts=starts,
            seed=number,
            report=training_report(progress, name),
        )
    origin = lineage(experiment, directory, directory.trajectories("train"))
    own = law_fingerprint(experiment, name)
    write_model(law_dataset(learned), directory.law(name), COEFFICIENT_LAW, name, own, origin)


def read_coefficient_law(
    experiment: Experiment, directory: ResultDirectory, name: str
) -> LearnedLaw:
    """The learned law of a model."""
    return load_law(law_dataset_of(experiment, directory, name))


def _learning_data(
    experiment: Experiment,
    directory: ResultDirectory,
    plan: CoefficientLawPlan,
    places: np.ndarray,
    seed: int,
) -> tuple[CoefficientChart, list[np.ndarray]]:
    """Coordinates, and those of each replica of each training start at the learned times."""
    if plan.is_solvable:
        summaries = _summaries(experiment, directory, plan.model, "train", places)
        n_replicas = min(len(own) for own in summaries)
        chart = coefficient_chart(plan.model, experiment.moments, n_replicas=n_replicas)
        fitted = fit_snapshots(chart, summaries, reference=plan.reference)
        return chart, [one.coordinates for one in fitted]
    states = _states(experiment, directory, "train", places)
    n_replicas = min(len(own) for own in states)
    chart = coefficient_chart(plan.model, experiment.moments, n_replicas=n_replicas)
    fitted = fit_snapshots_sampled(chart, states, reference=plan.reference, seed=seed)
    # Moments are functions fitted to chains at some of the snapshots, the first ones among them.
    each = max(2, MOST_POINTS // len(states))
    chosen = np.unique(np.linspace(0, len(places) - 1, each).round().astype(int))
    theta = np.concatenate([one.theta[chosen] for one in fitted])
    visible = np.concatenate(
        [_in_turn(own[:, chosen].swapaxes(0, 1), MOST_CHAINS) for own in states]
    )
    same = plan.model.lattice == experiment.lattice
    counted_on = None if same else experiment.lattice
    chart = emulate(chart, theta, visible, counted_on=counted_on, seed=seed)
    return chart, [one.coordinates for one in fitted]


def _in_turn(states: np.ndarray, n_chains: int) -> np.ndarray:
    """States (time, chain, site) of so many chains, replicas in turn."""
    return states[:, np.arange(n_chains) % states.shape[1]]


def known_coordinates(
    experiment: Experiment,
    directory: ResultDirectory,
    plan: CoefficientLawPlan,
    chart: CoefficientChart,
    part: str,
) -> Float64[np.ndarray, "initial_conditions coordinates"] | None:
    """Coordinates of starts that are known or given; `None` if they are to be fitted."""
    if plan.initial == "fitted":
        return None
    states = initial_states(experiment, directory, part)
    if plan.given_initial is None:
        theta = known_coefficients(experiment, plan, part)
    else:
        theta = np.tile(plan.given_initial, (len(states), 1))
    if plan.is_solvable:
        return chart.from_coefficients(theta)
    labels = np.arange(len(experiment.network.species)) + 1
    densities = np.array([[(own == label).mean() for label in labels] for own in states])
    return chart.place(densities, theta)


def starting_coordinates(
    experiment: Experiment,
    directory: ResultDirectory,
    name: str,
    chart: CoefficientChart,
    part: str,
) -> tuple[np.ndarray, list[np.ndarray]]:
    """Coordinates of starts, and those of either half of the replicas where starts are fitted."""
    plan = experiment.coefficient_laws[name]
    known = known_coordinates(experiment, directory, plan, chart, part)
    if known is not None:
        return known, []
    states = initial_states(experiment, directory, part)
    clamped = ClampedStatistics(plan.model) if plan.is_solvable else None

    def coordinates(some: list[np.ndarray]) -> np.ndarray:
        if clamped is None:
            data = [own[:, None] for own in some]
            fitted = fit_snapshots_sampled(chart, data, reference=plan.reference)
        else:
            data = [np.asarray(clamped.summarise(own))[:, None] for own in some]
            fitted = fit_snapshots(chart, data, reference=plan.reference)
        return np.array([one.coordinates[:, 0].mean(axis=0) for one in fitted])

    halves = [[half_of(own, half) for own in states] for half in range(N_HALVES)]
    return coordinates(states), [coordinates(half) for half in halves]


def predict_by_machine(
    experiment: Experiment, directory: ResultDirectory, name: str, learned: LearnedLaw
) -> PredictedByLaw:
    """Predict both parts with the law of a model."""
    chart, times, some = learned.chart, experiment.times, some_times(experiment.times)
    assert isinstance(chart, CoefficientChart)
    starts, halves = {}, {}
    for part in PARTS:
        starts[part], of_halves = starting_coordinates(experiment, directory, name, chart, part)
        if of_halves:
            halves[part] = np.array(
                [at_all_times(some, learned.predict(r, some).moments, times) for r in of_halves]
            )
    # Both parts together: what is compiled depends on the number of starts.
    joined, ends = np.concatenate(list(starts.values())), [len(starts[PARTS[0]])]
    begun = time.perf_counter()
    learned.predict(joined, some)
    seconds = time.perf_counter() - begun
    found = learned.predict(joined, some, bands=True)
    theta = predict_coefficients(learned, joined, some)
    moments, errors, thetas = (
        by_part(at_all_times(some, values, times), ends)
        for values in (found.moments, found.error, theta)
    )
    errors = {part: np.maximum(error, 0.0) for part, error in errors.items()}
    is_known = by_part(learned.knows(learned.coordinates(joined, times)), ends)
    return PredictedByLaw(moments, halves, errors, is_known, seconds, thetas)


class StaticFits(NamedTuple):
    """Moments of the static fits of all snapshots, and of fits to either half of the replicas."""

    moments: ByPart
    halves: ByPart
    theta: ByPart


def static_fits(
    experiment: Experiment,
    directory: ResultDirectory,
    model: LatticeModel,
    reference: Mapping[str, float],
) -> StaticFits:
    """Fit every snapshot of both parts alone: the best that any law of the model can do."""
    chart = coefficient_chart(model, experiment.moments)
    moments, halves, thetas = {}, {}, {}
    for part in PARTS:
        everything = np.arange(len(experiment.times))
        summaries = _summaries(experiment, directory, model, part, everything)

        def moments_of(theta: np.ndarray) -> np.ndarray:
            return chart.batch_moments(chart.from_coefficients(theta))

        thetas[part] = _fit(chart, reference, summaries)
        moments[part] = moments_of(thetas[part])
        halves[part] = np.array(
            [
                moments_of(_fit(chart, reference, [half_of(own, h) for own in summaries]))
                for h in range(N_HALVES)
            ]
        )
    return StaticFits(moments, halves, thetas)


def _fit(
    chart: CoefficientChart, reference: Mapping[str, float], summaries: list[np.ndarray]
) -> Float64[np.ndarray, "initial_conditions times coefficients"]:
    """Coefficients of snapshots: fits to the means over the replicas."""
    fitted = fit_snapshots(chart, summaries, reference=reference)
    return np.array([one.theta for one in fitted])


def _summaries(
    experiment: Experiment,
    directory: ResultDirectory,
    model: LatticeModel,
    part: str,
    places: np.ndarray,
) -> list[Float64[np.ndarray, "_ times features"]]:
    """Summaries of each replica of each initial condition at some of the times."""
    clamped, trajectories = ClampedStatistics(model), open_part(experiment, directory, part)
    found: list[list[np.ndarray]] = [[] for _ in replicas_by_start(trajectories)[0]]
    for number, _, states in blocks_ahead(trajectories):
        chosen = np.ascontiguousarray(states[:, places])
        flat = clamped.summarise(chosen.reshape(-1, chosen.shape[-1]))
        found[number].append(np.asarray(flat).reshape(*chosen.shape[:2], -1))
    return [np.concatenate(blocks) for blocks in found]


def _states(
    experiment: Experiment, directory: ResultDirectory, part: str, places: np.ndarray
) -> list[UInt8[np.ndarray, "_ times sites"]]:
    """States of each replica of each initial condition at some of the times."""
    trajectories = open_part(experiment, directory, part)
    found: list[list[np.ndarray]] = [[] for _ in replicas_by_start(trajectories)[0]]
    for number, _, states in blocks_ahead(trajectories):
        found[number].append(states[:, places])
    return [np.concatenate(blocks) for blocks in found]
