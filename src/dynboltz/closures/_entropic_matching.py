"""Entropic matching: the motion that a family of distributions inherits from the exact process."""

from __future__ import annotations

from collections.abc import Mapping
from typing import final

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from dynboltz._arguments import checked
from dynboltz.distributions import AbstractSolution, Enumeration, LatticeModel, TransferMatrix
from dynboltz.dynamics import AbstractVectorField, unlimited
from dynboltz.reactions import ReactionNetwork

from ._drift import Drift, rate_values, statistics_drift
from ._metric import mean_drift, solve_metric


@final
@checked
class EntropicMatching(AbstractVectorField):
    r"""Right-hand side $F(\theta) = G(\theta)^{-1} \langle \mathcal{L}^\dagger s \rangle_\theta$.

    Made by `entropic_matching`. The rate constants are the parameters $u$: derivatives with
    respect to them are those of any other field.

    Attributes
    ----------
    coefficients
        Names of the coefficients.
    drift
        How fast the statistics change.
    solution
        Exact solution of the model with the terms of the drift behind its own.
    rates
        Rate constants [1/time], in the order of `drift.rate_names`.
    """

    coefficients: tuple[str, ...] = eqx.field(static=True)
    drift: Drift = eqx.field(static=True)
    solution: AbstractSolution = eqx.field(static=True)
    rates: Float[Array, " rates"]

    def __call__(self, theta: Float[Array, " coefficients"]) -> Float[Array, " coefficients"]:
        r"""Time derivative $d\theta/dt$ [1/time] at one point."""

        def moments(own: Array) -> tuple[Array, Array]:
            observed = jnp.zeros(len(self.drift.terms), own.dtype)
            gradient = jax.grad(self.solution.free_energy)(jnp.concatenate([own, observed]))
            return gradient[: len(own)], gradient[len(own) :]

        fisher, observed = jax.jacfwd(moments, has_aux=True)(theta)
        return solve_metric(fisher, mean_drift(self.drift, self.rates, observed))

    def limits(
        self,
    ) -> tuple[Float[np.ndarray, " coefficients"], Float[np.ndarray, " coefficients"]]:
        """Infinite: the field is defined everywhere."""
        return unlimited(self)


@checked
def entropic_matching(
    model: LatticeModel, network: ReactionNetwork, *, hop_rate: float | Mapping[str, float]
) -> EntropicMatching:
    r"""Derive the motion of a family of distributions from the reactions, without simulations.

    In each instant the distribution of the exact process leaves the family; the member that is
    nearest to it in the sense of $D_{KL}(p \| p_\theta)$ has the same means of the statistics.
    Hence

    $$\sum_l G_{kl}(\theta) \frac{d\theta_l}{dt} = \langle \mathcal{L}^\dagger s_k \rangle_\theta$$

    with the Fisher metric $G_{kl} = \mathrm{Cov}_\theta(s_k, s_l)$ and the generator
    $\mathcal{L}$ of the continuous-time kernel. The right-hand side is a sum of moments, derived
    as by `moment_equations`, and is exact here: by transfer matrix on rings, by enumeration on
    very small lattices. It is a vector field as any other, for `dynboltz.dynamics.integrate`.

    Parameters
    ----------
    model
        A visible model on a periodic lattice.
    network
        The reactions, all with a rate.
    hop_rate
        Rate of hops to each empty neighbour [1/time], one number or one by species.

    Raises
    ------
    ValueError
        If the model has hidden layers, terms at one place, other species than the network, a
        lattice that is not periodic, or no exact solution (then `sampled_entropic_matching`), or if
        the rates do not fit the network.

    References
    ----------
    Ramalho, Selig, Gerland and Ensslin (2013), Phys. Rev. E 87, 022719; Bronstein and Koeppl
    (2018), Phys. Rev. E 97, 062147; Ernst et al. (2019), refs. [2]-[4] and [13].
    """
    hop_rates = "by-species" if isinstance(hop_rate, Mapping) else "common"
    drift = statistics_drift(model, network, hop_rates)
    solution = _solution(model.with_terms(drift.terms))
    return EntropicMatching(
        model.coefficients, drift, solution, rate_values(drift, network, hop_rate)
    )


def _solution(model: LatticeModel) -> AbstractSolution:
    try:
        return TransferMatrix(model)
    except ValueError as no_chain:
        try:
            return Enumeration(model)
        except ValueError:
            raise no_chain from None
