"""Compiled laws of motion: trajectories of many starts, and derivatives along them.

Trajectories are integrated for up to `LANES` starts at once, whose values lie side by side, so that
everything but logarithms is computed by vector instructions. Derivatives are carried along one
trajectory, with the parameters side by side. Moments stand with the densities first, then the
factors.
"""

from __future__ import annotations

import math
from typing import NamedTuple, no_type_check

import numpy as np
from jaxtyping import Float64, Int64

from dynboltz._compiled import compiled

LANES = 64
"""Starts that are integrated at once: enough for vector instructions, few enough that all work
arrays stay in the innermost cache."""

FAST = {"reassoc", "contract", "arcp", "nsz"}
"""Sums may be reordered, as vectors need it; NaN and infinity stay what they are."""


class KernelLaw(NamedTuple):
    """Arrays of a `MomentLaw`, its rates added to the known part.

    Without `is_of_moments` the coordinates themselves stand in place of the probabilities.
    `density_of` is filled up with the number of densities; `rows` are the coordinates that the
    outputs of the function belong to, `relative` those that are multiplied by their density;
    `rate_rows`, `rate_columns` and `rate_scales` belong to the learned rates, the last column to
    the constant.
    """

    matrix: Float64[np.ndarray, "densities moments"]
    constant: Float64[np.ndarray, " densities"]
    is_of_moments: bool
    weights: Float64[np.ndarray, "factors factors"]
    density_of: Int64[np.ndarray, "factors longest"]
    floor: float
    centre: Float64[np.ndarray, " coordinates"]
    width: Float64[np.ndarray, " coordinates"]
    lower: Float64[np.ndarray, " factors"]
    upper: Float64[np.ndarray, " factors"]
    pull: float
    rows: Int64[np.ndarray, " learned"]
    scales: Float64[np.ndarray, " learned"]
    linear: Float64[np.ndarray, "learned coordinates"]
    offset: Float64[np.ndarray, " learned"]
    inner: Float64[np.ndarray, "units coordinates"]
    inner_offset: Float64[np.ndarray, " units"]
    outer: Float64[np.ndarray, "learned units"]
    rate_rows: Int64[np.ndarray, " rates"]
    rate_columns: Int64[np.ndarray, " rates"]
    rate_scales: Float64[np.ndarray, " rates"]


@compiled(fastmath=FAST, error_model="numpy")
@no_type_check
def exponential(x):
    """exp(x) to 1e-12 without branches: the series of x / 1024, squared ten times."""
    r = min(max(x, -700.0), 700.0) * (1.0 / 1024.0)
    e = 1.0 + r * (
        1.0
        + r * (0.5 + r * (1 / 6 + r * (1 / 24 + r * (1 / 120 + r * (1 / 720 + r * (1 / 5040))))))
    )
    e = e * e
    e = e * e
    e = e * e
    e = e * e
    e = e * e
    e = e * e
    e = e * e
    e = e * e
    e = e * e
    return e * e


@compiled(fastmath=FAST, error_model="numpy")
@no_type_check
def hyperbolic_tangent(x):
    """tanh(x) to 1e-13."""
    e = exponential(-2.0 * abs(x))
    return math.copysign((1.0 - e) / (1.0 + e), x)


