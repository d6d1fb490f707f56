"""Which times least-squares problems look at."""

from __future__ import annotations

import numpy as np
from jaxtyping import Int64

_EARLY = 24
_LATE = 27


def representative_times(n_times: int) -> Int64[np.ndarray, " chosen"]:
    """Indices of some times after the first: all early ones, then ever fewer.

    The distributions change fast at first; were all times used, the many late ones would outweigh
    the early ones.

    Parameters
    ----------
    n_times
        Number of times.

    Returns
    -------
    chosen
        Indices into the times without the first one.
    """
    late = np.geomspace(_EARLY, max(n_times - 1, _EARLY), _LATE).round().astype(int) - 1
    chosen = np.unique(np.concatenate([np.arange(_EARLY), late]))
    return chosen[chosen < n_times - 1]
