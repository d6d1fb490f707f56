"""Sparse regression of a vector field on candidates."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float64

from dynboltz._arguments import checked
from dynboltz.dynamics import AbstractVectorField

from ._candidate import Candidate, check_candidates
from ._collinear import independent
from ._columns import Columns, Points, columns, root_mean_square, values_at
from ._equation import ILL_CONDITIONED, ProjectedEquation, WeightedTerm
from ._factors import Factors, Support
from ._known import ranges_of, warn_of_unknown
from ._projection import Projection
from ._selection import select

NOTHING = 1e-9
"""Size of a right-hand side, over the largest one, below which it counts as zero."""


@checked
def project(
    field: AbstractVectorField,
    trajectories: Sequence[Points] | Float64[np.ndarray, "initial_conditions times coefficients"],
    candidates: Sequence[Candidate],
    *,
    max_terms: int | None = None,
    reference: Candidate | None = None,
    progress: Callable[[dict[str, Any]], None] | None = None,
) -> Projection:
    r"""Write a vector field as a sum of few candidates, where its solutions go.

    For each coefficient, $F_k(\theta) \approx \sum_j w_{kj} \phi_j(\theta)$ by least squares over
    the points of the trajectories, each of which counts alike. Terms are those along the paths of
    sparse regressions (orthogonal matching pursuit, the lasso, and elimination of the smallest
    weight), refitted by least squares; their number is the smallest whose error on left-out
    trajectories is within one standard error of the best. Nothing is said about $F$ elsewhere.

    Standard errors are those of the jackknife over trajectories, with the terms given: they do not
    know that other terms might have been chosen.

    Parameters
    ----------
    field
        The field.
    trajectories
        Points that its solutions visit, one array for each initial condition.
    candidates
        What the right-hand sides may be made of. Where several say the same on these points, the
        first ones are kept.
    max_terms
        Largest number of terms of an equation; by default that of the candidates.
    reference
        A field to compare with, such as that of entropic matching, by its relative difference.
    progress
        Called before the first equation and after each, with `step` and `total`.

    Returns
    -------
    projection
        The equations with their errors.

    Raises
    ------
    ValueError
        If there are fewer than two trajectories, a trajectory is empty or not finite, there are no
        candidates or two of one name, `max_terms` is less than 1, or a value of the field or of a
        candidate is not finite.

    Warns
    -----
    ExtrapolationWarning
        If points lie where a learned field knows nothing, see `HermiteField.visited`.
    """
    check_candidates(candidates, "project")
    paths = _checked(trajectories, len(field.coefficients))
    if max_terms is not None and max_terms < 1:
        raise ValueError(f"project: `max_terms` must be at least 1, got {max_terms}.")
    points = np.concatenate(paths)
    warn_of_unknown("project", "points", field, points)
    values = columns(field, paths, candidates)
    weights = values.weights()
    magnitudes = root_mean_square(values.field, weights)
    differences = _differences(values, reference, paths, weights)
    report, total = progress or (lambda _: None), len(field.coefficients)
    report({"step": 0, "total": total})
    equations, largest = [], float(magnitudes.max())
    for k, name in enumerate(field.coefficients):
        equations.append(_equation(name, k, values, candidates, max_terms, largest, differences[k]))
        report({"step": k + 1, "total": total})
    name = None if reference is None else reference.name
    return Projection(tuple(equations), len(paths), len(values.field), name, ranges_of(points))


def _equation(
    coefficient: str,
    k: int,
    values: Columns,
    candidates: Sequence[Candidate],
    max_terms: int | None,
    largest: float,
    difference: float | None,
) -> ProjectedEquation:
    weights, target = values.weights(), values.field[:, k]
    magnitude = float(root_mean_square(target, weights))
    if magnitude <= NOTHING * largest:
        note = "the right-hand side is zero on these points, or too small to be told from it"
        return ProjectedEquation(coefficient, (), magnitude, None, None, None, (note,))
    own = values.candidates[:, :, k].T
    names = [candidate.name for candidate in candidates]
    kept, notes = independent(np.sqrt(weights)[:, None] * own, names)
    scales = root_mean_square(own[:, kept], weights)
    factors = Factors.of(own[:, kept] / scales, target, weights, values.lengths)
    chosen = select(factors, min(max_terms or len(kept), len(kept)))
    support, residual = chosen.support, float(np.sqrt(chosen.square_error)) / magnitude
    fitted = factors.fit(support) / scales[list(support)]
    errors = _standard_errors(factors, support) / scales[list(support)]
    terms = tuple(
        WeightedTerm(candidates[kept[place]], float(weight), float(error))
        for place, weight, error in zip(support, fitted, errors, strict=True)
    )
    condition = factors.condition(support) if terms else None
    notes += _remarks(condition, residual)
    return ProjectedEquation(
        coefficient, terms, magnitude, residual, difference, condition, tuple(notes)
    )


def _standard_errors(factors: Factors, support: Support) -> Float64[np.ndarray, " terms"]:
    """Spread of the weights if each trajectory in turn is left out, of the jackknife."""
    parts, n = factors.without_each(support), len(factors)
    return np.sqrt((n - 1) / n * np.sum((parts - parts.mean(axis=0)) ** 2, axis=0))


def _remarks(condition: float | None, residual: float) -> list[str]:
    notes = []
    if condition is None:
        notes.append("no candidate helps on held-out initial conditions; offer others")
    elif condition > ILL_CONDITIONED:
        notes.append(
            f"the terms are nearly collinear (condition number {condition:.2g}): only their sum "
            "has a meaning; offer fewer candidates"
        )
    if residual > 1:
        notes.append("the equation is worse than none on held-out initial conditions")
    return notes


def _differences(
    values: Columns, reference: Candidate | None, paths: list[Points], weights: np.ndarray
) -> list[float | None]:
    n = values.field.shape[1]
    if reference is None:
        return [None] * n
    try:
        other = values_at(reference, np.concatenate(paths))
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"project: the reference {reference.name!r} must return numbers for coefficients; it "
            f"raised: {error}"
        ) from error
    if not np.all(np.isfinite(other)):
        raise ValueError(
            f"project: the reference {reference.name!r} is not finite on these points."
        )
    sizes = root_mean_square(values.field, weights)
    gaps = root_mean_square(values.field - other, weights)
    return [float(gap / size) if size else None for gap, size in zip(gaps, sizes, strict=True)]


def _checked(trajectories: Sequence[Points] | np.ndarray, n_coefficients: int) -> list[Points]:
    paths = [np.asarray(trajectory, dtype=np.float64) for trajectory in trajectories]
    if len(paths) < 2:
        raise ValueError(
            "project: `trajectories` needs two or more initial conditions, since errors are those "
            f"on initial conditions that were left out; got {len(paths)}."
        )
    for number, path in enumerate(paths):
        if path.ndim != 2 or path.shape[1] != n_coefficients or not len(path):
            raise ValueError(
                f"project: trajectory {number} must have the shape (times, {n_coefficients}) with "
                f"one time or more, got {path.shape}."
            )
        if not np.all(np.isfinite(path)):
            raise ValueError(f"project: trajectory {number} is not finite.")
    return paths
