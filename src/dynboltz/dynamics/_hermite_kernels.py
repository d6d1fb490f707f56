"""Compiled solution and adjoint of fields of Hermite finite elements on the host."""

from __future__ import annotations

from typing import no_type_check

import numba
import numpy as np

from dynboltz._compiled import compiled


@no_type_check
@compiled()
def _one_dimension(local, side, factors, slopes):
    """Basis functions [vertex, dof] along one axis, and their derivatives by the position."""
    inner = min(max(local, 0.0), 1.0)
    rest = 1.0 - inner
    slopes[0, 0] = -6.0 * inner * rest
    slopes[0, 1] = side * rest * (1.0 - 3.0 * inner)
    slopes[1, 0] = 6.0 * inner * rest
    slopes[1, 1] = side * inner * (3.0 * inner - 2.0)
    factors[0, 0] = (1.0 + 2.0 * inner) * rest * rest
    factors[0, 1] = side * inner * rest * rest
    factors[1, 0] = inner * inner * (3.0 - 2.0 * inner)
    factors[1, 1] = -side * inner * inner * rest
    for vertex in range(2):
        for dof in range(2):
            factors[vertex, dof] += slopes[vertex, dof] * (local - inner)


@no_type_check
@compiled()
def _multiply(factors, slopes, dim, axis_of_slope, basis):
    """Products [vertex, dof] of the functions along all axes; along one axis their slopes."""
    basis[0, 0] = 1.0
    for axis in range(dim):
        size = 1 << axis
        for vertex in range(size - 1, -1, -1):
            for dof in range(size - 1, -1, -1):
                base = basis[vertex, dof]
                for v in range(2):
                    for d in range(2):
                        factor = (
                            slopes[axis, v, d] if axis == axis_of_slope else factors[axis, v, d]
                        )
                        basis[2 * vertex + v, 2 * dof + d] = base * factor


@no_type_check
@compiled()
def _locate(theta, f, tables, factors, slopes, rows):
    """Fill in basis functions and rows of the cell around a point; -1 for a missing vertex.

    Returns whether all vertices are there.
    """
    dim = tables.dims[f]
    lowest = 0
    for axis in range(dim):
        side = tables.sides[f, axis]
        position = (theta[tables.arguments[f, axis]] - tables.lower[f, axis]) / side
        index = min(max(np.floor(position), 0.0), tables.last[f, axis])
        local = position - index
        if not tables.linear[f]:
            local = min(max(local, 0.0), 1.0)
        _one_dimension(local, side, factors[axis], slopes[axis])
        if not tables.linear[f] and (position < 0.0 or position > tables.last[f, axis] + 1.0):
            slopes[axis] = 0.0
        for v in range(2):
            for d in range(2):
                slopes[axis, v, d] /= side
        lowest += np.int64(index) * tables.strides[f, axis]
    complete = True
    first, stop = tables.key_pointers[f], tables.key_pointers[f + 1]
    for vertex in range(1 << dim):
        key = lowest + tables.corners[f, vertex]
        low, high = first, stop
        while low < high:
            middle = (low + high) // 2
            if tables.keys[middle] < key:
                low = middle + 1
            else:
                high = middle
        found = low < stop and tables.keys[low] == key
        rows[vertex] = low - first if found else -1
        complete &= found
    return complete


@no_type_check
@compiled()
def _evaluate(theta, tables, u, work, derivative, all_rows):
    """Value of the field at a point and the rows around it; returns whether all are there."""
    factors, slopes, bases, _, own = work
    complete = True
    for f in range(tables.dims.size):
        rows = all_rows[f]
        complete &= _locate(theta, f, tables, factors, slopes, rows)
        basis = bases[0]
        _multiply(factors, slopes, tables.dims[f], -1, basis)
        n_corners, n_outputs = 1 << tables.dims[f], tables.n_outputs[f]
        for o in range(n_outputs):
            own[o] = 0.0
        for vertex in range(n_corners):
            if rows[vertex] < 0:
                continue
            place = tables.u_pointers[f] + rows[vertex] * n_corners * n_outputs
            for dof in range(n_corners):
                weight = basis[vertex, dof]
                for o in range(n_outputs):
                    own[o] += weight * u[place + o]
                place += n_outputs
        for o in range(n_outputs):
            derivative[tables.outputs[f, o]] = own[o]
    return complete


@no_type_check
@compiled()
def _pull_back(theta, source, tables, u, work, gradient, pulled):
    """Add (dF/du)^T source to `gradient`, and set `pulled` to (dF/dtheta)^T source."""
    factors, slopes, bases, rows, own = work
    pulled[:] = 0.0
    for f in range(tables.dims.size):
        _locate(theta, f, tables, factors, slopes, rows)
        dim = tables.dims[f]
        n_corners, n_outputs = 1 << dim, tables.n_outputs[f]
        for axis in range(-1, dim):
            _multiply(factors, slopes, dim, axis, bases[axis + 1])
        for o in range(n_outputs):
            own[o] = source[tables.outputs[f, o]]
        for vertex in range(n_corners):
            if rows[vertex] < 0:
                continue
            place = tables.u_pointers[f] + rows[vertex] * n_corners * n_outputs
            for dof in range(n_corners):
                weight = bases[0, vertex, dof]
                strength = 0.0
                for o in range(n_outputs):
                    gradient[place + o] += weight * own[o]
                    strength += u[place + o] * own[o]
                place += n_outputs
                for axis in range(dim):
                    slope = bases[axis + 1, vertex, dof]
                    pulled[tables.arguments[f, axis]] += slope * strength


