"""Entropic matching with sampled moments, for models without an exact solution."""

from __future__ import annotations

from collections.abc import Mapping
from typing import final

import equinox as eqx
import jax
import numpy as np
from jaxtyping import Array, Float, Float64

from dynboltz._arguments import checked, is_traced
from dynboltz._numbers import check_finite
from dynboltz.distributions import LatticeModel
from dynboltz.dynamics import AbstractVectorField, unlimited
from dynboltz.lattices import TermCounter
from dynboltz.reactions import ReactionNetwork
from dynboltz.sampling import GibbsSampler, start_random

from ._drift import Drift, rate_values, statistics_drift
from ._metric import mean_drift, solve_metric


@final
@checked
class SampledEntropicMatching(AbstractVectorField):
    r"""Right-hand side $F(\theta) = G(\theta)^{-1} \langle \mathcal{L}^\dagger s \rangle_\theta$.

    Made by `sampled_entropic_matching`. Chains start from the same random states with the same
    random numbers in every call, so that the field is a function of $\theta$, though not a smooth
    one: integrate it with fixed steps. It has no derivatives.

    Attributes
    ----------
    coefficients
        Names of the coefficients.
    drift
        How fast the statistics change.
    chains
        How moments are estimated.
    rates
        Rate constants [1/time], in the order of `drift.rate_names`.
    """

    coefficients: tuple[str, ...] = eqx.field(static=True)
    drift: Drift = eqx.field(static=True)
    chains: ChainMoments = eqx.field(static=True)
    rates: Float[Array, " rates"]

    def __call__(self, theta: Float[Array, " coefficients"]) -> Float[Array, " coefficients"]:
        r"""Time derivative $d\theta/dt$ [1/time] at one point."""
        if not is_traced(theta):
            check_finite("SampledEntropicMatching", "`theta`", theta, ("coefficient",))
        n, n_terms = len(self.coefficients), len(self.drift.terms)
        shapes = (
            jax.ShapeDtypeStruct((n, n), theta.dtype),
            jax.ShapeDtypeStruct((n_terms,), theta.dtype),
        )
        fisher, observed = jax.pure_callback(
            self.chains, shapes, theta, vmap_method="broadcast_all"
        )
        return solve_metric(fisher, mean_drift(self.drift, self.rates, observed))

    def limits(
        self,
    ) -> tuple[Float[np.ndarray, " coefficients"], Float[np.ndarray, " coefficients"]]:
        """Infinite: the field is defined everywhere."""
        return unlimited(self)


@final
class ChainMoments:
    """Fisher metric and moments of a model from short chains, the same ones in every call.

    Parameters
    ----------
    model
        The model.
    drift
        The terms to observe.
    n_chains, n_sweeps, n_records
        Number of chains, of sweeps from a random state to the first record of a chain, and of
        records, each one further sweep later.
    seed
        Seed of the chains.
    """

    def __init__(
        self,
        model: LatticeModel,
        drift: Drift,
        n_chains: int,
        n_sweeps: int,
        n_records: int,
        seed: int | np.random.SeedSequence,
    ) -> None:
        self._sampler = GibbsSampler(model)
        self._observed = TermCounter(model.lattice, model.species, drift.terms)
        self._n_chains, self._n_sweeps, self._n_records = n_chains, n_sweeps, n_records
        self._seed = seed

    def __call__(
        self, theta: Float[np.ndarray | Array, "*batch coefficients"]
    ) -> tuple[
        Float[np.ndarray, "*batch coefficients coefficients"], Float[np.ndarray, "*batch terms"]
    ]:
        """Estimates per site for one or many sets of coefficients."""
        given = np.asarray(theta)
        found = [self._estimate(row) for row in given.reshape(-1, given.shape[-1])]
        fisher, observed = (np.array(part, dtype=given.dtype) for part in zip(*found, strict=True))
        batch = given.shape[:-1]
        return fisher.reshape(*batch, *fisher.shape[1:]), observed.reshape(*batch, -1)

    def _estimate(
        self, theta: Float[np.ndarray, " coefficients"]
    ) -> tuple[Float64[np.ndarray, "coefficients coefficients"], Float64[np.ndarray, " terms"]]:
        model = self._sampler.model
        start = start_random(model, self._n_chains, seed=self._seed)
        burnt, random = self._sampler.record(
            start.states, theta, start.random, n_sweeps=self._n_sweeps
        )
        states, _ = self._sampler.record(
            burnt[:, -1], theta, random, n_sweeps=1, n_records=self._n_records
        )
        flat = states.reshape(1, -1, model.lattice.n_sites)
        counts = model.counter.count(flat)
        fisher = np.cov(counts, rowvar=False).reshape(2 * (counts.shape[1],))
        observed = self._observed.count(flat).mean(axis=0)
        return fisher / model.lattice.n_sites, observed / model.lattice.n_sites


@checked
def sampled_entropic_matching(
    model: LatticeModel,
    network: ReactionNetwork,
    *,
    hop_rate: float | Mapping[str, float],
    n_chains: int = 100,
    n_sweeps: int = 25,
    n_records: int = 10,
    seed: int | np.random.SeedSequence = 0,
) -> SampledEntropicMatching:
    """Derive the same motion as `entropic_matching`, its moments estimated by Gibbs sampling.

    Parameters
    ----------
    model
        A visible model on a periodic lattice of 1 to 3 dimensions.
    network
        The reactions, all with a rate.
    hop_rate
        Rate of hops to each empty neighbour [1/time], one number or one by species.
    n_chains
        Number of chains.
    n_sweeps
        Sweeps of each chain from a random state to its first record.
    n_records
        Records of each chain, each one further sweep later.
    seed
        Seed of the chains.

    Raises
    ------
    ValueError
        As `entropic_matching`, but for models without an exact solution; if there are fewer
        samples than coefficients and two, or a number is not positive.
    """
    if min(n_chains, n_sweeps, n_records) < 1:
        raise ValueError(
            "sampled_entropic_matching: `n_chains`, `n_sweeps` and `n_records` must be positive, "
            f"got {n_chains}, {n_sweeps} and {n_records}."
        )
    if n_chains * n_records < len(model.terms) + 2:
        raise ValueError(
            f"sampled_entropic_matching: {n_chains} chains with {n_records} records are too few "
            f"samples for the covariance of {len(model.terms)} statistics."
        )
    drift = statistics_drift(
        model, network, "by-species" if isinstance(hop_rate, Mapping) else "common"
    )
    chains = ChainMoments(model, drift, n_chains, n_sweeps, n_records, seed)
    rates = rate_values(drift, network, hop_rate)
    return SampledEntropicMatching(model.coefficients, drift, chains, rates)
