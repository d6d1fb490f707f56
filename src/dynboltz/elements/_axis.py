"""Finite elements along one axis: piecewise polynomials given by their values at vertices."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, final, get_args

import numpy as np
from jaxtyping import Float64, Int64

from dynboltz._arguments import check_memory, check_range, checked
from dynboltz._numbers import check_finite

Family = Literal["P1", "Hermite"]

_MONOMIALS = {
    "P1": np.array([[1.0, -1.0, 0.0, 0.0], [0.0, 1.0, 0.0, 0.0]]),
    "Hermite": np.array(
        [[1.0, 0.0, -3.0, 2.0], [0.0, 1.0, -2.0, 1.0], [0.0, 0.0, 3.0, -2.0], [0.0, 0.0, -1.0, 1.0]]
    ),
}
_GAUSS_POINTS = {"P1": 4, "Hermite": 6}


@final
@checked
@dataclass(frozen=True)
class AxisElements:
    r"""Piecewise polynomials on equal elements of $[0, L]$.

    "P1" functions are continuous and linear on each element, with one coefficient a vertex, the
    value there. "Hermite" functions are continuously differentiable and cubic, with two
    coefficients a vertex: the value, and the slope times the length of an element.

    Parameters
    ----------
    length
        $L$ [length].
    n_elements
        Number of elements.
    family
        "P1" or "Hermite".
    periodic
        Whether the last vertex is the first.

    Raises
    ------
    ValueError
        If a value is not as described, or a periodic axis has fewer than 3 elements.
    """

    length: float
    n_elements: int
    family: Family
    periodic: bool

    def __post_init__(self) -> None:
        if self.family not in get_args(Family):
            raise ValueError(
                f"AxisElements: `family` must be one of {get_args(Family)}, got {self.family!r}."
            )
        if not (np.isfinite(self.length) and self.length > 0):
            raise ValueError(f"AxisElements: `length` must be positive, got {self.length}.")
        least = 3 if self.periodic else 1
        if self.n_elements < least:
            raise ValueError(
                f"AxisElements: `n_elements` must be at least {least} on a "
                f"{'periodic' if self.periodic else 'closed'} axis, got {self.n_elements}."
            )
        check_memory("AxisElements", "n_elements", self.n_elements, 64 * self.n_elements)

    @property
    def per_vertex(self) -> int:
        """Coefficients of a vertex."""
        return 1 if self.family == "P1" else 2

    @property
    def size(self) -> int:
        """Number of coefficients."""
        return self.per_vertex * (self.n_elements + (not self.periodic))

    @property
    def side(self) -> float:
        """Length of an element."""
        return self.length / self.n_elements

    @property
    def monomials(self) -> Float64[np.ndarray, "functions powers"]:
        r"""The functions of an element as polynomials of $\xi \in [0, 1]$, lowest power first."""
        return _MONOMIALS[self.family]

    @property
    def members(self) -> Int64[np.ndarray, "elements functions"]:
        """The coefficient of each function of each element."""
        first = self.per_vertex * np.arange(self.n_elements)[:, None]
        return (first + np.arange(2 * self.per_vertex)) % self.size

    def locate(
        self, positions: Float64[np.ndarray, " points"]
    ) -> tuple[Int64[np.ndarray, " points"], Float64[np.ndarray, " points"]]:
        r"""Element of each position and the position $\xi$ in it; ends belong to their element."""
        check_finite("AxisElements.locate", "`positions`", positions)
        scaled = positions / self.side
        elements = np.clip(np.floor(scaled), 0, self.n_elements - 1).astype(np.int64)
        return elements, scaled - elements

    def values(
        self, positions: Float64[np.ndarray, " points"], derivative: int = 0
    ) -> tuple[Int64[np.ndarray, "points functions"], Float64[np.ndarray, "points functions"]]:
        """Coefficients of the functions that are not zero at each position, and their values.

        Parameters
        ----------
        positions
            Where to evaluate.
        derivative
            Order of the derivative, 0, 1 or 2.
        """
        check_range("AxisElements.values", "derivative", derivative, 0, 2)
        elements, xi = self.locate(positions)
        polynomials = self.monomials
        for _ in range(derivative):
            polynomials = polynomials[:, 1:] * np.arange(1, polynomials.shape[1]) / self.side
        with np.errstate(over="ignore", invalid="ignore"):  # far outside the axis
            powers = xi[:, None] ** np.arange(polynomials.shape[1])
            return self.members[elements], powers @ polynomials.T

    def matrix(
        self, positions: Float64[np.ndarray, " points"], derivative: int = 0
    ) -> Float64[np.ndarray, "points coefficients"]:
        """Values of all functions at each position, see `values`."""
        places, values = self.values(positions, derivative)
        found = np.zeros((len(positions), self.size))
        np.add.at(found, (np.arange(len(positions))[:, None], places), values)
        return found

    def quadrature(
        self,
    ) -> tuple[Float64[np.ndarray, " points"], Float64[np.ndarray, " points"]]:
        """Positions and weights of Gauss-Legendre quadrature on every element."""
        nodes, weights = np.polynomial.legendre.leggauss(_GAUSS_POINTS[self.family])
        starts = self.side * np.arange(self.n_elements)[:, None]
        positions = starts + 0.5 * self.side * (nodes + 1.0)
        return positions.ravel(), np.tile(0.5 * self.side * weights, self.n_elements)

    def mass(self) -> Float64[np.ndarray, "coefficients coefficients"]:
        r"""Mass matrix $\int \varphi_i \varphi_j\, dx$."""
        positions, weights = self.quadrature()
        values = self.matrix(positions)
        return values.T @ (weights[:, None] * values)
