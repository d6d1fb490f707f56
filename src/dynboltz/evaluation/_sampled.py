"""Moments of models that have no exact solution, by Gibbs sampling."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float64

from dynboltz._arguments import check_range, checked
from dynboltz.distributions import LatticeModel
from dynboltz.lattices import Lattice, Term, TermCounter, child_seeds
from dynboltz.sampling import GibbsSampler, advance, start_random

from ._equilibrium import check_counted_on

MAX_STATES = 1 << 26
"""Units of all layers of the chains that are sampled at once."""


class ShortRunMoments(NamedTuple):
    """Moments per visible site, from short runs.

    Attributes
    ----------
    mean
        Means over the chains.
    standard_error
        Standard errors of these means; NaN for a single chain.
    """

    mean: Float64[np.ndarray, "... terms"]
    standard_error: Float64[np.ndarray, "... terms"]


@checked
def sampled_prediction(
    model: LatticeModel,
    theta: Float64[np.ndarray, "... coefficients"],
    terms: Sequence[Term],
    *,
    counted_on: Lattice | None = None,
    n_samples: int,
    n_sweeps: int,
    seed: int | np.random.SeedSequence,
) -> ShortRunMoments:
    """Moments per visible site, as means over short runs from random units.

    What a short run gives need not be the equilibrium of a model with strong couplings, see
    `dynboltz.sampling.compare_starts`.

    Parameters
    ----------
    model
        The distribution.
    theta
        Coefficients.
    terms
        Whose moments.
    counted_on
        Lattice whose neighbours count, if not the model's, such as one with another boundary.
    n_samples
        Independent chains for each set of coefficients.
    n_sweeps
        Sweeps of each chain.
    seed
        Seed.

    Raises
    ------
    ValueError
        If there are no samples or a negative number of sweeps, or terms or lattices do not fit.

    References
    ----------
    Ernst et al. (2019), Sec. IV B, takes 100 samples after 25 sweeps.
    """
    check_range("sampled_prediction", "n_samples", n_samples, least=1)
    check_range("sampled_prediction", "n_sweeps", n_sweeps, least=0)
    if counted_on is not None:
        check_counted_on("sampled_prediction", model, counted_on)
    sampler = GibbsSampler(model)
    counter = TermCounter(counted_on or model.lattice, model.species, terms)
    rows = theta.reshape(-1, theta.shape[-1])
    n_units = len(model.layers) * model.lattice.n_sites
    batch = max(1, MAX_STATES // (n_units * n_samples))
    firsts = range(0, len(rows), batch)
    means, errors = [], []
    for first, child in zip(firsts, child_seeds(seed, len(firsts)), strict=True):
        group = rows[first : first + batch]
        start = start_random(model, len(group) * n_samples, seed=child)
        states = advance(sampler, start, group, n_sweeps).states
        counts = counter.count(states).reshape(len(group), n_samples, len(terms))
        means.append(counts.mean(axis=1) / model.lattice.n_sites)
        error = np.full_like(means[-1], np.nan)
        if n_samples > 1:
            error = counts.std(axis=1, ddof=1) / np.sqrt(n_samples) / model.lattice.n_sites
        errors.append(error)
    shape = (*theta.shape[:-1], len(terms))
    if not means:
        return ShortRunMoments(np.zeros(shape), np.zeros(shape))
    return ShortRunMoments(
        np.concatenate(means).reshape(shape), np.concatenate(errors).reshape(shape)
    )
