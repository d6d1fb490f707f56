"""Conditional probabilities of single hidden units."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float64, Shaped, UInt8

from dynboltz._arguments import checked
from dynboltz._typing import AnyArray
from dynboltz.lattices import check_layers

from ._hidden import label_weights
from ._model import LatticeModel


@checked
def hidden_probabilities(
    model: LatticeModel,
    theta: Float64[np.ndarray, " coefficients"],
    states: Shaped[AnyArray, "layers states sites"],
) -> list[Float64[np.ndarray, "species states sites"]]:
    r"""Probability of each species in each hidden unit, given all other units.

    $$p(h_j = \beta \mid \text{rest}) =
    \frac{e^{f_{j\beta}}}{1 + \sum_{\gamma} e^{f_{j\gamma}}}$$

    with the field $f_{j\beta}$, the change of $\theta \cdot s$ when the unit is filled.

    Parameters
    ----------
    model
        The model.
    theta
        Coefficients.
    states
        States of all layers.

    Returns
    -------
    probabilities
        For each hidden layer; 0 where a unit does not exist.

    Raises
    ------
    TypeError, ValueError
        If the states do not fit the layers and the lattice.
    """
    states = check_layers("hidden_probabilities", states, model.species, model.lattice.n_sites)
    return [_of_layer(model, theta, states, number) for number in range(1, len(model.layers))]


def _of_layer(
    model: LatticeModel,
    theta: Float64[np.ndarray, " coefficients"],
    states: UInt8[np.ndarray, "layers states sites"],
    number: int,
) -> Float64[np.ndarray, "species states sites"]:
    layer = model.layers[number]
    fields = np.zeros((len(layer.species), *states.shape[1:]))
    for coefficient, term in zip(theta, model.terms, strict=True):
        for product in term.products:
            for place, unit in enumerate(product):
                if unit.layer == number:
                    others = product[:place] + product[place + 1 :]
                    field = fields[layer.species.index(unit.species)]
                    if term.at is None:
                        field += coefficient * _holds(model, states, unit.offset, others)
                    else:
                        held = _holds_at(model, states, term.at, others)
                        field[:, model.lattice.site(unit.seen_from(term.at))] += coefficient * held
    fields[:, :, ~layer.exists(model.lattice)] = -np.inf
    weights, total = label_weights(fields)
    return weights / total


def _holds(model, states, origin, others) -> Float64[np.ndarray, "states sites"]:
    """Whether all other units of a product hold their species, seen from the unit at `origin`."""
    held = np.ones(states.shape[1:])
    for unit in others:
        offset = tuple(int(a - b) for a, b in zip(unit.offset, origin, strict=True))
        sites = model.lattice.translate(offset)
        label = model.species[unit.layer].index(unit.species) + 1
        held *= (states[unit.layer][:, sites] == label) & (sites >= 0)
    return held


def _holds_at(model, states, at, others) -> Float64[np.ndarray, " states"]:
    """Whether all other units of a product at one site hold their species."""
    held = np.ones(states.shape[1])
    for unit in others:
        label = model.species[unit.layer].index(unit.species) + 1
        held *= states[unit.layer][:, model.lattice.site(unit.seen_from(at))] == label
    return held
