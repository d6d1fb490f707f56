"""How many terms an equation has, by cross-validation over whole trajectories."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import final

import numpy as np

from ._factors import Factors, Support
from ._paths import best_supports

MOST_FOLDS = 10

EXACT = 1e-10
"""Relative residual below which fits are the same, all of them exact up to rounding."""


@final
@dataclass(frozen=True)
class Selection:
    """The terms of one equation.

    Attributes
    ----------
    support
        Which candidates.
    square_error
        Sum of the squared errors on trajectories that were left out, terms chosen without them.
    """

    support: Support
    square_error: float


def select(factors: Factors, max_terms: int) -> Selection:
    """Choose the fewest terms whose error is within one standard error of the smallest.

    Errors are those on left-out trajectories; the standard error is that of their sum. Both terms
    and weights are chosen again for each part of the trajectories that is left out.
    """
    errors = _errors_left_out(factors, max_terms)
    total = errors.sum(axis=0)
    smallest = int(total.argmin())
    spread = errors[:, smallest].std(ddof=1) * np.sqrt(len(errors))
    rounding = EXACT**2 * float(np.sum(factors.target**2))
    n_terms = int((total <= total[smallest] + spread + rounding).argmax())
    supports = best_supports(factors, max_terms)
    n_terms = min(n_terms, len(supports) - 1)
    return Selection(supports[n_terms], float(total[n_terms]))


def folds(n_trajectories: int) -> Iterator[tuple[list[int], list[int]]]:
    """Split trajectories into those to learn from and those left out, each left out once."""
    from sklearn.model_selection import GroupKFold  # noqa: PLC0415 (seconds to import)

    numbers = np.arange(n_trajectories)
    split = GroupKFold(min(MOST_FOLDS, n_trajectories)).split(numbers, groups=numbers)
    for kept, left_out in split:
        yield kept.tolist(), left_out.tolist()


def _errors_left_out(factors: Factors, max_terms: int) -> np.ndarray:
    """Squared error on each trajectory, rows, of each number of terms."""
    errors = np.zeros((len(factors), max_terms + 1))
    for kept, left_out in folds(len(factors)):
        learned, held_out = factors.chosen(kept), factors.chosen(left_out)
        supports = best_supports(learned, max_terms)
        for n_terms in range(max_terms + 1):
            support = supports[min(n_terms, len(supports) - 1)]
            weights = learned.fit(support)
            errors[left_out, n_terms] = held_out.square_errors(support, weights)
    return errors
