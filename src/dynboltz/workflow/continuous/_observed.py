"""What simulations show: numbers, their spread, profiles and pair correlations."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from jaxtyping import Float64

from dynboltz.evaluation import independent_pairs, jackknife, pair_counts, uniform_pair_share
from dynboltz.evaluation._squared_errors import N_HALVES
from dynboltz.particles import PointPatterns

from .._directory import ResultDirectory
from .._progress import Progress
from ._experiment import BoxExperiment
from ._simulate import open_part, patterns_of


class Measured(NamedTuple):
    """Values, their standard errors, and values of halves of the replicas.

    The axes are initial conditions, times, species or pairs, and more; `halves` has the half
    before them.
    """

    value: Float64[np.ndarray, "initial_conditions times kinds ..."]
    error: Float64[np.ndarray, "initial_conditions times kinds ..."]
    halves: Float64[np.ndarray, "halves initial_conditions times kinds ..."]


QUANTITIES = ("number", "dispersion", "profile", "pair_correlation")
r"""Mean number, its variance over its mean, density in cells, and $g(r)$ of pairs in bins."""

Observed = dict[str, Measured]
"""What is seen of each quantity."""


def distance_edges(experiment: BoxExperiment) -> Float64[np.ndarray, " edges"]:
    """Edges of the bins of pair correlations [length]."""
    return np.linspace(0.0, experiment.reach, experiment.table.evaluation.distance_bins + 1)


def observe(
    experiment: BoxExperiment, directory: ResultDirectory, part: str, progress: Progress
) -> Observed:
    """Look at all simulations of one part."""
    found: dict[str, list[Measured]] = {name: [] for name in QUANTITIES}
    total = getattr(experiment.table.initial, part)
    for number, patterns in patterns_of(experiment, open_part(experiment, directory, part)):
        for name, measured in _of_patterns(experiment, patterns).items():
            found[name].append(measured)
        progress({"stage": "evaluate", "step": number + 1, "total": total})
    return {
        name: Measured(
            np.array([one.value for one in v]),
            np.array([one.error for one in v]),
            np.stack([one.halves for one in v], axis=1),
        )
        for name, v in found.items()
    }


def _of_patterns(experiment: BoxExperiment, patterns: PointPatterns) -> dict[str, Measured]:
    """Quantities of one initial condition, from patterns [replicas, times]."""
    counts = patterns.counts().astype(np.float64)
    edges = distance_edges(experiment)
    pairs = pair_counts(patterns, edges).astype(np.float64)
    densities = _densities(experiment, patterns)
    whole = quantities_of(experiment, counts, pairs, densities)
    halves = [
        quantities_of(experiment, *(values[h::N_HALVES] for values in (counts, pairs, densities)))
        for h in range(N_HALVES)
    ]
    return {
        name: Measured(*whole[name], np.array([half[name][0] for half in halves]))
        for name in QUANTITIES
    }


def quantities_of(
    experiment: BoxExperiment,
    counts: Float64[np.ndarray, "replicas times species"],
    pairs: Float64[np.ndarray, "replicas times pairs bins"],
    densities: Float64[np.ndarray, "replicas times species ..."],
) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Values of all quantities and their standard errors; NaN for those of a single replica.

    Parameters
    ----------
    experiment
        Says where pairs were counted.
    counts, pairs, densities
        Numbers of particles, of pairs in bins of the distance, and densities in cells.
    """
    share = uniform_pair_share(experiment.box, distance_edges(experiment))
    # The variance of one number is 0 here, whatever the divisor.
    unbiased = len(counts) / max(len(counts) - 1, 1)

    def correlation(pairs: np.ndarray, number: np.ndarray) -> np.ndarray:
        return pairs / (independent_pairs(np.maximum(number, 1e-12))[..., None] * share)

    def dispersion(number: np.ndarray, square: np.ndarray) -> np.ndarray:
        return unbiased * (square - number**2) / np.maximum(number, 1e-12)

    return {
        "number": _jackknife(lambda number: number, counts),
        "dispersion": _jackknife(dispersion, counts, counts**2),
        "profile": _jackknife(lambda density: density, densities),
        "pair_correlation": _jackknife(correlation, pairs, counts),
    }


def _jackknife(
    statistic: Callable[..., np.ndarray], *samples: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    if len(samples[0]) > 1:
        return jackknife(statistic, *samples)
    value = statistic(*(sample[0] for sample in samples))
    return value, np.full_like(value, np.nan)


def _densities(
    experiment: BoxExperiment, patterns: PointPatterns
) -> Float64[np.ndarray, "replicas times species ..."]:
    """Numbers of particles in equal cells of the box, divided by the volume of a cell."""
    box, n = experiment.box, experiment.table.evaluation.profile_bins
    lengths = np.array(box.lengths, dtype=np.float64)
    cells = np.minimum((patterns.positions / lengths * n).astype(np.int64), n - 1)
    flat = np.ravel_multi_index(tuple(np.moveaxis(cells, -1, 0)), (n,) * box.dim)
    rows = np.arange(patterns.labels[..., 0].size).reshape(*patterns.batch, 1)
    n_cells, found = n**box.dim, []
    for label in range(1, len(experiment.species) + 1):
        own = patterns.labels == label
        places = (rows * n_cells + flat)[own]
        numbers = np.bincount(places, minlength=rows.size * n_cells)
        found.append(numbers.reshape(*patterns.batch, *(n,) * box.dim))
    return np.stack(found, axis=2) * (n_cells / box.volume)
