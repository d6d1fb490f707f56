"""What moments of a real system obey, and closures may not."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Protocol, final, runtime_checkable

import numpy as np
from jaxtyping import Float64, Int64

from ._closed_moments import Affine, affine_arrays

ROUNDING = 1e-8
"""How far below zero a probability or a scaled moment may be, for the errors of the solver."""


@runtime_checkable
class Requirements(Protocol):
    """Numbers that must not be negative; the first one that is gives the reason to stop."""

    @property
    def names(self) -> tuple[str, ...]:
        """What each number is, for messages."""
        ...

    def __call__(
        self, values: Float64[np.ndarray, "batch moments"]
    ) -> Float64[np.ndarray, "batch requirements"]:
        """The numbers, for values of the followed moments."""
        ...


@final
@dataclass(frozen=True, eq=False)
class ProbabilityRequirements:
    """Probabilities, affine functions of the followed moments."""

    names: tuple[str, ...]
    constant: Float64[np.ndarray, " requirements"]
    matrix: Float64[np.ndarray, "requirements moments"]

    @classmethod
    def of(
        cls, functions: dict[str, Affine], moments: Sequence[Hashable]
    ) -> ProbabilityRequirements:
        """Collect named affine functions."""
        constant, matrix = affine_arrays(list(functions.values()), moments)
        return cls(tuple(f"probability {name}" for name in functions), constant, matrix)

    def __call__(
        self, values: Float64[np.ndarray, "batch moments"]
    ) -> Float64[np.ndarray, "batch requirements"]:
        """The probabilities."""
        return values @ self.matrix.T + self.constant


@final
@dataclass(frozen=True, eq=False)
class NumberRequirements:
    r"""Raw moments of particle numbers, and the variances of the numbers.

    Each is divided by one plus its own scale, the moment or the second moment.

    Attributes
    ----------
    names
        Names of the followed moments and of the variances.
    means
        Place of the mean of each species among the moments.
    squares
        Place of the second moment of each species; none if only means are followed.
    """

    names: tuple[str, ...]
    means: Int64[np.ndarray, " species"]
    squares: Int64[np.ndarray, " squares"]

    def __call__(
        self, values: Float64[np.ndarray, "batch moments"]
    ) -> Float64[np.ndarray, "batch requirements"]:
        """Moments and variances over their scales."""
        moments = values / (1 + np.abs(values))
        squares = values[:, self.squares]
        means = values[:, self.means[: self.squares.size]]
        return np.concatenate([moments, (squares - means**2) / (1 + np.abs(squares))], axis=1)