@no_type_check
@compiled()
def _workspace(max_dim, n_coefficients):
    """Factors and slopes along the axes, basis functions and their slopes, rows, one output."""
    corners = 1 << max_dim
    return (
        np.empty((max_dim, 2, 2)),
        np.empty((max_dim, 2, 2)),
        np.empty((max_dim + 1, corners, corners)),
        np.empty(corners, dtype=np.int32),
        np.empty(n_coefficients),
    )


@no_type_check
@compiled()
def _place(i, theta, size, tableau, points, stages):
    """Fill in the point of a stage, given the slopes of those before it."""
    points[i] = theta
    for j in range(i):
        if tableau[i, j] != 0.0:
            points[i] += size * tableau[i, j] * stages[j]


@no_type_check
@compiled(parallel=True)
def solve_steps(first, sizes, tables, u, tableau, path, rows, complete):
    """Fill `path` [batch, steps + 1, coefficients]; `complete` [batch, steps] lacks no vertices.

    The first steps of each path, as many as `first` says, are there already. `rows` [batch, steps,
    stages, functions, corners] is filled with the rows of vertices that a step needs. `tableau`
    holds the stages of the method, row by row, and in its last row the weights.
    """
    n_stages, n_coefficients = tableau.shape[0] - 1, path.shape[2]
    for n in numba.prange(path.shape[0]):
        work = _workspace(tables.sides.shape[1], n_coefficients)
        points = np.empty((n_stages, n_coefficients))
        stages = np.empty((n_stages, n_coefficients))
        for step in range(first[n], sizes.size):
            theta, size = path[n, step], sizes[step]
            complete[n, step] = True
            for i in range(n_stages):
                _place(i, theta, size, tableau, points, stages)
                found = _evaluate(points[i], tables, u, work, stages[i], rows[n, step, i])
                complete[n, step] &= found
            path[n, step + 1] = theta
            for i in range(n_stages):
                path[n, step + 1] += size * tableau[n_stages, i] * stages[i]


@no_type_check
@compiled()
def first_changed(tables, before, u, rows, first):
    """Set `first` to the number of steps of each path that stay as they were with `before`.

    A step changes if a degree of freedom around one of its stages has.
    """
    changed = np.zeros(tables.keys.size, dtype=np.bool_)
    for f in range(tables.dims.size):
        low, high = tables.key_pointers[f], tables.key_pointers[f + 1]
        size = (1 << tables.dims[f]) * tables.n_outputs[f]
        for row in range(high - low):
            start = tables.u_pointers[f] + row * size
            for place in range(start, start + size):
                if before[place] != u[place]:
                    changed[low + row] = True
                    break
    for n in range(rows.shape[0]):
        step = 0
        while step < rows.shape[1] and _stays(
            rows, n, step, changed, tables.dims, tables.key_pointers
        ):
            step += 1
        first[n] = step


@no_type_check
@compiled()
def _stays(rows, n, step, changed, dims, key_pointers):
    """Whether no vertex around the stages of a step has changed; missing ones have not."""
    for stage in range(rows.shape[2]):
        for f in range(rows.shape[3]):
            for corner in range(1 << dims[f]):
                row = rows[n, step, stage, f, corner]
                if row >= 0 and changed[key_pointers[f] + row]:
                    return False
    return True


@no_type_check
@compiled(parallel=True)
def pull_back_steps(path, sizes, cotangents, tables, u, tableau, gradients):
    """Add to `gradients` [groups, dofs] what cotangents at every point of the path pull back to.

    Trajectories are dealt to the groups in turn.
    """
    n_stages = tableau.shape[0] - 1
    n_groups, n_coefficients = gradients.shape[0], path.shape[2]
    for group in numba.prange(n_groups):
        work = _workspace(tables.sides.shape[1], n_coefficients)
        points = np.empty((n_stages, n_coefficients))
        stages = np.empty((n_stages, n_coefficients))
        pulled = np.empty((n_stages, n_coefficients))
        source = np.empty(n_coefficients)
        rows = np.empty((tables.dims.size, work[3].size), dtype=np.int32)
        for n in range(group, path.shape[0], n_groups):
            later = cotangents[n, sizes.size].copy()
            for step in range(sizes.size - 1, -1, -1):
                size = sizes[step]
                for i in range(n_stages):
                    _place(i, path[n, step], size, tableau, points, stages)
                    if i < n_stages - 1:
                        _evaluate(points[i], tables, u, work, stages[i], rows)
                for i in range(n_stages - 1, -1, -1):
                    source[:] = size * tableau[n_stages, i] * later
                    for j in range(i + 1, n_stages):
                        if tableau[j, i] != 0.0:
                            source += size * tableau[j, i] * pulled[j]
                    _pull_back(points[i], source, tables, u, work, gradients[group], pulled[i])
                later += cotangents[n, step]
                for i in range(n_stages):
                    later += pulled[i]
