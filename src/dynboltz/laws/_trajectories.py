"""Trajectories of laws of moments and their derivatives, by compiled kernels."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from jaxtyping import Bool, Float64, Int64

from ._chart import MomentChart
from ._charts import Chart
from ._data import ShootingData
from ._kernels import (
    KernelLaw,
    interpolation_kernel,
    sensitivity_kernel,
    solve_kernel,
    whiten_kernel,
)
from ._law import MomentLaw


def kernel_law(
    law: MomentLaw, parameters: Float64[np.ndarray, " parameters"] | None = None
) -> KernelLaw:
    """Arrays of a law, or of the same with other parameters, as the kernels take them."""
    chart, function = law.chart, law.function
    n_densities, n = len(chart.densities), len(chart.coordinates)
    order = kernel_order(chart)
    n_factors = n - n_densities
    if isinstance(chart, MomentChart):
        weights, density_of = chart.weights, chart.density_of
    else:
        weights, density_of = np.zeros((n_factors, n_factors)), np.zeros((n_factors, 0))
    column_of = np.append(np.argsort(order), n)
    rows, columns = np.array(law.rate_places, dtype=np.int64).reshape(-1, 2).T
    own, scales = np.asarray(function.parameters), np.asarray(law.rate_scales)
    rates = np.asarray(law.rates) if parameters is None else parameters[len(own) :]
    own = own if parameters is None else parameters[: len(own)]
    known = law.linear_part(rates)
    linear, offset, inner, inner_offset, outer = function.arrays(own)
    return KernelLaw(
        np.ascontiguousarray(known[:, order]),
        np.ascontiguousarray(known[:, n]),
        isinstance(chart, MomentChart),
        np.asarray(weights, dtype=np.float64),
        np.array(density_of, dtype=np.int64).reshape(n_factors, -1 if n_factors else 0),
        float(chart.floor),
        np.asarray(law.centre),
        np.asarray(law.width),
        np.asarray(law.lower),
        np.asarray(law.upper),
        float(law.pull),
        np.array([*law.open, *range(n_densities, n)], dtype=np.int64),
        np.asarray(law.scales),
        linear,
        offset,
        inner,
        inner_offset,
        outer,
        np.ascontiguousarray(rows),
        np.ascontiguousarray(column_of[columns]),
        scales,
    )


def kernel_order(chart: Chart) -> np.ndarray:
    """Places of what is compared in the order of the kernels: densities first."""
    if isinstance(chart, MomentChart):
        return np.array((*chart.densities, *chart.factors))
    return np.arange(len(chart.coordinates))


def step_counts(intervals: Float64[np.ndarray, " intervals"], longest: float) -> np.ndarray:
    """Steps of each interval, none longer than `longest`, up to rounding."""
    return np.maximum(1, np.ceil(intervals / longest - 1e-6)).astype(np.int64)


def solve(
    law: KernelLaw,
    starts: Float64[np.ndarray, "starts coordinates"],
    intervals: Float64[np.ndarray, " intervals"],
    longest: float,
    resets: Bool[np.ndarray, " intervals"] | None = None,
    restarts: Float64[np.ndarray, "starts intervals coordinates"] | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Coordinates and velocities at the beginning and after each interval.

    Parameters
    ----------
    law
        The law.
    starts
        Coordinates at the beginning.
    intervals
        Lengths of the intervals [time].
    longest
        Length of the longest step of the integrator [time].
    resets
        Intervals that begin at `restarts`.
    restarts
        Coordinates at the beginning of each interval.
    """
    shape = (len(starts), len(intervals) + 1, starts.shape[1])
    path, velocities = np.empty(shape), np.empty(shape)
    if resets is None or restarts is None:
        resets, restarts = np.zeros(len(intervals), dtype=bool), np.empty((0, 0, 0))
    counts = step_counts(intervals, longest)
    starts = np.ascontiguousarray(starts, dtype=np.float64)
    solve_kernel(law, starts, intervals, counts, resets, restarts, path, velocities)
    return path, velocities


def sensitivities(
    law: KernelLaw,
    start: Float64[np.ndarray, " coordinates"],
    intervals: Float64[np.ndarray, " intervals"],
    longest: float,
    resets: Bool[np.ndarray, " intervals"],
    restarts: Float64[np.ndarray, "intervals coordinates"],
    derivatives: Float64[np.ndarray, "intervals moments parameters"],
    *,
    of_coordinates: bool = False,
) -> Float64[np.ndarray, "records coordinates"]:
    """Coordinates of one start as by `solve`; derivatives are written to `derivatives`.

    They are those of the probabilities, densities first, or of the coordinates, by the parameters
    in the order `parameter_order`.
    """
    path = np.empty((len(intervals) + 1, len(start)))
    counts = step_counts(intervals, longest)
    sensitivity_kernel(
        law, start, intervals, counts, resets, restarts, path, derivatives, of_coordinates
    )
    return path


def parameter_order(law: KernelLaw) -> Int64[np.ndarray, " parameters"]:
    """Places of the parameters of `MomentLaw` among those of the kernels."""
    before, n_inner = law.linear.size + law.offset.size, law.inner.size
    inner = np.arange(n_inner).reshape(law.inner.shape[::-1]).T.ravel()
    n_after = law.inner_offset.size + law.outer.size + len(law.rate_rows)
    after = np.arange(n_after) + n_inner
    return np.concatenate([np.arange(before), before + inner, before + after])


