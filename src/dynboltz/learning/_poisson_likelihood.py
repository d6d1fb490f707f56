"""Likelihood of Poisson processes, for learning the equations of their interaction functions."""

from __future__ import annotations

from typing import final

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from dynboltz._arguments import checked
from dynboltz._numbers import check_finite
from dynboltz.distributions import PoissonSolution

from ._gauss_newton import Local


@final
@checked
class PoissonLikelihood:
    r"""Negative log likelihood of replicas of a Poisson process, exact.

    $$R\, [\theta \cdot \mu + \ln Z(\theta)], \qquad
    \frac{\partial}{\partial \theta} = R\, (\mu - \tilde\mu), \qquad
    \frac{\partial^2}{\partial \theta^2} = R\, \mathrm{Cov}(s)$$

    with the mean statistics $\mu$ of $R$ replicas, up to a constant of the data: Ernst et al.
    (2019), eqs. (5) and (7) with data minus model, as $p \propto e^{-\nu}$ needs.

    Parameters
    ----------
    solution
        The model and its exact solution.
    n_replicas
        $R$; the sum over independent replicas makes the action a log likelihood.
    """

    def __init__(self, solution: PoissonSolution, n_replicas: int) -> None:
        if n_replicas < 1:
            raise ValueError(f"PoissonLikelihood: `n_replicas` must be positive, got {n_replicas}.")
        self._solution, self._n_replicas = solution, n_replicas

    def __call__(
        self, theta: Float[Array, "times coefficients"], data: Float[Array, "times coefficients"]
    ) -> Local:
        """Look at the coefficients of one initial condition.

        Parameters
        ----------
        theta
            Coefficients.
        data
            Mean statistics of the replicas, totals over the box.
        """
        solution = self._solution
        n_coefficients = sum(space.size for space in solution.model.spaces.values())
        if theta.shape[1] != n_coefficients:
            raise ValueError(
                f"PoissonLikelihood: `theta` must have shape (times, {n_coefficients}), one entry "
                f"a coefficient of the model, got {theta.shape}."
            )

        check_finite("PoissonLikelihood", "`data`", data, ("time", "coefficient"))

        def at_time(theta: Array, mean: Array) -> Local:
            divergence = jnp.dot(theta, mean) + solution.log_partition(theta)
            difference = solution.divergence_gradient(theta, mean)
            parts = Local(divergence, difference, solution.fisher(theta))
            return Local(*(self._n_replicas * part for part in parts))

        return jax.vmap(at_time)(theta, data)
