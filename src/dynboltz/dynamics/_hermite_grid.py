"""The grid of cells on which Hermite finite elements live."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, final, get_args

import jax
import numpy as np
from jaxtyping import Array, Float, Int

from dynboltz._arguments import checked

Outside = Literal["error", "clamp", "linear"]

_WHOLE = 1e-9  # a box edge this close to a vertex, in cells, is meant to be that vertex


@final
@checked
@dataclass(frozen=True)
class HermiteGrid:
    """Hypercubic cells in the space of some coefficients, inside a box.

    A grid stores nothing: a fine grid over a large box costs no memory until its vertices are
    allocated.

    Parameters
    ----------
    arguments
        Names of the coefficients that span the grid, at least one.
    cell
        Side of a cell along each argument, positive.
    origin
        A point that is a vertex; half a cell away from a point puts that point in a cell's centre.
    lower, upper
        Opposite corners of the box; it is rounded outward to whole cells.
    outside
        What happens beyond the box. `"error"`: a direct call and `integrate` raise
        `OutsideBoxError`, while compiled code cannot raise and clamps. `"clamp"`: the value at the
        nearest point of the box; continuous, with zero normal derivative outside. `"linear"`: each
        one-dimensional basis function continues along its tangent, which extrapolates by value and
        gradient (by the product of the extrapolations where several arguments are outside), and
        stays continuously differentiable.

    Raises
    ------
    ValueError
        If the entries do not match in number, a name is repeated, a cell is not positive, a box is
        empty or not finite, or `outside` is unknown.
    """

    arguments: tuple[str, ...]
    cell: tuple[float, ...]
    origin: tuple[float, ...]
    lower: tuple[float, ...]
    upper: tuple[float, ...]
    outside: Outside = "error"

    def __post_init__(self) -> None:
        if not self.arguments or len(set(self.arguments)) != self.dim:
            raise ValueError(
                "HermiteGrid: `arguments` must be at least one coefficient name, each once, got "
                f"{self.arguments}."
            )
        for name in ("cell", "origin", "lower", "upper"):
            values = getattr(self, name)
            if len(values) != self.dim or not all(math.isfinite(value) for value in values):
                raise ValueError(
                    f"HermiteGrid: `{name}` must have one finite entry for each argument "
                    f"{self.arguments}, got {values}."
                )
        if min(self.cell) <= 0:
            raise ValueError(f"HermiteGrid: `cell` must be positive, got {self.cell}.")
        if any(low >= high for low, high in zip(self.lower, self.upper, strict=True)):
            raise ValueError(
                "HermiteGrid: `lower` must be less than `upper` along each argument, got "
                f"{self.lower} and {self.upper}."
            )
        if self.outside not in get_args(Outside):
            raise ValueError(
                f"HermiteGrid: `outside` must be one of {get_args(Outside)}, got {self.outside!r}."
            )

    @property
    def _axis_entries(self) -> dict[str, tuple[str, ...]]:
        return {"arguments": self.arguments}

    @property
    def dim(self) -> int:
        """Number of arguments."""
        return len(self.arguments)

    @cached_property
    def _first(self) -> tuple[int, ...]:
        """Number of the lowest vertex along each axis, counted from the origin."""
        return tuple(
            math.floor((low - origin) / cell + _WHOLE)
            for low, origin, cell in zip(self.lower, self.origin, self.cell, strict=True)
        )

    @cached_property
    def n_cells(self) -> tuple[int, ...]:
        """Number of cells along each axis of the box."""
        return tuple(
            math.ceil((high - origin) / cell - _WHOLE) - first
            for high, origin, cell, first in zip(
                self.upper, self.origin, self.cell, self._first, strict=True
            )
        )

    @cached_property
    def box(self) -> tuple[Float[np.ndarray, " arguments"], Float[np.ndarray, " arguments"]]:
        """Lowest and highest corner of the box after rounding to whole cells."""
        first = np.array(self._first, dtype=float)
        lower = np.array(self.origin) + first * np.array(self.cell)
        upper = np.array(self.origin) + (first + np.array(self.n_cells)) * np.array(self.cell)
        return lower, upper

    @cached_property
    def n_vertices(self) -> int:
        """Number of vertices of the whole box, allocated or not."""
        return math.prod(n + 1 for n in self.n_cells)

    @cached_property
    def strides(self) -> tuple[int, ...]:
        """Steps in vertex number along each axis, the last axis fastest."""
        lengths = [n + 1 for n in self.n_cells]
        return tuple(math.prod(lengths[axis + 1 :]) for axis in range(self.dim))

    @cached_property
    def corners(self) -> list[int]:
        """Steps in vertex number from the lowest vertex of a cell to each of its vertices."""
        bits = np.array(list(np.ndindex((2,) * self.dim)), dtype=object)
        return [int(step) for step in bits @ np.array(self.strides, dtype=object)]

    def key_dtype(self) -> np.dtype:
        """Choose the smallest integer type that numbers all vertices of the box.

        Returns
        -------
        dtype
            `int32`, or `int64` if that is too small.

        Raises
        ------
        ValueError
            If the vertices are too many for the integers that JAX works with at present.
        """
        candidates = (np.int32, np.int64) if jax.config.jax_enable_x64 else (np.int32,)
        for dtype in candidates:
            # The largest number is kept free: it marks unused places.
            if self.n_vertices <= np.iinfo(dtype).max:
                return np.dtype(dtype)
        raise ValueError(
            f"HermiteGrid: the box of {self.arguments} has {self.n_vertices} vertices, more than "
            f"{np.dtype(candidates[-1]).name} can number. Choose larger cells or a smaller box"
            + ("." if len(candidates) > 1 else ', or set the JAX option "jax_enable_x64".')
        )

    def locate(
        self, points: Float[Array | np.ndarray, "*points arguments"]
    ) -> tuple[
        Int[Array | np.ndarray, "*points vertices"], Float[Array | np.ndarray, "*points arguments"]
    ]:
        """Find the cell that holds each point, the nearest one for points beyond the box.

        NumPy arrays give NumPy arrays, JAX arrays give JAX arrays.

        Parameters
        ----------
        points
            Coefficients in the order of `arguments`.

        Returns
        -------
        keys
            Numbers of the cell's vertices, ordered as binary numbers, argument 0 the most
            significant bit.
        local
            Position in the cell, in cells: 0 at the lower vertex, 1 at the upper. Beyond 0 and 1
            only if the point is outside the box and `outside` is `"linear"`.
        """
        xp = points.__array_namespace__()
        dtype = self.key_dtype()
        ones = (1,) * (points.ndim - 1)
        lower, cell, last, strides = (
            xp.reshape(xp.asarray(values, dtype=kind), (*ones, self.dim))
            for values, kind in (
                (self.box[0], points.dtype),
                (self.cell, points.dtype),
                (np.array(self.n_cells) - 1, points.dtype),
                (self.strides, dtype),
            )
        )
        position = (points - lower) / cell
        index = xp.clip(xp.floor(position), xp.zeros_like(last), last)
        local = position - index
        if self.outside != "linear":
            local = xp.where(local < 0, xp.zeros_like(local), local)
            local = xp.where(local > 1, xp.ones_like(local), local)
        lowest = xp.sum(index.astype(dtype) * strides, axis=-1, keepdims=True, dtype=dtype)
        corners = xp.reshape(xp.asarray(self.corners, dtype=dtype), (*ones, 2**self.dim))
        return lowest + corners, local
