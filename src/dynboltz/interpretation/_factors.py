"""Least-squares problems of one equation, reduced to one small triangle a trajectory."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

import numpy as np
from jaxtyping import Float64

Support = tuple[int, ...]
"""Places of the terms of an equation among the candidates, ascending."""


@final
@dataclass(frozen=True, eq=False)
class Factors:
    r"""Triangles $R_i$ of the trajectories: sums of squares over points are those over rows of it.

    With the weighted columns $X_i$ of trajectory $i$ and its weighted right-hand side $y_i$,
    $(X_i, y_i) = Q_i R_i$, hence $|X_i w - y_i|^2 = |R_i (w, -1)|^2$ for all $w$.

    Attributes
    ----------
    triangles
        One for each trajectory, the right-hand side in the last column.
    """

    triangles: tuple[Float64[np.ndarray, "_ columns"], ...]

    @classmethod
    def of(
        cls,
        columns: Float64[np.ndarray, "points candidates"],
        target: Float64[np.ndarray, " points"],
        weights: Float64[np.ndarray, " points"],
        lengths: Sequence[int],
    ) -> Factors:
        """Reduce the columns of the candidates and the right-hand side."""
        rows = np.sqrt(weights)[:, None] * np.column_stack([columns, target])
        parts = np.split(rows, np.cumsum(lengths)[:-1])
        return cls(tuple(np.linalg.qr(part).R for part in parts))

    def __len__(self) -> int:
        return len(self.triangles)

    def chosen(self, trajectories: Sequence[int]) -> Factors:
        """Those of some trajectories."""
        return Factors(tuple(self.triangles[i] for i in trajectories))

    @functools.cached_property
    def columns(self) -> Float64[np.ndarray, "rows candidates"]:
        """Columns of the candidates, all trajectories below each other."""
        return np.concatenate(self.triangles)[:, :-1]

    @functools.cached_property
    def target(self) -> Float64[np.ndarray, " rows"]:
        """The right-hand side."""
        return np.concatenate(self.triangles)[:, -1]

    def fit(self, support: Support) -> Float64[np.ndarray, " terms"]:
        """Weights of some candidates by least squares."""
        return np.linalg.lstsq(self.columns[:, list(support)], self.target)[0]

    def square_errors(
        self, support: Support, weights: Float64[np.ndarray, " terms"]
    ) -> Float64[np.ndarray, " trajectories"]:
        """Sum of the squared errors on each trajectory."""
        return np.array(
            [
                np.sum((part[:, list(support)] @ weights - part[:, -1]) ** 2)
                for part in self.triangles
            ]
        )

    def condition(self, support: Support) -> float:
        """Condition number of the scaled columns of some candidates."""
        return float(np.linalg.cond(self.columns[:, list(support)]))

    def without_each(self, support: Support) -> Float64[np.ndarray, "trajectories terms"]:
        """Weights if each trajectory in turn is left out."""
        places = range(len(self))
        return np.array([self.chosen([j for j in places if j != i]).fit(support) for i in places])
