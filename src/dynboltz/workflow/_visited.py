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
    found = field.outside(theta)
    for function in field.functions:
        columns = [field.coefficients.index(name) for name in function.grid.arguments]
        keys, _ = function.grid.locate(theta[:, columns])
        found |= ~np.isin(keys, np.asarray(function.keys)).all(axis=-1)
    return found
