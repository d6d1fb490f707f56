"""Random point patterns with a hard core and a number of particles that varies."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Bool, Float64

from dynboltz._arguments import check_memory, check_range, checked
from dynboltz._hints import did_you_mean
from dynboltz.lattices import numbered_generators

from ._box import Box
from ._patterns import PointPatterns


@checked
def random_arrivals(
    box: Box,
    species: Sequence[str],
    density: Mapping[str, float],
    n_patterns: int,
    *,
    distance: float,
    seed: int | np.random.SeedSequence,
    first: int = 0,
) -> PointPatterns:
    """Let particles arrive one after the other, and stay where none is near.

    A Poisson number of each species arrives, in random order and uniformly in the box; one that is
    closer than `distance` to another that has stayed leaves again. Numbers vary less than those of
    a Poisson process, as those of a gas of hard cores do; those of `random_hard_core` are given.

    Parameters
    ----------
    box
        Where the particles are.
    species
        Names of the species, which number them.
    density
        Mean number of arrivals of each species per volume; none of those left out.
    n_patterns
        Number of patterns.
    distance
        Smallest distance between two particles [length].
    seed
        Seed. Pattern `i` depends on the seed and `first + i` only.
    first
        Number of the first pattern.

    Raises
    ------
    ValueError
        If `density` names an unknown species, or a density or `distance` is negative or not finite.
    """
    unknown = [name for name in density if name not in species]
    if unknown:
        raise ValueError(
            f"random_arrivals: `density` names {unknown[0]!r}; allowed are {', '.join(species)}."
            f"{did_you_mean(unknown[0], species)}"
        )
    for name, value in (*density.items(), ("distance", distance)):
        if not 0 <= value < np.inf:
            raise ValueError(
                f"random_arrivals: densities and `distance` must be finite and not negative, got "
                f"{value} for {name}."
            )
    check_range("random_arrivals", "n_patterns", n_patterns, 0)
    n_arrivals = math.ceil(max(1.0, min(sum(density.values()) * box.volume, 2.0**60)))
    check_memory("random_arrivals", "density", dict(density), 64 * n_arrivals)
    check_memory("random_arrivals", "n_patterns", n_patterns, 64 * n_patterns)
    patterns = []
    for generator in numbered_generators(seed, n_patterns, first):
        counts = {name: generator.poisson(rho * box.volume) for name, rho in density.items()}
        labels = [name for name, count in counts.items() for _ in range(count)]
        names = generator.permutation(np.array(labels, dtype=str))
        x = generator.random((len(names), box.dim)) * np.array(box.lengths, dtype=np.float64)
        stays = _stay(box, x, distance)
        patterns.append({name: x[stays & (names == name)] for name in species})
    return PointPatterns.from_lists(patterns, tuple(species), box)


def _stay(
    box: Box, x: Float64[np.ndarray, "arrivals dim"], distance: float
) -> Bool[np.ndarray, " arrivals"]:
    """Tell which arrivals stay."""
    stays = np.ones(len(x), dtype=bool)
    if not len(x):
        return stays
    from scipy.spatial import KDTree  # noqa: PLC0415 - slow to import, for this only

    tree = KDTree(x, boxsize=box.lengths if box.is_periodic else None)
    pairs = tree.query_pairs(distance, output_type="ndarray")
    for earlier, later in pairs[np.argsort(pairs[:, 1])]:
        if stays[earlier]:
            stays[later] = False
    return stays
