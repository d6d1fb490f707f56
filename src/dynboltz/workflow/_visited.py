"""The part of coefficient space that training visited."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float

from dynboltz.dynamics import HermiteField


def unvisited(
    field: HermiteField, theta: Float[np.ndarray, "times coefficients"]
) -> Bool[np.ndarray, " times"]:
    """Tell which points lie beyond the box or in cells that no training trajectory visited.

    Parameters
    ----------
    field
        The learned vector field.
    theta
        Coefficients.
    """
    return ~field.visited(theta)
