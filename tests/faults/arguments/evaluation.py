"""Valid calls of `dynboltz.evaluation`."""

from __future__ import annotations

from typing import Any

import numpy as np
from bad_arguments import call

from dynboltz.distributions import LatticeModel
from dynboltz.evaluation import ShortRunMoments
from dynboltz.lattices import Lattice, neighbour_moments
from dynboltz.particles import Box, PointPatterns
from dynboltz.reactions import ReactionNetwork
from dynboltz.simulation import CollisionKernel, ContinuousTimeKernel

LATTICE = Lattice((6,))
TERMS = neighbour_moments(["A"], 1, max_order=2)


def calls() -> dict[str, Any]:
    network = ReactionNetwork.parse("A -> 0 ; k = 1")
    model = LatticeModel.from_names(LATTICE, ["A"], ["b.A", "J.A.A"])
    random = np.random.default_rng(0)
    values, times = random.random((2, 3, 2)), np.linspace(0, 0.2, 3)
    box = Box((1.0, 1.0))
    patterns = PointPatterns(random.random((2, 3, 2)), np.ones((2, 3), np.uint8), ("A",), box)
    edges = np.array([0.0, 0.1, 0.2])
    visible = np.tile(np.array([0, 1, 0], np.uint8), (2, 2, 2))
    baseline = {
        "network": network,
        "lattice": LATTICE,
        "initial_densities": np.array([[0.2], [0.3]]),
        "times": times,
        "terms": TERMS,
    }
    found = ShortRunMoments(values, np.full(values.shape, 1e-3))
    return {
        "cross_fitted_square": call(
            predicted=values, simulated=values + 1, standard_error=np.ones((3, 2))
        ),
        "half_means": call(values=values, initial_condition=np.array([0, 0])),
        "halves_of": call(initial_condition=np.array([0, 0, 1])),
        "reaches": call(standard_error=values, floor=np.ones(2)),
        "root_mean_square": call(squares=values),
        "sample_until": call(
            draw=lambda n, seed: found,
            floor=np.ones(2),
            n_samples=4,
            most=4,
            seed=np.random.SeedSequence(1),
            _waits="n_samples most",
        ),
        "squared_error": call(predicted=values, simulated=values + 1, monte_carlo=0.1),
        "ensemble_moments": call(moments=values, initial_condition=np.array([0, 0])),
        "equilibrium_moments": call(
            model=model,
            theta=np.zeros((2, 2)),
            visible=visible,
            terms=TERMS,
            counted_on=LATTICE,
            n_sweeps=8,
            seed=np.random.SeedSequence(0),
            _waits="n_sweeps",
        ),
        "error_summary": call(over_time=values[0]),
        "independent_pairs": call(number=values),
        "jackknife": call(_positional=(lambda x, y: x * y, values, values)),
        "mean_field_prediction": [
            call(kernel=ContinuousTimeKernel(1.0), **baseline),
            call(kernel=CollisionKernel(0.1), **baseline),
        ],
        "noise_floor": call(standard_error=values),
        "pair_counts": call(patterns=patterns, edges=edges),
        "relative_rms": call(difference=values, simulated=values),
        "relative_summary": call(difference=values, simulated=values, terms=TERMS),
        "root_mean_square_error": call(predicted=values, simulated=values),
        "sampled_prediction": call(
            model=model,
            theta=np.zeros((2, 2)),
            terms=TERMS,
            counted_on=LATTICE,
            n_samples=3,
            n_sweeps=2,
            seed=0,
            _waits="n_samples n_sweeps",
        ),
        "species_pairs": call(species=("A", "B")),
        "uniform_pair_share": call(box=box, edges=edges),
    }


def others() -> list[Any]:
    wide = Lattice((3, 3), "closed")
    return [
        wide,
        LatticeModel.from_names(wide, ["A", "B"], ["b.A", "b.B"]),
        ReactionNetwork.parse("A + B -> 0 ; k = 1"),
        Box((1.0,), "periodic"),
        *neighbour_moments(["B"], 2, max_order=1),
        ContinuousTimeKernel({"B": 1.0}),
    ]
