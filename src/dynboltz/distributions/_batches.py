"""Compiled functions on many rows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import numpy as np

from dynboltz._typing import AnyArray

BATCH = 256


def in_batches(function: Callable[[Any], Any], rows: AnyArray) -> Any:
    """Apply a compiled function to batches of rows.

    All batches have the same size, the last one filled up with copies of its last row, so that the
    function compiles once whatever the number of rows, and needs little memory.

    Parameters
    ----------
    function
        Takes an array of rows and returns arrays, or a tree of them, with as many rows.
    rows
        The rows, at least one.

    Returns
    -------
    results
        What the function returns for all rows, as NumPy arrays.
    """
    rows = np.asarray(rows)
    n_rows = len(rows)
    filled = np.concatenate([rows, np.repeat(rows[-1:], -n_rows % BATCH, axis=0)])
    parts = [function(filled[start : start + BATCH]) for start in range(0, n_rows, BATCH)]
    return jax.tree.map(lambda *leaves: np.concatenate(leaves)[:n_rows], *parts)
