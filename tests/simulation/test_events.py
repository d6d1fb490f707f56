"""Rates that no simulation could follow are refused before it begins."""

import numpy as np
import pytest

from dynboltz.lattices import Lattice
from dynboltz.particles import Box
from dynboltz.reactions import ReactionNetwork
from dynboltz.simulation import (
    CollisionKernel,
    ContinuousTimeKernel,
    continuous_time_generator,
    evolve,
    simulate,
    simulate_particles,
)

LATTICE = Lattice((4,))
DECAY = "A -> 0 ; k = "
SWITCH = "A -> B ; k = {0}\nB -> A ; k = {0}"


@pytest.mark.parametrize(
    ("text", "kernel", "name"),
    [
        (DECAY + "1e307", ContinuousTimeKernel(1.0), "ContinuousTimeKernel"),
        (DECAY + "1", ContinuousTimeKernel(1e307), "ContinuousTimeKernel"),
        ("A + A -> 0 ; k = 1e307", ContinuousTimeKernel(1.0), "ContinuousTimeKernel"),
        (SWITCH.format(1e307), CollisionKernel(), "CollisionKernel"),
        ("0 -> A ; k = 1.7e308\n0 -> B ; k = 1.7e308", CollisionKernel(), "CollisionKernel"),
    ],
)
def test_lattice_kernels_refuse_rates_without_end(text, kernel, name):
    network = ReactionNetwork.parse(text)
    with pytest.raises(ValueError, match=f"{name}: the rates are too large to simulate.*Lower"):
        simulate(network, LATTICE, np.ones((2, 4), int), kernel=kernel, n_steps=3, seed=1)


def test_nothing_is_refused_where_no_time_passes():
    network = ReactionNetwork.parse(DECAY + "1e307")
    kernel = ContinuousTimeKernel(1.0)
    run = simulate(network, LATTICE, np.ones((2, 4), int), kernel=kernel, n_steps=0, seed=1)
    assert np.all(run.state == 1)


@pytest.mark.parametrize("text", [SWITCH.format(1e307), "0 -> A ; k = 1e307"])
def test_particles_with_rates_without_end_are_refused(text):
    network, box = ReactionNetwork.parse(text), Box((1.0,))
    with pytest.raises(ValueError, match="simulate_particles: the rates are too large"):
        simulate_particles(
            network,
            box,
            {"A": 2},
            diffusion=1.0,
            reaction_radius=0.1,
            times=np.array([0.0, 1.0]),
            dt=0.1,
            replicas=1,
            max_particles=10,
            seed=1,
        )


def test_the_master_equation_refuses_jumps_without_end():
    network, lattice = ReactionNetwork.parse(DECAY + "1e307"), Lattice((1,), "closed")
    generator = continuous_time_generator(network, lattice, 1.0)
    with pytest.raises(ValueError, match="the rates are too large"):
        evolve(np.array([0.0, 1.0]), generator, np.array([1.0]))
