"""Particle simulations and the reader of ReaDDy files against ReaDDy itself, where it is there."""

from __future__ import annotations

import math
import warnings

import numpy as np
import pytest

from dynboltz.particles import Box
from dynboltz.reactions import ReactionNetwork
from dynboltz.simulation import simulate_particles
from dynboltz.store import load_patterns, read_readdy

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    readdy = pytest.importorskip("readdy", reason="needs ReaDDy 2: pip install '.[readdy]'")

BOX = Box((6.0, 5.0, 4.0))
N_PARTICLES, RATE, RADIUS, FADING = 40, 4.0, 0.6, 20.0
STEPS, DT = 100, 0.01


def run_readdy(path, seed):
    """A + A -> B, fast decay of B; records every tenth step."""
    system = readdy.ReactionDiffusionSystem(
        list(BOX.lengths), periodic_boundary_conditions=[True] * 3, unit_system=None
    )
    for name in ("A", "B"):
        system.add_species(name, 1.0)
    system.reactions.add(f"meeting: A +({RADIUS}) A -> B", rate=RATE)
    system.reactions.add("fading: B ->", rate=FADING)
    simulation = system.simulation(kernel="SingleCPU")
    simulation.output_file = str(path)
    simulation.show_progress = False
    places = np.random.default_rng(seed).random((N_PARTICLES, 3)) - 0.5
    simulation.add_particles("A", places * BOX.lengths)
    simulation.record_trajectory(stride=10)
    simulation.observe.particles(stride=10)
    simulation.run(STEPS, DT, show_summary=False)
    return path


@pytest.fixture(name="files", scope="module")
def fixture_files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("readdy")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return [run_readdy(folder / f"{seed}.h5", seed) for seed in range(60)]


def test_files_of_readdy_are_read(files):
    patterns = load_patterns(read_readdy(files[0], dt=DT))
    assert (patterns.species, patterns.box) == (("A", "B"), BOX)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        _, types, _, places = readdy.Trajectory(str(files[0])).read_observable_particles()
    for frame, (kinds, points) in enumerate(zip(types, places, strict=True)):
        n = len(kinds)
        assert patterns.counts()[0, frame].tolist() == np.bincount(kinds, minlength=2).tolist()
        np.testing.assert_allclose(
            patterns.positions[0, frame, :n], BOX.fold(points + np.array(BOX.lengths) / 2)
        )


def test_numbers_agree_with_those_of_readdy(files):
    theirs = load_patterns(read_readdy(files, dt=DT)).counts()
    network = ReactionNetwork.parse(f"A + A -> B ; k = {RATE}\nB -> 0 ; k = {FADING}")
    ours = simulate_particles(
        network,
        BOX,
        {"A": N_PARTICLES},
        diffusion=1.0,
        reaction_radius=RADIUS,
        dt=DT,
        times=DT * np.arange(0, STEPS + 1, 10),
        seed=1,
        replicas=1000,
    ).counts()
    for record in (2, 5, 10):
        a, b = theirs[:, record, 0], ours[:, record, 0]
        error = math.sqrt(a.var() / len(a) + b.var() / len(b))
        assert abs(a.mean() - b.mean()) < 3 * error
