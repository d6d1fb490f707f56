"""Exact solutions of models: log partition function, moments, Fisher metric."""

from __future__ import annotations

import abc

import jax
import numpy as np
from jaxtyping import Array, Float

from dynboltz._arguments import checked
from dynboltz._typing import AnyArray

from ._model import LatticeModel


@checked
class AbstractSolution(abc.ABC):
    r"""A model whose partition function is known exactly.

    Everything follows from the log partition function, which is differentiated:
    $\mu_k = \partial \ln Z / \partial \theta_k$, and the Fisher metric is its Hessian. Moments and
    metric are per visible site.
    """

    model: LatticeModel

    @property
    def _axis_entries(self) -> dict[str, int | tuple[str, ...]]:
        return self.model._axis_entries

    @abc.abstractmethod
    def log_partition(self, theta: Float[AnyArray, " coefficients"]) -> Float[Array, ""]:
        r"""Log partition function $\ln Z(\theta)$ of the whole lattice."""

    def free_energy(self, theta: Float[AnyArray, " coefficients"]) -> Float[Array, ""]:
        r"""$\ln Z(\theta)$ per visible site."""
        return self.log_partition(theta) / self.model.lattice.n_sites

    def moments(self, theta: Float[AnyArray, " coefficients"]) -> Float[Array, " coefficients"]:
        r"""Moments $\tilde\mu_k = \langle s_k \rangle$ per visible site."""
        return jax.grad(self.free_energy)(theta)

    def fisher(
        self, theta: Float[AnyArray, " coefficients"]
    ) -> Float[Array, "coefficients coefficients"]:
        r"""Fisher metric $G_{kl} = \mathrm{Cov}(s_k, s_l)$ per visible site."""
        return jax.hessian(self.free_energy)(theta)


def digits(n_species: int, length: int) -> np.ndarray:
    """All states of `length` units of `n_species` species, the first unit slowest."""
    shape = (n_species + 1,) * length
    return np.indices(shape).reshape(length, -1).T.astype(np.uint8)
