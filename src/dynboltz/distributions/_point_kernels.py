"""Compiled sums over the particles and pairs of point patterns."""

from __future__ import annotations

import math
from typing import NamedTuple, no_type_check

import numba
import numpy as np
from jaxtyping import Float64, Int64

from dynboltz._compiled import compiled
from dynboltz.lattices import inlined


class PointTables(NamedTuple):
    """A point process as arrays. Functions are numbered, those of single particles first.

    Attributes
    ----------
    lengths
        Sides of the box.
    periods
        The same if the box is periodic, else infinite.
    n_elements
        Elements of each function along each axis; those of pairs have one axis.
    first
        Where the monomials of each function begin.
    pair
        Function of each pair of species, -1 without one.
    squared_cutoffs
        Of each pair of species; zero without a function.
    cutoffs
        Distance from which on each function of pairs is zero; zero for the others.
    """

    lengths: Float64[np.ndarray, " dim"]
    periods: Float64[np.ndarray, " dim"]
    n_elements: Int64[np.ndarray, "functions dim"]
    first: Int64[np.ndarray, " functions"]
    pair: Int64[np.ndarray, "species species"]
    squared_cutoffs: Float64[np.ndarray, "species species"]
    cutoffs: Float64[np.ndarray, " functions"]


@inlined
@no_type_check
def fill_squared_distances(point, coordinates, n, periods, squared):
    """Squared distances of a point [dim] to the first `n` of `coordinates` [dim, slots].

    Distances are those of the nearest images where a period is finite.
    """
    squared[:n] = 0.0
    for axis in range(point.size):
        position, period = point[axis], periods[axis]
        row = coordinates[axis]
        for i in range(np.uint64(n)):
            along = abs(position - row[i])
            along = min(along, period - along)
            squared[i] += along * along


@inlined
@no_type_check
def locate(point, function, tables, local):
    """Where the monomials of the element of a point begin; `local` [dim] is its place there."""
    element = 0
    n_powers = 1
    for axis in range(point.size):
        n = tables.n_elements[function, axis]
        scaled = point[axis] * n / tables.lengths[axis]
        along = min(int(scaled), n - 1)
        local[axis] = scaled - along
        element = element * n + along
        n_powers *= 4
    return tables.first[function] + n_powers * element


@inlined
@no_type_check
def single_energy(point, species, coefficients, tables, local, work):
    """Value of the function of a species at a point; `local` [dim], `work` [4^(dim - 1)]."""
    first = locate(point, species, tables, local)
    dim = point.size
    n = 4 ** (dim - 1)
    xi = local[dim - 1]
    for i in range(n):
        c = first + 4 * i
        high = (coefficients[c + 3] * xi + coefficients[c + 2]) * xi
        work[i] = (high + coefficients[c + 1]) * xi + coefficients[c]
    for axis in range(dim - 2, -1, -1):
        n //= 4
        xi = local[axis]
        for i in range(n):
            c = 4 * i
            work[i] = ((work[c + 3] * xi + work[c + 2]) * xi + work[c + 1]) * xi + work[c]
    return work[0]


@inlined
@no_type_check
def pair_energy(squared, function, coefficients, tables):
    """Value of a function of pairs within its cutoff, given the squared distance."""
    n = tables.n_elements[function, 0]
    scaled = math.sqrt(squared) * n / tables.cutoffs[function]
    element = min(int(scaled), n - 1)
    xi = scaled - element
    c = tables.first[function] + 4 * element
    high = (coefficients[c + 3] * xi + coefficients[c + 2]) * xi
    return (high + coefficients[c + 1]) * xi + coefficients[c]


@inlined
@no_type_check
def add_single(point, species, tables, local, work, sums):
    """Add the monomials of a particle; `local` [dim], `work` [4^dim]."""
    first = locate(point, species, tables, local)
    work[0] = 1.0
    n = 1
    for axis in range(point.size):
        for i in range(n - 1, -1, -1):
            value = work[i]
            for power in range(4):
                work[4 * i + power] = value
                value *= local[axis]
        n *= 4
    for i in range(n):
        sums[first + i] += work[i]


@inlined
@no_type_check
def add_pair(squared, function, tables, sums):
    """Add the monomials of a pair within the cutoff."""
    n = tables.n_elements[function, 0]
    scaled = math.sqrt(squared) * n / tables.cutoffs[function]
    element = min(int(scaled), n - 1)
    first = tables.first[function] + 4 * element
    value = 1.0
    for power in range(4):
        sums[first + power] += value
        value *= scaled - element


@inlined
@no_type_check
def add_pairs_with(point, species, coordinates, labels, n, tables, squared, sums):
    """Add the pairs of a point with the first `n` particles of `coordinates` [dim, slots]."""
    fill_squared_distances(point, coordinates, n, tables.periods, squared)
    limits, functions = tables.squared_cutoffs[species], tables.pair[species]
    for other in range(n):
        kind = labels[other] - 1
        if squared[other] < limits[kind]:
            add_pair(squared[other], functions[kind], tables, sums)


@inlined
@no_type_check
def n_occupied(labels):
    """Number of particles; occupied slots come first."""
    n = 0
    while n < labels.size and labels[n]:
        n += 1
    return n


@no_type_check
@compiled(parallel=True)
def add_patterns(positions, labels, tables, sums):
    """Add the monomials of all particles and pairs of patterns to `sums` [patterns, monomials]."""
    n_patterns, n_slots, dim = positions.shape
    for pattern in numba.prange(n_patterns):
        local, work, squared = np.empty(dim), np.empty(4**dim), np.empty(n_slots)
        own, kinds = positions[pattern], labels[pattern]
        coordinates = own.T.copy()
        for i in range(n_occupied(kinds)):
            species = np.int64(kinds[i]) - 1
            add_single(own[i], species, tables, local, work, sums[pattern])
            add_pairs_with(own[i], species, coordinates, kinds, i, tables, squared, sums[pattern])


@no_type_check
@compiled(parallel=True)
def add_insertions(positions, labels, points, species, tables, sums):
    """Add what a particle at each of `points` [patterns, points, dim] would add to its pattern.

    `sums` is [patterns, points, monomials].
    """
    n_patterns, n_points, dim = points.shape
    for pattern in numba.prange(n_patterns):
        local, work, squared = np.empty(dim), np.empty(4**dim), np.empty(labels.shape[1])
        coordinates, kinds = positions[pattern].T.copy(), labels[pattern]
        n = n_occupied(kinds)
        for i in range(n_points):
            point, own = points[pattern, i], sums[pattern, i]
            add_single(point, species, tables, local, work, own)
            add_pairs_with(point, species, coordinates, kinds, n, tables, squared, own)
