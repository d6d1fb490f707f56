"""Speed of the lattice simulators, with one thread.

`ns_per_hop` is the time of a run, moments and snapshots included, over its number of hop attempts.
The plain Python version of the same algorithm runs beside it, so that the ratio of the two does
not depend on the machine. Times are CPU times of this process, which other programs disturb less.
"""

from __future__ import annotations

import random
import time

import numba
import pytest

from dynboltz.lattices import Lattice, neighbour_moments
from dynboltz.reactions import ReactionNetwork
from dynboltz.simulation import CollisionKernel, ContinuousTimeKernel, random_counts, simulate

PROBABILITY = 0.01
CHAIN = Lattice((1000,), "closed")
ANNIHILATION = ReactionNetwork.parse(f"A + A -> 0 ; p = {PROBABILITY}")
ROESSLER = ReactionNetwork.parse(
    """
    A -> A + A     ; k = 30
    B -> 0         ; k = 10
    C -> C + C     ; k = 16.5
    A + A -> A     ; p = 0.1
    A + B -> B + B ; p = 0.4
    A + C -> 0     ; p = 0.24
    C + C -> C     ; p = 0.36
    """
)


@pytest.fixture(autouse=True)
def one_thread():
    threads = numba.get_num_threads()
    numba.set_num_threads(1)
    yield
    numba.set_num_threads(threads)


def python_step(sites: list[int]) -> None:
    """Make one step of the annihilating chain in place."""
    pending = [site for site, occupied in enumerate(sites) if occupied]
    visited = [False] * len(sites)
    random.shuffle(pending)
    for site in pending:
        if not sites[site] or visited[site]:
            continue
        if site in (0, len(sites) - 1):
            target = 1 if site == 0 else site - 1
        else:
            target = site + random.choice((-1, 1))
        if not sites[target]:
            sites[site], sites[target] = 0, 1
            visited[target] = True
        elif random.random() < PROBABILITY:
            sites[site] = sites[target] = 0
        else:
            visited[site] = True


def python_moments(sites: list[int]) -> list[float]:
    """Moments of order 1 to 4 per site."""
    n = len(sites)
    return [
        sum(all(sites[first : first + order]) for first in range(n - order + 1)) / n
        for order in range(1, 5)
    ]


def python_nanoseconds_per_hop(initial: list[int], n_steps: int) -> float:
    random.seed(1)
    sites, hops = list(initial), 0
    records = [(list(sites), python_moments(sites))]
    start = time.process_time()
    for _ in range(n_steps):
        hops += sum(sites)
        python_step(sites)
        records.append((list(sites), python_moments(sites)))
    return (time.process_time() - start) / hops * 1e9


def measure(benchmark, network, lattice, initial, **options) -> float:
    """Return the nanoseconds per particle and step, 0 if benchmarks are disabled."""

    def run():
        return simulate(network, lattice, initial, seed=1, **options)

    trajectories = benchmark.pedantic(run, rounds=10, warmup_rounds=1)
    if benchmark.disabled:
        return 0.0
    densities = trajectories.moments[:, :-1, : len(network.species)]
    ns_per_hop = benchmark.stats.stats.min / (densities.sum() * lattice.n_sites) * 1e9
    benchmark.extra_info["ns_per_hop"] = ns_per_hop
    return ns_per_hop


@pytest.mark.benchmark(timer=time.process_time)
def test_annihilating_chain(benchmark):
    initial = random_counts(CHAIN, ("A",), {"A": 500}, 50, seed=1)
    kernel = CollisionKernel()
    compiled = measure(benchmark, ANNIHILATION, CHAIN, initial, kernel=kernel, n_steps=200)
    if benchmark.disabled:
        return
    interpreted = python_nanoseconds_per_hop(initial[0].tolist(), n_steps=200)
    benchmark.extra_info["python_ns_per_hop"] = interpreted
    benchmark.extra_info["speedup"] = interpreted / compiled
    # Several hundred where measured; a kernel that falls back to counting references has 40.
    assert interpreted / compiled > 100


@pytest.mark.benchmark(timer=time.process_time)
@pytest.mark.parametrize("max_order", [1, 4])
def test_roessler_reactions_in_three_dimensions(benchmark, max_order):
    lattice = Lattice((10, 10, 10), "closed")
    counts = {"A": 200, "B": 200, "C": 200}
    initial = random_counts(lattice, ROESSLER.species, counts, 30, seed=1)
    measure(
        benchmark,
        ROESSLER,
        lattice,
        initial,
        kernel=CollisionKernel(dt=0.01),
        n_steps=500,
        moments=neighbour_moments(ROESSLER.species, 3, max_order),
    )


@pytest.mark.benchmark(timer=time.process_time)
def test_a_million_sites(benchmark):
    """Three species on 100^3 sites beside 10^3, by cost of a hop attempt.

    About 2.5 to 3 times as much where measured: random visits of particles and sites, 3 MB,
    leave the inner cache, and the outer one is shared with others.
    """
    ns_per_hop = {}
    for side, n_replicas, n_steps in ((10, 30, 500), (100, 1, 50)):
        lattice = Lattice((side, side, side), "closed")
        counts = dict.fromkeys("ABC", side**3 // 5)
        initial = random_counts(lattice, ROESSLER.species, counts, n_replicas, seed=1)
        options = {"kernel": CollisionKernel(dt=0.01), "moments": neighbour_moments("ABC", 3, 1)}
        simulate(ROESSLER, lattice, initial, seed=1, n_steps=1, **options)
        start = time.process_time()
        result = simulate(ROESSLER, lattice, initial, seed=1, n_steps=n_steps, **options)
        seconds = time.process_time() - start
        hops = result.moments[:, :-1].sum() * lattice.n_sites
        ns_per_hop[side] = seconds / hops * 1e9
    benchmark.extra_info["ns_per_hop"] = ns_per_hop
    benchmark.pedantic(lambda: None)


@pytest.mark.benchmark(timer=time.process_time)
def test_annihilating_chain_in_continuous_time(benchmark):
    network = ReactionNetwork.parse("A + A -> 0 ; k = 1")
    initial = random_counts(CHAIN, ("A",), {"A": 500}, 50, seed=1)
    kernel = ContinuousTimeKernel(hop_rate=50.0, interval=0.01)
    measure(benchmark, network, CHAIN, initial, kernel=kernel, n_steps=200)
