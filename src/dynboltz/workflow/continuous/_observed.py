"""What simulations show: numbers, their spread, profiles and pair correlations."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from jaxtyping import Float64

from dynboltz.evaluation import independent_pairs, jackknife, pair_counts, uniform_pair_share
from dynboltz.particles import PointPatterns

from .._directory import ResultDirectory
from .._progress import Progress
from ._experiment import BoxExperiment
from ._simulate import open_part, patterns_of


class Measured(NamedTuple):
    """Values and their standard errors, over initial conditions, times, species or pairs, more."""

    value: Float64[np.ndarray, "initial_conditions times kinds ..."]
    error: Float64[np.ndarray, "initial_conditions times kinds ..."]


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
    found: dict[str, list[tuple[np.ndarray, np.ndarray]]] = {name: [] for name in QUANTITIES}
    total = getattr(experiment.table.initial, part)
    for number, patterns in patterns_of(experiment, open_part(experiment, directory, part)):
        for name, measured in _of_patterns(experiment, patterns).items():
            found[name].append(measured)
        progress({"stage": "evaluate", "step": number + 1, "total": total})
    return {name: Measured(*map(np.array, zip(*v, strict=True))) for name, v in found.items()}


def _of_patterns(
    experiment: BoxExperiment, patterns: PointPatterns
) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Quantities of one initial condition, from patterns [replicas, times]."""
    counts = patterns.counts().astype(np.float64)
    edges = distance_edges(experiment)
    pairs = pair_counts(patterns, edges).astype(np.float64)
    share = uniform_pair_share(experiment.box, edges)

    def correlation(pairs: np.ndarray, number: np.ndarray) -> np.ndarray:
        return pairs / (independent_pairs(np.maximum(number, 1e-12))[..., None] * share)

    unbiased = len(counts) / (len(counts) - 1)

    def dispersion(number: np.ndarray, square: np.ndarray) -> np.ndarray:
        return unbiased * (square - number**2) / np.maximum(number, 1e-12)

    return {
        "number": jackknife(lambda number: number, counts),
        "dispersion": jackknife(dispersion, counts, counts**2),
        "profile": jackknife(lambda density: density, _densities(experiment, patterns)),
        "pair_correlation": jackknife(correlation, pairs, counts),
    }


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
