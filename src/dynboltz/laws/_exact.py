"""The part of a law that is known: the moment equations of densities."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from jaxtyping import Float64

from dynboltz._arguments import checked
from dynboltz.lattices import Lattice, pattern_term
from dynboltz.moments import Geometry, Moment, moment_equations, rate_constants
from dynboltz.moments._lattice_equations import n_places
from dynboltz.reactions import ReactionNetwork

from ._chart import MomentChart
from ._charts import Chart

_SMALL = 4
"""Sites along an axis up to which a hop or a reaction may reach a pattern from two sides."""


class KnownPart(NamedTuple):
    r"""Linear equations of the densities, $\dot\rho_a = c_a + \sum_C M_{aC} P_C + \dots$.

    Attributes
    ----------
    matrix
        $M$ [1/time], of the probabilities of all followed patterns.
    constant
        $c$ [1/time].
    open
        Which densities have more on their right-hand sides: moments that are not followed, or
        everything, where nothing is known.
    """

    matrix: Float64[np.ndarray, "densities moments"]
    constant: Float64[np.ndarray, " densities"]
    open: tuple[bool, ...]


@checked
def nothing_known(chart: Chart) -> KnownPart:
    """Equations of a process of which nothing is known."""
    n = len(chart.densities)
    n_compared = len(chart.names if isinstance(chart, MomentChart) else chart.coordinates)
    return KnownPart(np.zeros((n, n_compared)), np.zeros(n), (True,) * n)


@checked
def known_part(chart: MomentChart, lattice: Lattice, network: ReactionNetwork) -> KnownPart:
    """Equations of the densities, as far as they hold the followed moments only.

    The equations are those of `ContinuousTimeKernel`. Hops conserve densities, so that only
    reactions count; two neighbours that react enter by the number of neighbouring pairs, which
    also holds on a closed lattice. Of a network with collision probabilities nothing is taken as
    known: a step of the collision kernel does several things at once.

    Parameters
    ----------
    chart
        The followed moments.
    lattice
        The lattice.
    network
        The reactions.

    Raises
    ------
    ValueError
        If a followed species is not in the network.
    """
    labels = [chart.patterns[i][0][1] for i in chart.densities]
    unknown = [label for label in labels if label not in network.species]
    if unknown:
        raise ValueError(
            f"known_part: the species {unknown[0]!r} is not in the network, which has "
            f"{', '.join(network.species)}."
        )
    if any(reaction.rate is None for reaction in network.reactions):
        return nothing_known(chart)
    small = lattice.boundary == "periodic" and min(lattice.shape) <= _SMALL
    origin = "(" + ",".join("0" * lattice.dim) + ")"
    equations = moment_equations(
        network, [label + origin for label in labels], lattice=lattice if small else None
    )
    # Hops do not change densities: any rate.
    system = equations.numeric(rate_constants(network, 0.0))
    rows = [[str(m) for m in equations.moments].index(label + origin) for label in labels]
    matrix = np.zeros((len(labels), len(chart.names)))
    is_open = np.zeros(len(labels), dtype=bool)
    places = {equations.geometry.canonical(p): i for i, p in enumerate(chart.patterns)}
    for column, moment in enumerate(equations.known):
        coefficients = system.matrix[rows, column]
        place = places.get(moment.places)
        is_edge = lattice.boundary == "closed" and moment.order > 2
        if place is None or is_edge:
            is_open |= coefficients != 0
        if place is not None:
            matrix[:, place] += coefficients * _share_inside(moment, equations.geometry, lattice)
    return KnownPart(matrix, system.constant[rows], tuple(bool(o) for o in is_open))


def _share_inside(moment: Moment, geometry: Geometry, lattice: Lattice) -> float:
    """Places of a pattern and its images, over those on a periodic lattice."""
    images = geometry.images(moment.places)
    term = pattern_term(str(moment), images)
    return n_places(term, lattice) / (len(images) * lattice.n_sites)
