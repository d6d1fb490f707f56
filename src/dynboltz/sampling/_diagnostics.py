"""Convergence of chains: split R-hat and effective sample size."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float64


def split_r_hat(
    values: Float64[np.ndarray, "chains samples moments"],
) -> Float64[np.ndarray, " moments"]:
    r"""Rank-normalised split $\hat R$ of each moment, the larger of its bulk and its tail value.

    1 for a moment that never changes in any chain, infinite for one that differs between chains
    but never changes within one.

    Parameters
    ----------
    values
        Values of each moment along each chain, at least 4 samples.

    References
    ----------
    Vehtari et al. (2021), Bayesian Anal. 16, 667.
    """
    from arviz_stats.base.array import array_stats  # noqa: PLC0415 (seconds to import)

    r_hat = np.where(np.ptp(values, axis=(0, 1)) > 0, np.inf, 1.0)
    moving = _moves(values)
    # a moment of two values that are equally frequent is constant once folded
    with np.errstate(invalid="ignore", divide="ignore"):
        bulk = array_stats.rhat(values[:, :, moving], 0, 1, method="z_scale")
        tail = array_stats.rhat(values[:, :, moving], 0, 1, method="folded")
    r_hat[moving] = np.fmax(bulk, tail)
    return r_hat


def effective_sample_size(
    values: Float64[np.ndarray, "chains samples moments"],
) -> Float64[np.ndarray, " moments"]:
    """Effective sample size for the mean of each moment.

    The number of all samples for a moment that never changes in any chain, one for a moment that
    differs between chains but never changes within one.

    Parameters
    ----------
    values
        Values of each moment along each chain, at least 4 samples.

    References
    ----------
    Vehtari et al. (2021), Bayesian Anal. 16, 667.
    """
    from arviz_stats.base.array import array_stats  # noqa: PLC0415 (seconds to import)

    n_samples = float(values.shape[0] * values.shape[1])
    size = np.where(np.ptp(values, axis=(0, 1)) > 0, 1.0, n_samples)
    moving = _moves(values)
    size[moving] = array_stats.ess(values[:, :, moving], 0, 1, method="mean")
    return size


def _moves(values: Float64[np.ndarray, "chains samples moments"]) -> Bool[np.ndarray, " moments"]:
    return np.ptp(values, axis=1).max(axis=0) > 0
