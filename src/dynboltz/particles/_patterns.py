"""Batches of point patterns: labelled particles in a box."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, final

import numpy as np
from jaxtyping import Float64, Int64, UInt8

from dynboltz._arguments import checked, shown
from dynboltz._hints import did_you_mean

from ._box import Box

MAX_SPECIES = 254


@final
@checked
@dataclass(frozen=True, eq=False)
class PointPatterns:
    """Padded batch of point patterns of any numbers of particles.

    Parameters
    ----------
    positions
        Positions [length], 0 in empty slots.
    labels
        0 for an empty slot, `i + 1` for species `i`; the occupied slots come first.
    species
        Names of the species, which number them.
    box
        Where the particles are.

    Raises
    ------
    ValueError
        If the shapes do not fit one another or the box, species are not 1 to 254 different names,
        a label names no species, an occupied slot follows an empty one, a particle is outside the
        box, or an empty slot has a position.
    """

    positions: Float64[np.ndarray, "*batch slots dim"]
    labels: UInt8[np.ndarray, "*batch slots"]
    species: tuple[str, ...]
    box: Box

    def __post_init__(self) -> None:
        check_particle_species(self.species)
        self._check_shapes()
        self._check_labels()
        self._check_positions()

    @property
    def _axis_entries(self) -> dict[str, int]:
        return {"dim": self.box.dim}

    @property
    def batch(self) -> tuple[int, ...]:
        """Shape of the batch."""
        return self.labels.shape[:-1]

    @property
    def n_slots(self) -> int:
        """Number of slots of each pattern."""
        return self.labels.shape[-1]

    def counts(self) -> Int64[np.ndarray, "*batch species"]:
        """Numbers of particles of each species."""
        labels = np.arange(1, len(self.species) + 1, dtype=np.uint8)
        return np.stack([np.sum(self.labels == label, axis=-1) for label in labels], axis=-1)

    def points(self, name: str, *index: int) -> Float64[np.ndarray, "points dim"]:
        """Positions of the particles of one species in the pattern `index` of the batch."""
        if name not in self.species or len(index) != len(self.batch):
            raise ValueError(
                f"PointPatterns.points: needs one of the species {', '.join(self.species)} and "
                f"{len(self.batch)} indices, got {name!r} and {index}."
            )
        return self.positions[index][self.labels[index] == self.species.index(name) + 1]

    def __getitem__(self, index: Any) -> PointPatterns:
        """Part of the batch, by anything that indexes its axes."""
        labels = self.labels[index]
        if labels.shape[-1:] != (self.n_slots,):
            raise ValueError(
                f"PointPatterns: an index selects from the batch of shape {self.batch}, not from "
                f"the slots; got {index!r}."
            )
        return PointPatterns(self.positions[index], labels, self.species, self.box)

    @classmethod
    def from_lists(
        cls,
        patterns: Sequence[Mapping[str, Any]],
        species: Sequence[str],
        box: Box,
        *,
        n_slots: int | None = None,
    ) -> PointPatterns:
        """Patterns from the positions of each species.

        Parameters
        ----------
        patterns
            For each pattern, positions of shape (particles, dim) by species; none of a species
            that is left out.
        species
            Names of the species in their order.
        box
            Where the particles are.
        n_slots
            Slots of each pattern; by default as many as the largest one needs.

        Raises
        ------
        ValueError
            If a species is unknown, positions do not have `dim` columns or are outside the box, or
            `n_slots` are not enough.
        """
        names = tuple(species)
        lists = [_labelled(pattern, names, box, i) for i, pattern in enumerate(patterns)]
        needed = max((len(labels) for _, labels in lists), default=0)
        slots = needed if n_slots is None else n_slots
        if slots < needed:
            raise ValueError(
                f"PointPatterns.from_lists: `n_slots` must be at least {needed}, the largest "
                f"number of particles, got {n_slots}."
            )
        positions = np.zeros((len(lists), slots, box.dim))
        labels = np.zeros((len(lists), slots), dtype=np.uint8)
        for row, (points, kinds) in enumerate(lists):
            positions[row, : len(kinds)] = points
            labels[row, : len(kinds)] = kinds
        return cls(positions, labels, names, box)

    def _check_shapes(self) -> None:
        shape = (*self.labels.shape, self.box.dim)
        if self.positions.shape != shape:
            raise ValueError(
                f"PointPatterns: `positions` must have the shape {shape} of `labels` and the axes "
                f"of the box, got {self.positions.shape}."
            )

    def _check_labels(self) -> None:
        largest = int(self.labels.max(initial=0))
        if largest > len(self.species):
            raise ValueError(
                f"PointPatterns: `labels` must be 0 (empty) to {len(self.species)} "
                f"({', '.join(self.species)}), got {largest}."
            )
        follows = (self.labels[..., 1:] > 0) & (self.labels[..., :-1] == 0)
        if follows.any():
            raise ValueError(
                "PointPatterns: the occupied slots must come first; slot "
                f"{_first(follows, offset=1)} follows an empty one."
            )

    def _check_positions(self) -> None:
        occupied = self.labels > 0
        outside = occupied & ~self.box.contains(self.positions)
        if outside.any():
            place = _first(outside)
            raise ValueError(
                f"PointPatterns: the particle at {place} has the position "
                f"{self.positions[place].tolist()}, outside the {self.box.boundary} box of sides "
                f"{self.box.lengths}. Move particles inside with `Box.fold`."
            )
        padded = ~occupied & np.any(self.positions != 0, axis=-1)
        if padded.any():
            raise ValueError(
                f"PointPatterns: positions of empty slots must be 0; slot {_first(padded)} is not."
            )


def check_particle_species(species: tuple[str, ...]) -> None:
    """Raise unless `species` are 1 to 254 different names."""
    if (
        not isinstance(species, tuple)
        or not 1 <= len(species) <= MAX_SPECIES
        or len(set(species)) < len(species)
        or not all(isinstance(name, str) and name for name in species)
    ):
        raise ValueError(
            f"PointPatterns: `species` must be a tuple of 1 to {MAX_SPECIES} different names, got "
            f"{species!r}."
        )


def _first(wrong: np.ndarray, offset: int = 0) -> tuple[int, ...]:
    *batch, slot = np.unravel_index(int(wrong.argmax()), wrong.shape)
    return (*map(int, batch), int(slot) + offset)


def _labelled(
    pattern: Mapping[str, Any], species: tuple[str, ...], box: Box, index: int
) -> tuple[np.ndarray, np.ndarray]:
    unknown = [name for name in pattern if name not in species]
    if unknown:
        raise ValueError(
            f"PointPatterns.from_lists: pattern {index} names {', '.join(map(repr, unknown))}; the "
            f"species are {', '.join(species)}.{did_you_mean(unknown[0], species)}"
        )
    parts = [_points(pattern.get(name, ()), box, index, name) for name in species]
    labels = np.repeat(np.arange(1, len(species) + 1), [len(part) for part in parts])
    return np.concatenate(parts), labels.astype(np.uint8)


def _points(values: Any, box: Box, index: int, name: str) -> np.ndarray:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # complex numbers
            points = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError, OverflowError, Warning):
        raise TypeError(
            f"PointPatterns.from_lists: positions of {name} in pattern {index} must be an array of "
            f"numbers of shape (particles, {box.dim}), got {shown(values)}."
        ) from None
    if points.size == 0:
        return np.zeros((0, box.dim))
    if points.ndim != 2 or points.shape[1] != box.dim:
        raise ValueError(
            f"PointPatterns.from_lists: positions of {name} in pattern {index} must have the shape "
            f"(particles, {box.dim}), got {points.shape}."
        )
    return points
