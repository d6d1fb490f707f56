"""Functions that are known exactly: those of particles that do not react with each other."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from jaxtyping import Float64

from ._experiment import BoxExperiment

Truth = Callable[[Float64[np.ndarray, "points species"]], Float64[np.ndarray, " points"]]
r"""Values of a function of all $\nu_\alpha$."""


def true_functions(experiment: BoxExperiment, species: str) -> dict[str, Truth] | None:
    r"""F1, F2 and F3 of a species, if they are known exactly.

    Independent particles with the density $\rho = e^{-\nu}$ have $F_1 = D$ and $F_2 = -D$, and
    reactions at rates $k_r$ that change the number of the species by $c_r$ give

    $$F_3 = -\sum_r k_r c_r\, e^{\nu} \prod_{\beta} e^{-\nu_\beta}$$

    with at most one reactant $\beta$. `None` where particles react in pairs or have two products.
    """
    network = experiment.network
    if any(max(len(r.reactants), len(r.products)) > 1 for r in network.reactions):
        return None
    names, diffusion = experiment.species, experiment.diffusion[species]
    own = names.index(species)

    def source(nu: Float64[np.ndarray, "points species"]) -> Float64[np.ndarray, " points"]:
        total = np.zeros(len(nu))
        for reaction, change in zip(network.reactions, network.stoichiometry[own], strict=True):
            exponent = nu[:, own] - sum(nu[:, names.index(name)] for name in reaction.reactants)
            total -= float(reaction.rate or 0.0) * change * np.exp(exponent)
        return total

    return {
        "F1": lambda nu: np.full(len(nu), diffusion),
        "F2": lambda nu: np.full(len(nu), -diffusion),
        "F3": source,
    }
