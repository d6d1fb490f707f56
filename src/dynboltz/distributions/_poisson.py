"""Point processes of independent particles, solved exactly."""

from __future__ import annotations

from typing import final

import jax.numpy as jnp
import jax.scipy.linalg
import numpy as np
from jaxtyping import Array, Float, Float64

from dynboltz._arguments import check_name, checked
from dynboltz._typing import AnyArray

from ._point_process import PointProcessModel


@final
@checked
class PoissonSolution:
    r"""Exact solution of a model without pairs, a Poisson process.

    The intensity of a species is $\rho_\alpha(x) = e^{-\nu_\alpha(x)}$ [per volume], and

    $$\ln Z(\theta) = \sum_\alpha \int e^{-\nu_\alpha(x)}\, dx, \qquad
    \tilde\mu_k = \langle s_k \rangle = -\frac{\partial \ln Z}{\partial \theta_k}
    = \int \varphi_k(x)\, e^{-\nu_\alpha(x)}\, dx .$$

    Integrals are those of `quadrature` of the spaces; as such, moments and metric are the exact
    derivatives of the log partition function. Moments and metric are totals over the box.
    Everything is differentiable in JAX.

    Parameters
    ----------
    model
        A model without pairs.

    Raises
    ------
    ValueError
        If the model has pairs.
    """

    def __init__(self, model: PointProcessModel) -> None:
        if model.pair:
            raise ValueError(
                "PoissonSolution: particles of the model must not interact, but it has the pairs "
                f"{tuple(model.pair)}; sample such a model with BirthDeathMove."
            )
        self.model = model
        rules = {name: space.quadrature() for name, space in model.spaces.items()}
        self._basis = {name: model.spaces[name].evaluate(rule[0]) for name, rule in rules.items()}
        self._weights = {name: rule[1] for name, rule in rules.items()}

    @property
    def _axis_entries(self) -> dict[str, int | tuple[str, ...]]:
        return self.model._axis_entries

    def log_partition(self, theta: Float[AnyArray, " coefficients"]) -> Float[Array, ""]:
        r"""$\ln Z(\theta)$, which is also the mean number of particles."""
        return jnp.sum(jnp.concatenate([rho for _, rho in self._weighted(theta)]))

    def moments(self, theta: Float[AnyArray, " coefficients"]) -> Float[Array, " coefficients"]:
        r"""Moments $\tilde\mu_k = \langle s_k \rangle$."""
        return jnp.concatenate([basis.T @ rho for basis, rho in self._weighted(theta)])

    def fisher(
        self, theta: Float[AnyArray, " coefficients"]
    ) -> Float[Array, "coefficients coefficients"]:
        r"""Fisher metric $G_{kl} = \mathrm{Cov}(s_k, s_l)$."""
        weighted = self._weighted(theta)
        return jax.scipy.linalg.block_diag(*(b.T @ (rho[:, None] * b) for b, rho in weighted))

    def divergence_gradient(
        self, theta: Float[AnyArray, " coefficients"], data: Float[AnyArray, " coefficients"]
    ) -> Float[Array, " coefficients"]:
        r"""Gradient of the Kullback-Leibler divergence of the model from data.

        $$\frac{\partial D}{\partial \theta_k} = \mu_k - \tilde\mu_k ,$$

        data minus model, since the exponent of the model has a minus sign.

        Parameters
        ----------
        theta
            Coefficients, in the order of the model.
        data
            Moments $\mu_k$ of the data, totals over the box.
        """
        moments = self.moments(theta)
        return jnp.asarray(data, moments.dtype) - moments

    def intensity(
        self,
        theta: Float[AnyArray, " coefficients"],
        species: str,
        points: Float64[np.ndarray, "points dim"],
    ) -> Float64[np.ndarray, " points"]:
        r"""Intensity $\rho_\alpha(x) = e^{-\nu_\alpha(x)}$ at points [per volume]."""
        check_name("PoissonSolution.intensity", "species", species, self.model.species)
        return np.exp(-self.model.values(theta, f"nu.{species}", points))

    def _weighted(
        self, theta: Float[AnyArray, " coefficients"]
    ) -> list[tuple[Float[Array, "points functions"], Float[Array, " points"]]]:
        """Basis of each species, and the intensity times the weights, at the points of the rule."""
        theta, found = jnp.asarray(theta), []
        for name, own in self.model.slices.items():
            basis = jnp.asarray(self._basis[name], theta.dtype)
            weights = jnp.asarray(self._weights[name], theta.dtype)
            found.append((basis, weights * jnp.exp(-(basis @ theta[own]))))
        return found
