"""Visible states of a model at one set of coefficients, from independent chains."""

from __future__ import annotations

import warnings

import numpy as np
from jaxtyping import Float, UInt8

from dynboltz._arguments import check_range, checked
from dynboltz._typing import AnyArray
from dynboltz.lattices import child_seeds

from ._chains import advance, start_random
from ._estimate import ConvergenceWarning, MomentEstimate, estimate_moments
from ._gibbs import GibbsSampler

CHAINS, RECORDS = 16, 200
"""Of the check whether chains have converged."""


@checked
def draw_states(
    sampler: GibbsSampler,
    theta: Float[AnyArray, " coefficients"],
    n_samples: int,
    *,
    n_sweeps: int,
    thin: int = 1,
    seed: int | np.random.SeedSequence,
) -> tuple[UInt8[np.ndarray, "samples sites"], MomentEstimate]:
    """Draw visible states by chains from random units, and check whether chains converge.

    Parameters
    ----------
    sampler
        Sampler of the model.
    theta
        Coefficients, in the order of the model.
    n_samples
        Number of states, each from a chain of its own.
    n_sweeps
        Sweeps of each chain.
    thin
        Sweeps between two of the 200 records of each chain of the check.
    seed
        Seed.

    Returns
    -------
    states
        The states.
    estimate
        Moments from further chains, which start far apart and burn in as long: see
        `MomentEstimate.converged`. No warning is given.

    Raises
    ------
    ValueError
        If there is no sample or sweep; otherwise as for `GibbsSampler.sweep`.
    """
    check_range("draw_states", "n_samples", n_samples, 1)
    check_range("draw_states", "n_sweeps", n_sweeps, 1)
    check, draw = child_seeds(seed, 2)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        estimate = estimate_moments(
            sampler,
            theta,
            n_chains=CHAINS,
            n_samples=RECORDS,
            burn_in=n_sweeps,
            thin=thin,
            seed=check,
        )
    chains = advance(sampler, start_random(sampler.model, n_samples, seed=draw), theta, n_sweeps)
    return chains.visible, estimate
