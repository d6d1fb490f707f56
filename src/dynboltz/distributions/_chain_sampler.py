"""Exact, independent samples of chains: forward filter, backward sample."""

from __future__ import annotations

from typing import no_type_check

import numba
import numpy as np
from jaxtyping import Float, UInt8

from dynboltz._arguments import check_memory, check_range, checked
from dynboltz._compiled import compiled
from dynboltz._typing import AnyArray
from dynboltz.lattices import streams, uniform

from ._transfer_matrix import TransferMatrix

MAX_TABLE = 50_000_000


@checked
def sample_chain(
    solution: TransferMatrix,
    theta: Float[AnyArray, " coefficients"],
    n_samples: int,
    *,
    seed: int | np.random.SeedSequence,
) -> UInt8[np.ndarray, "samples sites"]:
    """Draw independent visible states of a chain from its exact distribution.

    The messages of the transfer matrix run from the end of the chain to its beginning; the sites
    are then drawn one after the other from their exact conditional distributions. On a ring the
    first `window - 1` sites are drawn first, and the messages depend on them.

    Parameters
    ----------
    solution
        Transfer matrix of the model.
    theta
        Coefficients, in the order of the model.
    n_samples
        Number of states.
    seed
        Seed; sample `i` does not depend on how many are drawn.

    Raises
    ------
    ValueError
        If `theta` has the wrong length or is not finite, or if the tables of a ring would hold
        more than 50 million numbers.
    """
    check_range("sample_chain", "n_samples", n_samples, 0)
    n_sites = solution.model.lattice.n_sites
    check_memory("sample_chain", "n_samples", n_samples, (n_sites + 32) * n_samples)
    theta = np.asarray(theta)
    if theta.shape != (len(solution.model.terms),) or not np.all(np.isfinite(theta)):
        raise ValueError(
            f"sample_chain: `theta` must hold {len(solution.model.terms)} finite coefficients "
            f"{solution.model.coefficients}, got {theta}."
        )
    first, thresholds = _tables(solution, theta)
    samples = np.empty((n_samples, solution.model.lattice.n_sites), dtype=np.uint8)
    _sample(first, thresholds, solution.n_labels, streams(seed, n_samples), samples)
    return samples


def _tables(solution: TransferMatrix, theta: np.ndarray):
    """Cumulative probabilities of the first tuple, and of each site given the tuple before it.

    The thresholds have the shape [starts, sites drawn, tuples, labels]; on a closed chain all
    first tuples share one start.
    """
    log_weights = np.asarray(solution.window_log_weights(theta), dtype=float)
    n_labels, n_sites = solution.n_labels, solution.model.lattice.n_sites
    n_tuples = log_weights.size // n_labels
    if solution.model.lattice.boundary == "closed":
        log_ends = np.asarray(solution.end_log_weights(theta), dtype=float)[:, None]
        n_drawn = n_sites - solution.window + 1
    else:
        if n_tuples**2 * n_sites * n_labels > MAX_TABLE:
            raise ValueError(
                f"sample_chain: a ring of {n_sites} sites with {n_tuples} tuples needs too large "
                "tables; use a closed chain or Gibbs sampling."
            )
        log_ends = np.where(np.eye(n_tuples, dtype=bool), 0.0, -np.inf)
        n_drawn = n_sites
    messages = _log_messages(log_weights, log_ends, n_drawn, n_labels)
    first = _cumulative(np.diag(messages[0]) if len(log_ends.T) > 1 else messages[0, :, 0])
    if solution.model.lattice.boundary == "periodic":
        messages = messages[: n_sites - solution.window + 2]
    steps = log_weights.reshape(n_tuples, n_labels, 1)
    following = _following(n_tuples, n_labels)
    thresholds = np.empty((log_ends.shape[1], len(messages) - 1, n_tuples, n_labels))
    for site, message in enumerate(messages[1:]):
        thresholds[:, site] = np.moveaxis(_cumulative(steps + message[following], axis=1), 2, 0)
    return first, thresholds


def _following(n_tuples: int, n_labels: int) -> np.ndarray:
    """Tuple that follows each tuple [tuples, labels] when a label is added."""
    return (np.arange(n_tuples)[:, None] * n_labels + np.arange(n_labels)) % n_tuples


def _log_messages(
    log_weights: np.ndarray, log_ends: np.ndarray, n_drawn: int, n_labels: int
) -> np.ndarray:
    """Log weights [sites, tuples, ends] of all that follows each tuple; of ends with weights.

    In logarithms, since messages of strong couplings differ by more than a double can hold.
    """
    n_tuples, n_ends = log_ends.shape
    steps = log_weights.reshape(n_tuples, n_labels, 1)
    following = _following(n_tuples, n_labels)
    messages = np.empty((n_drawn + 1, n_tuples, n_ends))
    messages[-1] = log_ends
    for site in range(n_drawn - 1, -1, -1):
        messages[site] = np.logaddexp.reduce(steps + messages[site + 1][following], axis=1)
    return messages


def _cumulative(log_weights: np.ndarray, axis: int = 0) -> np.ndarray:
    """Cumulative probabilities along an axis; 0 where nothing has a weight."""
    largest = np.max(log_weights, axis=axis, keepdims=True)
    weights = np.exp(log_weights - np.where(np.isfinite(largest), largest, 0.0))
    total = np.sum(weights, axis=axis, keepdims=True)
    return np.cumsum(weights, axis=axis) / np.where(total > 0, total, 1)


@no_type_check
@compiled(parallel=True)
def _sample(first, thresholds, n_labels, states, samples):
    n_tuples = first.size
    n_drawn = thresholds.shape[1]
    n_first = samples.shape[1] - n_drawn
    for s in numba.prange(samples.shape[0]):
        current = _choose(first, uniform(states[s]))
        start = current if thresholds.shape[0] > 1 else 0
        rest = current
        for site in range(n_first - 1, -1, -1):
            samples[s, site] = rest % n_labels
            rest //= n_labels
        for drawn in range(n_drawn):
            label = _choose(thresholds[start, drawn, current], uniform(states[s]))
            samples[s, n_first + drawn] = label
            current = (current * n_labels + label) % n_tuples


@no_type_check
@compiled()
def _choose(cumulative, number):
    choice = 0
    while choice < cumulative.size - 1 and number >= cumulative[choice]:
        choice += 1
    return choice
