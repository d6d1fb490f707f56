"""What laws are compared with."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from jaxtyping import Float64


class ShootingData(NamedTuple):
    """What laws are compared with, for each training start.

    Attributes
    ----------
    times
        Records [time].
    starts
        Coordinates at the first time.
    coordinates
        Coordinates of the means over the replicas, from which shorter horizons begin.
    probabilities
        Means of the probabilities of the patterns.
    memory, whitening
        `Innovations` of the means.
    n_images
        So many starts in a row are images of one under symmetries; they are not independent.
    """

    times: Float64[np.ndarray, " times"]
    starts: Float64[np.ndarray, "starts coordinates"]
    coordinates: Float64[np.ndarray, "starts times coordinates"]
    probabilities: Float64[np.ndarray, "starts times moments"]
    memory: Float64[np.ndarray, "intervals moments moments"]
    whitening: Float64[np.ndarray, "starts intervals moments moments"]
    n_images: int = 1

    @property
    def n_residuals(self) -> int:
        """Number of independent residuals of one start."""
        return self.whitening.shape[1] * self.whitening.shape[3]
