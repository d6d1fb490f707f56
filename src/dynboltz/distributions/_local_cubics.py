"""Functions in space as one polynomial an element, with the same coordinates in every element."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import scipy.sparse
from jaxtyping import Float64

from dynboltz.elements import FunctionSpace

DEGREES = 4
"""Powers along an axis: 0 to 3."""
_NODES = 0.5 - 0.5 * np.cos(np.pi * (np.arange(DEGREES) + 0.5) / DEGREES)
_NEGLIGIBLE = 1e-13
_TOLERANCE = 1e-9
_BATCH = 1 << 22


class LocalCubics(NamedTuple):
    r"""The functions of a space as polynomials of the position $\xi \in [0, 1]$ in each element.

    Attributes
    ----------
    n_elements
        Number of elements along each axis.
    matrix
        Coefficients of the monomials, of degree up to 3 along each axis, elements and powers in C
        order: one row a monomial of an element, one column a function of the space.
    """

    n_elements: tuple[int, ...]
    matrix: scipy.sparse.csr_array

    @property
    def n_monomials(self) -> int:
        """Number of monomials of all elements together."""
        return DEGREES ** len(self.n_elements) * math.prod(self.n_elements)


def local_cubics(space: FunctionSpace, upper: tuple[float, ...]) -> LocalCubics:
    """Find the polynomials of a space from its values.

    Parameters
    ----------
    space
        Functions that are polynomials of degree up to 3 along each axis on equal elements, as many
        along each axis as `space.n_elements` says, one without it.
    upper
        The domain reaches from 0 to here.

    Raises
    ------
    ValueError
        If the functions are not such polynomials.
    """
    dim = len(upper)
    n_elements = tuple(np.broadcast_to(getattr(space, "n_elements", 1), dim).tolist())
    corners = np.indices(n_elements).reshape(dim, -1).T
    batch = max(1, _BATCH // (DEGREES**dim * space.size))
    blocks = [
        _matrix(space, corners[first : first + batch], np.array(upper) / n_elements)
        for first in range(0, len(corners), batch)
    ]
    found = LocalCubics(n_elements, scipy.sparse.csr_array(scipy.sparse.vstack(blocks)))
    _check(found, space, upper)
    return found


def _matrix(
    space: FunctionSpace, corners: np.ndarray, sides: Float64[np.ndarray, " dim"]
) -> scipy.sparse.csr_array:
    """Coefficients in some elements, by interpolation."""
    dim = len(sides)
    local = _NODES[np.indices((DEGREES,) * dim).reshape(dim, -1).T]
    points = (corners[:, None] + local) * sides
    values = space.evaluate(points.reshape(-1, dim))
    inverse = np.linalg.inv(_NODES[:, None] ** np.arange(DEGREES))
    found = values.reshape(len(corners), *(DEGREES,) * dim, -1)
    for axis in range(1, dim + 1):
        found = np.moveaxis(np.tensordot(inverse, found, axes=(1, axis)), 0, axis)
    found[np.abs(found) < _NEGLIGIBLE] = 0.0
    return scipy.sparse.csr_array(found.reshape(-1, space.size))


def monomials(
    points: Float64[np.ndarray, "points dim"], n_elements: tuple[int, ...], upper: tuple[float, ...]
) -> scipy.sparse.csr_array:
    """Monomials at points of the domain: one row a point, one column a monomial of an element."""
    scaled = points * np.array(n_elements) / np.array(upper)
    elements = np.minimum(scaled.astype(np.int64), np.array(n_elements) - 1)
    powers = (scaled - elements)[..., None] ** np.arange(DEGREES)
    products = np.ones((len(points), 1))
    for axis in range(points.shape[1]):
        products = (products[:, :, None] * powers[:, axis, None, :]).reshape(len(points), -1)
    n = products.shape[1]
    first = n * np.asarray(np.ravel_multi_index(tuple(elements.T), n_elements))
    columns = (first[:, None] + np.arange(n)).ravel()
    pointers = n * np.arange(len(points) + 1)
    shape = (len(points), n * int(np.prod(n_elements)))
    return scipy.sparse.csr_array((products.ravel(), columns, pointers), shape=shape)


def _check(found: LocalCubics, space: FunctionSpace, upper: tuple[float, ...]) -> None:
    points = np.random.default_rng(0).uniform(0, upper, (64, len(upper)))
    expected = space.evaluate(points)
    ours = (monomials(points, found.n_elements, upper) @ found.matrix).toarray()
    worst = np.abs(ours - expected).max()
    if not worst <= _TOLERANCE * max(1.0, np.abs(expected).max()):
        raise ValueError(
            f"{type(space).__name__}: its functions must be polynomials of degree up to 3 along "
            f"each axis on {found.n_elements} equal elements of a domain from 0 to {upper}; they "
            f"are off by {worst:.2g}. Give the space the attribute `n_elements`, or use "
            "dynboltz.elements."
        )
