"""Compiled functions on many rows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import numpy as np

from dynboltz._arguments import checked
from dynboltz._typing import AnyArray

LARGEST_BATCH = 256
MOST_BYTES = 1 << 31
"""Of a batch. The same on all machines, as the last digits may depend on the size of a batch."""


@checked
def in_batches(
    function: Callable[..., Any], *rows: AnyArray, bytes_per_row: float | int = 0
) -> Any:
    """Apply a compiled function to batches of rows.

    Batches hold 256 rows, or for fewer rows the next power of two, the last one filled up with
    copies of its last row: so the function compiles for few shapes and needs little memory.

    Parameters
    ----------
    function
        Takes as many arrays as are given, and returns arrays, or a tree of them, with as many
        rows.
    rows
        Arrays with the same number of rows; none give results without rows.
    bytes_per_row
        Memory that the function takes for a row; where 256 rows took more than `MOST_BYTES`,
        batches are smaller.

    Returns
    -------
    results
        What the function returns for all rows, as NumPy arrays.
    """
    n_rows = len(rows[0])
    if not n_rows:  # One row of zeros tells the shapes of the results.
        ones = (np.zeros((1, *array.shape[1:]), np.asarray(array).dtype) for array in rows)
        return jax.tree.map(lambda leaf: leaf[:0], in_batches(function, *ones))
    largest = LARGEST_BATCH
    while largest > 1 and largest * bytes_per_row > MOST_BYTES:
        largest //= 2
    size = min(largest, 1 << (n_rows - 1).bit_length())
    filled = [_fill(np.asarray(array), size) for array in rows]
    parts = [
        function(*(array[start : start + size] for array in filled))
        for start in range(0, n_rows, size)
    ]
    return jax.tree.map(lambda *leaves: np.concatenate(leaves)[:n_rows], *parts)


def _fill(array: np.ndarray, size: int) -> np.ndarray:
    return np.concatenate([array, np.repeat(array[-1:], -len(array) % size, axis=0)])
