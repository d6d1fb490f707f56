"""Whether chains forget where they started."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import final

import numpy as np
from jaxtyping import Float, Float64

from dynboltz._arguments import checked
from dynboltz._numbers import check_finite
from dynboltz._typing import AnyArray
from dynboltz.lattices import Term

from ._chains import Chains, advance
from ._diagnostics import effective_sample_size, split_r_hat
from ._estimate import MomentEstimate, check_numbers, record_statistics, summarise_statistics
from ._gibbs import GibbsSampler
from ._limits import MAX_DISTANCE, MIN_SAMPLES_A_CHAIN


@final
@checked
@dataclass(frozen=True)
class StartComparison:
    r"""Moments of a model from chains of several kinds of start, per visible site.

    Attributes
    ----------
    estimates
        Estimates from each kind of start.
    r_hat
        Rank-normalised split $\hat R$ over the chains of all kinds together.
    distance
        Largest difference of two means, in standard errors of the difference. Infinite where means
        differ though no chain ever changes.
    samples_a_chain
        Effective sample size of the chains of all kinds together, divided by their number. Chains
        that are stuck in different states have one or less; infinite for a moment that is the same
        everywhere.
    """

    estimates: Mapping[str, MomentEstimate]
    r_hat: Float64[np.ndarray, " moments"]
    distance: Float64[np.ndarray, " moments"]
    samples_a_chain: Float64[np.ndarray, " moments"]

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the moments."""
        return next(iter(self.estimates.values())).names

    @property
    def disagreeing(self) -> tuple[str, ...]:
        r"""Moments that chains disagree about.

        Their means differ by more than four standard errors between two starts, or there are less
        than ten effective samples a chain. Both are milder than what `MomentEstimate.converged`
        asks for: chains may be too few for precise means, and yet forget their start.
        """
        differs = (self.distance > MAX_DISTANCE) | (self.samples_a_chain < MIN_SAMPLES_A_CHAIN)
        return tuple(name for name, d in zip(self.names, differs, strict=True) if d)

    @property
    def metastable(self) -> bool:
        """Whether chains remember where they started, so that none of the means can be trusted."""
        return bool(self.disagreeing)


@checked
def compare_starts(
    sampler: GibbsSampler,
    theta: Float[AnyArray, " coefficients"],
    starts: Mapping[str, Chains],
    *,
    n_samples: int,
    burn_in: int,
    thin: int = 1,
    observables: Sequence[Term] = (),
) -> StartComparison:
    r"""Estimate moments from several kinds of start, and tell whether they agree.

    A lattice with strong couplings has long-lived states: a few sweeps from data look as if the
    model matched them, while its equilibrium is elsewhere. Each kind of start alone may even have
    $\hat R$ near 1; only means from different starts show it.

    Parameters
    ----------
    sampler
        Sampler of the model.
    theta
        Coefficients, in the order of the model.
    starts
        At least two kinds of start, by name, each with at least 2 chains: such as `start_random`,
        `start_from_data`, or lattices full of one species.
    n_samples
        Number of samples a chain, at least 4.
    burn_in
        Number of sweeps before the first sample.
    thin
        Number of sweeps a sample.
    observables
        Further terms to average, named differently from the coefficients.

    Raises
    ------
    ValueError
        If there are too few starts, chains or samples; otherwise as for `GibbsSampler.sweep`.
    """
    fewest = min((len(chains) for chains in starts.values()), default=0)
    check_numbers(
        "compare_starts",
        starts=(len(starts), 2),
        chains=(fewest, 2),
        n_samples=(n_samples, 4),
        thin=(thin, 1),
    )
    observed = sampler.model.with_terms(observables)
    values = {
        name: record_statistics(
            sampler,
            observed,
            advance(sampler, chains, theta, burn_in),
            theta,
            n_samples=n_samples,
            thin=thin,
        )
        for name, chains in starts.items()
    }
    return compare_values(values, observed.coefficients)


@checked
def compare_values(
    values: Mapping[str, Float64[np.ndarray, "_chains samples moments"]], names: tuple[str, ...]
) -> StartComparison:
    """Compare values along chains from several kinds of start, see `compare_starts`.

    Raises
    ------
    ValueError
        If a value is not finite, or there are too few starts, chains or samples.
    """
    check_numbers("compare_values", values=(len(values), 1))
    for name, v in values.items():
        if v.shape[0] < 1 or v.shape[1] < 4:
            raise ValueError(
                f"compare_values: `values[{name!r}]` must hold at least 1 chain of 4 samples, got "
                f"the shape {v.shape}."
            )
        check_finite("compare_values", f"`values[{name!r}]`", v, ("chain", "sample", "moment"))
    estimates = {name: summarise_statistics(v, names) for name, v in values.items()}
    together = np.concatenate(list(values.values()))
    samples_a_chain = effective_sample_size(together) / len(together)
    samples_a_chain[np.ptp(together, axis=(0, 1)) == 0] = np.inf
    return StartComparison(estimates, split_r_hat(together), _distance(estimates), samples_a_chain)


def _distance(estimates: Mapping[str, MomentEstimate]) -> Float64[np.ndarray, " moments"]:
    means = np.array([estimate.mean for estimate in estimates.values()])
    errors = np.array([estimate.standard_error for estimate in estimates.values()])
    difference = np.abs(means[:, None] - means)
    error = np.sqrt(errors[:, None] ** 2 + errors**2)
    distance = np.where(difference > 0, np.inf, 0.0)
    np.divide(difference, error, out=distance, where=error > 0)
    return distance.max(axis=(0, 1))
