"""Where trajectories begin: the coordinates of starts from states at the first time."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float64

from dynboltz._arguments import checked
from dynboltz.lattices import Lattice, Term, neighbour_moments, pattern_images, pattern_term
from dynboltz.moments import moment_equations
from dynboltz.reactions import ReactionNetwork

from ._chart import MomentChart

AGREEMENT = 4.0
"""Standard errors by which the moments of a start may differ from random placement and still count
as that; among some hundred moments one in a hundred such starts is then missed."""

LARGEST_PATTERN = 3
"""Sites of the largest pattern that is followed so that an equation of a density is closed."""


@checked
def followed_terms(
    species: Sequence[str], dim: int, network: ReactionNetwork | None = None
) -> tuple[Term, ...]:
    """Densities, neighbouring pairs, and small patterns that the equations of the densities hold.

    A birth at an empty neighbour on a chain asks for three sites in a row. Where its equation
    needs more sites than three, as on a plane, it is left open instead.

    Parameters
    ----------
    species
        Names of the species.
    dim
        Dimension of the lattice.
    network
        The reactions, of a process in continuous time; left out where nothing is known of it.
    """
    terms = neighbour_moments(tuple(species), dim, 2)
    if network is None or any(reaction.rate is None for reaction in network.reactions):
        return terms
    origin = "(" + ",".join("0" * dim) + ")"
    equations = moment_equations(network, [label + origin for label in network.species])
    open_patterns = [m for m in equations.unclosed if m.order > 2]
    if any(moment.order > LARGEST_PATTERN for moment in open_patterns):
        return terms
    return (*terms, *(pattern_term(str(m), pattern_images(m.places)) for m in open_patterns))


@checked
def is_random_placement(
    chart: MomentChart, lattice: Lattice, first: Float64[np.ndarray, "replicas moments"]
) -> bool:
    """Whether states look like random placements of fixed numbers of particles.

    Parameters
    ----------
    chart
        The followed moments.
    lattice
        The lattice.
    first
        Their values at the first time, per site.
    """
    densities = first[:, list(chart.densities)]
    if len(first) < 2 or np.ptp(densities, axis=0).max() > 0:
        return False
    expected = chart.batch_moments(chart.uncorrelated(densities[0], lattice.n_sites))
    error = first.std(axis=0, ddof=1) / np.sqrt(len(first))
    away = np.abs(first.mean(axis=0) - np.asarray(expected))
    # Pairs that no replica has at its start have no scatter either: one in all is no surprise.
    rare = 3 * float(chart.floor) * np.asarray(chart.places)
    return bool(np.all(away <= np.maximum(AGREEMENT * error, rare)))


@checked
def starting_coordinates(
    chart: MomentChart, lattice: Lattice, first: Sequence[Float64[np.ndarray, "_ moments"]]
) -> Float64[np.ndarray, "starts coordinates"]:
    """Coordinates of starts: exact for random placements, those of the means for others.

    Parameters
    ----------
    chart
        The followed moments.
    lattice
        The lattice.
    first
        For each start, their values at the first time of its replicas, per site.
    """
    densities = list(chart.densities)
    return np.array(
        [
            chart.uncorrelated(moments[0, densities], lattice.n_sites)
            if is_random_placement(chart, lattice, moments)
            else chart.from_moments(moments.mean(axis=0))
            for moments in first
        ]
    )
