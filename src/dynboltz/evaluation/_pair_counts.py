"""Numbers of pairs of particles by their distance."""

from __future__ import annotations

from typing import no_type_check

import numba
import numpy as np
from jaxtyping import Float64, Int64

from dynboltz.particles import Box, PointPatterns

_DIRECTIONS = 256
_RADII = 32


def pair_counts(
    patterns: PointPatterns, species: str, edges: Float64[np.ndarray, " edges"]
) -> Int64[np.ndarray, "*batch bins"]:
    """Numbers of unordered pairs of one species with distances in bins.

    Parameters
    ----------
    patterns
        The patterns; distances in a periodic box are those of the nearest images.
    species
        Name of the species.
    edges
        Edges of the bins [length], increasing.

    Raises
    ------
    ValueError
        If there is no such species, or edges do not increase from 0 or more.
    """
    if species not in patterns.species:
        raise ValueError(
            f"pair_counts: there is no species {species!r}; there are "
            f"{', '.join(patterns.species)}."
        )
    if len(edges) < 2 or edges[0] < 0 or np.any(np.diff(edges) <= 0):
        raise ValueError(f"pair_counts: `edges` must increase from 0 or more, got {edges}.")
    box = patterns.box
    lengths = np.array(box.lengths, dtype=np.float64)
    periods = lengths if box.is_periodic else np.full(box.dim, np.inf)
    slots = patterns.n_slots
    positions = np.ascontiguousarray(patterns.positions).reshape(-1, slots, box.dim)
    labels = np.ascontiguousarray(patterns.labels).reshape(-1, slots)
    found = np.zeros((len(labels), len(edges) - 1), dtype=np.int64)
    label = np.uint8(patterns.species.index(species) + 1)
    _count(positions, labels, label, periods, edges.astype(np.float64), found)
    return found.reshape(*patterns.batch, -1)


@numba.njit(cache=True, nogil=True, parallel=True)
@no_type_check
def _count(positions, labels, label, periods, edges, found):
    for row in numba.prange(len(labels)):
        points, kinds = positions[row], labels[row]
        for i in range(len(kinds)):
            if kinds[i] != label:
                continue
            for j in range(i):
                if kinds[j] != label:
                    continue
                squared = 0.0
                for axis in range(points.shape[1]):
                    gap = abs(points[i, axis] - points[j, axis])
                    gap = min(gap, periods[axis] - gap)
                    squared += gap * gap
                place = np.searchsorted(edges, np.sqrt(squared), side="right") - 1
                if 0 <= place < len(edges) - 1:
                    found[row, place] += 1


def uniform_pair_share(
    box: Box, edges: Float64[np.ndarray, " edges"]
) -> Float64[np.ndarray, " bins"]:
    """Probability that two independent uniform particles have a distance in each bin.

    Distances up to half the shortest side of a periodic box, or up to the shortest side of
    another one. Exact in a periodic box and along a line, otherwise by quadrature over directions.

    Parameters
    ----------
    box
        The box.
    edges
        Edges of the bins [length].
    """
    radii, weights = np.polynomial.legendre.leggauss(_RADII)
    width = np.diff(edges)[:, None]
    distances = edges[:-1, None] + width * (radii + 1) / 2
    sphere = {1: 2.0, 2: 2 * np.pi, 3: 4 * np.pi}[box.dim]
    shell = sphere * distances ** (box.dim - 1) * weights * width / 2
    return np.sum(shell * _overlap(box, distances), axis=1) / box.volume


def _overlap(box: Box, distances: np.ndarray) -> np.ndarray:
    """Share of the box from which a step of this length ends inside, the mean over directions."""
    if box.is_periodic:
        return np.ones_like(distances)
    steps = np.abs(_directions(box.dim)) / np.array(box.lengths)
    return np.mean(np.prod(1 - distances[..., None, None] * steps, axis=-1), axis=-1)


def _directions(dim: int) -> np.ndarray:
    if dim == 1:
        return np.ones((1, 1))
    turns = (np.arange(_DIRECTIONS) + 0.5) / _DIRECTIONS
    if dim == 2:
        return np.stack([np.cos(2 * np.pi * turns), np.sin(2 * np.pi * turns)], axis=-1)
    height = 2 * turns - 1
    angle = np.pi * (1 + np.sqrt(5)) * np.arange(_DIRECTIONS)
    flat = np.sqrt(1 - height**2)
    return np.stack([flat * np.cos(angle), flat * np.sin(angle), height], axis=-1)
