"""Moments of a model estimated from chains, with their errors and a verdict on convergence."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, final

import numpy as np
from jaxtyping import Float, Float64, Shaped

from dynboltz._arguments import check_memory, checked
from dynboltz._digits import against
from dynboltz._typing import AnyArray
from dynboltz.distributions import LatticeModel
from dynboltz.lattices import Term

from ._chains import Chains, advance, record, start_from_data, start_random, start_spread
from ._diagnostics import effective_sample_size, split_r_hat
from ._gibbs import GibbsSampler
from ._limits import MAX_R_HAT, MIN_EFFECTIVE_SAMPLES

MAX_BATCH = 1 << 26


class ConvergenceWarning(UserWarning):
    """Chains have not converged; averages over them may be wrong."""


@final
@checked
@dataclass(frozen=True)
class MomentEstimate:
    r"""Moments estimated from chains: per visible site of a lattice, or totals over a box.

    Attributes
    ----------
    mean
        Mean over all samples of all chains.
    standard_error
        Standard deviation of a sample, divided by the root of the effective sample size.
    r_hat
        Rank-normalised split $\hat R$; near 1 if the chains agree.
    effective_sample_size
        Number of independent samples whose mean would be as precise.
    names
        Names of the moments: the coefficients of the model, then the observables.
    """

    mean: Float64[np.ndarray, " moments"]
    standard_error: Float64[np.ndarray, " moments"]
    r_hat: Float64[np.ndarray, " moments"]
    effective_sample_size: Float64[np.ndarray, " moments"]
    names: tuple[str, ...]

    @property
    def converged(self) -> bool:
        r"""Whether all $\hat R$ are below `MAX_R_HAT` and all effective sample sizes large enough.

        They must be at least `MIN_EFFECTIVE_SAMPLES`; both are limits of Vehtari et al. (2021),
        Bayesian Anal. 16, 667.
        """
        return not self._unconverged()

    @property
    def diagnosis(self) -> str:
        """The largest R-hat and the smallest effective sample size, beside what is allowed."""
        r_hat = float(self.r_hat.max())
        size = float(self.effective_sample_size.min())
        return (
            f"the largest R-hat is {against(r_hat, MAX_R_HAT)} (allowed: less than {MAX_R_HAT}), "
            f"the smallest effective sample size {against(size, MIN_EFFECTIVE_SAMPLES)} (allowed: "
            f"at least {MIN_EFFECTIVE_SAMPLES})"
        )

    def _unconverged(self) -> list[str]:
        good = (self.r_hat < MAX_R_HAT) & (self.effective_sample_size >= MIN_EFFECTIVE_SAMPLES)
        return [name for name, is_good in zip(self.names, good, strict=True) if not is_good]


@checked
def estimate_moments(
    sampler: GibbsSampler,
    theta: Float[AnyArray, " coefficients"],
    *,
    n_chains: int,
    n_samples: int,
    burn_in: int,
    thin: int = 1,
    start: Literal["spread", "random"] | Shaped[AnyArray, "chains sites"] = "spread",
    seed: int | np.random.SeedSequence,
    observables: Sequence[Term] = (),
) -> MomentEstimate:
    r"""Estimate the moments $\tilde\mu_k = \langle s_k \rangle$ of a model by Gibbs sampling.

    Parameters
    ----------
    sampler
        Sampler of the model.
    theta
        Coefficients, in the order of the model.
    n_chains
        Number of chains, at least 2.
    n_samples
        Number of samples a chain, at least 4.
    burn_in
        Number of sweeps before the first sample.
    thin
        Number of sweeps a sample.
    start
        `"spread"` for lattices that are in turn empty, full of each species and drawn at random,
        see `start_spread`: as far apart as possible, for $\hat R$ to find chains that do not mix;
        `"random"` for units drawn at random, which may all fall into one of several states; or a
        visible state for each chain. States that no chain comes near remain unknown.
    seed
        Seed.
    observables
        Further terms to average, named differently from the coefficients.

    Warns
    -----
    ConvergenceWarning
        If the chains have not converged; see `MomentEstimate.converged`.

    Raises
    ------
    ValueError
        If there are too few chains or samples, if `start` does not fit, or if an observable does
        not fit the model; otherwise as for `GibbsSampler.sweep`.
    """
    check_numbers(
        "estimate_moments", n_chains=(n_chains, 2), n_samples=(n_samples, 4), thin=(thin, 1)
    )
    observed = sampler.model.with_terms(observables)
    chains = advance(sampler, _start(sampler, start, n_chains, seed), theta, burn_in)
    values = record_statistics(sampler, observed, chains, theta, n_samples=n_samples, thin=thin)
    estimate = summarise_statistics(values, observed.coefficients)
    warn_unless_converged("estimate_moments", estimate)
    return estimate


def check_numbers(function: str, **numbers: tuple[int, int]) -> None:
    """Raise `ValueError` for a number that is less than the smallest allowed."""
    for name, (number, smallest) in numbers.items():
        if number < smallest:
            raise ValueError(f"{function}: `{name}` must be at least {smallest}, got {number}.")


def _start(
    sampler: GibbsSampler,
    start: Literal["spread", "random"] | Shaped[AnyArray, "chains sites"],
    n_chains: int,
    seed: int | np.random.SeedSequence,
) -> Chains:
    if isinstance(start, str):
        kinds = {"spread": start_spread, "random": start_random}
        if start not in kinds:
            raise ValueError(
                'estimate_moments: `start` must be "spread", "random" or visible states, got '
                f"{start!r}."
            )
        return kinds[start](sampler.model, n_chains, seed=seed)
    if len(start) != n_chains:
        raise ValueError(
            f"estimate_moments: `start` must hold one visible state for each of {n_chains} chains, "
            f"got {len(start)}."
        )
    return start_from_data(sampler.model, start, seed=seed)


def record_statistics(
    sampler: GibbsSampler,
    observed: LatticeModel,
    chains: Chains,
    theta: Float[AnyArray, " coefficients"],
    *,
    n_samples: int,
    thin: int,
) -> Float64[np.ndarray, "chains samples moments"]:
    """Statistics along the chains, a batch of records at a time."""
    n_bytes = 8 * n_samples * len(chains) * len(observed.coefficients)
    check_memory("GibbsSampler", "n_samples", n_samples, n_bytes)
    batch = max(1, MAX_BATCH // chains.states.size)
    values = []
    for first in range(0, n_samples, batch):
        n_records = min(batch, n_samples - first)
        records, chains = record(sampler, chains, theta, thin, n_records)
        states = records.reshape(records.shape[0], -1, records.shape[3])
        values.append(observed.statistics(states).reshape(n_records, len(chains), -1))
    return np.ascontiguousarray(np.concatenate(values).swapaxes(0, 1))


def summarise_statistics(
    values: Float64[np.ndarray, "chains samples moments"], names: tuple[str, ...]
) -> MomentEstimate:
    """Mean, errors and diagnostics of values along chains."""
    size = effective_sample_size(values)
    return MomentEstimate(
        mean=values.mean(axis=(0, 1)),
        standard_error=values.std(axis=(0, 1), ddof=1) / np.sqrt(size),
        r_hat=split_r_hat(values),
        effective_sample_size=size,
        names=names,
    )


def warn_unless_converged(function: str, estimate: MomentEstimate) -> None:
    """Warn in the name of a public function if chains have not converged."""
    if not estimate.converged:
        warnings.warn(f"{function}: {_message(estimate)}", ConvergenceWarning, stacklevel=3)


def _message(estimate: MomentEstimate) -> str:
    return (
        f"the chains have not converged in {', '.join(estimate._unconverged())}: "
        f"{estimate.diagnosis}. Take more samples, a longer burn-in or a larger `thin`; "
        "if R-hat stays large, the chains are stuck in different modes."
    )
