"""Valid calls of `dynboltz.moments`."""

from __future__ import annotations

from typing import Any

import numpy as np
from bad_arguments import call

from dynboltz.lattices import Lattice
from dynboltz.moments import (
    Geometry,
    LinearSystem,
    Moment,
    MomentEquations,
    moment_equations,
    well_mixed_equations,
)
from dynboltz.reactions import ReactionNetwork


def calls() -> dict[str, Any]:
    network = ReactionNetwork.parse("A -> B ; k = 3\nB + B -> 0 ; k = 1")
    lattice = Lattice((6,))
    equations = moment_equations(network, ["A(0)", "A(0) B(1)"])
    mixed = well_mixed_equations(network, 2)
    rates = {"k_1": 3.0, "k_2": 1.0, "h": 1.0}
    mixed_rates = {str(rate): 1.0 for rate in mixed.matrix.free_symbols}
    rates = {str(rate): 1.0 for rate in equations.matrix.free_symbols}
    geometry = Geometry(1, (6,))
    pattern = (((0,), "A"), ((1,), "B"))
    system = LinearSystem(np.ones((2, 3)), np.ones(2))
    moment = Moment.parse("A(0) B(1)")
    states = np.zeros((2, 6), np.uint8)
    return {
        "Geometry": call(dim=1, periods=(6,), symmetric=True),
        "Geometry.canonical": call(geometry, places=pattern),
        "Geometry.images": call(geometry, pattern=pattern),
        "Geometry.of": call(dim=1, lattice=lattice, symmetric=False),
        "Geometry.shift": call(geometry, site=(1,), by=(5,)),
        "LatticeMomentEquations": call(
            network=network, moments=equations.moments, rows=equations.rows, geometry=geometry
        ),
        "LatticeMomentEquations.estimate": call(equations, states=states, lattice=lattice),
        "LatticeMomentEquations.numeric": call(equations, rates=rates),
        "LatticeMomentEquations.term": call(equations, moment=moment),
        "LatticeMomentEquations.terms": call(equations, moment=moment),
        "LinearSystem": call(matrix=np.ones((2, 3)), constant=np.ones(2)),
        "LinearSystem.__call__": call(system, values=np.ones((4, 3))),
        "Moment": call(places=pattern),
        "Moment.parse": call(text="A(0) B(1)"),
        "MomentEquations": call(network=network, moments=mixed.moments, rows=mixed.rows),
        "MomentEquations.numeric": call(mixed, rates=mixed_rates),
        "MomentEquations.terms": call(mixed, moment=mixed.moments[0]),
        "RawMoment": call(powers=(("A", 2), ("B", 1))),
        "cluster_moments": call(species=("A", "B"), order=2, dim=1, _waits="order"),
        "hidden_stencil": call(moments=(moment,)),
        "model_terms": call(moments=(Moment.parse("A(0)"), moment)),
        "moment_equations": call(
            network=network,
            moments=("A(0)", moment),
            lattice=lattice,
            symmetries=True,
            hop_rates="common",
        ),
        "rate_constants": [
            call(network=network, hop_rate=1.0),
            call(network=network, hop_rate={"A": 1.0, "B": 2.0}),
        ],
        "unclosed_moments": call(network=network, order=2, dim=1, _waits="order"),
        "well_mixed_equations": call(network=network, order=2, _waits="order"),
    }


def others() -> list[Any]:
    network = ReactionNetwork.parse("C -> D ; k = 2")
    return [
        network,
        ReactionNetwork.parse("A + B -> B ; p = 0.5"),
        Lattice((4, 4)),
        Lattice((6,), "closed"),
        Moment.parse("C(0,0)"),
        moment_equations(network, ["C(0,0)"]),
        MomentEquations,
    ]
