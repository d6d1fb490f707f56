"""Candidates that cannot be told apart on the points of a projection."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float64

COLLINEAR = 1e-7
"""Part of a column, by its norm, that the columns before it must leave unexplained."""

LEADING = 1e-3
"""Share of the largest weight from which on a column counts as part of a combination."""


def independent(
    columns: Float64[np.ndarray, "points candidates"], names: Sequence[str]
) -> tuple[list[int], list[str]]:
    """Columns that are no combination of those before them, and what was wrong with the others.

    Parameters
    ----------
    columns
        Weighted values of the candidates.
    names
        Their names; where columns say the same, the first ones are kept.

    Returns
    -------
    kept, notes
        Places of the kept columns, and a sentence about each of the others.
    """
    kept: list[int] = []
    notes: list[str] = []
    norms = np.linalg.norm(columns, axis=0)
    for place, name in enumerate(names):
        if norms[place] == 0:
            notes.append(f"{name} is zero here")
            continue
        before = columns[:, kept] / norms[kept]
        column = columns[:, place] / norms[place]
        weights = np.linalg.lstsq(before, column)[0]
        if np.linalg.norm(column - before @ weights) >= COLLINEAR:
            kept.append(place)
            continue
        leading = np.flatnonzero(np.abs(weights) >= LEADING * np.abs(weights).max())
        others = ", ".join(names[kept[other]] for other in leading)
        notes.append(f"{name} is collinear with {others} and left out")
    return kept, notes
