"""Sampled moments of the awake and the asleep phase of learning."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Float64, Shaped

from dynboltz._arguments import checked
from dynboltz._typing import AnyArray
from dynboltz.lattices import child_seeds

from ._chains import Chains, advance, record, start_from_data, start_random
from ._gibbs import GibbsSampler


class Moments(NamedTuple):
    r"""Statistics of both phases, per visible site.

    The gradient of the Kullback-Leibler divergence from data to model with respect to $\theta_k$
    is estimated by the mean of `asleep` minus the mean of `awake`.

    Attributes
    ----------
    awake
        Statistics of data with the hidden units drawn given the visible ones.
    asleep
        Statistics of states of the model, hidden units again drawn given the visible ones.
    """

    awake: Float64[np.ndarray, "states coefficients"]
    asleep: Float64[np.ndarray, "chains coefficients"]


@checked
def contrastive_divergence(
    sampler: GibbsSampler,
    theta: Float[AnyArray, "*rows coefficients"],
    visible: Shaped[AnyArray, "chains sites"],
    k: int,
    *,
    seed: int | np.random.SeedSequence,
    hidden_sweeps: int = 1,
) -> Moments:
    """Moments for CD-k: the asleep phase is k sweeps away from the data.

    In both phases the hidden units are drawn last, given the visible ones.

    Parameters
    ----------
    sampler
        Sampler of the model.
    theta
        Coefficients, in the order of the model: one set, or one row a state.
    visible
        The data.
    k
        Number of sweeps, at least 1.
    seed
        Seed.
    hidden_sweeps
        Sweeps over the hidden layers that end each phase; one is exact if hidden units are
        independent of each other given the visible ones.

    Raises
    ------
    ValueError
        If `k` is less than 1; otherwise as for `GibbsSampler.sweep`.

    References
    ----------
    Ernst et al. (2019), Algorithm 1; Hinton (2002), Neural Comput. 14, 1771.
    """
    _check_sweeps("contrastive_divergence", k)
    data = start_from_data(sampler.model, visible, seed=seed)
    awake = _draw_hidden(sampler, data, theta, hidden_sweeps)
    asleep = _draw_hidden(sampler, advance(sampler, awake, theta, k), theta, hidden_sweeps)
    return _moments(sampler, awake, asleep)


@checked
def short_run_moments(
    sampler: GibbsSampler,
    theta: Float[AnyArray, "*rows coefficients"],
    visible: Shaped[AnyArray, "chains sites"],
    k: int,
    *,
    seed: int | np.random.SeedSequence,
    hidden_sweeps: int = 1,
) -> Moments:
    """Moments with an asleep phase that is k sweeps away from units drawn at random.

    Unlike contrastive divergence it knows nothing of the data, so that it does not call a model
    matched that merely leaves the data where they are; but k sweeps from random units need not be
    the equilibrium of the model either.

    Parameters
    ----------
    sampler
        Sampler of the model.
    theta
        Coefficients, in the order of the model: one set, or rows for equal groups of successive
        chains.
    visible
        The data; there are as many chains.
    k
        Number of sweeps, at least 1.
    seed
        Seed.
    hidden_sweeps
        Sweeps over the hidden layers that end each phase.

    Raises
    ------
    ValueError
        If `k` is less than 1 or there are no data; otherwise as for `GibbsSampler.sweep`.

    References
    ----------
    Ernst et al. (2019), Sec. IV B.
    """
    _check_sweeps("short_run_moments", k)
    if not len(visible):
        raise ValueError("short_run_moments: `visible` must hold at least one state, got none.")
    of_data, of_chains = child_seeds(seed, 2)
    data = start_from_data(sampler.model, visible, seed=of_data)
    awake = _draw_hidden(sampler, data, theta, hidden_sweeps)
    start = start_random(sampler.model, len(visible), seed=of_chains)
    asleep = _draw_hidden(sampler, advance(sampler, start, theta, k), theta, hidden_sweeps)
    return _moments(sampler, awake, asleep)


@checked
def persistent_moments(
    sampler: GibbsSampler,
    theta: Float[AnyArray, "*rows coefficients"],
    visible: Shaped[AnyArray, "states sites"],
    chains: Chains,
    k: int,
    *,
    seed: int | np.random.SeedSequence,
    hidden_sweeps: int = 1,
) -> tuple[Moments, Chains]:
    """Moments with persistent chains: the asleep phase goes on from where it was.

    Parameters
    ----------
    sampler
        Sampler of the model.
    theta
        Coefficients, in the order of the model: one set, or one row a state if there are as many
        chains as data.
    visible
        The data.
    chains
        The chains; left as they are.
    k
        Number of sweeps, at least 1.
    seed
        Seed of the awake phase. The chains have their own streams.
    hidden_sweeps
        Sweeps over the hidden layers that end each phase.

    Returns
    -------
    moments
        The moments.
    chains
        The chains to keep for the next call.

    Raises
    ------
    ValueError
        If `k` is less than 1; otherwise as for `GibbsSampler.sweep`.

    References
    ----------
    Tieleman (2008), Proc. ICML 25, 1064.
    """
    _check_sweeps("persistent_moments", k)
    data = start_from_data(sampler.model, visible, seed=seed)
    awake = _draw_hidden(sampler, data, theta, hidden_sweeps)
    chains = _draw_hidden(sampler, advance(sampler, chains, theta, k), theta, hidden_sweeps)
    return _moments(sampler, awake, chains), chains


def _moments(sampler: GibbsSampler, awake: Chains, asleep: Chains) -> Moments:
    return Moments(*(sampler.model.statistics(phase.states) for phase in (awake, asleep)))


def _draw_hidden(
    sampler: GibbsSampler,
    chains: Chains,
    theta: Float[AnyArray, "*rows coefficients"],
    n_sweeps: int,
) -> Chains:
    _, drawn = record(sampler, chains, theta, n_sweeps, 1, hidden_only=True)
    return drawn


def _check_sweeps(function: str, k: int) -> None:
    if k < 1:
        raise ValueError(f"{function}: `k` must be at least 1 sweep, got {k}.")
