"""Draws from conditional distributions in JAX, for many units and chains at once.

Cells are the rows of an array [cells, chains]. Draws are made of 32 random bits, in single
precision: probabilities are off by at most some 1e-7.
"""

from __future__ import annotations

import itertools

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import Float32, Int64, UInt8, UInt16, UInt32

from ._codes import Codes
from ._local_rule import LocalRule

_LARGEST_BOUND = 2.0**32 - 2.0**8
"""Largest number of single precision that 32 bits hold."""


def code_bounds(
    codes: Codes, theta: Float32[Array, "rows coefficients"]
) -> UInt32[Array, "species rows_codes"]:
    """Smallest draw beyond each species, for each row of coefficients and each code."""
    n_codes, n_species, n_coefficients = codes.counts.shape
    counts = jnp.asarray(codes.counts.reshape(-1, n_coefficients), dtype=np.float32)
    entering = theta[:, codes.coefficients]
    fields = jnp.matmul(entering, counts.T, precision=jax.lax.Precision.HIGHEST)
    fields = fields.reshape(len(theta) * n_codes, n_species).T
    *running, total = itertools.accumulate(_weights(list(fields)))
    below = jnp.stack(running) / total[None, :]
    return jnp.minimum(below * np.float32(2.0**32), np.float32(_LARGEST_BOUND)).astype(np.uint32)


def draw_by_code(
    cells: UInt8[Array, "cells chains"],
    neighbours: Int64[np.ndarray, "units partners"],
    codes: Codes,
    bounds: UInt32[Array, "species rows_codes"],
    draws: UInt32[Array, "units chains"],
) -> UInt8[Array, "units chains"]:
    """Labels of the units of a block; their codes say where their bounds are."""
    n_codes, n_chains = len(codes.counts), cells.shape[1]
    n_rows = bounds.shape[1] // n_codes
    rows, row_of_place = np.unique(codes.increments.astype(np.uint16), axis=0, return_inverse=True)
    numbers = [_look_up(row, cells) for row in rows]
    code = jnp.zeros(draws.shape, np.uint16)
    for place, row in enumerate(row_of_place):
        code += numbers[row][neighbours[:, place]]
    first = np.repeat(np.arange(n_rows, dtype=np.int32) * n_codes, n_chains // n_rows)
    # Without the barrier the code is computed once for each of its bounds.
    place = jax.lax.optimization_barrier(code.astype(np.int32) + jnp.asarray(first)[None, :])
    return _count_reached(draws, [bound[place] for bound in bounds])


def _look_up(
    row: UInt16[np.ndarray, " labels"], cells: UInt8[Array, "cells chains"]
) -> UInt16[Array, "cells chains"]:
    """Entry of `row` for the label in each cell."""
    numbers = jnp.zeros(cells.shape, np.uint16)
    for label in np.flatnonzero(row):
        numbers = jnp.where(cells == np.uint8(label), row[label], numbers)
    return jax.lax.optimization_barrier(numbers)


def draw_by_products(
    cells: UInt8[Array, "cells chains"],
    units: tuple[Int64[np.ndarray, " units"], Int64[np.ndarray, "units partners"]],
    rule: LocalRule,
    theta: Float32[Array, "rows coefficients"],
    draws: UInt32[Array, "units chains"],
) -> UInt8[Array, "units chains"]:
    """Labels of the units of a block, given by their sites and the rows of their partners.

    Their fields are summed product by product.
    """
    sites, neighbours = units
    by_chain = jnp.repeat(theta, cells.shape[1] // len(theta), axis=0).T
    seen = [cells[neighbours[:, place]] for place in range(len(rule.partners))]
    fields = [jnp.zeros(draws.shape, np.float32) for _ in range(rule.n_species)]
    for product in rule.products:
        holds = jnp.ones(draws.shape, bool)
        for place, label in product.factors:
            holds &= seen[place] == np.uint8(label)
        coefficients = np.array(product.coefficients)
        coefficients = coefficients[sites] if len(coefficients) > 1 else coefficients
        holds &= (coefficients >= 0)[:, None]
        fields[product.species] += jnp.where(holds, by_chain[coefficients], np.float32(0))
    running = list(itertools.accumulate(_weights(fields)))
    number = (draws >> np.uint32(8)).astype(np.float32) * np.float32(2.0**-24) * running[-1]
    return _count_reached(number, running[:-1])


def _weights(fields: list[Array]) -> list[Array]:
    """Weights of all labels, scaled so that the largest is 1."""
    largest = jnp.zeros_like(fields[0])
    for field in fields:
        largest = jnp.maximum(largest, field)
    return [jnp.exp(-largest), *(jnp.exp(field - largest) for field in fields)]


def _count_reached(number: Array, bounds: list[Array]) -> UInt8[Array, "units chains"]:
    label = jnp.zeros(number.shape, np.uint8)
    for bound in bounds:
        label += (number >= bound).astype(np.uint8)
    return label