@compiled(fastmath=FAST, error_model="numpy")
@no_type_check
def _velocities(law, z, x, parts, hidden, value, out):
    """Velocities of coordinates (coordinates, lanes), and the probabilities `parts` on the way."""
    lanes = z.shape[1]
    n_densities, n_factors = law.matrix.shape[0], law.weights.shape[0]
    for a in range(n_densities):
        for v in range(lanes):
            parts[a, v] = z[a, v]
            x[a, v] = (math.log(max(z[a, v], law.floor)) - law.centre[a]) / law.width[a]
    for f in range(n_factors):
        row = n_densities + f
        for v in range(lanes):
            x[row, v] = (z[row, v] - law.centre[row]) / law.width[row]
            hidden[v] = 0.0
            parts[row, v] = z[row, v]
        if not law.is_of_moments:
            continue
        for k in range(n_factors):
            weight = law.weights[f, k]
            if weight != 0.0:
                for v in range(lanes):
                    hidden[v] += weight * z[n_densities + k, v]
        for v in range(lanes):
            parts[row, v] = exponential(hidden[v])
        for q in range(law.density_of.shape[1]):
            a = law.density_of[f, q]
            if a < n_densities:
                for v in range(lanes):
                    parts[row, v] *= z[a, v]
    for a in range(n_densities):
        for v in range(lanes):
            out[a, v] = law.constant[a]
        for c in range(law.matrix.shape[1]):
            entry = law.matrix[a, c]
            if entry != 0.0:
                for v in range(lanes):
                    out[a, v] += entry * parts[c, v]
    for f in range(n_factors):
        row = n_densities + f
        for v in range(lanes):
            inside = min(max(x[row, v], law.lower[f]), law.upper[f])
            out[row, v] = law.pull * law.width[row] * (inside - x[row, v])
    _add_learned(law, z, x, hidden, value, out)


@compiled(fastmath=FAST, error_model="numpy")
@no_type_check
def _add_learned(law, z, x, hidden, value, out):
    lanes = z.shape[1]
    n, n_densities = x.shape[0], law.matrix.shape[0]
    n_learned = law.rows.size

    for o in range(n_learned):
        for v in range(lanes):
            value[o, v] = law.offset[o]
        for j in range(n):
            for v in range(lanes):
                value[o, v] += law.linear[o, j] * x[j, v]
    for u in range(law.inner_offset.size):
        for v in range(lanes):
            hidden[v] = law.inner_offset[u]
        for j in range(n):
            for v in range(lanes):
                hidden[v] += law.inner[u, j] * x[j, v]
        for v in range(lanes):
            hidden[v] = hyperbolic_tangent(hidden[v])
        for o in range(n_learned):
            for v in range(lanes):
                value[o, v] += law.outer[o, u] * hidden[v]
    for o in range(n_learned):
        row = law.rows[o]
        if row < n_densities:
            for v in range(lanes):
                out[row, v] += law.scales[o] * z[row, v] * value[o, v]
        else:
            for v in range(lanes):
                out[row, v] += law.scales[o] * value[o, v]


@compiled(fastmath=FAST, error_model="numpy")
@no_type_check
def solve_kernel(law, starts, intervals, n_steps, resets, restarts, path, velocities):
    """Coordinates after each interval by Runge-Kutta steps of fourth order.

    `path` and `velocities` are (starts, intervals + 1, coordinates); where `resets`, an interval
    begins at `restarts` (starts, intervals, coordinates).
    """
    n_starts, n = starts.shape
    n_intervals = intervals.size
    lanes = min(LANES, n_starts)
    z, y, total = np.empty((n, lanes)), np.empty((n, lanes)), np.empty((n, lanes))
    k, x = np.empty((n, lanes)), np.empty((n, lanes))
    parts, hidden = np.empty((n, lanes)), np.empty(lanes)
    value = np.empty((law.rows.size, lanes))
    for first in range(0, n_starts, lanes):
        for v in range(lanes):
            s = min(first + v, n_starts - 1)
            for i in range(n):
                z[i, v] = starts[s, i]
                path[s, 0, i] = starts[s, i]
        for interval in range(n_intervals):
            if resets[interval]:
                for v in range(lanes):
                    s = min(first + v, n_starts - 1)
                    for i in range(n):
                        z[i, v] = restarts[s, interval, i]
            h = intervals[interval] / n_steps[interval]
            for step in range(n_steps[interval]):
                _velocities(law, z, x, parts, hidden, value, k)
                if step == 0:
                    for v in range(lanes):
                        s = min(first + v, n_starts - 1)
                        for i in range(n):
                            velocities[s, interval, i] = k[i, v]
                for i in range(n):
                    for v in range(lanes):
                        total[i, v] = k[i, v]
                        y[i, v] = z[i, v] + 0.5 * h * k[i, v]
                _velocities(law, y, x, parts, hidden, value, k)
                for i in range(n):
                    for v in range(lanes):
                        total[i, v] += 2.0 * k[i, v]
                        y[i, v] = z[i, v] + 0.5 * h * k[i, v]
                _velocities(law, y, x, parts, hidden, value, k)
                for i in range(n):
                    for v in range(lanes):
                        total[i, v] += 2.0 * k[i, v]
                        y[i, v] = z[i, v] + h * k[i, v]
                _velocities(law, y, x, parts, hidden, value, k)
                for i in range(n):
                    for v in range(lanes):
                        z[i, v] += h / 6.0 * (total[i, v] + k[i, v])
            for v in range(lanes):
                s = min(first + v, n_starts - 1)
                for i in range(n):
                    path[s, interval + 1, i] = z[i, v]
        _velocities(law, z, x, parts, hidden, value, k)
        for v in range(lanes):
            s = min(first + v, n_starts - 1)
            for i in range(n):
                velocities[s, n_intervals, i] = k[i, v]


