"""Spaces of functions of the position, or of the distance, with a linear parameterisation."""

from __future__ import annotations

import functools
import itertools
from dataclasses import dataclass
from typing import Protocol, final, runtime_checkable

import numpy as np
from jaxtyping import Float64

from dynboltz._arguments import checked
from dynboltz._numbers import check_finite
from dynboltz.particles import Box

from ._axis import AxisElements, Family

LARGEST_POINT = 1e30
"""Cubics of larger coordinates, along three axes, are beyond double precision."""


@runtime_checkable
class FunctionSpace(Protocol):
    r"""Functions $f(x) = \sum_j \theta_j \varphi_j(x)$."""

    @property
    def size(self) -> int:
        """Number of coefficients."""
        ...

    def evaluate(
        self, points: Float64[np.ndarray, "points dim"]
    ) -> Float64[np.ndarray, "points coefficients"]:
        r"""Values of all $\varphi_j$ at some points."""
        ...

    def quadrature(
        self,
    ) -> tuple[Float64[np.ndarray, "points dim"], Float64[np.ndarray, " points"]]:
        """Points and weights of a rule for integrals over the whole domain."""
        ...


@final
@checked
@dataclass(frozen=True)
class UniformSpace:
    """Constant functions in a box: one coefficient.

    Parameters
    ----------
    box
        The box.
    """

    box: Box

    @property
    def _axis_entries(self) -> dict[str, int]:
        return {"dim": self.box.dim}

    @property
    def size(self) -> int:
        """One."""
        return 1

    def evaluate(
        self, points: Float64[np.ndarray, "points dim"]
    ) -> Float64[np.ndarray, "points coefficients"]:
        """One at every point."""
        return np.ones((len(points), 1))

    def quadrature(
        self,
    ) -> tuple[Float64[np.ndarray, "points dim"], Float64[np.ndarray, " points"]]:
        """The centre of the box with the weight of its volume."""
        return np.array([self.box.lengths]) / 2, np.array([self.box.volume])


@final
@checked
@dataclass(frozen=True)
class ElementSpace:
    r"""Tensor products of finite elements along the axes of a box.

    Coefficients are in C order: those of the last axis are next to each other.

    Parameters
    ----------
    box
        The box; a periodic one makes periodic functions.
    n_elements
        Number of elements along each axis.
    family
        "P1" for continuous, "Hermite" for continuously differentiable functions.

    Raises
    ------
    ValueError
        If `n_elements` does not have one entry an axis, or an axis is not possible.
    """

    box: Box
    n_elements: tuple[int, ...]
    family: Family = "Hermite"

    def __post_init__(self) -> None:
        if len(self.n_elements) != self.box.dim:
            raise ValueError(
                f"ElementSpace: `n_elements` must have {self.box.dim} entries, one an axis of the "
                f"box, got {self.n_elements}."
            )
        self.axes  # noqa: B018  checks every axis

    @property
    def _axis_entries(self) -> dict[str, int]:
        return {"dim": self.box.dim}

    @functools.cached_property
    def axes(self) -> tuple[AxisElements, ...]:
        """Elements along each axis."""
        periodic = self.box.boundary == "periodic"
        sides = zip(self.box.lengths, self.n_elements, strict=True)
        return tuple(AxisElements(length, n, self.family, periodic) for length, n in sides)

    @property
    def shape(self) -> tuple[int, ...]:
        """Number of coefficients along each axis."""
        return tuple(axis.size for axis in self.axes)

    @property
    def size(self) -> int:
        """Number of coefficients."""
        return int(np.prod(self.shape))

    def evaluate(
        self, points: Float64[np.ndarray, "points dim"], derivative: tuple[int, ...] | None = None
    ) -> Float64[np.ndarray, "points coefficients"]:
        r"""Values of all $\varphi_j$ at some points.

        Parameters
        ----------
        points
            Points in the box.
        derivative
            Order of the derivative along each axis, 0 to 2; none by default.
        """
        check_finite("ElementSpace.evaluate", "`points`", points)
        if np.any(np.abs(points) > LARGEST_POINT):
            raise ValueError(
                f"ElementSpace.evaluate: `points` must be points of the box, got {points.max():g}."
            )
        orders = derivative or (0,) * len(self.axes)
        if len(orders) != len(self.axes):
            raise ValueError(
                f"ElementSpace.evaluate: `derivative` must have {len(self.axes)} entries, one an "
                f"axis, got {derivative}."
            )
        found = np.ones((len(points), 1))
        for axis, order, positions in zip(self.axes, orders, points.T, strict=True):
            values = axis.matrix(np.ascontiguousarray(positions), order)
            found = _outer(found, values)
        return found

    def sums(
        self, points: Float64[np.ndarray, "points dim"], weights: Float64[np.ndarray, " points"]
    ) -> Float64[np.ndarray, " coefficients"]:
        r"""Weighted sums $\sum_i w_i \varphi_j(x_i)$, without the values at all points at once."""
        check_finite("ElementSpace.sums", "`points`", points)
        check_finite("ElementSpace.sums", "`weights`", weights)
        places = np.zeros((len(points), 1), dtype=np.int64)
        values = weights[:, None]
        for axis, positions in zip(self.axes, points.T, strict=True):
            own, factors = axis.values(np.ascontiguousarray(positions))
            places = _outer(places * axis.size, np.ones_like(own)) + np.tile(own, places.shape[1])
            values = _outer(values, factors)
        found = np.bincount(places.ravel(), weights=values.ravel(), minlength=self.size)
        return found.astype(np.float64)

    def quadrature(
        self,
    ) -> tuple[Float64[np.ndarray, "points dim"], Float64[np.ndarray, " points"]]:
        """Products of Gauss-Legendre rules on the elements along each axis, in C order."""
        rules = [axis.quadrature() for axis in self.axes]
        points = np.array(list(itertools.product(*(positions for positions, _ in rules))))
        weights = functools.reduce(np.multiply.outer, (w for _, w in rules))
        return points, np.ravel(weights)

    def project(
        self, values: Float64[np.ndarray, "*functions points"]
    ) -> Float64[np.ndarray, "*functions coefficients"]:
        """Coefficients of the closest functions in the mean square.

        Parameters
        ----------
        values
            Values at the points of `quadrature`.
        """
        check_finite("ElementSpace.project", "`values`", values)
        n_points = [len(axis.quadrature()[0]) for axis in self.axes]
        if values.shape[-1] != np.prod(n_points):
            raise ValueError(
                f"ElementSpace.project: `values` must have {np.prod(n_points)} entries along its "
                f"last axis, one a point of `quadrature`, got shape {values.shape}."
            )
        found = values.reshape(*values.shape[:-1], *n_points)
        for axis in self.axes:
            positions, weights = axis.quadrature()
            values_there = axis.matrix(positions)
            solve = np.linalg.solve(axis.mass(), values_there.T * weights)
            first = found.ndim - len(self.axes)
            found = np.tensordot(found, solve, axes=(first, 1))
        return found.reshape(*values.shape[:-1], self.size)


