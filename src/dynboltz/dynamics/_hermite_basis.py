"""Cubic Hermite basis functions on one cell."""

from __future__ import annotations

import jax.numpy as jnp
from jaxtyping import Array, Float


def hermite_basis(
    local: Float[Array, " arguments"], cell: tuple[float, ...]
) -> Float[Array, "vertices dofs"]:
    r"""Evaluate the $4^d$ basis functions $f_l$ of a cell at one point.

    In one dimension, with $\xi$ the position in a cell of side $c$, the vertex at $\xi = 0$ has
    the functions $(1 + 2 \xi)(1 - \xi)^2$ for the value and $c\, \xi (1 - \xi)^2$ for the
    derivative; those of the other vertex are $\xi^2 (3 - 2 \xi)$ and $c\, \xi^2 (\xi - 1)$.
    More dimensions multiply them. See Ernst et al. (2019), eq. (34) and Fig. 1(d).

    Parameters
    ----------
    local
        Position in the cell, in cells. Below 0 and above 1 each one-dimensional function continues
        along its tangent.
    cell
        Side of the cell along each argument.

    Returns
    -------
    basis
        Vertices and degrees of freedom are ordered as binary numbers, argument 0 the most
        significant bit: bit 1 stands for the upper vertex and for a derivative.
    """
    dim = len(cell)
    inner = jnp.where(local < 0, jnp.zeros_like(local), local)
    inner = jnp.where(inner > 1, jnp.ones_like(inner), inner)
    sides = jnp.asarray(cell, dtype=local.dtype)
    factors = _values(inner, sides) + _slopes(inner, sides) * (local - inner)[:, None, None]
    product = factors[0]
    for axis in range(1, dim):
        size = 2**axis
        pairs = product[:, None, :, None] * factors[axis][None, :, None, :]
        product = pairs.reshape(2 * size, 2 * size)
    return product


def _values(
    xi: Float[Array, " arguments"], cell: Float[Array, " arguments"]
) -> Float[Array, "arguments vertices dofs"]:
    """One-dimensional functions along each axis."""
    rest = 1 - xi
    below = [(1 + 2 * xi) * rest * rest, cell * xi * rest * rest]
    above = [xi * xi * (3 - 2 * xi), -cell * xi * xi * rest]
    return jnp.stack([jnp.stack(below, axis=-1), jnp.stack(above, axis=-1)], axis=-2)


def _slopes(
    xi: Float[Array, " arguments"], cell: Float[Array, " arguments"]
) -> Float[Array, "arguments vertices dofs"]:
    """Their derivatives with respect to the position in the cell."""
    rest = 1 - xi
    below = [-6 * xi * rest, cell * rest * (1 - 3 * xi)]
    above = [6 * xi * rest, cell * xi * (3 * xi - 2)]
    return jnp.stack([jnp.stack(below, axis=-1), jnp.stack(above, axis=-1)], axis=-2)
