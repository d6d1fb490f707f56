"""Coefficients of groups of chains."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Float64

from dynboltz._typing import AnyArray


def coefficient_rows(
    where: str,
    theta: Float[AnyArray, "*rows coefficients"],
    names: str,
    n_coefficients: int,
    n_chains: int,
) -> Float64[np.ndarray, "rows coefficients"]:
    """Rows of coefficients; raise `ValueError` if they do not fit the model and the chains.

    Parameters
    ----------
    where
        The class that asks, for the message.
    theta
        One set of coefficients, or one for each of equal groups of chains.
    names
        Says which coefficients these are, for the message.
    n_coefficients, n_chains
        How many coefficients and chains there are.
    """
    rows = np.array(theta, dtype=np.float64, ndmin=2, order="C")
    finite = np.all(np.isfinite(rows))
    fits = rows.ndim == 2 and rows.shape[1] == n_coefficients and len(rows) > 0
    if not fits or n_chains % len(rows) or not finite:
        raise ValueError(
            f"{where}: `theta` must hold {n_coefficients} finite coefficients{names}, or rows of "
            f"them for equal groups of the {n_chains} chains; got shape {np.shape(theta)}"
            + ("." if finite else ", not finite.")
        )
    return rows
