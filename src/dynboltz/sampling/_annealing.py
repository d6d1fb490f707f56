"""Log partition functions by annealed importance sampling."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Float64

from dynboltz._arguments import checked
from dynboltz._typing import AnyArray
from dynboltz.distributions import LatticeModel
from dynboltz.lattices import Factor

from ._chains import advance, start_random
from ._estimate import check_numbers
from ._gibbs import GibbsSampler
from ._tables import unit_exists


class LogPartitionEstimate(NamedTuple):
    r"""Estimate of $\ln Z$ of a whole lattice.

    Attributes
    ----------
    value
        The estimate. It is too low on average, by about half the square of its error.
    standard_error
        Standard error, by the delta method.
    effective_sample_size
        Number of chains of equal weight that would be as precise; the error can be trusted where
        this is not far below the number of chains.
    """

    value: float
    standard_error: float
    effective_sample_size: float


@checked
def anneal_log_partition(
    sampler: GibbsSampler,
    theta: Float[AnyArray, " coefficients"],
    *,
    n_chains: int = 100,
    n_temperatures: int = 1000,
    n_sweeps: int = 1,
    seed: int | np.random.SeedSequence,
) -> LogPartitionEstimate:
    r"""Estimate the log partition function by annealed importance sampling.

    Chains start from independent units, $\theta_0$, the biases of $\theta$ alone, whose $\ln Z$ is
    known, and go to $\theta$ along $\theta_\beta = \theta_0 + \beta (\theta - \theta_0)$ with
    $\beta$ in equal steps. Each collects the log weight $\ln w = \sum_\beta
    (\theta_{\beta + \Delta} - \theta_\beta) \cdot s(x_\beta)$, with $s$ summed over the lattice,
    and $\ln Z(\theta) = \ln Z(\theta_0) + \ln \langle w \rangle$.

    Parameters
    ----------
    sampler
        Sampler of the model.
    theta
        Coefficients, in the order of the model.
    n_chains
        Number of chains, at least 2.
    n_temperatures
        Number of steps, at least 1.
    n_sweeps
        Number of sweeps a step, at least 1.
    seed
        Seed.

    Raises
    ------
    ValueError
        If a number is too small; otherwise as for `GibbsSampler.sweep`.

    References
    ----------
    Neal (2001), Stat. Comput. 11, 125.
    """
    check_numbers(
        "anneal_log_partition",
        n_chains=(n_chains, 2),
        n_temperatures=(n_temperatures, 1),
        n_sweeps=(n_sweeps, 1),
    )
    model = sampler.model
    end = np.asarray(theta, dtype=np.float64)
    is_bias = np.array([all(len(product) == 1 for product in t.products) for t in model.terms])
    start = np.where(is_bias, end, 0.0)
    chains = advance(sampler, start_random(model, n_chains, seed=seed), start, 1)
    log_weights = np.zeros(n_chains)
    for step in range(1, n_temperatures + 1):
        statistics = model.counter.count(chains.states)
        log_weights += statistics @ (end - start) / n_temperatures
        if step < n_temperatures:
            between = start + (step / n_temperatures) * (end - start)
            chains = advance(sampler, chains, between, n_sweeps)
    value = (
        _independent_log_partition(model, start)
        + np.logaddexp.reduce(log_weights)
        - np.log(n_chains)
    )
    weights = np.exp(log_weights - log_weights.max())
    spread = np.std(weights, ddof=1) / np.mean(weights)
    return LogPartitionEstimate(
        value=float(value),
        standard_error=float(spread / np.sqrt(n_chains)),
        effective_sample_size=float(np.sum(weights) ** 2 / np.sum(weights**2)),
    )


def _independent_log_partition(
    model: LatticeModel, theta: Float64[np.ndarray, " coefficients"]
) -> float:
    """Log partition function of units that only have biases."""
    total = 0.0
    for number, (layer, exists) in enumerate(zip(model.layers, unit_exists(model), strict=True)):
        fields = np.zeros((len(layer.species) + 1, model.lattice.n_sites))
        for coefficient, term in zip(theta, model.terms, strict=True):
            for product in term.products:
                if len(product) == 1 and product[0].layer == number:
                    species = layer.species.index(product[0].species) + 1
                    fields[species] += coefficient * _times_counted(model, product[0], term.at)
        total += float(np.sum(np.logaddexp.reduce(fields[:, exists], axis=0)))
    return total


def _times_counted(
    model: LatticeModel, factor: Factor, at: tuple[int, ...] | None
) -> Float64[np.ndarray, " sites"]:
    """How often a product of this factor alone, at one site or at all of them, names each site."""
    lattice = model.lattice
    sites = (
        lattice.translate(factor.offset)
        if at is None
        else np.array([lattice.site(factor.seen_from(at))])
    )
    return np.bincount(sites[sites >= 0], minlength=lattice.n_sites).astype(np.float64)
