"""Quantities of point processes with pairs, from chains."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float64

from dynboltz.distributions import PointProcessModel
from dynboltz.evaluation import independent_pairs, pair_counts, uniform_pair_share
from dynboltz.particles import PointPatterns
from dynboltz.sampling import BirthDeathMove, start_empty

from .._progress import Progress
from .._seeds import Purpose, derive_seed
from ._experiment import BoxExperiment
from ._observed import distance_edges

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
    progress: Progress,
) -> dict[str, Float64[np.ndarray, "initial_conditions times kinds ..."]]:
    """Quantities of the distributions with these coefficients.

    Chains start from empty boxes, so that what they show is the model's alone.

    Parameters
    ----------
    name
        Name of the model.
    mean_number
        Particles of a typical pattern, to measure the length of chains.
    """
    found = []
    for number, rows in enumerate(theta):
        seed = derive_seed(experiment, "test", Purpose.EVALUATION, name=name, number=number)
        patterns = _samples(experiment, model, rows, mean_number, seed)
        found.append(_quantities(experiment, patterns))
        progress({"stage": "predict", "step": number + 1, "total": len(theta)})
    return {key: np.array([quantities[key] for quantities in found]) for key in found[0]}


def _samples(
    experiment: BoxExperiment,
    model: PointProcessModel,
    theta: Float64[np.ndarray, "times coefficients"],
    mean_number: float,
    seed: np.random.SeedSequence,
) -> PointPatterns:
    """Patterns with the batch (samples, times)."""
    sampler, n_times = BirthDeathMove(model), len(theta)
    n_records = max(1, experiment.table.evaluation.samples // CHAINS)
    chains = start_empty(model, n_times * CHAINS, 2 * experiment.n_slots, seed=seed)
    chains = sampler.advance(chains, theta, int(BURN_IN * mean_number) + 1)
    found, _ = sampler.record(chains, theta, int(APART * mean_number) + 1, n_records)

    def by_sample(values: np.ndarray) -> np.ndarray:
        split = values.reshape(n_records, n_times, CHAINS, *values.shape[2:]).swapaxes(1, 2)
        return split.reshape(n_records * CHAINS, n_times, *values.shape[2:])

    return PointPatterns(
        by_sample(found.positions), by_sample(found.labels), found.species, found.box
    )


def _quantities(experiment: BoxExperiment, patterns: PointPatterns) -> dict[str, np.ndarray]:
    edges, dim = distance_edges(experiment), experiment.box.dim
    counts = patterns.counts().astype(np.float64)
    number = counts.mean(axis=0)
    pairs = pair_counts(patterns, edges).mean(axis=0)
    floor = np.maximum(number, 1e-12)
    share = uniform_pair_share(experiment.box, edges)
    n_bins = experiment.table.evaluation.profile_bins
    density = (number / experiment.box.volume)[..., *(None,) * dim]
    return {
        "number": number,
        "dispersion": counts.var(axis=0, ddof=1) / floor,
        "profile": np.broadcast_to(density, (*number.shape, *(n_bins,) * dim)),
        "pair_correlation": pairs / (independent_pairs(floor)[..., None] * share),
    }
