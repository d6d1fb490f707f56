"""The mean-field baseline."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float64

from dynboltz._arguments import checked
from dynboltz.closures import mean_field, mean_field_moments
from dynboltz.lattices import Lattice, Term
from dynboltz.reactions import ReactionNetwork
from dynboltz.simulation import AbstractKernel, CollisionKernel


@checked
def mean_field_prediction(
    network: ReactionNetwork,
    lattice: Lattice,
    kernel: AbstractKernel,
    *,
    initial_densities: Float64[np.ndarray, "initial_conditions species"],
    times: Float64[np.ndarray, " times"],
    terms: Sequence[Term],
) -> Float64[np.ndarray, "initial_conditions times moments"]:
    """Moments if all sites were independent and alike, from given densities.

    Parameters
    ----------
    network
        The reactions.
    lattice
        The lattice.
    kernel
        The simulator whose moments are approximated.
    initial_densities
        Densities at time 0 [particles per site]; the workflow takes those of the simulated initial
        states, so that the first moment starts without error.
    times
        Times of the result [time].
    terms
        Moments to predict.

    Raises
    ------
    ValueError
        As `dynboltz.closures.mean_field`.
    """
    collides = isinstance(kernel, CollisionKernel)
    courses = mean_field(
        network,
        lattice,
        initial_densities,
        times,
        kernel="collision" if collides else "continuous-time",
        dt=kernel.time_step if collides else None,
    )
    return np.array(
        [mean_field_moments(course, terms, lattice, network.species) for course in courses]
    )
