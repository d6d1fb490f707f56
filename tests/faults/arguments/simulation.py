"""Valid calls of `dynboltz.simulation`."""

from __future__ import annotations

from typing import Any

import numpy as np
from bad_arguments import call
from scipy import sparse

from dynboltz.lattices import Lattice, neighbour_moments, streams
from dynboltz.particles import Box, PointPatterns
from dynboltz.reactions import ReactionNetwork
from dynboltz.simulation import (
    CollisionKernel,
    ContinuousTimeKernel,
    collision_step,
    continuous_time_generator,
)


def calls() -> dict[str, Any]:
    network = ReactionNetwork.parse("A -> B ; k = 3\nA + B -> B ; k = 1")
    colliding = ReactionNetwork.parse("A -> B ; k = 3\nA + B -> B ; p = 0.5")
    lattice = Lattice((3,))
    initial = np.array([[1, 2, 0], [0, 0, 1]], np.uint8)
    terms = neighbour_moments(("A", "B"), 1, 2)
    kernel = ContinuousTimeKernel(1.0, 0.1)
    coarse = CollisionKernel(0.1)
    generator = continuous_time_generator(network, lattice, 1.0)
    step = collision_step(colliding, lattice, 0.1)
    p = np.full(27, 1 / 27)
    box = Box((1.0, 2.0))
    positions = np.array([[[0.1, 0.2], [0.3, 1.2]], [[0.5, 0.5], [0.0, 0.0]]])
    labels = np.array([[1, 2], [1, 0]], np.uint8)
    patterns = PointPatterns(positions, labels, ("A", "B"), box)
    times = np.array([0.0, 0.1, 0.3])
    run = {"lattice": lattice, "initial": initial}
    kept = {"random": streams(1, 2), "records": _records(lattice, terms, 3)}
    return {
        "CollisionKernel": call(dt=0.1),
        "CollisionKernel.check": call(coarse, network=colliding),
        "CollisionKernel.run": call(coarse, network=colliding, **run, _kept=kept),
        "CollisionStep": call(**step.__dict__),
        "CollisionStep.apply": call(step, p=p),
        "ContinuousTimeKernel": [
            call(hop_rate=1.0, interval=0.1),
            call(hop_rate={"A": 1.0, "B": 0.0}, interval=0.1),
        ],
        "ContinuousTimeKernel.check": call(kernel, network=network),
        "ContinuousTimeKernel.run": call(kernel, network=network, **run, _kept=kept),
        "Trajectories": call(
            times=times,
            state=np.zeros((2, 3, 3), np.uint8),
            moments=np.zeros((2, 3, 1)),
            moment_names=("A",),
        ),
        "collision_step": call(network=colliding, lattice=lattice, dt=0.1),
        "continuous_time_generator": call(network=network, lattice=lattice, hop_rate=1.0),
        "enumerate_states": call(lattice=lattice, n_species=2),
        "evolve": call(p0=p, generator=generator, times=times),
        "from_states": call(states=initial, lattice=lattice, species=("A", "B")),
        "random_counts": call(
            lattice=lattice, species=("A", "B"), counts={"A": 1, "B": 1}, n_replicas=2, seed=3
        ),
        "simulate": call(
            network=network,
            lattice=lattice,
            initial=initial,
            kernel=kernel,
            n_steps=3,
            seed=3,
            moments=terms,
            first_replica=1,
            keep_states=True,
            _waits="n_steps",
        ),
        "simulate_particles": [
            call(
                network=network,
                box=box,
                initial=initial,
                diffusion=0.1,
                reaction_radius=0.05,
                dt=0.01,
                times=times,
                seed=3,
                replicas=replicas,
                max_particles=20,
                first_replica=1,
                _waits="diffusion dt times",
            )
            for initial, replicas in ((patterns, None), ({"A": 2, "B": 1}, 2))
        ],
    }


def _records(lattice: Lattice, terms: Any, n_times: int) -> Any:
    from dynboltz.lattices import TermCounter  # noqa: PLC0415
    from dynboltz.simulation._records import Records  # noqa: PLC0415

    tables = TermCounter(lattice, (("A", "B"),), terms).tables
    states = np.zeros((2, n_times, lattice.n_sites), np.uint8)
    return Records(tables, states, np.zeros((2, n_times, len(terms))))


def others() -> list[Any]:
    return [
        Box((1.0,)),
        Lattice((4, 4)),
        Lattice((2, 2, 2), "closed"),
        ReactionNetwork.parse("C + D -> D ; p = 0.5"),
        ReactionNetwork.parse("A + A -> 0 ; k = 1"),
        ReactionNetwork.parse("A -> B + C ; k = 1\n 0 -> C ; k = 2"),
        *neighbour_moments(("C",), 2, 2),
        sparse.csr_array(np.eye(4)),
        CollisionKernel(0.1),
    ]
