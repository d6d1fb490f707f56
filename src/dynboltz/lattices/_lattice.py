"""Hypercubic lattices: sites, neighbours, translations."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, final, get_args

import numpy as np
from jaxtyping import Int64

from dynboltz._arguments import check_memory, checked

Boundary = Literal["periodic", "closed"]

_LONGEST_STEP = 2**62  # added to coordinates in 64 bits


@final
@checked
@dataclass(frozen=True)
class Lattice:
    """Hypercubic lattice whose sites hold at most one particle each.

    Sites are numbered in C order, the last axis fastest. On a periodic axis of length 2 the two
    directions lead to the same neighbour, which then counts twice, so that every site of a
    periodic lattice has `2 * dim` neighbours.

    Parameters
    ----------
    shape
        Number of sites along each axis, one to three axes.
    boundary
        `"periodic"`, or `"closed"`: nothing lies beyond the edge.

    Raises
    ------
    ValueError
        If `shape` does not have one to three positive entries, if a periodic axis has fewer than
        two sites, or if `boundary` is unknown.
    """

    shape: tuple[int, ...]
    boundary: Boundary = "periodic"

    def __post_init__(self) -> None:
        if not 1 <= len(self.shape) <= 3 or any(length < 1 for length in self.shape):
            raise ValueError(
                f"Lattice: `shape` must have one to three positive entries, got {self.shape}."
            )
        if self.boundary not in get_args(Boundary):
            raise ValueError(
                f"Lattice: `boundary` must be one of {get_args(Boundary)}, got {self.boundary!r}."
            )
        if self.boundary == "periodic" and min(self.shape) < 2:
            raise ValueError(
                f"Lattice: a periodic axis needs at least 2 sites, got shape {self.shape}. "
                'Drop the axis, or use boundary "closed".'
            )

    @property
    def dim(self) -> int:
        """Number of axes."""
        return len(self.shape)

    @property
    def _axis_entries(self) -> dict[str, int]:
        return {"sites": self.n_sites}

    @property
    def n_sites(self) -> int:
        """Number of sites."""
        return math.prod(self.shape)

    def translate(self, offset: tuple[int, ...]) -> Int64[np.ndarray, " sites"]:
        """Index of the site at `offset` from each site; -1 beyond a closed edge."""
        if len(offset) != self.dim:
            raise ValueError(
                f"Lattice.translate: `offset` must have {self.dim} entries, got {offset}."
            )
        check_memory("Lattice", "shape", self.shape, 32 * self.dim * self.n_sites)
        if not all(abs(step) < _LONGEST_STEP for step in offset):
            raise ValueError(f"Lattice.translate: `offset` is too long, got {offset}.")
        coordinates = np.indices(self.shape).reshape(self.dim, -1) + np.array(offset)[:, None]
        lengths = np.array(self.shape)[:, None]
        if self.boundary == "periodic":
            wrapped = tuple(coordinates % lengths)
            return np.asarray(np.ravel_multi_index(wrapped, self.shape), dtype=np.int64)
        inside = np.all((coordinates >= 0) & (coordinates < lengths), axis=0)
        clipped = np.clip(coordinates, 0, lengths - 1)
        return np.where(inside, np.ravel_multi_index(tuple(clipped), self.shape), -1)

    def site(self, coordinates: Sequence[int]) -> int:
        """Index of the site at some coordinates; -1 beyond a closed edge."""
        if len(coordinates) != self.dim:
            raise ValueError(
                f"Lattice.site: `coordinates` must have {self.dim} entries, got {coordinates}."
            )
        place = 0
        for coordinate, length in zip(coordinates, self.shape, strict=True):
            if self.boundary == "closed" and not 0 <= coordinate < length:
                return -1
            place = place * length + coordinate % length
        return place

    def neighbours(self) -> Int64[np.ndarray, "sites directions"]:
        """Nearest neighbours of each site, -1 where a closed edge is in the way.

        Returns
        -------
        neighbours
            The directions are ordered axis by axis, the lower neighbour first.
        """
        columns = []
        for axis in range(self.dim):
            for step in (-1, 1):
                offset = tuple(step if a == axis else 0 for a in range(self.dim))
                columns.append(self.translate(offset))
        return np.stack(columns, axis=1)
