"""Time of a proposal for point patterns.

`test_proposals`: 16 chains of about 200 particles that repel each other, one thread. Divide the
time of a round by 16 chains and 2000 proposals.

`test_beside_numpy`: CPU time of a proposal, compiled on one thread and in plain NumPy, in turns,
for the same model. Shown with `-s`.
"""

import time

import numba
import numpy as np
import pytest

from dynboltz.distributions import PointProcessModel
from dynboltz.elements import RadialSpace, UniformSpace
from dynboltz.particles import Box
from dynboltz.sampling import BirthDeathMove, start_empty

N_CHAINS, N_PROPOSALS, N_ROUNDS = 16, 2000, 5
THETA = np.array([1.0, 0.0, 0.5, 0.0, 0.2, 0.0, 0.1, 0.0])


def chains_of(dim, n_particles):
    """Sampler, chains in equilibrium, and coefficients, for about that many particles."""
    box = Box((1.0,) * dim)
    pair = RadialSpace(0.1, 4, "Hermite")
    model = PointProcessModel(box, ("A",), {"A": UniformSpace(box)}, {("A", "A"): pair})
    sampler = BirthDeathMove(model)
    around = {1: 2 * 0.1, 2: np.pi * 0.01, 3: 4 / 3 * np.pi * 0.001}[dim]
    theta = np.append(-np.log(n_particles) - 0.155 * around * n_particles, THETA)
    chains = start_empty(model, N_CHAINS, 3 * n_particles, seed=1)
    return sampler, sampler.advance(chains, theta, 40 * n_particles), theta


@pytest.fixture
def one_thread():
    before = numba.get_num_threads()
    numba.set_num_threads(1)
    yield
    numba.set_num_threads(before)


@pytest.mark.usefixtures("one_thread")
@pytest.mark.parametrize("dim", [2, 3])
def test_proposals(benchmark, dim):
    sampler, chains, theta = chains_of(dim, 200)
    after = benchmark(sampler.advance, chains, theta, N_PROPOSALS)
    benchmark.extra_info["particles"] = float(chains.patterns.counts().mean())
    assert not np.array_equal(after.patterns.labels, chains.patterns.labels)


class NumpyChain:
    """The same proposals with arrays of NumPy."""

    def __init__(self, model, theta, points):
        self.model, self.theta, self.points = model, theta, points
        self.random = np.random.default_rng(0)
        self.lengths = np.array(model.box.lengths)
        self.cutoff = model.pair["A", "A"].cutoff
        self.cubics = (model.matrix @ theta)[-16:].reshape(4, 4)

    def energy(self, point, others):
        gaps = np.abs(others - point)
        gaps = np.minimum(gaps, self.lengths - gaps)
        distances = np.sqrt((gaps**2).sum(axis=1))
        scaled = distances[distances < self.cutoff] * (4 / self.cutoff)
        elements = scaled.astype(int)
        c, xi = self.cubics[elements].T, scaled - elements
        return self.theta[0] + (((c[3] * xi + c[2]) * xi + c[1]) * xi + c[0]).sum()

    def propose(self):
        n, volume, kind = len(self.points), self.model.box.volume, self.random.random()
        if kind >= 0.75:
            point = self.random.random(len(self.lengths)) * self.lengths
            ratio = volume / (n + 1) * np.exp(-self.energy(point, self.points))
            if self.random.random() < ratio:
                self.points = np.append(self.points, point[None], axis=0)
            return
        slot = self.random.integers(n)
        rest = np.delete(self.points, slot, axis=0)
        before = self.energy(self.points[slot], rest)
        if kind >= 0.5:
            if self.random.random() < n / volume * np.exp(before):
                self.points = rest
            return
        step = self.random.uniform(-1, 1, len(self.lengths)) * self.cutoff / 2
        moved = (self.points[slot] + step) % self.lengths
        if self.random.random() < np.exp(before - self.energy(moved, rest)):
            self.points[slot] = moved


@pytest.mark.usefixtures("one_thread")
def test_beside_numpy():
    sampler, chains, theta = chains_of(2, 200)
    plain = NumpyChain(sampler.model, theta, chains.patterns.points("A", 0))
    best = {"numba": np.inf, "numpy": np.inf}
    sizes = []
    for _ in range(N_ROUNDS):
        start = time.thread_time()
        after = sampler.advance(chains, theta, N_PROPOSALS)
        each = (time.thread_time() - start) / (N_CHAINS * N_PROPOSALS)
        best["numba"] = min(best["numba"], each)
        start = time.thread_time()
        for _ in range(N_PROPOSALS):
            plain.propose()
        best["numpy"] = min(best["numpy"], (time.thread_time() - start) / N_PROPOSALS)
        sizes.append((after.patterns.counts().mean(), len(plain.points)))
    print(f"\nparticles (numba, numpy): {np.mean(sizes, axis=0)}")
    for name, each in best.items():
        print(f"{name}: {1e9 * each:.0f} ns a proposal")
    assert np.all(np.array(sizes) > 50)
