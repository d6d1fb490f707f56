"""From the drift of the statistics to the motion of the coefficients."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from ._drift import Drift


def mean_drift(
    drift: Drift, rates: Float[Array, " rates"], moments: Float[Array, " terms"]
) -> Float[Array, " coefficients"]:
    """Rates of change of the statistics per site, from moments per site."""
    dtype = moments.dtype
    changes = jnp.asarray(drift.constant, dtype) + jnp.asarray(drift.matrix, dtype) @ moments
    return changes @ rates.astype(dtype)


def solve_metric(
    fisher: Float[Array, "coefficients coefficients"], change: Float[Array, " coefficients"]
) -> Float[Array, " coefficients"]:
    """Solve with the Fisher metric, its rows and columns scaled by the standard deviations."""
    scale = 1 / jnp.sqrt(jnp.diagonal(fisher))
    scaled = fisher * scale[:, None] * scale[None, :]
    return scale * jax.scipy.linalg.solve(scaled, scale * change, assume_a="pos")
