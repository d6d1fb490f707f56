"""Laws of moments beside simulations, and predictions of many starts."""

from __future__ import annotations

import time

import jax
import numpy as np
import pytest

import dynboltz
from dynboltz.lattices import Lattice
from dynboltz.reactions import ReactionNetwork
from dynboltz.simulation import ContinuousTimeKernel, random_counts, simulate

NETWORK = ReactionNetwork.parse("0 -> S ; k = 0.2\nS + I -> I + I ; k = 2\nI -> 0 ; k = 0.5")
LATTICE = Lattice((1000,))
KERNEL = ContinuousTimeKernel(2.0, 0.1)
N_STEPS = 150
REPLICAS = 40


@pytest.fixture(scope="module", autouse=True)
def _double_precision():
    with jax.enable_x64(True):
        yield


def simulated(rng, n_starts):
    """States of random starts, their times and the start of each, and seconds for one start."""
    begun = time.perf_counter()
    runs = []
    for _ in range(n_starts):
        counts = {"S": int(rng.integers(200, 800)), "I": int(rng.integers(20, 200))}
        seed = int(rng.integers(2**31))
        states = random_counts(LATTICE, NETWORK.species, counts, REPLICAS, seed=seed)
        runs.append(
            simulate(NETWORK, LATTICE, states, kernel=KERNEL, n_steps=N_STEPS, seed=seed + 1)
        )
    seconds = (time.perf_counter() - begun) / n_starts
    states = np.concatenate([run.state for run in runs])
    return states, runs[0].times, np.repeat(range(n_starts), REPLICAS), seconds


@pytest.fixture(scope="module")
def model():
    states, times, numbers, _ = simulated(np.random.default_rng(1), 24)
    return dynboltz.fit(states, NETWORK, times=times, initial_condition=numbers, progress=False)


def test_a_start_is_cheaper_than_its_simulation(model):
    """At the error of the simulation: a law at the noise of 40 lattices replaces 40 lattices."""
    states, times, numbers, seconds = simulated(np.random.default_rng(2), 8)
    scores = model.score(states, times=times, initial_condition=numbers)
    densities = {"S": np.linspace(0.2, 0.8, 1000), "I": np.linspace(0.05, 0.2, 1000)}
    model.predict(densities, times=np.linspace(0, 15, 200), bands=False)
    begun = time.perf_counter()
    model.predict(densities, times=np.linspace(0, 15, 200), bands=False)
    predicted = time.perf_counter() - begun
    ratio = seconds / (predicted / 1000)
    print(f"\nerror over noise {(scores.rmse / scores.noise).values.round(2)}")
    print(f"1000 starts at 200 times: {1000 * predicted:.0f} ms; a start {ratio:.0f} times cheaper")


def test_one_fit(model, benchmark):
    densities = {"S": 0.4, "I": 0.1}
    benchmark(model.predict, densities, bands=False)
