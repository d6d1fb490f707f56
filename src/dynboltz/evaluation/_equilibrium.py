"""Moments of a model's equilibrium, from long chains of two kinds of start."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float64, Shaped

from dynboltz._arguments import check_range, checked
from dynboltz._typing import AnyArray
from dynboltz.distributions import LatticeModel
from dynboltz.lattices import Lattice, Term, TermCounter, check_states
from dynboltz.sampling import (
    Chains,
    GibbsSampler,
    advance,
    compare_values,
    record,
    start_from_data,
    start_random,
)

RECORDS = 50
"""Samples of a chain."""


class EquilibriumMoments(NamedTuple):
    r"""Moments of long chains at some coefficients, per visible site.

    Attributes
    ----------
    mean
        Means over chains from the data and from random units alike.
    standard_error
        Their standard errors, if the chains agree.
    r_hat
        Largest rank-normalised split $\hat R$ of the moments, over all chains together.
    metastable
        Whether chains remember where they started, so that `mean` cannot be trusted.
    """

    mean: Float64[np.ndarray, "times moments"]
    standard_error: Float64[np.ndarray, "times moments"]
    r_hat: Float64[np.ndarray, " times"]
    metastable: Bool[np.ndarray, " times"]


@checked
def equilibrium_moments(
    model: LatticeModel,
    theta: Float64[np.ndarray, "times coefficients"],
    visible: Shaped[AnyArray, "times chains sites"],
    terms: Sequence[Term],
    *,
    counted_on: Lattice,
    n_sweeps: int,
    seed: np.random.SeedSequence,
) -> EquilibriumMoments:
    """Run chains from data and from random units, and compare them.

    Parameters
    ----------
    model
        The distribution.
    theta
        Coefficients.
    visible
        States of the data to start from, as many as there are chains of either kind.
    terms
        Whose moments.
    counted_on
        Lattice whose neighbours count; the model's may have another boundary.
    n_sweeps
        Sweeps of each chain; the first half is not counted.
    seed
        Seed.

    Raises
    ------
    TypeError, ValueError
        If states, terms or lattices do not fit the model, there are no terms or less than two
        chains of a kind, or the number of sweeps is negative.
    """
    shape = ("times", "chains", model.lattice.n_sites)
    where, species = "equilibrium_moments", model.species[0]
    check_range(where, "n_sweeps", n_sweeps, least=0)
    check_counted_on(where, model, counted_on)
    if not terms or visible.shape[1] < 2 or not len(visible):
        raise ValueError(
            f"{where}: `visible` must have two or more chains of one or more times, and `terms` "
            f"one term or more; got shape {visible.shape} and {len(terms)} terms."
        )
    visible = check_states(where, visible, species, shape, argument="visible")
    sampler = GibbsSampler(model)
    counter = TermCounter(counted_on, model.species, terms)
    names = tuple(term.name for term in terms)
    rows = [
        compare_values(
            {
                "data": _values(
                    sampler, counter, start_from_data(model, states, seed=one), at, n_sweeps
                ),
                "random": _values(
                    sampler, counter, start_random(model, len(states), seed=two), at, n_sweeps
                ),
            },
            names,
        )
        for at, states, (one, two) in zip(
            theta, visible, (child.spawn(2) for child in seed.spawn(len(theta))), strict=True
        )
    ]
    means = np.array([[e.mean for e in row.estimates.values()] for row in rows])
    errors = np.array([[e.standard_error for e in row.estimates.values()] for row in rows])
    return EquilibriumMoments(
        mean=means.mean(axis=1),
        standard_error=np.sqrt((errors**2).sum(axis=1)) / errors.shape[1],
        r_hat=np.array([row.r_hat.max() for row in rows]),
        metastable=np.array([row.metastable for row in rows]),
    )


def check_counted_on(where: str, model: LatticeModel, counted_on: Lattice) -> None:
    """Raise `ValueError` if states of the model are no states of the lattice."""
    if counted_on.shape != model.lattice.shape:
        raise ValueError(
            f"{where}: `counted_on` must have the shape of the model's lattice, "
            f"{model.lattice.shape}, got {counted_on.shape}."
        )


def _values(
    sampler: GibbsSampler,
    counter: TermCounter,
    chains: Chains,
    theta: Float64[np.ndarray, " coefficients"],
    n_sweeps: int,
) -> Float64[np.ndarray, "chains samples moments"]:
    """Moments along the second half of chains."""
    half = n_sweeps // 2
    n_records = max(4, min(RECORDS, half))
    chains = advance(sampler, chains, theta, half)
    records, _ = record(sampler, chains, theta, max(1, half // n_records), n_records)
    counts = counter.count(records.reshape(len(records), -1, records.shape[3]))
    values = counts.reshape(n_records, len(chains), -1) / sampler.model.lattice.n_sites
    return np.ascontiguousarray(values.swapaxes(0, 1))
