"""Numbers of pairs of particles by their distance."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import no_type_check

import numba
import numpy as np
from jaxtyping import Float64, Int64

from dynboltz._arguments import checked
from dynboltz._compiled import compiled
from dynboltz._numbers import check_finite
from dynboltz.particles import Box, PointPatterns

_DIRECTIONS = 256
_RADII = 32


@checked
def species_pairs(species: Sequence[str]) -> list[tuple[str, str]]:
    """All unordered pairs of species, those of a species with itself included."""
    return list(itertools.combinations_with_replacement(species, 2))


@checked
def independent_pairs(
    number: Float64[np.ndarray, "*batch species"],
) -> Float64[np.ndarray, "*batch pairs"]:
    r"""Mean numbers of pairs of independent particles, in the order of `species_pairs`.

    $\tfrac12 \langle N_\alpha \rangle^2$ of a species with itself, else
    $\langle N_\alpha \rangle \langle N_\beta \rangle$: for Poisson numbers.

    Raises
    ------
    ValueError
        If there is no species, or a number is not finite.
    """
    if not number.shape[-1]:
        raise ValueError(
            f"independent_pairs: `number` must have at least one species, got shape {number.shape}."
        )
    check_finite("independent_pairs", "`number`", number)
    places = range(number.shape[-1])
    with np.errstate(over="ignore", invalid="ignore"):
        products = [
            number[..., a] * number[..., b] * (0.5 if a == b else 1.0)
            for a, b in itertools.combinations_with_replacement(places, 2)
        ]
    return np.stack(products, axis=-1)


@checked
def pair_counts(
    patterns: PointPatterns, edges: Float64[np.ndarray, " edges"]
) -> Int64[np.ndarray, "*batch pairs bins"]:
    """Numbers of unordered pairs of particles with distances in bins.

    Parameters
    ----------
    patterns
        The patterns; distances in a periodic box are those of the nearest images.
    edges
        Edges of the bins [length], increasing.

    Returns
    -------
    counts
        For the pairs of species in the order of `species_pairs`.

    Raises
    ------
    ValueError
        If edges do not increase from 0 or more.
    """
    if not (len(edges) > 1 and edges[0] >= 0 and np.all(edges[1:] > edges[:-1])):
        raise ValueError(f"pair_counts: `edges` must increase from 0 or more, got {edges}.")
    box, n_species = patterns.box, len(patterns.species)
    lengths = np.array(box.lengths, dtype=np.float64)
    periods = lengths if box.is_periodic else np.full(box.dim, np.inf)
    slots = patterns.n_slots
    positions = np.ascontiguousarray(patterns.positions).reshape(-1, slots, box.dim)
    labels = np.ascontiguousarray(patterns.labels).reshape(-1, slots)
    places = np.zeros((n_species, n_species), dtype=np.int64)
    places[np.triu_indices(n_species)] = np.arange(n_species * (n_species + 1) // 2)
    places = np.maximum(places, places.T)
    found = np.zeros((len(labels), places.max() + 1, len(edges) - 1), dtype=np.int64)
    _count(positions, labels, places, periods, edges.astype(np.float64), found)
    return found.reshape(*patterns.batch, *found.shape[1:])


@compiled(parallel=True)
@no_type_check
def _count(positions, labels, places, periods, edges, found):
    for row in numba.prange(len(labels)):
        points, kinds = positions[row], labels[row]
        for i in range(len(kinds)):
            for j in range(i):
                if kinds[i] == 0 or kinds[j] == 0:
                    continue
                squared = 0.0
                for axis in range(points.shape[1]):
                    gap = abs(points[i, axis] - points[j, axis])
                    gap = min(gap, periods[axis] - gap)
                    squared += gap * gap
                place = np.searchsorted(edges, np.sqrt(squared), side="right") - 1
                if 0 <= place < len(edges) - 1:
                    found[row, places[kinds[i] - 1, kinds[j] - 1], place] += 1


@checked
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

    Raises
    ------
    ValueError
        If there are less than two edges, or they are not finite.
    """
    if len(edges) < 2 or not np.all(np.isfinite(edges)):
        raise ValueError(
            f"uniform_pair_share: `edges` must be two or more finite distances, got {edges}."
        )
    radii, weights = np.polynomial.legendre.leggauss(_RADII)
    width = np.diff(edges)[:, None]
    distances = edges[:-1, None] + width * (radii + 1) / 2
    with np.errstate(over="ignore", invalid="ignore"):
        return _pair_share(box, width, distances, weights)


def _pair_share(
    box: Box, width: np.ndarray, distances: np.ndarray, weights: np.ndarray
) -> Float64[np.ndarray, " bins"]:
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
