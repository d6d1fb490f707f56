"""Moments of point processes estimated from chains."""

from __future__ import annotations

from jaxtyping import Float

from dynboltz._arguments import checked
from dynboltz._typing import AnyArray

from ._birth_death_move import BirthDeathMove
from ._estimate import MomentEstimate, check_numbers, summarise_statistics, warn_unless_converged
from ._point_chains import PointChains


@checked
def estimate_point_moments(
    sampler: BirthDeathMove,
    theta: Float[AnyArray, " coefficients"],
    chains: PointChains,
    *,
    n_samples: int,
    burn_in: int,
    thin: int,
) -> MomentEstimate:
    r"""Estimate the moments $\tilde\mu_k = \langle s_k \rangle$, totals over the box.

    Parameters
    ----------
    sampler
        Sampler of the model.
    theta
        Coefficients, in the order of the model.
    chains
        At least 2 chains, where they start.
    n_samples
        Number of samples a chain, at least 4.
    burn_in
        Number of proposals before the first sample.
    thin
        Number of proposals a sample; a few for each particle.

    Warns
    -----
    ConvergenceWarning
        If the chains have not converged; see `MomentEstimate.converged`.

    Raises
    ------
    ValueError, CondensationError
        As for `BirthDeathMove.advance`; `ValueError` also if there are too few chains or samples.
    """
    check_numbers(
        "estimate_point_moments",
        chains=(len(chains), 2),
        n_samples=(n_samples, 4),
        thin=(thin, 1),
    )
    chains = sampler.advance(chains, theta, burn_in)
    values, _ = sampler.record_statistics(chains, theta, thin, n_samples)
    estimate = summarise_statistics(values, sampler.model.coefficients)
    warn_unless_converged("estimate_point_moments", estimate)
    return estimate
