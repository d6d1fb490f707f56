"""What fits by natural gradients that chains estimate have in common."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float64


def natural_step(
    metric: Float64[np.ndarray, "coefficients coefficients"],
    gradient: Float64[np.ndarray, " coefficients"],
    *,
    largest: float,
) -> Float64[np.ndarray, " coefficients"]:
    """Step that solves for the gradient in the damped metric, no coefficient further than asked.

    Parameters
    ----------
    metric
        The metric, damping included.
    gradient
        The gradient.
    largest
        Largest change of any coefficient.
    """
    step = np.linalg.solve(metric, gradient)
    return step / max(1.0, np.abs(step).max() / largest)


def fading_rate(rate: float, step: int, n_steps: int) -> float:
    """Learning rate of a step: all of it in the first half of the steps, then less and less."""
    return rate * min(1.0, (n_steps - step) / (n_steps // 2 + 1))


def remembered(
    metric: Float64[np.ndarray, "*rows coefficients coefficients"] | None,
    seen: Float64[np.ndarray, "*rows coefficients coefficients"],
    memory: float,
) -> Float64[np.ndarray, "*rows coefficients coefficients"]:
    """Running mean of a metric that keeps the share `memory` of what it was."""
    return seen if metric is None else memory * metric + (1 - memory) * seen
