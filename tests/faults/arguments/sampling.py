"""Valid calls of `dynboltz.sampling`."""

from __future__ import annotations

from typing import Any

import jax
import numpy as np
from bad_arguments import call

from dynboltz.distributions import LatticeModel, Layer, PointProcessModel
from dynboltz.elements import RadialSpace, UniformSpace
from dynboltz.lattices import Lattice, neighbour_moments, streams
from dynboltz.particles import Box, PointPatterns
from dynboltz.sampling import (
    BirthDeathMove,
    GibbsSampler,
    JaxGibbsSampler,
    MomentEstimate,
    start_empty,
    start_random,
)

SHORT = {"n_samples": 8, "burn_in": 2, "thin": 1, "_waits": "n_samples burn_in thin"}


def calls() -> dict[str, Any]:
    lattice = Lattice((4,))
    hidden = Layer(("X",), ((0,), (1,)))
    model = LatticeModel.from_names(lattice, ("A",), ("b.A", "W.A.X", "b.X"), (hidden,))
    sampler = GibbsSampler(model)
    chains = start_random(model, 3, seed=1)
    theta = np.array([0.1, -0.2, 0.3])
    visible = np.array([[1, 0, 1, 1], [0, 0, 1, 0], [0, 0, 1, 0]], np.uint8)
    terms = neighbour_moments(("A",), 1, 2)
    on_states = {"states": chains.states, "theta": theta}
    of_sampler = {"sampler": sampler, "theta": theta}
    divergence = {**of_sampler, "visible": visible, "k": 2, "seed": 3, "hidden_sweeps": 1}
    slow = "k hidden_sweeps n_sweeps n_rounds burn_in"
    values = np.random.default_rng(0).normal(size=(3, 8, 2))
    estimate = MomentEstimate(np.ones(2), np.ones(2), np.ones(2), np.ones(2), ("A", "B"))
    return _of_particles() | {
        "Chains": call(states=chains.states, random=chains.random),
        "GibbsSampler": call(model=model),
        "GibbsSampler.check_states": call(sampler, states=chains.states),
        "GibbsSampler.check_theta": call(sampler, theta=theta, n_chains=3),
        "GibbsSampler.record": call(
            sampler,
            **on_states,
            random=streams(1, 3),
            n_sweeps=1,
            n_records=2,
            hidden_only=False,
            _waits="n_sweeps",
        ),
        "GibbsSampler.sample_hidden": call(
            sampler, visible=visible, theta=theta, seed=3, n_sweeps=1, _waits="n_sweeps"
        ),
        "GibbsSampler.sweep": call(sampler, **on_states, seed=3, n_sweeps=1, _waits="n_sweeps"),
        "GibbsSampler.with_hidden": call(sampler, visible=visible),
        "JaxGibbsSampler": call(model=model, devices=()),
        "JaxGibbsSampler.sweep": call(
            JaxGibbsSampler(model), **on_states, key=jax.random.key(1), n_sweeps=1, _waits=slow
        ),
        "MomentEstimate": call(
            mean=np.ones(2),
            standard_error=np.ones(2),
            r_hat=np.ones(2),
            effective_sample_size=np.ones(2),
            names=("A", "B"),
        ),
        "StartComparison": call(
            estimates={"random": estimate},
            r_hat=np.ones(2),
            distance=np.ones(2),
            samples_a_chain=np.ones(2),
        ),
        "Tempering": call(
            states=np.zeros((2, 3, 1, 4), np.uint8),
            swap_rates=np.ones(2),
            round_trips=np.ones(1, int),
            chains=chains,
        ),
        "advance": call(**of_sampler, chains=chains, n_sweeps=1, _waits="n_sweeps"),
        "anneal_log_partition": call(
            **of_sampler, n_chains=4, n_temperatures=3, n_sweeps=1, seed=3, _waits=slow
        ),
        "compare_starts": call(
            **of_sampler,
            starts={"random": chains, "other": start_random(model, 3, seed=2)},
            **SHORT,
            observables=terms,
        ),
        "compare_values": call(values={"a": values, "b": values + 1}, names=("A", "B")),
        "contrastive_divergence": call(**divergence, _waits=slow),
        "draw_states": call(**of_sampler, n_samples=3, n_sweeps=2, thin=1, seed=3, _waits=slow),
        "estimate_moments": [
            call(**of_sampler, n_chains=3, **SHORT, start=start, seed=3, observables=terms)
            for start in ("random", visible)
        ],
        "even_ladder": call(first=theta, last=theta + 1, n_temperatures=3),
        "persistent_moments": call(**divergence, chains=chains, _waits=slow),
        "record": call(
            **of_sampler, chains=chains, n_sweeps=1, n_records=2, hidden_only=False, _waits=slow
        ),
        "short_run_moments": call(**divergence, _waits=slow),
        "start_from_data": call(model=model, visible=visible, seed=3),
        "start_random": call(model=model, n_chains=3, seed=3),
        "start_spread": call(model=model, n_chains=3, seed=3),
        "temper": call(
            sampler=sampler,
            ladder=np.stack([theta, theta + 1, theta + 2]),
            chains=chains,
            n_rounds=2,
            burn_in=1,
            n_sweeps=1,
            seed=3,
            _waits=slow,
        ),
    }


def _of_particles() -> dict[str, Any]:
    box = Box((1.0, 2.0))
    single, pair = {"A": UniformSpace(box)}, {("A", "A"): RadialSpace(0.4, 3)}
    model = PointProcessModel(box, ("A",), single, pair)
    patterns = PointPatterns.from_lists([{"A": [[0.1, 0.2], [0.3, 1.2]]}, {}], ("A",), box)
    theta = np.full(len(model.coefficients), 0.1)
    sampler = BirthDeathMove(model)
    chains = start_empty(model, 3, 40, seed=1)
    common = {"chains": chains, "theta": theta, "n_proposals": 5, "_waits": "n_proposals"}
    return {
        "BirthDeathMove": call(model=model, reach=0.1, displacement=0.5),
        "BirthDeathMove.advance": call(sampler, **common),
        "BirthDeathMove.record": call(sampler, **common, n_records=2),
        "BirthDeathMove.record_statistics": call(sampler, **common, n_samples=2),
        "PointChains": call(patterns=chains.patterns, random=chains.random),
        "estimate_point_moments": call(sampler=sampler, theta=theta, chains=chains, **SHORT),
        "stability": call(model=model, theta=theta),
        "start_empty": call(model=model, n_chains=3, n_slots=20, seed=3),
        "start_from_patterns": call(model=model, patterns=patterns, n_slots=20, seed=3),
    }


def others() -> list[Any]:
    plane, box = Lattice((3, 3)), Box((1.0,))
    model = LatticeModel.from_names(plane, ("A", "B"), ("b.A", "J.A.B"))
    line = PointProcessModel(box, ("A", "C"), {"A": UniformSpace(box), "C": UniformSpace(box)})
    return [
        model,
        line,
        GibbsSampler(model),
        start_random(model, 2, seed=1),
        PointPatterns.from_lists([{"A": [[0.1]]}], ("A", "C"), box),
        BirthDeathMove(line),
        start_empty(line, 2, 10, seed=1),
        *neighbour_moments(("C",), 2, 2),
    ]
