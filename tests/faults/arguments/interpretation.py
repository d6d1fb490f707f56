"""Valid calls of `dynboltz.interpretation`."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np
from bad_arguments import call

from dynboltz.closures import entropic_matching
from dynboltz.distributions import LatticeModel
from dynboltz.dynamics import FunctionField
from dynboltz.interpretation import Candidate, constant, linear, project, trajectory_errors
from dynboltz.lattices import Lattice
from dynboltz.reactions import ReactionNetwork

NAMES = ("a", "b")
FIELD = FunctionField(NAMES, lambda theta, _: -theta)


def calls() -> dict[str, Any]:
    network = ReactionNetwork.parse("A -> 0 ; k = 1")
    model = LatticeModel.from_names(Lattice((6,)), ["A"], ["b.A", "J.A.A"])
    paths, times = np.random.default_rng(0).random((3, 4, 2)), np.linspace(0, 0.3, 4)
    candidates = (constant(), *linear(NAMES))
    projection = project(FIELD, paths, candidates)
    equation = projection.equations[0]
    errors = trajectory_errors(FIELD, paths, times)
    field, theta = projection.field(), jnp.zeros(2)
    return {
        "Candidate": call(name="x", function=lambda theta: theta, expected=None, latex=None),
        "Candidate.__call__": call(candidates[1], theta=theta),
        "Candidate.check_shape": call(candidates[1], shape=(2,), n_coefficients=2),
        "ProjectedEquation": call(
            coefficient="a",
            terms=equation.terms,
            magnitude=1.0,
            residual=0.1,
            difference=None,
            condition=1.0,
            notes=("a note",),
        ),
        "ProjectedField": call(
            coefficients=NAMES,
            candidates=field.candidates,
            weights=field.weights,
            ranges=field.ranges,
        ),
        "ProjectedField.__call__": call(field, theta=theta),
        "ProjectedField.visited": call(field, theta=paths),
        "Projection": call(
            equations=projection.equations,
            n_trajectories=3,
            n_points=12,
            reference=None,
            ranges=projection.ranges,
        ),
        "TrajectoryErrors": call(
            coefficients=NAMES, absolute=errors.absolute, displacement=errors.displacement
        ),
        "WeightedTerm": call(candidate=candidates[0], weight=1.0, standard_error=0.1),
        "exponentials": call(coefficients=NAMES),
        "linear": call(coefficients=NAMES),
        "monomials": call(coefficients=NAMES, order=2, _waits="order"),
        "project": call(
            field=FIELD,
            trajectories=paths,
            candidates=candidates,
            max_terms=2,
            reference=Candidate("decay", FIELD),
        ),
        "reaction_fields": call(
            field=entropic_matching(model, network, hop_rate=1.0), network=network
        ),
        "trajectory_errors": call(
            field=FIELD,
            trajectories=paths,
            times=times,
            method="euler",
            substeps=1,
            _waits="substeps",
        ),
    }


def others() -> list[Any]:
    return [
        Candidate("three", lambda theta: jnp.zeros(3)),
        Candidate("text", lambda theta: "text"),
        FunctionField(("a",), lambda theta, _: theta),
        ReactionNetwork.parse("A + B -> 0 ; k = 1"),
    ]
