"""Functions made of Hermite finite elements."""

from __future__ import annotations

from typing import NamedTuple, final

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from dynboltz._arguments import checked

from ._hermite_basis import hermite_basis
from ._hermite_grid import HermiteGrid


class HermiteBasis(NamedTuple):
    """The linear map from the degrees of freedom of a `HermiteFunction` to its values.

    `value[point, output] = sum(weights[point, :, :, None] * u[rows[point], :, output])`.

    Attributes
    ----------
    rows
        Index into `HermiteFunction.u` of each vertex of the point's cell.
    weights
        Basis functions of the cell; zero for a vertex that is not allocated.
    """

    rows: Int[Array, "*points vertices"]
    weights: Float[Array, "*points vertices dofs"]


@final
@checked
class HermiteFunction(eqx.Module):
    r"""Continuously differentiable piecewise polynomials $F_o(x) = \sum_l u_{l,o} f_l(x)$.

    The $f_l$ are tensor products of cubic Hermite polynomials, $4^d$ of them on a cell of
    $d$ dimensions and $2^d$ at a vertex. Only the vertices that were allocated are stored; the
    others contribute zero. See Ernst et al. (2019), eq. (34).

    Parameters
    ----------
    grid
        The cells.
    outputs
        Names of the functions that share the grid.
    keys
        Numbers of the allocated vertices, ascending; unused places at the end hold the largest
        integer of their type. The capacity grows in powers of two, so that compiled code is
        reused for most allocations.
    u
        Degrees of freedom: the value and the mixed first derivatives of each output at each
        allocated vertex, in units of the output over the arguments. Their order is that of binary
        numbers, argument 0 the most significant bit: $F, \partial_1 F, \partial_0 F,
        \partial_0 \partial_1 F$ for two arguments.

    Raises
    ------
    ValueError
        If the shapes of `keys` and `u` do not fit each other, the grid and the outputs, or if the
        box has more vertices than can be numbered (see `HermiteGrid.key_dtype`).
    """

    grid: HermiteGrid = eqx.field(static=True)
    outputs: tuple[str, ...] = eqx.field(static=True)
    keys: Int[Array, " vertices"]
    u: Float[Array, "vertices dofs outputs"]

    @property
    def _axis_entries(self) -> dict[str, tuple[str, ...]]:
        return {"arguments": self.grid.arguments, "outputs": self.outputs}

    def __check_init__(self) -> None:
        expected = (len(self.keys), 2**self.grid.dim, len(self.outputs))
        if self.u.shape != expected:
            raise ValueError(
                "HermiteFunction: `u` must have shape (vertices, dofs, outputs) = "
                f"{expected}, got {self.u.shape}."
            )
        if self.keys.dtype != self.grid.key_dtype():
            raise ValueError(
                f"HermiteFunction: `keys` must be {self.grid.key_dtype()}, got {self.keys.dtype}."
            )

    @classmethod
    def zeros(
        cls, grid: HermiteGrid, outputs: tuple[str, ...], *, dtype: jnp.dtype | type | None = None
    ) -> HermiteFunction:
        """Build the function that is zero everywhere and has no vertex yet.

        Parameters
        ----------
        grid
            The cells.
        outputs
            Names of the functions that share the grid.
        dtype
            Floating-point type of the degrees of freedom, by default the one JAX works with.

        Returns
        -------
        function
            Zero everywhere.
        """
        u = jnp.zeros((1, 2**grid.dim, len(outputs)), dtype)
        return cls(grid, outputs, jnp.asarray(_unused(grid, 1)), u)

    @property
    def n_allocated(self) -> int:
        """Number of vertices that are stored and used."""
        return int(np.sum(np.asarray(self.keys) != np.iinfo(self.keys.dtype).max))

    def basis(self, x: Float[Array, " arguments"]) -> HermiteBasis:
        """Rows of `u` and basis functions of the cell that holds one point.

        Parameters
        ----------
        x
            Coefficients in the order of `grid.arguments`.

        Returns
        -------
        basis
            The rows and their weights.
        """
        keys, local = self.grid.locate(x)
        rows = jnp.minimum(jnp.searchsorted(self.keys, keys), len(self.keys) - 1)
        # A product, not a selection, so that NaN stays NaN.
        allocated = (self.keys[rows] == keys).astype(x.dtype)
        return HermiteBasis(
            rows, hermite_basis(jnp.asarray(local), self.grid.cell) * allocated[:, None]
        )

    def __call__(self, x: Float[Array, " arguments"]) -> Float[Array, " outputs"]:
        """Evaluate all outputs at one point; use `jax.vmap` for several.

        Parameters
        ----------
        x
            Coefficients in the order of `grid.arguments`, of the floating-point type of `u`.

        Returns
        -------
        values
            One for each output.
        """
        if x.dtype != self.u.dtype:
            raise TypeError(
                f"HermiteFunction: the coefficients are {x.dtype}, but the degrees of freedom of "
                f"the field are {self.u.dtype}. Convert one of them, `theta.astype(...)`."
            )
        rows, weights = self.basis(x)
        return weights.reshape(-1) @ self.u[rows].reshape(-1, len(self.outputs))

    def allocate(self, points: Float[np.ndarray, "points arguments"]) -> HermiteFunction:
        """Store the vertices of all cells that hold one of the points.

        Parameters
        ----------
        points
            Coefficients in the order of `grid.arguments`, finite.

        Returns
        -------
        function
            The same function, with room for more; this very object if nothing was missing.
        """
        keys = np.asarray(self.keys)
        old = keys[: self.n_allocated]
        visited, _ = self.grid.locate(points)
        used = np.union1d(old, np.asarray(visited, dtype=keys.dtype))
        if len(used) == len(old):
            return self
        capacity = max(len(keys), 1 << (len(used) - 1).bit_length())
        new_keys = _unused(self.grid, capacity)
        new_keys[: len(used)] = used
        new_u = np.zeros((capacity, *self.u.shape[1:]), self.u.dtype)
        new_u[np.searchsorted(used, old)] = np.asarray(self.u)[: len(old)]
        return HermiteFunction(self.grid, self.outputs, jnp.asarray(new_keys), jnp.asarray(new_u))


def _unused(grid: HermiteGrid, capacity: int) -> Int[np.ndarray, " capacity"]:
    dtype = grid.key_dtype()
    return np.full(capacity, np.iinfo(dtype).max, dtype)
