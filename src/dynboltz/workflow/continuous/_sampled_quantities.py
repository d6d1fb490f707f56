"""Quantities of point processes with pairs, from chains."""

from __future__ import annotations

import math

import numpy as np
from jaxtyping import Float64

from dynboltz._warnings import warn
from dynboltz.distributions import PointProcessModel
from dynboltz.evaluation import independent_pairs, jackknife, pair_counts, uniform_pair_share
from dynboltz.evaluation._sampled import MONTE_CARLO_SHARE
from dynboltz.lattices import numbered_seed
from dynboltz.particles import PointPatterns
from dynboltz.sampling import BirthDeathMove, ConvergenceWarning, start_empty

from .._progress import Progress
from .._seeds import Purpose, derive_seed
from .._verdicts import sampling_warnings
from ._experiment import BoxExperiment
from ._observed import QUANTITIES, Observed, distance_edges

Quantities = dict[str, np.ndarray]

MOST = 8
"""Times as many samples as asked for, at most, to get there."""
CHAINS = 100
"""Of every initial condition and time."""
BURN_IN, APART = 80, 10
"""Proposals before the first record and between two, for each particle at time 0."""


def sampled_quantities(
    experiment: BoxExperiment,
    name: str,
    model: PointProcessModel,
    theta: Float64[np.ndarray, "initial_conditions times coefficients"],
    mean_number: float,
    floors: Observed,
    progress: Progress,
    *,
    half: int | None = None,
    share: float = 1.0,
) -> tuple[Quantities, Quantities]:
    """Quantities of the distributions with these coefficients, and their standard errors.

    Chains start from empty boxes, so that what they show is the model's alone. They go on until the
    error of each quantity is at most half of the noise of the simulations, root mean squares over
    the times of an initial condition, or until `MOST` times as many samples were drawn.

    Parameters
    ----------
    name
        Name of the model.
    mean_number
        Particles of a typical pattern, to measure the length of chains.
    floors
        What the simulations show.
    half
        Half of the replicas that the starts were fitted to; `None` if it is all of them.
    share
        Of `evaluation.samples` to draw at least; errors may be larger by its root.
    """
    found: list[dict[str, tuple[np.ndarray, np.ndarray]]] = []
    largest = 0.0
    for number, rows in enumerate(theta):
        purpose = Purpose.EVALUATION if half is None else Purpose.EVALUATION_OF_HALVES
        seed = derive_seed(experiment, "test", purpose, name=name, number=number)
        if half is not None:
            seed = numbered_seed(seed, half)
        allowed = {
            key: MONTE_CARLO_SHARE * _rms(floors[key].error[number]) / np.sqrt(share)
            for key in QUANTITIES
        }
        one, excess = _of_one(experiment, model, rows, mean_number, allowed, share, seed)
        found.append(one)
        largest = max(largest, excess)
        progress({"stage": "predict", "step": number + 1, "total": len(theta)})
    if largest > 1:
        for text in sampling_warnings(name):
            warn(text, ConvergenceWarning)
    value, error = (
        {key: np.array([one[key][which] for one in found]) for key in QUANTITIES}
        for which in range(2)
    )
    return value, error


def _of_one(
    experiment: BoxExperiment,
    model: PointProcessModel,
    theta: Float64[np.ndarray, "times coefficients"],
    mean_number: float,
    allowed: dict[str, float],
    share: float,
    seed: np.random.SeedSequence,
) -> tuple[dict[str, tuple[np.ndarray, np.ndarray]], float]:
    """Quantities of one initial condition and their errors, from as many records as they need.

    The number behind them is the largest error over what is allowed, above 1 at the bound only.
    """
    sampler, n_times = BirthDeathMove(model), len(theta)
    records = max(1, round(share * experiment.table.evaluation.samples / CHAINS))
    chains = start_empty(model, n_times * CHAINS, 2 * experiment.n_slots, seed=seed)
    chains = sampler.advance(chains, theta, int(BURN_IN * mean_number) + 1)
    apart, most = int(APART * mean_number) + 1, MOST * records
    rounds: list[tuple[np.ndarray, np.ndarray]] = []
    total, wanted = 0, records
    while True:
        patterns, chains = sampler.record(chains, theta, apart, wanted)
        rounds.append(_counts(experiment, patterns, n_times))
        total += wanted
        counts, pairs = (np.concatenate(part) for part in zip(*rounds, strict=True))
        found = _quantities(experiment, counts, pairs)
        excess = max(
            (_rms(found[key][1]) / limit for key, limit in allowed.items() if limit > 0),
            default=0.0,
        )
        if excess <= 1 or total >= most:
            return found, excess
        wanted = min(most - total, max(1, math.ceil(total * (1.1 * excess**2 - 1))))


def _counts(
    experiment: BoxExperiment, patterns: PointPatterns, n_times: int
) -> tuple[np.ndarray, np.ndarray]:
    """Numbers of particles and of pairs (record, chain, time, ...)."""

    def by_chain(values: np.ndarray) -> np.ndarray:
        split = values.reshape(len(values), n_times, CHAINS, *values.shape[2:])
        return split.swapaxes(1, 2).astype(np.float64)

    edges = distance_edges(experiment)
    return by_chain(patterns.counts()), by_chain(pair_counts(patterns, edges))


def _quantities(
    experiment: BoxExperiment,
    counts: Float64[np.ndarray, "records chains times species"],
    pairs: Float64[np.ndarray, "records chains times pairs bins"],
) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Values and errors by leaving out one chain after the other, as records are correlated."""
    dim, n_bins = experiment.box.dim, experiment.table.evaluation.profile_bins
    share = uniform_pair_share(experiment.box, distance_edges(experiment))
    unbiased = counts[..., 0, 0].size / (counts[..., 0, 0].size - 1)

    def correlation(pairs: np.ndarray, number: np.ndarray) -> np.ndarray:
        return pairs / (independent_pairs(np.maximum(number, 1e-12))[..., None] * share)

    def dispersion(number: np.ndarray, square: np.ndarray) -> np.ndarray:
        return unbiased * (square - number**2) / np.maximum(number, 1e-12)

    of_chains = counts.mean(axis=0)
    number = jackknife(lambda number: number, of_chains)
    profile = [
        np.broadcast_to(
            (values / experiment.box.volume)[..., *(None,) * dim],
            (*values.shape, *(n_bins,) * dim),
        )
        for values in number
    ]
    return {
        "number": number,
        "dispersion": jackknife(dispersion, of_chains, (counts**2).mean(axis=0)),
        "profile": (profile[0], profile[1]),
        "pair_correlation": jackknife(correlation, pairs.mean(axis=0), of_chains),
    }


def _rms(values: np.ndarray) -> float:
    return float(np.sqrt(np.mean(values**2)))
