r"""Powers of a matrix that is given by its logarithms.

Two ways lead to the same number. Products of matrices that are divided by their largest entries
are fast, but what is less than about $10^{-308}$ of the largest entry vanishes. That matters where
such an entry decides, as in a ring of an odd number of sites that repel each other strongly. Sums
of exponentials of logarithms lose nothing, and take an exponential for each multiplication.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

NEVER = -1e30
"""Log weight of what cannot happen: finite, so that its derivatives are 0 and not NaN, and small
enough for a million of them to add up to a finite number in single precision too."""


def log_power(
    log_matrix: Float[Array, "tuples tuples"],
    power: int,
    log_end: Float[Array, " tuples"] | None,
    *,
    by_logarithms: bool,
) -> Float[Array, ""]:
    r"""Logarithm of $1^T T^n t$, or of the trace $\mathrm{tr}\, T^n$ if there is no $t$.

    Parameters
    ----------
    log_matrix
        Logarithms of the entries of $T$, `NEVER` for 0.
    power
        The power $n$, at least 1.
    log_end
        Logarithms of $t$, or `None` for the trace.
    by_logarithms
        Whether to go the slow way, in which nothing vanishes.
    """
    if log_end is None:
        is_diagonal = jnp.eye(len(log_matrix), dtype=bool)
        log_vectors = jnp.where(is_diagonal, 0.0, NEVER).astype(log_matrix.dtype)
    else:
        log_vectors = log_end[:, None]
    if by_logarithms:
        product = _square_and_multiply(_multiply_logarithms, log_matrix, log_vectors, power)
        return jax.nn.logsumexp(jnp.diag(product) if log_end is None else product)
    matrix, vectors = _scaled(log_matrix), _scaled(log_vectors)
    product, log_scale = _square_and_multiply(_multiply_scaled, matrix, vectors, power)
    return jnp.log(jnp.trace(product) if log_end is None else jnp.sum(product)) + log_scale


def _scaled(logarithms):
    """Exponentials divided by the largest, and the logarithm of that."""
    largest = jax.lax.stop_gradient(jnp.max(logarithms))
    return jnp.exp(logarithms - largest), largest


def _multiply_scaled(left, right):
    product = left[0] @ right[0]
    largest = jax.lax.stop_gradient(jnp.max(product))
    return product / largest, left[1] + right[1] + jnp.log(largest)


def _multiply_logarithms(left, right):
    # Row by row: all terms of a product at once would take the memory of a cube.
    return jax.lax.map(lambda row: jax.nn.logsumexp(row[:, None] + right, axis=0), left)


def _square_and_multiply(multiply, matrix, vectors, power):
    """matrix^power vectors by repeated squaring.

    A loop over the binary digits of the power, because JAX would compile the unrolled steps and
    their derivatives for seconds.
    """

    def step(carry, digit):
        matrix, vectors = carry
        moved = multiply(matrix, vectors)
        vectors = jax.tree.map(lambda new, old: jnp.where(digit, new, old), moved, vectors)
        return (multiply(matrix, matrix), vectors), None

    binary = jnp.array([digit == "1" for digit in reversed(f"{power:b}")])
    (_, vectors), _ = jax.lax.scan(step, (matrix, vectors), binary)
    return vectors
