"""The data side of learning: moments and log weights with the visible units clamped to data."""

from __future__ import annotations

from typing import final

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Float64, Shaped

from dynboltz._arguments import checked
from dynboltz._numbers import check_precision
from dynboltz._typing import AnyArray
from dynboltz.lattices import TermCounter, check_states

from ._hidden import Surroundings, hidden_layers
from ._model import LatticeModel

ROUNDING = 1e-9
"""Of means over states."""


@final
@checked
class ClampedStatistics:
    r"""Exact averages over the hidden units, with the visible units clamped to data.

    Data enter the Kullback-Leibler divergence through the mean log weight

    $$A(\theta) = \Big\langle \ln \sum_h e^{\theta \cdot s(v, h)} \Big\rangle_{\text{data}},
    \qquad \mu = \nabla_\theta A(\theta),$$

    whose gradient holds the moments of the awake phase. It is linear in a short summary of the
    data: the visible moments and the histogram of what the hidden units see, one for all units
    of a layer or, with coefficients of single places, one for each unit. Summaries may be averaged
    over states.

    Parameters
    ----------
    model
        A model whose hidden units are independent of each other once the visible ones are known.

    Raises
    ------
    ValueError
        If hidden units are coupled with each other, or see too much, see `hidden_layers`.
    """

    def __init__(self, model: LatticeModel) -> None:
        self.model = model
        self._hidden = hidden_layers(model)
        hidden_terms = {index for layer in self._hidden for index in layer.coefficients}
        self._visible = [k for k in range(len(model.terms)) if k not in hidden_terms]
        terms = [model.terms[k] for k in self._visible]
        self._counter = TermCounter(model.lattice, model.species[:1], terms)
        self._surroundings = [Surroundings(model, layer) for layer in self._hidden]

    @property
    def _axis_entries(self) -> dict[str, int | tuple[str, ...]]:
        return {**self.model._axis_entries, "features": self.n_features}

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ClampedStatistics) and other.model == self.model

    def __hash__(self) -> int:
        return hash((ClampedStatistics, self.model))

    @property
    def n_features(self) -> int:
        """Length of a summary."""
        return len(self._visible) + sum(s.n_codes for s in self._surroundings)

    def check_possible(self, where: str, summaries: Float64[np.ndarray, "*rows features"]) -> None:
        """Raise unless visible moments lie between 0 and the largest number a site can have.

        Parameters
        ----------
        where
            The public function that was called, for the message.
        summaries
            Summaries, per visible site.

        Raises
        ------
        ValueError
            If a visible moment is negative, or more than the number of products of its term, as
            sums over the sites are.
        """
        terms = [self.model.terms[k] for k in self._visible]
        n_sites = self.model.lattice.n_sites
        most = np.array([len(t.products) / (1 if t.at is None else n_sites) for t in terms])
        given = summaries[..., : len(terms)].reshape(-1, len(terms))
        wrong = np.argwhere((given < -ROUNDING) | (given > most + ROUNDING))
        if len(wrong):
            row, column = wrong[0]
            raise ValueError(
                f"{where}: `summaries` must hold moments per site, of {terms[column].name} from 0 "
                f"to {most[column]:g}; got {given[row, column]:.6g}. `ClampedStatistics.summarise` "
                "makes them from states."
            )

    def summarise(
        self, visible: Shaped[AnyArray, "states sites"]
    ) -> Float64[np.ndarray, "states features"]:
        """Summary of each visible state, per visible site.

        Parameters
        ----------
        visible
            The states: 0 for an empty site, `i + 1` for the species `i` of the visible layer.

        Raises
        ------
        TypeError, ValueError
            If the states do not fit the species and the lattice.
        """
        shape = ("states", self.model.lattice.n_sites)
        where = "ClampedStatistics.summarise"
        visible = np.ascontiguousarray(
            check_states(where, visible, self.model.species[0], shape, argument="visible")
        )
        counts = [self._counter.count(visible[None])]
        counts += [surroundings.histogram(visible) for surroundings in self._surroundings]
        return np.concatenate(counts, axis=1) / self.model.lattice.n_sites

    def log_weight(
        self, theta: Float[AnyArray, " coefficients"], summary: Float[AnyArray, " features"]
    ) -> Float[Array, ""]:
        r"""Mean log weight $A(\theta)$ of the data, per visible site."""
        check_precision("ClampedStatistics")
        start = len(self._visible)
        total = jnp.dot(theta[np.array(self._visible, dtype=int)], summary[:start])
        for layer, surroundings in zip(self._hidden, self._surroundings, strict=True):
            stop = start + surroundings.n_codes
            total += jnp.dot(layer.free_energy(theta, layer.codes), summary[start:stop])
            start = stop
        return total

    def moments(
        self, theta: Float[AnyArray, " coefficients"], summary: Float[AnyArray, " features"]
    ) -> Float[Array, " coefficients"]:
        r"""Moments of the awake phase $\mu$, per visible site."""
        return jax.grad(self.log_weight)(theta, summary)

    def batch_moments(
        self,
        theta: Float64[np.ndarray, "rows coefficients"],
        summaries: Float64[np.ndarray, "rows features"],
    ) -> Float64[np.ndarray, "rows coefficients"]:
        """Moments of the awake phase for many coefficients and summaries, on the host."""
        start = len(self._visible)
        moments = np.zeros_like(theta)
        moments[:, self._visible] = summaries[:, :start]
        for layer, surroundings in zip(self._hidden, self._surroundings, strict=True):
            stop = start + surroundings.n_codes
            found = layer.moments(theta, summaries[:, start:stop])
            moments[:, list(layer.coefficients)] += found
            start = stop
        return moments