@compiled(fastmath=FAST, error_model="numpy")
@no_type_check
def _local(law, z, x, parts, steps, slopes, jacobian, by_parts, out):
    """Velocity at one point, its derivative, and what the derivatives by parameters need.

    `parts` ends with a 1, the factor of the constant; `by_parts` are the derivatives of the
    probabilities.
    """
    n_densities, n_factors, n = law.matrix.shape[0], law.weights.shape[0], z.size
    _probabilities(law, z, parts, by_parts)
    parts[n] = 1.0
    for a in range(n_densities):
        x[a] = (math.log(max(z[a], law.floor)) - law.centre[a]) / law.width[a]
        out[a] = law.constant[a]
        for j in range(n):
            jacobian[a, j] = 0.0
        for c in range(n):
            out[a] += law.matrix[a, c] * parts[c]
            for j in range(n):
                jacobian[a, j] += law.matrix[a, c] * by_parts[c, j]
    for f in range(n_factors):
        row = n_densities + f
        x[row] = (z[row] - law.centre[row]) / law.width[row]
        inside = min(max(x[row], law.lower[f]), law.upper[f])
        out[row] = law.pull * law.width[row] * (inside - x[row])
        for j in range(n):
            jacobian[row, j] = 0.0
        if inside != x[row]:
            jacobian[row, row] = -law.pull
    for u in range(steps.size):
        value = law.inner_offset[u]
        for j in range(n):
            value += law.inner[u, j] * x[j]
        steps[u] = value
    for u in range(steps.size):
        steps[u] = hyperbolic_tangent(steps[u])
        slopes[u] = 1.0 - steps[u] * steps[u]
    for o in range(law.rows.size):
        row = law.rows[o]
        factor = law.scales[o] * (z[row] if row < n_densities else 1.0)
        value = law.offset[o]
        for j in range(n):
            value += law.linear[o, j] * x[j]
        for u in range(steps.size):
            value += law.outer[o, u] * steps[u]
        out[row] += factor * value
        for j in range(n):
            derivative = law.linear[o, j]
            for u in range(steps.size):
                derivative += law.outer[o, u] * slopes[u] * law.inner[u, j]
            if j < n_densities:
                inverse = 1.0 / z[j] if z[j] > law.floor else 0.0
                derivative *= inverse
            jacobian[row, j] += factor * derivative / law.width[j]
        if row < n_densities:
            jacobian[row, row] += law.scales[o] * value


