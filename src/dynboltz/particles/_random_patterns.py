"""Random point patterns: independent particles, pairs, hard cores."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import no_type_check

import numpy as np
from jaxtyping import Float64

from dynboltz._arguments import check_memory, check_range, checked
from dynboltz._compiled import compiled
from dynboltz.lattices import child_seeds, numbered_generators, streams, uniform

from ._box import Box
from ._patterns import PointPatterns

_TRIES = 1000
_SLOT_BYTES = 64  # of a particle: its position and label, and what they are made from

Distances = Callable[[np.random.Generator, int], Float64[np.ndarray, " pairs"]]
"""Draw that many distances [length] with the given generator."""


@checked
def random_particles(
    box: Box,
    species: Sequence[str],
    counts: Mapping[str, int],
    n_patterns: int,
    *,
    seed: int | np.random.SeedSequence,
    first: int = 0,
) -> PointPatterns:
    """Place given numbers of particles independently and uniformly.

    Parameters
    ----------
    box
        Where the particles are.
    species
        Names of the species, which number them.
    counts
        Number of particles of each species; none of those left out.
    n_patterns
        Number of patterns.
    seed
        Seed. Pattern `i` depends on the seed and `first + i` only.
    first
        Number of the first pattern.

    Raises
    ------
    ValueError
        If `counts` names an unknown species or has a negative number.
    """
    _check_counts("random_particles", species, counts)
    _check_numbers("random_particles", n_patterns, sum(counts.values()), "counts", dict(counts))
    rows = np.empty((n_patterns, sum(counts.values()), box.dim))
    _fill(rows.reshape(n_patterns, -1), streams(seed, n_patterns, first))
    return _patterns(rows * np.array(box.lengths, dtype=np.float64), box, species, counts)


@compiled()
@no_type_check
def _fill(rows, random):
    for row in range(rows.shape[0]):
        for column in range(rows.shape[1]):
            rows[row, column] = uniform(random[row])


@checked
def random_pairs(
    box: Box,
    species: Sequence[str],
    pair: tuple[str, str],
    n_pairs: int,
    n_patterns: int,
    *,
    distance: float | Distances,
    seed: int | np.random.SeedSequence,
    first: int = 0,
) -> PointPatterns:
    r"""Place pairs whose centres are uniform and whose directions are isotropic.

    The members of a pair lie at $c \pm r u / 2$ with a centre $c$ uniform in the box, a distance
    $r$ and a random unit vector $u$; they are folded into the box.

    Parameters
    ----------
    box
        Where the particles are.
    species
        Names of the species, which number them.
    pair
        Species of the two members.
    n_pairs
        Number of pairs in each pattern.
    n_patterns
        Number of patterns.
    distance
        Distance [length], or a function that draws distances, such as
        `lambda generator, n: generator.exponential(0.2, n)`.
    seed
        Seed. Pattern `i` depends on the seed and `first + i` only.
    first
        Number of the first pattern.

    Raises
    ------
    ValueError
        If a species is unknown, `n_pairs` or a distance is negative or not finite.
    """
    _check_counts("random_pairs", species, dict.fromkeys(pair, n_pairs))
    _check_numbers("random_pairs", n_patterns, 2 * n_pairs, "n_pairs", n_pairs)
    lengths = np.array(box.lengths, dtype=np.float64)
    rows = []
    for generator in _generators(seed, n_patterns, first):
        centres = generator.random((n_pairs, box.dim)) * lengths
        directions = generator.standard_normal((n_pairs, box.dim))
        directions /= np.linalg.norm(directions, axis=1, keepdims=True)
        half = _distances(distance, generator, n_pairs)[:, None] * directions / 2
        rows.append(box.fold(np.concatenate([centres - half, centres + half])))
    counts = {name: n_pairs * pair.count(name) for name in pair}
    return _patterns(rows, box, species, counts)


@checked
def random_hard_core(
    box: Box,
    species: Sequence[str],
    counts: Mapping[str, int],
    n_patterns: int,
    *,
    distance: float,
    seed: int | np.random.SeedSequence,
    first: int = 0,
) -> PointPatterns:
    """Place particles one after the other, each uniformly where no other one is near.

    Random sequential adsorption: a position closer than `distance` to an earlier particle is drawn
    anew.

    Parameters
    ----------
    box
        Where the particles are.
    species
        Names of the species, which number them.
    counts
        Number of particles of each species; none of those left out.
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
        If `counts` names an unknown species or has a negative number, `distance` is negative or
        not finite, or a particle finds no place in 1000 tries.
    """
    _check_counts("random_hard_core", species, counts)
    if not 0 <= distance < np.inf:
        raise ValueError(
            f"random_hard_core: `distance` must be finite and not negative, got {distance}."
        )
    total = sum(counts.values())
    _check_numbers("random_hard_core", n_patterns, total, "counts", dict(counts))
    rows = [
        _adsorb(box, total, distance, generator)
        for generator in _generators(seed, n_patterns, first)
    ]
    return _patterns(rows, box, species, counts)


def _adsorb(box: Box, total: int, distance: float, generator: np.random.Generator) -> np.ndarray:
    lengths = np.array(box.lengths, dtype=np.float64)
    points = np.zeros((total, box.dim))
    order = generator.permutation(total)
    for placed, slot in enumerate(order):
        earlier = points[order[:placed]]
        for _ in range(_TRIES):
            point = generator.random(box.dim) * lengths
            gaps = box.displacement(np.broadcast_to(point, earlier.shape), earlier)
            if np.all(np.sum(gaps**2, axis=1) >= distance**2):
                points[slot] = point
                break
        else:
            raise ValueError(
                f"random_hard_core: particle {placed + 1} of {total} found no place at a "
                f"`distance` of {distance} from the others in {_TRIES} tries. Lower the number of "
                "particles or the distance."
            )
    return points


def _generators(
    seed: int | np.random.SeedSequence, n: int, first: int
) -> Iterator[np.random.Generator]:
    (parent,) = child_seeds(seed, 1)
    return numbered_generators(parent, n, first)


def _check_counts(function: str, species: Sequence[str], counts: Mapping[str, int]) -> None:
    if any(name not in species or count < 0 for name, count in counts.items()):
        raise ValueError(
            f"{function}: needs a number of particles, not negative, for some of the species "
            f"{', '.join(species)}; got {dict(counts)}."
        )


def _check_numbers(
    function: str, n_patterns: int, n_particles: int, name: str, value: object
) -> None:
    """Raise `ValueError` unless so many particles, which `name` asks for, fit into the memory."""
    check_range(function, "n_patterns", n_patterns, 0)
    n_slots = n_patterns * max(n_particles, 1)
    check_memory(function, name, value, _SLOT_BYTES * n_particles)
    check_memory(function, "n_patterns", n_patterns, _SLOT_BYTES * n_slots)


def _distances(
    distance: float | Distances, generator: np.random.Generator, n_pairs: int
) -> np.ndarray:
    drawn = distance(generator, n_pairs) if callable(distance) else np.full(n_pairs, distance)
    if drawn.shape != (n_pairs,) or not np.all((drawn >= 0) & np.isfinite(drawn)):
        raise ValueError(
            f"random_pairs: `distance` must give {n_pairs} finite distances that are not negative, "
            f"got {drawn}."
        )
    return drawn


def _patterns(
    rows: Sequence[np.ndarray] | np.ndarray,
    box: Box,
    species: Sequence[str],
    counts: Mapping[str, int],
) -> PointPatterns:
    kinds = np.repeat([list(species).index(name) + 1 for name in counts], list(counts.values()))
    labels = np.tile(kinds.astype(np.uint8), (len(rows), 1))
    positions = np.array(rows, dtype=np.float64).reshape(len(rows), len(kinds), box.dim)
    return PointPatterns(positions, labels, tuple(species), box)