@final
@checked
@dataclass(frozen=True)
class RadialSpace:
    r"""Functions of a distance $r$ that vanish from a cutoff on.

    "Hermite" functions also have no slope there; so all are as smooth at the cutoff as elsewhere.

    Parameters
    ----------
    cutoff
        Distance $R$ from which on the functions are zero [length].
    n_elements
        Number of elements of $[0, R]$.
    family
        "P1" for continuous, "Hermite" for continuously differentiable functions.
    """

    cutoff: float
    n_elements: int
    family: Family = "Hermite"

    def __post_init__(self) -> None:
        self.axis  # noqa: B018  checks the elements

    @functools.cached_property
    def axis(self) -> AxisElements:
        """Elements of the distance; the coefficients of the last vertex are zero."""
        return AxisElements(self.cutoff, self.n_elements, self.family, periodic=False)

    @property
    def size(self) -> int:
        """Number of coefficients."""
        return self.axis.size - self.axis.per_vertex

    def evaluate(
        self, points: Float64[np.ndarray, "points 1"], derivative: int = 0
    ) -> Float64[np.ndarray, "points coefficients"]:
        r"""Values of all $\varphi_j$ at some distances, zero beyond the cutoff.

        Parameters
        ----------
        points
            Distances.
        derivative
            Order of the derivative, 0 to 2.
        """
        distances = points[:, 0]
        within = distances < self.cutoff
        found = self.axis.matrix(np.where(within, distances, 0.0), derivative)[:, : self.size]
        return np.where(within[:, None], found, 0.0)

    def quadrature(
        self,
    ) -> tuple[Float64[np.ndarray, "points 1"], Float64[np.ndarray, " points"]]:
        r"""Distances and weights for $\int_0^R f(r)\, dr$."""
        positions, weights = self.axis.quadrature()
        return positions[:, None], weights


def _outer(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """All products of the entries of two arrays [points, ...], those of `right` side by side."""
    products = left[:, :, None] * right[:, None, :]
    return products.reshape(len(left), left.shape[1] * right.shape[1])
