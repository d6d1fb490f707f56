"""Speed of Brownian dynamics, with one thread.

`ns_per_particle_step` is the time of a run over its number of particles times steps. A plain NumPy
version with all distances of pairs runs beside it. Times are CPU times of this process.
"""

from __future__ import annotations

import time

import numba
import numpy as np
import pytest

from dynboltz.particles import Box
from dynboltz.reactions import ReactionNetwork
from dynboltz.simulation import simulate_particles

N_PARTICLES, N_STEPS, DT, RADIUS, RATE = 1000, 20, 0.01, 0.5, 0.01
NETWORK = ReactionNetwork.parse(f"A + A -> 0 ; k = {RATE}\nA -> 0 ; k = 0.01")


@pytest.fixture(autouse=True)
def one_thread():
    threads = numba.get_num_threads()
    numba.set_num_threads(1)
    yield
    numba.set_num_threads(threads)


def box_of_density_one(dim: int) -> Box:
    return Box((float(N_PARTICLES) ** (1 / dim),) * dim)


def numpy_nanoseconds(box: Box, n_steps: int) -> float:
    """Time per particle and step of the same step in plain NumPy."""
    generator = np.random.default_rng(1)
    lengths = np.array(box.lengths)
    points = generator.random((N_PARTICLES, box.dim)) * lengths
    visits = 0
    start = time.process_time()
    for _ in range(n_steps):
        visits += len(points)
        points = box.fold(points + np.sqrt(2 * DT) * generator.standard_normal(points.shape))
        points = points[generator.random(len(points)) >= 0.01 * DT]
        gaps = box.displacement(points[:, None], points[None])
        first, second = np.nonzero(np.triu(np.sum(gaps**2, axis=-1) <= RADIUS**2, 1))
        reacts = generator.random(first.size) < RATE * DT
        gone = np.zeros(len(points), dtype=bool)
        for a, b in zip(first[reacts], second[reacts], strict=True):
            if not (gone[a] or gone[b]):
                gone[[a, b]] = True
        points = points[~gone]
    return (time.process_time() - start) / visits * 1e9


@pytest.mark.benchmark(timer=time.process_time)
@pytest.mark.parametrize("dim", [1, 2, 3])
def test_reacting_particles(benchmark, dim):
    box = box_of_density_one(dim)

    def run():
        return simulate_particles(
            NETWORK,
            box,
            {"A": N_PARTICLES},
            diffusion=1.0,
            reaction_radius=RADIUS,
            dt=DT,
            times=np.array([N_STEPS * DT]),
            seed=1,
            replicas=10,
        )

    end = benchmark.pedantic(run, rounds=5, warmup_rounds=1)
    if benchmark.disabled:
        return
    steps = 10 * N_STEPS * (N_PARTICLES + end.counts().mean()) / 2
    compiled = benchmark.stats.stats.min / steps * 1e9
    plain = min(numpy_nanoseconds(box, 3) for _ in range(3))
    benchmark.extra_info["ns_per_particle_step"] = compiled
    benchmark.extra_info["numpy_ns_per_particle_step"] = plain
    assert plain / compiled > 10
