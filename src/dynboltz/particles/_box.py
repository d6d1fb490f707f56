"""Rectangular boxes: where particles are, and how far from one another."""

from __future__ import annotations

import math
import numbers
from dataclasses import dataclass
from typing import Literal, final, get_args

import numpy as np
from jaxtyping import Bool, Float64

from dynboltz._arguments import checked
from dynboltz._numbers import check_finite

Walls = Literal["periodic", "reflecting"]


@final
@checked
@dataclass(frozen=True)
class Box:
    r"""Rectangular box $[0, L_1] \times \dots \times [0, L_d]$.

    Parameters
    ----------
    lengths
        Side lengths $L_i$ [length], one to three.
    boundary
        `"periodic"`, or `"reflecting"`: particles that reach a wall are reflected.

    Raises
    ------
    TypeError
        If `lengths` is not a tuple of real numbers.
    ValueError
        If `lengths` does not have one to three positive finite entries, or `boundary` is unknown.
    """

    lengths: tuple[float, ...]
    boundary: Walls = "periodic"

    def __post_init__(self) -> None:
        if not isinstance(self.lengths, tuple) or not all(
            isinstance(length, numbers.Real) and not isinstance(length, bool)
            for length in self.lengths
        ):
            raise TypeError(f"Box: `lengths` must be a tuple of numbers, got {self.lengths!r}.")
        if not 1 <= len(self.lengths) <= 3 or not all(
            0 < length < math.inf for length in self.lengths
        ):
            raise ValueError(
                "Box: `lengths` must have one to three positive and finite entries, got "
                f"{self.lengths}."
            )
        if self.boundary not in get_args(Walls):
            raise ValueError(
                f"Box: `boundary` must be one of {get_args(Walls)}, got {self.boundary!r}."
            )

    @property
    def _axis_entries(self) -> dict[str, int]:
        return {"dim": self.dim}

    @property
    def dim(self) -> int:
        """Number of axes."""
        return len(self.lengths)

    @property
    def volume(self) -> float:
        """Product of the side lengths [length^dim]."""
        return math.prod(self.lengths)

    @property
    def is_periodic(self) -> bool:
        """Whether opposite sides are the same."""
        return self.boundary == "periodic"

    def displacement(
        self, a: Float64[np.ndarray, "*#points dim"], b: Float64[np.ndarray, "*#points dim"]
    ) -> Float64[np.ndarray, "*points dim"]:
        """Vector from `a` to `b`; in a periodic box to the image of `b` nearest to `a`."""
        self._check_axes("displacement", a)
        self._check_axes("displacement", b)
        try:
            np.broadcast_shapes(a.shape, b.shape)
        except ValueError:
            raise ValueError(
                f"Box.displacement: `a` and `b` must have shapes that go together, got {a.shape} "
                f"and {b.shape}."
            ) from None
        check_finite("Box.displacement", "`a`", a)
        check_finite("Box.displacement", "`b`", b)
        difference = b - a
        if not self.is_periodic:
            return difference
        lengths = np.array(self.lengths, dtype=np.float64)
        return difference - lengths * np.round(difference / lengths)

    def contains(self, points: Float64[np.ndarray, "*points dim"]) -> Bool[np.ndarray, "*points"]:
        """Whether points are inside; the upper sides belong to a reflecting box only."""
        self._check_axes("contains", points)
        lengths = np.array(self.lengths, dtype=np.float64)
        below = points < lengths if self.is_periodic else points <= lengths
        return np.asarray(np.all((points >= 0) & below, axis=-1))

    def fold(
        self, points: Float64[np.ndarray, "*points dim"]
    ) -> Float64[np.ndarray, "*points dim"]:
        """Points moved into the box: to their periodic images, or reflected at the walls."""
        self._check_axes("fold", points)
        check_finite("Box.fold", "`points`", points)
        lengths = np.array(self.lengths, dtype=np.float64)
        if self.is_periodic:
            folded = points - lengths * np.floor(points / lengths)
            return np.where(folded < lengths, folded, 0.0)
        doubled = np.mod(points, 2 * lengths)
        return np.minimum(doubled, 2 * lengths - doubled)

    def _check_axes(self, method: str, points: np.ndarray) -> None:
        if points.shape[-1:] != (self.dim,):
            raise ValueError(
                f"Box.{method}: the last axis must have {self.dim} entries, got an array of shape "
                f"{points.shape}."
            )