@compiled(fastmath=FAST, error_model="numpy")
@no_type_check
def _probabilities(law, z, parts, by_parts):
    """Probabilities of the patterns and their derivatives by the coordinates."""
    n_densities, n_factors, n = law.matrix.shape[0], law.weights.shape[0], z.size
    for c in range(n):
        for j in range(n):
            by_parts[c, j] = 0.0
    for a in range(n_densities):
        parts[a] = z[a]
        by_parts[a, a] = 1.0
    for f in range(n_factors):
        row = n_densities + f
        if not law.is_of_moments:
            parts[row] = z[row]
            by_parts[row, row] = 1.0
            continue
        value = 0.0
        for k in range(n_factors):
            value += law.weights[f, k] * z[n_densities + k]
        factor = exponential(value)
        product = factor
        longest = law.density_of.shape[1]
        for q in range(longest):
            a = law.density_of[f, q]
            if a < n_densities:
                product *= z[a]
                others = factor
                for p in range(longest):
                    b = law.density_of[f, p]
                    if p != q and b < n_densities:
                        others *= z[b]
                by_parts[row, a] += others
        parts[row] = product
        for k in range(n_factors):
            by_parts[row, n_densities + k] = law.weights[f, k] * product


@compiled(fastmath=FAST, error_model="numpy")
@no_type_check
def _advance(law, z, h, derivative, new, work):
    """One step of one start, and of the derivatives (coordinates, parameters) along it."""
    x, parts, steps, slopes, jacobian, by_parts, k, y, pull_back, product, columns, values = work
    n = z.size
    for s in range(4):
        part = 0.0 if s == 0 else (h if s == 3 else 0.5 * h)
        for i in range(n):
            y[i] = z[i] if s == 0 else z[i] + part * k[s - 1, i]
        _local(law, y, x[s], parts[s], steps[s], slopes[s], jacobian[s], by_parts, k[s])
        for o in range(law.rows.size):
            row = law.rows[o]
            columns[s, o] = law.scales[o] * (y[row] if row < law.matrix.shape[0] else 1.0)
    # Derivatives of the new coordinates by the velocities of each stage, the last one first.
    for i in range(n):
        for j in range(n):
            pull_back[3, i, j] = h / 6.0 if i == j else 0.0
    for s in range(2, -1, -1):
        share, step = (h / 6.0 if s == 0 else h / 3.0), (h if s == 2 else 0.5 * h)
        for i in range(n):
            for j in range(n):
                value = share if i == j else 0.0
                for m in range(n):
                    value += step * pull_back[s + 1, i, m] * jacobian[s + 1, m, j]
                pull_back[s, i, j] = value
    for i in range(n):
        for j in range(n):
            value = 1.0 if i == j else 0.0
            for s in range(4):
                for m in range(n):
                    value += pull_back[s, i, m] * jacobian[s, m, j]
            product[i, j] = value
    for i in range(n):
        for p in range(new.shape[1]):
            new[i, p] = 0.0
        for j in range(n):
            factor = product[i, j]
            for p in range(new.shape[1]):
                new[i, p] += factor * derivative[j, p]
        z[i] += h / 6.0 * (k[0, i] + 2.0 * k[1, i] + 2.0 * k[2, i] + k[3, i])
        _add_own(law, x, parts, steps, slopes, pull_back[:, i], columns, values, new[i])


