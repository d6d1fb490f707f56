"""Valid calls of `dynboltz.closures`."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np
from bad_arguments import call

from dynboltz.closures import (
    entropic_matching,
    lattice_closure,
    sampled_entropic_matching,
    well_mixed_closure,
)
from dynboltz.distributions import LatticeModel
from dynboltz.lattices import Lattice, neighbour_moments
from dynboltz.reactions import ReactionNetwork

LATTICE = Lattice((6,))
NETWORK = ReactionNetwork.parse("A -> 0 ; k = 1\n0 -> A ; k = 0.5")
TERMS = neighbour_moments(["A"], 1, max_order=2)
FEW = {"n_chains": 10, "n_sweeps": 2, "n_records": 2}


def calls() -> dict[str, Any]:
    model = LatticeModel.from_names(LATTICE, ["A"], ["b.A", "J.A.A"])
    exact = entropic_matching(model, NETWORK, hop_rate=1.0)
    sampled = sampled_entropic_matching(model, NETWORK, hop_rate=1.0, **FEW, seed=1)
    lattice = lattice_closure(NETWORK, LATTICE, "pair", hop_rate=1.0)
    mixed = well_mixed_closure(NETWORK, 2, "normal")
    times, theta = np.linspace(0, 0.2, 3), jnp.zeros(2)
    states = np.array([[0, 1, 0, 1, 1, 0]], dtype=np.uint8)
    numbers = np.array([[3]])
    start, mixed_start = lattice.estimate_initial(states), mixed.estimate_initial(numbers)
    prediction = lattice.predict(start, times)
    parts = {
        "kind": "pair",
        "equations": lattice.equations,
        "velocity": lattice.velocity,
        "requirements": lattice.requirements,
    }
    densities = {
        "network": NETWORK,
        "lattice": LATTICE,
        "initial_densities": np.array([0.3]),
        "times": times,
    }
    return {
        "Closure": call(**parts),
        "Closure.predict": call(mixed, initial=mixed_start, times=times),
        "ClosurePrediction": call(
            times=times,
            values=prediction.values,
            stopped_at=prediction.stopped_at,
            reasons=prediction.reasons,
        ),
        "EntropicMatching": call(
            coefficients=exact.coefficients,
            drift=exact.drift,
            solution=exact.solution,
            rates=exact.rates,
        ),
        "EntropicMatching.__call__": call(exact, theta=theta),
        "LatticeClosure": call(**parts, lattice=LATTICE, factorisation=lattice.factorisation),
        "LatticeClosure.estimate_initial": call(lattice, states=states, lattice=LATTICE),
        "LatticeClosure.predict": call(lattice, initial=start, times=times),
        "LatticeClosure.predict_terms": call(lattice, values=prediction.values, terms=TERMS),
        "SampledEntropicMatching": call(
            coefficients=sampled.coefficients,
            drift=sampled.drift,
            chains=sampled.chains,
            rates=sampled.rates,
        ),
        "SampledEntropicMatching.__call__": call(sampled, theta=theta),
        "WellMixedClosure": call(**parts),
        "WellMixedClosure.estimate_initial": call(mixed, numbers=numbers),
        "WellMixedClosure.predict": call(mixed, initial=mixed_start, times=times),
        "entropic_matching": call(model=model, network=NETWORK, hop_rate=1.0),
        "lattice_closure": call(
            network=NETWORK, lattice=LATTICE, closure="kirkwood", hop_rate={"A": 1.0}, reach=1
        ),
        "mean_field": [
            call(**densities, kernel="continuous-time", dt=None),
            call(**densities, kernel="collision", dt=0.1),
        ],
        "mean_field_moments": call(
            densities=np.array([[0.3], [0.2]]), terms=TERMS, lattice=LATTICE, species=["A"]
        ),
        "sampled_entropic_matching": call(
            model=model,
            network=NETWORK,
            hop_rate=1.0,
            **FEW,
            seed=1,
            _waits="n_chains n_sweeps n_records",
        ),
        "well_mixed_closure": call(
            network=NETWORK,
            order=2,
            closure="normal",
            rates={"k1": 1.0, "k2": 0.5},
            _waits="order",
        ),
    }


def others() -> list[Any]:
    wide = Lattice((3, 3), "closed")
    return [
        wide,
        LatticeModel.from_names(wide, ["A", "B"], ["b.A", "b.B"]),
        LatticeModel.from_names(LATTICE, ["B"], ["b.B"]),
        ReactionNetwork.parse("A + B -> 0 ; k = 1"),
        ReactionNetwork.parse("A + A -> 0 ; p = 0.1"),
        *neighbour_moments(["B"], 2, max_order=1),
    ]
