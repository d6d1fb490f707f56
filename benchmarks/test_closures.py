"""Speed of closures: fifty initial conditions of the pair closure of a chain.

All of them in one stiff system with a banded Jacobian, and one after the other with SciPy's solver
of the same method and tolerances beside it; the ratio does not depend on the machine.
"""

from __future__ import annotations

import numpy as np
import pytest
from scipy.integrate import solve_ivp

from dynboltz.closures import lattice_closure
from dynboltz.lattices import Lattice
from dynboltz.reactions import ReactionNetwork

TIMES = np.linspace(0.0, 20.0, 200)


@pytest.fixture
def problem():
    network = ReactionNetwork.parse("A + B -> 0 ; k = 1\nA -> A + A ; k = 0.3")
    closure = lattice_closure(network, Lattice((1000,)), "pair", hop_rate=0.5)
    densities = np.random.default_rng(0).uniform(0.05, 0.45, size=(50, 2))
    columns = [[network.species.index(s) for s in moment.species] for moment in closure.moments]
    return closure, np.stack([densities[:, c].prod(axis=1) for c in columns], axis=1)


def test_all_at_once(benchmark, problem):
    closure, initial = problem
    prediction = benchmark(lambda: closure.predict(initial, TIMES))
    assert prediction.message == ""


def test_one_after_the_other(benchmark, problem):
    closure, initial = problem

    def solve():
        for start in initial:
            solve_ivp(
                lambda _, values: closure.velocity(values),
                (0.0, TIMES[-1]),
                start,
                "LSODA",
                TIMES,
                rtol=1e-10,
                atol=1e-12,
            )

    benchmark(solve)
