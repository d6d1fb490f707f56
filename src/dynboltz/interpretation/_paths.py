"""Supports of sparse regressions with one term, two terms, and so on."""

from __future__ import annotations

import warnings
from collections.abc import Iterator

import numpy as np

from ._factors import Factors, Support


def best_supports(factors: Factors, max_terms: int) -> list[Support]:
    """Supports of each number of terms, from none to at most `max_terms`.

    Orthogonal matching pursuit, the lasso path of least angles, and elimination of the smallest
    weight, backwards from all candidates; of the supports of one size that they pass, the one with
    the smallest error after a refit by least squares. Going forward is misled by a column that
    looks like a sum of the right ones, going backward by columns that nearly are collinear.
    """
    best: dict[int, tuple[float, Support]] = {0: (float(np.sum(factors.target**2)), ())}
    for support in sorted(set(_passed(factors))):
        if 0 < len(support) <= max_terms:
            error = float(factors.square_errors(support, factors.fit(support)).sum())
            best[len(support)] = min(best.get(len(support), (np.inf, ())), (error, support))
    return [best[size][1] for size in sorted(best)]


def _passed(factors: Factors) -> Iterator[Support]:
    # Seconds to import, which only interpretations are worth.
    from sklearn.feature_selection import RFE  # noqa: PLC0415
    from sklearn.linear_model import (  # noqa: PLC0415
        LinearRegression,
        lars_path,
        orthogonal_mp,
    )

    scale = np.linalg.norm(factors.target)
    if scale == 0:
        return
    columns, target = factors.columns, factors.target / scale
    n = columns.shape[1]
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        # A path that ends early because nothing is left to explain is complete.
        warnings.simplefilter("ignore")
        pursuit = orthogonal_mp(columns, target, n_nonzero_coefs=n, return_path=True)
        _, _, lasso = lars_path(columns, target, method="lasso")
    for path in (np.reshape(pursuit, (n, -1)), lasso):
        yield from (_support(weights != 0) for weights in path.T)
    yield tuple(range(n))
    if n > 1:
        ranks = RFE(LinearRegression(fit_intercept=False), n_features_to_select=1)
        order = ranks.fit(columns, target).ranking_
        yield from (_support(order <= size) for size in range(1, n))


def _support(chosen: np.ndarray) -> Support:
    return tuple(int(place) for place in np.flatnonzero(chosen))
