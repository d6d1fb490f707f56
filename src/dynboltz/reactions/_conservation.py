"""Conserved quantities of a stoichiometric matrix, in exact rational arithmetic."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
from jaxtyping import Int64


def left_null_space(
    stoichiometry: Int64[np.ndarray, "species reactions"],
) -> Int64[np.ndarray, "quantities species"]:
    r"""Integer basis of the weights $c$ with $\sum_\alpha c_\alpha S_{\alpha r} = 0$ for all $r$.

    The later species are expressed through the earlier ones, so that $A + B \to C$ conserves
    $A + C$ and $B + C$.

    Returns
    -------
    basis
        Linearly independent rows. Each has no common divisor, and its first entry that is not
        zero is positive.
    """
    n_species = stoichiometry.shape[0]
    rows, pivots = _eliminate([[Fraction(int(s)) for s in column] for column in stoichiometry.T])
    free = [index for index in range(n_species) if index not in pivots]
    basis = np.zeros((len(free), n_species), dtype=np.int64)
    for quantity, index in enumerate(free):
        weights = [Fraction(0)] * n_species
        weights[index] = Fraction(1)
        for row, pivot in zip(rows, pivots, strict=True):
            weights[pivot] = -row[index]
        basis[quantity] = _primitive(weights)
    return basis


def _eliminate(rows: list[list[Fraction]]) -> tuple[list[list[Fraction]], list[int]]:
    """Reduced echelon form with the last columns as pivots: its nonzero rows and their pivots."""
    reduced: list[list[Fraction]] = []
    pivots: list[int] = []
    for given in rows:
        row = given
        for other, pivot in zip(reduced, pivots, strict=True):
            row = _subtract(row, other, row[pivot])
        nonzero = [index for index, value in enumerate(row) if value]
        if not nonzero:
            continue
        pivot = nonzero[-1]
        row = [value / row[pivot] for value in row]
        reduced = [_subtract(other, row, other[pivot]) for other in reduced]
        reduced.append(row)
        pivots.append(pivot)
    return reduced, pivots


def _subtract(row: list[Fraction], other: list[Fraction], factor: Fraction) -> list[Fraction]:
    return [a - factor * b for a, b in zip(row, other, strict=True)]


def _primitive(weights: list[Fraction]) -> list[int]:
    scale = math.lcm(*(weight.denominator for weight in weights))
    integers = [int(weight * scale) for weight in weights]
    divisor = math.gcd(*integers)
    first = next(value for value in integers if value)
    return [value // (divisor if first > 0 else -divisor) for value in integers]