class ShootingProblem:
    """Residuals of a law and their derivatives, by horizon."""

    def __init__(self, law: MomentLaw, data: ShootingData, longest_step: float) -> None:
        self.law, self.longest_step = law, longest_step
        self.n_starts = len(data.starts)
        self.n_residuals = data.n_residuals * self.n_starts
        self.groups = law.groups
        order = kernel_order(law.chart)
        self.data = data
        self.intervals = np.diff(data.times)
        self.restarts = np.ascontiguousarray(data.coordinates[:, :-1])
        self.memory = np.ascontiguousarray(data.memory[:, order][:, :, order])
        self.whitening = np.ascontiguousarray(data.whitening[..., order])

    def resets(self, horizon: int) -> Bool[np.ndarray, " intervals"]:
        resets = np.arange(len(self.intervals)) % horizon == 0
        resets[0] = False  # the first one begins at the starts
        return resets

    def residuals(
        self, parameters: Float64[np.ndarray, " parameters"], horizon: int
    ) -> tuple[np.ndarray, np.ndarray]:
        """Coordinates after each interval, and whitened residuals of each start."""
        law, resets = kernel_law(self.law, parameters), self.resets(horizon)
        path, _ = solve(
            law, self.data.starts, self.intervals, self.longest_step, resets, self.restarts
        )
        return path[:, 1:], self._whitened(path, resets)

    def normal(
        self, parameters: Float64[np.ndarray, " parameters"], horizon: int
    ) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        r"""$J^T J$ and $J^T e$ of each start."""
        law, resets = kernel_law(self.law, parameters), self.resets(horizon)
        _, errors = self.residuals(parameters, horizon)
        order = parameter_order(law)
        shape = (len(self.intervals), self.memory.shape[-1], len(order))
        jacobian = np.empty(shape)
        flat = jacobian.reshape(-1, len(order))
        for i, start in enumerate(self.data.starts):
            sensitivities(
                law,
                start,
                self.intervals,
                self.longest_step,
                resets,
                self.restarts[i],
                jacobian,
            )
            whiten_kernel(jacobian, resets, self.memory, self.whitening[i])
            yield (flat.T @ flat)[np.ix_(order, order)], (flat.T @ errors[i].ravel())[order]

    @np.errstate(over="ignore", invalid="ignore")  # where a law runs away
    def _whitened(self, path: np.ndarray, resets: np.ndarray) -> np.ndarray:
        """Whitened residuals (starts, intervals, moments)."""
        chart, seen = self.law.chart, self.data.probabilities
        residual = chart.batch_probabilities(path) - seen
        before = residual[:, :-1].copy()
        again = chart.batch_probabilities(self.restarts[:, resets])
        before[:, resets] = again - seen[:, :-1][:, resets]
        innovation = residual[:, 1:] - (self.data.memory @ before[..., None])[..., 0]
        return (self.data.whitening @ innovation[..., None])[..., 0]


def solve_at(
    law: KernelLaw,
    starts: Float64[np.ndarray, "starts coordinates"],
    grid: Float64[np.ndarray, " points"],
    times: Float64[np.ndarray, " times"],
) -> Float64[np.ndarray, "starts times coordinates"]:
    """Coordinates at any times, by one step between two points of a grid and interpolation."""
    intervals = np.diff(grid)
    path, velocities = solve(law, starts, intervals, np.inf)
    places, shares = _places(grid, times)
    found = np.empty((len(starts), len(times), starts.shape[1]))
    interpolation_kernel(path, velocities, intervals, places, shares, found)
    return found


def changes_at(
    law: KernelLaw,
    factor: Float64[np.ndarray, "parameters directions"],
    starts: Float64[np.ndarray, "starts coordinates"],
    grid: Float64[np.ndarray, " points"],
    times: Float64[np.ndarray, " times"],
) -> Iterator[Float64[np.ndarray, "times coordinates directions"]]:
    """Changes of the coordinates by changes of the parameters, the columns of a matrix."""
    intervals = np.diff(grid)
    resets, restarts = (
        np.zeros(len(intervals), dtype=bool),
        np.empty((len(intervals), starts.shape[1])),
    )
    places, shares = _places(grid, times)
    shares = shares[:, None, None]
    order = parameter_order(law)
    own_factor = np.empty_like(factor)
    own_factor[order] = factor
    derivatives = np.empty((len(intervals), starts.shape[1], len(order)))
    for start in np.ascontiguousarray(starts):
        sensitivities(
            law, start, intervals, np.inf, resets, restarts, derivatives, of_coordinates=True
        )
        changes = derivatives @ own_factor
        changes = np.concatenate([np.zeros_like(changes[:1]), changes])
        yield (1 - shares) * changes[places] + shares * changes[places + 1]


def _places(grid: np.ndarray, times: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Intervals of a grid that times lie in, and the part of each that has passed."""
    places = np.clip(np.searchsorted(grid, times, side="right") - 1, 0, len(grid) - 2)
    return places, (times - grid[places]) / np.diff(grid)[places]
