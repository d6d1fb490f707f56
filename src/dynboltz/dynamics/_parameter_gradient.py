"""Gradients with respect to the parameters of a vector field, summed over many points."""

from __future__ import annotations

from typing import TypeVar

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from dynboltz._typing import AnyArray

from ._base import AbstractVectorField

Field = TypeVar("Field", bound=AbstractVectorField)

_CHUNK = 4096  # points whose basis functions are in memory at a time


def parameter_gradient(
    field: Field,
    points: Float[AnyArray, "points coefficients"],
    cotangents: Float[AnyArray, "points coefficients"],
) -> Field:
    r"""Sum $(\partial F / \partial u)^T \kappa$ over points.

    The field's gradient is as large as the field, so it is added up once for a chunk of points and
    not at every step of an integration.

    Parameters
    ----------
    field
        The vector field $F$.
    points
        Where $F$ is differentiated.
    cotangents
        $\kappa$ at each point.

    Returns
    -------
    gradient
        PyTree like `field`, with `None` in place of everything that is not an inexact array.
    """
    size = min(_CHUNK, len(points))
    missing = -len(points) % size
    # Copies of a visited point, with no weight, complete the last chunk.
    points = jnp.concatenate([points, jnp.broadcast_to(points[:1], (missing, points.shape[1]))])
    cotangents = jnp.concatenate([cotangents, jnp.zeros_like(points[:missing])])
    shape = (-1, size, points.shape[1])

    def add_chunk(total: Field, chunk: tuple[Array, Array]) -> tuple[Field, None]:
        _, pullback = eqx.filter_vjp(lambda f: jax.vmap(f)(chunk[0]), field)
        (gradient,) = pullback(chunk[1])
        return jax.tree.map(jnp.add, total, gradient), None

    zero = jax.tree.map(jnp.zeros_like, eqx.filter(field, eqx.is_inexact_array))
    chunks = (points.reshape(shape), cotangents.reshape(shape))
    total, _ = jax.lax.scan(add_chunk, zero, chunks)
    return total
