"""Seconds of the paper's schedule for the oscillator: 10 000 steps, batches of 5, windows of 10.

A twentieth of the steps is run with windows that move on twenty times as fast, so that all windows
are passed; `seconds of the schedule` is twenty times what they took. The parts beside it are run
alone, at the sizes that they have in a step.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable

import jax
import numpy as np
import pytest

from dynboltz.dynamics import HermiteField, HermiteSolver
from dynboltz.learning import HiddenAverage, TrainingData, learn
from dynboltz.sampling import GibbsSampler, advance, start_random
from dynboltz.simulation import random_counts, simulate
from dynboltz.workflow import load_experiment

SHARE = 20
REPEATS = 50


@pytest.fixture(scope="module")
def problem():
    """Model, settings and 30 simulated lattices."""
    experiment = load_experiment("rossler", preset="paper")
    plan = experiment.plans["paper_protocol"]
    times = plan.learned_times(experiment.times)
    counts, species = {"A": 200, "B": 200, "C": 200}, experiment.network.species
    start = random_counts(experiment.lattice, species, counts, 30, seed=1)
    found = simulate(
        experiment.network,
        experiment.lattice,
        start,
        kernel=experiment.kernel,
        n_steps=len(times) - 1,
        seed=2,
    )
    states = np.ascontiguousarray(found.state.swapaxes(0, 1))

    def read(_: int, chosen: np.ndarray, replicas: np.ndarray) -> np.ndarray:
        return states[np.ix_(chosen, replicas)]

    return plan, TrainingData(times, plan.given_initial[None], None, read, 30)


def test_schedule(benchmark, problem):
    plan, data = problem
    settings = dataclasses.replace(
        plan.learning,
        steps=plan.learning.steps // SHARE,
        shift_every=plan.learning.shift_every // SHARE,
    )
    with jax.enable_x64(True):
        learn(plan.model, plan.grids, data, dataclasses.replace(settings, steps=2))
        learned = benchmark.pedantic(
            learn, args=(plan.model, plan.grids, data, settings), rounds=1, iterations=1
        )
    benchmark.extra_info["seconds of the schedule"] = SHARE * benchmark.stats.stats.mean
    benchmark.extra_info["milliseconds of the parts of a step"] = parts(plan, data, learned.field)
    assert np.all(np.isfinite(learned.history["moment_error"]))


def parts(plan, data: TrainingData, field: HermiteField) -> dict[str, float]:
    """Milliseconds of what an average step does."""
    settings, model = plan.learning, plan.model
    sampler, width = GibbsSampler(model), settings.window + 1
    rows = np.tile(data.initial, (width, 1))
    start = start_random(model, width * settings.chains, seed=1)
    average = HiddenAverage(sampler)
    solver = HermiteSolver(field, method=settings.method, substeps=settings.substeps)
    u = solver.flatten(tuple(np.asarray(function.u) for function in field.functions))
    first = len(data.times) // 2
    window = data.times[first : first + width]
    path = solver.solve(u, data.initial, data.times[: first + width])
    pull = np.ones((1, width, len(model.terms)))
    seed = np.random.SeedSequence(1)
    return {
        "random start": _milliseconds(lambda: start_random(model, width * settings.chains, seed=1)),
        "Gibbs sweeps": _milliseconds(lambda: advance(sampler, start, rows, settings.sweeps)),
        "averages of both phases": 2
        * _milliseconds(lambda: average.of_states(rows, start.visible, seed)),
        "solution": _milliseconds(
            lambda: solver.solve(u, data.initial, data.times[: first + width])
        ),
        "adjoint": _milliseconds(lambda: solver.pull_back(u, path, first, window, pull)),
    }


def _milliseconds(work: Callable[[], object]) -> float:
    work()
    start = time.perf_counter()
    for _ in range(REPEATS):
        work()
    return 1000 * (time.perf_counter() - start) / REPEATS
