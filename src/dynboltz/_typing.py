"""Types shared by the rooms."""

import jax
import numpy as np

AnyArray = jax.Array | np.ndarray
