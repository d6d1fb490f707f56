"""Small models solved by visiting every state."""

from __future__ import annotations

from typing import final

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, UInt8

from dynboltz._arguments import checked
from dynboltz._digits import against
from dynboltz._numbers import check_precision
from dynboltz._typing import AnyArray

from ._model import LatticeModel
from ._solution import AbstractSolution

MAX_STATES = 1 << 22
_BATCH = 1 << 14


@final
@checked
class Enumeration(AbstractSolution):
    """Exact solution of any small model, by summing over all states of all layers.

    Parameters
    ----------
    model
        A model of at most about four million states.

    Raises
    ------
    ValueError
        If the model has more states; by the methods, if JAX is in single precision.

    Attributes
    ----------
    states
        All states, layers first.
    counts
        Statistics of each state, summed over the sites.
    """

    def __init__(self, model: LatticeModel) -> None:
        self.model = model
        units = [np.flatnonzero(layer.exists(model.lattice)) for layer in model.layers]
        bases = [
            len(layer.species) + 1
            for layer, places in zip(model.layers, units, strict=True)
            for _ in places
        ]
        n_states = float(np.prod(np.array(bases, dtype=float)))
        if n_states > MAX_STATES:
            raise ValueError(
                f"Enumeration: the model has {against(n_states, MAX_STATES)} states, more than "
                f"{MAX_STATES}; use TransferMatrix for a chain, or sampled moments."
            )
        self.states = _all_states(model, units, bases)
        self.counts = np.concatenate(
            [
                model.counter.count(self.states[:, start : start + _BATCH])
                for start in range(0, self.states.shape[1], _BATCH)
            ]
        ).astype(float)

    def log_weights(self, theta: Float[AnyArray, " coefficients"]) -> Float[Array, " states"]:
        r"""Exponent $\theta \cdot s(x)$ of every state."""
        check_precision("Enumeration")
        return jnp.asarray(self.counts, theta.dtype) @ theta

    def log_partition(self, theta: Float[AnyArray, " coefficients"]) -> Float[Array, ""]:
        r"""Log partition function $\ln Z(\theta)$ of the whole lattice."""
        return jax.nn.logsumexp(self.log_weights(theta))

    def probabilities(self, theta: Float[AnyArray, " coefficients"]) -> Float[Array, " states"]:
        """Probability of every state, in the order of `states`."""
        return jax.nn.softmax(self.log_weights(theta))


def _all_states(
    model: LatticeModel, units: list[np.ndarray], bases: list[int]
) -> UInt8[np.ndarray, "layers states sites"]:
    codes = np.indices(tuple(bases), dtype=np.uint8).reshape(len(bases), -1)
    states = np.zeros((len(units), codes.shape[1], model.lattice.n_sites), dtype=np.uint8)
    row = 0
    for layer, places in enumerate(units):
        states[layer][:, places] = codes[row : row + len(places)].T
        row += len(places)
    return states