@compiled(fastmath=FAST, error_model="numpy")
@no_type_check
def _add_own(law, x, parts, steps, slopes, pull_back, columns, values, row):
    """Add the derivatives of one coordinate by the parameters, from all four stages of a step.

    They stand in the order of the parameters, but those of $W_1$ input by input, so that all long
    loops run over the units.
    """
    n, n_learned, n_units = x.shape[1], columns.shape[1], steps.shape[1]
    inner = n_learned * (n + 1)
    outer = inner + n_units * (n + 1)
    for s in range(4):
        for u in range(n_units):
            values[s, u] = 0.0
        for o in range(n_learned):
            factor = pull_back[s, law.rows[o]] * columns[s, o]
            for u in range(n_units):
                values[s, u] += factor * law.outer[o, u]
        for u in range(n_units):
            values[s, u] *= slopes[s, u]
    for o in range(n_learned):
        at = law.rows[o]
        one, two = pull_back[0, at] * columns[0, o], pull_back[1, at] * columns[1, o]
        three, four = pull_back[2, at] * columns[2, o], pull_back[3, at] * columns[3, o]
        for j in range(n):
            row[o * n + j] += one * x[0, j] + two * x[1, j] + three * x[2, j] + four * x[3, j]
        row[n_learned * n + o] += one + two + three + four
        start = outer + o * n_units
        for u in range(n_units):
            row[start + u] += (
                one * steps[0, u] + two * steps[1, u] + three * steps[2, u] + four * steps[3, u]
            )
    for j in range(n):
        one, two, three, four = x[0, j], x[1, j], x[2, j], x[3, j]
        start = inner + j * n_units
        for u in range(n_units):
            row[start + u] += (
                one * values[0, u] + two * values[1, u] + three * values[2, u] + four * values[3, u]
            )
    start = inner + n * n_units
    for u in range(n_units):
        row[start + u] += values[0, u] + values[1, u] + values[2, u] + values[3, u]
    start = outer + n_learned * n_units
    for q in range(law.rate_rows.size):
        at, column = law.rate_rows[q], law.rate_columns[q]
        for s in range(4):
            row[start + q] += pull_back[s, at] * law.rate_scales[q] * parts[s, column]


@compiled(fastmath=FAST, error_model="numpy")
@no_type_check
def sensitivity_kernel(
    law, start, intervals, n_steps, resets, restarts, path, derivatives, of_coordinates
):
    """Trajectory of one start, and its derivatives by the parameters in the order of `_add_own`.

    `path` is (intervals + 1, coordinates), `derivatives` those of the probabilities, or of the
    coordinates, (intervals, moments, parameters).
    """
    n, n_units, n_learned = start.size, law.inner_offset.size, law.rows.size
    n_parameters = derivatives.shape[2]
    work = (
        np.empty((4, n)),
        np.empty((4, n + 1)),
        np.empty((4, n_units)),
        np.empty((4, n_units)),
        np.empty((4, n, n)),
        np.empty((n, n)),
        np.empty((4, n)),
        np.empty(n),
        np.empty((4, n, n)),
        np.empty((n, n)),
        np.empty((4, n_learned)),
        np.empty((4, n_units)),
    )
    z = start.copy()
    path[0] = z
    carried, new = np.zeros((n, n_parameters)), np.zeros((n, n_parameters))
    parts, by_parts = np.empty(n + 1), np.empty((n, n))
    for interval in range(intervals.size):
        if resets[interval]:
            z[:] = restarts[interval]
            carried[:] = 0.0
        h = intervals[interval] / n_steps[interval]
        for _ in range(n_steps[interval]):
            _advance(law, z, h, carried, new, work)
            carried, new = new, carried
        path[interval + 1] = z
        if of_coordinates:
            derivatives[interval] = carried
            continue
        _probabilities(law, z, parts, by_parts)
        for c in range(n):
            row = derivatives[interval, c]
            row[:] = 0.0
            for j in range(n):
                factor = by_parts[c, j]
                if factor != 0.0:
                    for p in range(n_parameters):
                        row[p] += factor * carried[j, p]


@compiled(fastmath=FAST, error_model="numpy")
@no_type_check
def whiten_kernel(derivatives, resets, memory, whitening):
    """Turn derivatives of probabilities into those of whitened residuals, in their place."""
    n_intervals, n, n_parameters = derivatives.shape
    innovation = np.empty((n, n_parameters))
    for k in range(n_intervals - 1, -1, -1):
        innovation[:] = derivatives[k]
        if k > 0 and not resets[k]:
            for i in range(n):
                for j in range(n):
                    factor = memory[k, i, j]
                    for p in range(n_parameters):
                        innovation[i, p] -= factor * derivatives[k - 1, j, p]
        for i in range(n):
            row = derivatives[k, i]
            row[:] = 0.0
            for j in range(n):
                factor = whitening[k, i, j]
                if factor != 0.0:
                    for p in range(n_parameters):
                        row[p] += factor * innovation[j, p]


