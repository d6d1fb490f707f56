"""Steps of optax, whatever type promotion the user has chosen."""

from __future__ import annotations

from typing import Any

import jax
import optax


def optimiser_step(
    optimiser: optax.GradientTransformation, gradient: Any, memory: optax.OptState
) -> tuple[Any, optax.OptState]:
    """Changes that an optimiser makes of a gradient, and its memory after them.

    optax multiplies numbers with counts of steps, which strict type promotion refuses.
    """
    with jax.numpy_dtype_promotion("standard"):
        return optimiser.update(gradient, memory)
