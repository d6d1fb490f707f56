"""Moment equations in numbers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np
from jaxtyping import Float64

from dynboltz._arguments import checked


@final
@checked
@dataclass(frozen=True, eq=False)
class LinearSystem:
    r"""Velocity of moments, $\dot\mu_i = c_i + \sum_j M_{ij} \mu_j$, in numbers.

    Attributes
    ----------
    matrix
        $M$ [1/time]; its first columns belong to the moments that have equations, the others to
        the unclosed ones.
    constant
        $c$ [1/time].
    """

    matrix: Float64[np.ndarray, "moments known"]
    constant: Float64[np.ndarray, " moments"]

    @property
    def _axis_entries(self) -> dict[str, int]:
        return {"moments": len(self.matrix), "known": self.matrix.shape[1]}

    def __call__(
        self, values: Float64[np.ndarray, "*batch known"]
    ) -> Float64[np.ndarray, "*batch moments"]:
        """Time derivatives of the moments for values of all of them, the unclosed ones last."""
        return values @ self.matrix.T + self.constant

    @property
    def closed(self) -> Float64[np.ndarray, "moments moments"]:
        """Block of the matrix that belongs to the moments with equations."""
        return self.matrix[:, : len(self.matrix)]

    @property
    def open(self) -> Float64[np.ndarray, "moments unclosed"]:
        """Block of the matrix that belongs to the unclosed moments."""
        return self.matrix[:, len(self.matrix) :]