@compiled(fastmath=FAST, error_model="numpy")
@no_type_check
def interpolation_kernel(path, velocities, intervals, places, shares, found):
    """Coordinates within intervals, by cubic Hermite polynomials.

    Time `t` lies in the interval `places[t]`, after the part `shares[t]` of it.
    """
    for s in range(path.shape[0]):
        for t in range(places.size):
            k, u = places[t], shares[t]
            h, v = intervals[k], 1.0 - u
            for i in range(path.shape[2]):
                found[s, t, i] = (
                    v * v * (1.0 + 2.0 * u) * path[s, k, i]
                    + u * u * (3.0 - 2.0 * u) * path[s, k + 1, i]
                    + h * u * v * (v * velocities[s, k, i] - u * velocities[s, k + 1, i])
                )


@compiled(fastmath=FAST, error_model="numpy")
@no_type_check
def nearness_kernel(paths, points, radius, found):
    """Whether points along paths are within a radius of any of some points.

    The nearest point of the time before is tried first; beyond the radius, the distance can fall
    by no more than what a path has moved since it was measured.
    """
    n = paths.shape[2]
    for s in range(paths.shape[0]):
        last, bound = 0, -1.0
        for t in range(paths.shape[1]):
            x = paths[s, t]
            if t > 0:
                bound -= math.sqrt(_square(x, paths[s, t - 1], n))
            if bound > radius:
                found[s, t] = False
                continue
            least = _square(x, points[last], n)
            if not least <= radius * radius:
                least = np.inf
                for p in range(points.shape[0]):
                    square = _square(x, points[p], n)
                    if square < least:
                        least, last = square, p
                        if least <= radius * radius:
                            break
            found[s, t] = least <= radius * radius
            bound = math.sqrt(least)
            if not found[s, t] and math.isinf(bound):
                bound = -1.0  # NaN or infinity: nothing is known of the next one


@compiled(fastmath=FAST, error_model="numpy")
@no_type_check
def _square(one, other, n):
    total = 0.0
    for i in range(n):
        total += (one[i] - other[i]) * (one[i] - other[i])
    return total


@compiled(fastmath=FAST, error_model="numpy")
@no_type_check
def probabilities_kernel(weights, density_of, places, z, found):
    """Probabilities (points, moments) of coordinates; `places` are those of the moments."""
    n_factors = weights.shape[0]
    n_densities = z.shape[1] - n_factors
    for i in range(z.shape[0]):
        for a in range(n_densities):
            found[i, places[a]] = z[i, a]
        for f in range(n_factors):
            value = 0.0
            for k in range(n_factors):
                value += weights[f, k] * z[i, n_densities + k]
            value = exponential(value)
            for q in range(density_of.shape[1]):
                if density_of[f, q] < n_densities:
                    value *= z[i, density_of[f, q]]
            found[i, places[n_densities + f]] = value


@compiled(fastmath=FAST, error_model="numpy")
@no_type_check
def log_ratios_kernel(density_of, places, floor, probabilities, found):
    """Densities, and logarithms of probabilities over those of independent sites."""
    n_factors = density_of.shape[0]
    n_densities = probabilities.shape[1] - n_factors
    for i in range(probabilities.shape[0]):
        for a in range(n_densities):
            found[i, a] = probabilities[i, places[a]]
        for f in range(n_factors):
            independent = 1.0
            for q in range(density_of.shape[1]):
                a = density_of[f, q]
                if a < n_densities:
                    density = probabilities[i, places[a]]
                    independent *= floor if density < floor else density
            own, least = probabilities[i, places[n_densities + f]], min(floor, independent)
            # Too rare to be seen even if independent: no sign of a correlation.
            found[i, n_densities + f] = math.log((least if own < least else own) / independent)
