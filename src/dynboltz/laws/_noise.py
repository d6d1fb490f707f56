"""How averages over replicas scatter around their expectation over time."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from jaxtyping import Float64

WINDOW = 2
"""Records before and after one that its covariances are averaged over: fluctuations change as
slowly as the means, and five records reduce the scatter of their estimates."""

POOLED = 5
"""Weight of the correlations of all initial conditions beside those of one, in degrees of freedom
beyond the number of moments (a prior that only matters for few replicas)."""

RESOLUTION = 0.1
"""Smallest standard deviation of an innovation that is believed, as a part of its mean over all
initial conditions and times. Where all replicas agree, as at an empty lattice, it would be zero."""


class Innovations(NamedTuple):
    r"""Fluctuations of means over replicas as a first-order autoregression.

    The deviation $\delta_k$ of a mean at record $k$ from its expectation obeys
    $\delta_k = A_k \delta_{k - 1} + \epsilon_k$ with independent $\epsilon_k$ of covariance
    $Q_k / R$, of $R$ replicas. Whitened residuals
    $e_k = (Q_k / R)^{-1/2} (r_k - A_k r_{k - 1})$ are then independent with variance 1, so that
    their sum of squares is a likelihood. Residuals themselves are correlated over many records: to
    sum their squares as if they were independent counts the same evidence over and over.

    Attributes
    ----------
    memory
        $A$, for each record but the first.
    whitening
        $(Q / R)^{-1/2}$ as inverse lower Cholesky factors.
    """

    memory: Float64[np.ndarray, "intervals moments moments"]
    whitening: Float64[np.ndarray, "initial_conditions intervals moments moments"]


def estimate_innovations(
    replicas: list[Float64[np.ndarray, "_ times moments"]],
) -> Innovations:
    """Autoregression of the deviations of replicas from their means.

    Parameters
    ----------
    replicas
        Moments of each replica of each initial condition, two replicas or more.
    """
    deviations = [r - r.mean(axis=0) for r in replicas]
    n_times, n = deviations[0].shape[1:]
    pooled = np.concatenate(deviations)
    # Unbiased: the deviations of R replicas from their own mean have R - 1 degrees of freedom.
    freedom = sum(len(r) - 1 for r in replicas)
    scale = np.sqrt(np.mean(np.sum(pooled**2, axis=0) / freedom, axis=0))
    scale = np.where(scale > 0, scale, 1.0)
    memory = np.array([_memory(pooled / scale, k) for k in range(n_times - 1)])
    innovations = [
        d[:, 1:] - np.einsum("tij,rtj->rti", memory, d[:, :-1] / scale) * scale for d in deviations
    ]
    together = np.concatenate(innovations)
    floor = RESOLUTION**2 * np.diag(np.diag(_covariance(together, freedom)))
    floor += np.diag(np.where(np.diag(floor) > 0, 0.0, 1.0))
    whitening = np.empty((len(replicas), n_times - 1, n, n))
    for k in range(n_times - 1):
        near = slice(max(0, k - WINDOW), k + WINDOW + 1)
        common = _correlation(_covariance(together[:, near], freedom) + floor)
        for i, own in enumerate(innovations):
            covariance = _covariance(own[:, near], len(own) - 1) + floor
            seen = own[:, near].shape[0] * own[:, near].shape[1]
            trust = seen / (seen + n + POOLED)
            sd = np.sqrt(np.diag(covariance))
            mixed = trust * _correlation(covariance) + (1 - trust) * common
            root = np.linalg.cholesky(mixed * np.outer(sd, sd) / len(own))
            whitening[i, k] = np.linalg.inv(root)
    return Innovations(memory * scale[:, None] / scale, whitening)


def _memory(deviations: np.ndarray, record: int) -> np.ndarray:
    """Regression of deviations on those one record before, around a record."""
    near = slice(max(0, record - WINDOW), min(deviations.shape[1] - 1, record + WINDOW + 1))
    before = deviations[:, near].reshape(-1, deviations.shape[2])
    after = deviations[:, near.start + 1 : near.stop + 1].reshape(before.shape)
    # A trace of a ridge: moments that do not fluctuate yet have no memory.
    gram = before.T @ before + 1e-5 * len(before) * np.eye(before.shape[1])
    return np.linalg.solve(gram, before.T @ after).T


def _covariance(deviations: np.ndarray, freedom: int) -> np.ndarray:
    flat = deviations.reshape(-1, deviations.shape[-1])
    return flat.T @ flat / (max(freedom, 1) * deviations.shape[1])


def _correlation(covariance: np.ndarray) -> np.ndarray:
    sd = np.sqrt(np.diag(covariance))
    return covariance / np.outer(sd, sd)
