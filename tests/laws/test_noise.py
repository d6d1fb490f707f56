"""Whitening of means over replicas."""

import numpy as np

from dynboltz.laws._noise import estimate_innovations


def autoregression(rng, n_replicas, n_times, memory, root):
    """Deviations that begin at 0."""
    x = np.zeros((n_replicas, n_times, len(root)))
    for k in range(1, n_times):
        x[:, k] = x[:, k - 1] @ memory.T + rng.normal(size=(n_replicas, len(root))) @ root.T
    return x


def test_whitened_errors_of_means_are_independent_with_variance_one():
    rng = np.random.default_rng(0)
    memory = np.array([[0.9, 0.2], [0.0, 0.7]])
    root = np.array([[1e-3, 0.0], [2.0, 3.0]])
    n_replicas, n_starts, n_times = 30, 8, 40
    replicas = [
        0.5 + autoregression(rng, n_replicas, n_times, memory, root) for _ in range(n_starts)
    ]
    found = estimate_innovations(replicas)
    # 240 replicas of five records each, and all but the first records: hundredths.
    scaled = found.memory[5:].mean(axis=0)
    np.testing.assert_allclose(scaled.diagonal(), [0.9, 0.7], atol=0.03)
    # Means of other replicas of the same process, which nothing was fitted to.
    errors = [
        autoregression(rng, n_replicas, n_times, memory, root).mean(axis=0) for _ in range(300)
    ]
    whitened = np.array(
        [
            np.einsum(
                "tij,tj->ti",
                found.whitening[i % n_starts],
                r[1:] - np.einsum("tij,tj->ti", found.memory, r[:-1]),
            )
            for i, r in enumerate(errors)
        ]
    )[:, 3:]
    # Covariances of 150 deviations each are off by a tenth; over eight starts and 36 records by
    # less than 3 in 100, and their inverses are biased upwards by about as much.
    flat = whitened.reshape(-1, 2)
    np.testing.assert_allclose(flat.T @ flat / len(flat), np.eye(2), atol=0.08)
    one_later = np.mean(whitened[:, 1:] * whitened[:, :-1], axis=(0, 1))
    np.testing.assert_allclose(one_later, 0, atol=0.05)


def test_moments_that_never_differ_have_a_finite_weight():
    rng = np.random.default_rng(1)
    replicas = rng.normal(size=(3, 10, 20, 2))
    replicas[0, :, :, 1] = 4.0
    found = estimate_innovations(list(replicas))
    assert np.all(np.isfinite(found.whitening))
    assert np.all(np.isfinite(found.memory))
