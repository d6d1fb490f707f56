"""Solutions of Hermite fields and their gradients on the host, without the cost of a compiler."""

from __future__ import annotations

from typing import NamedTuple, final

import numpy as np
from jaxtyping import Bool, Float, Float64, Int32, Int64

from dynboltz._arguments import check_range, checked
from dynboltz._typing import AnyArray

from ._hermite_field import HermiteField
from ._hermite_kernels import first_changed, pull_back_steps, solve_steps
from ._runge_kutta import TABLEAUS, FixedMethod

GROUPS = 8
"""Sums of gradients that are formed apart, whatever the number of threads."""


class HermiteTables(NamedTuple):
    """Where the functions of a field have their cells; axes beyond a function's own are empty.

    Attributes
    ----------
    dims, n_outputs
        Numbers of arguments and of outputs.
    arguments, outputs
        Which coefficients these are.
    lower, sides, last
        Corner of the box, side of a cell and number of the last cell along each axis.
    linear
        Whether basis functions continue along their tangent beyond the box.
    strides, corners
        Steps in vertex number along each axis, and from the lowest vertex of a cell to each.
    key_pointers, u_pointers
        First vertex and first degree of freedom of each function.
    keys
        Numbers of the allocated vertices, ascending within a function.
    """

    dims: Int64[np.ndarray, " functions"]
    n_outputs: Int64[np.ndarray, " functions"]
    arguments: Int64[np.ndarray, "functions axes"]
    outputs: Int64[np.ndarray, "functions outputs"]
    lower: Float64[np.ndarray, "functions axes"]
    sides: Float64[np.ndarray, "functions axes"]
    last: Float64[np.ndarray, "functions axes"]
    linear: Bool[np.ndarray, " functions"]
    strides: Int64[np.ndarray, "functions axes"]
    corners: Int64[np.ndarray, "functions corners"]
    key_pointers: Int64[np.ndarray, " pointers"]
    u_pointers: Int64[np.ndarray, " pointers"]
    keys: Int64[np.ndarray, " vertices"]


class Path(NamedTuple):
    """A solution with all its steps.

    Attributes
    ----------
    steps
        Coefficients before and after every step.
    substeps
        Steps between successive times.
    complete
        Whether all vertices that a step needed are allocated.
    """

    steps: Float64[np.ndarray, "batch points coefficients"]
    substeps: int
    complete: Bool[np.ndarray, "batch steps"]

    @property
    def theta(self) -> Float64[np.ndarray, "batch times coefficients"]:
        """Coefficients at all times."""
        return self.steps[:, :: self.substeps]


class _Solved(NamedTuple):
    """What the last solution was made of, and the rows of vertices that its steps needed."""

    u: Float64[np.ndarray, " dofs"]
    sizes: Float64[np.ndarray, " steps"]
    path: Path
    rows: Int32[np.ndarray, "batch steps stages functions corners"]


@final
@checked
class HermiteSolver:
    r"""Fixed-step solutions of $d\theta/dt = F(\theta; u)$, and their discrete adjoint.

    Does what `solve_fixed` and its derivative do, in double precision and compiled once for all
    fields: its cost does not depend on how many finite elements there are, only on those that a
    trajectory visits, and no new vertex makes it compile again. A solution that begins as the last
    one did is taken from there on where the first degree of freedom around it has changed.

    Parameters
    ----------
    field
        Gives the cells and the allocated vertices. Degrees of freedom are arguments of the methods,
        in the order of `flatten`.
    method
        `"euler"`, `"heun"` or `"rk4"`.
    substeps
        Equal steps between successive times.
    """

    def __init__(
        self, field: HermiteField, *, method: FixedMethod = "euler", substeps: int = 1
    ) -> None:
        check_range("HermiteSolver", "substeps", substeps, least=1)
        self._tables = _tables(field)
        self._n_coefficients = len(field.coefficients)
        self._shapes = [np.shape(function.u) for function in field.functions]
        self._substeps = substeps
        tableau = TABLEAUS[method]
        n_stages = len(tableau.stages)
        self._tableau = np.zeros((n_stages + 1, n_stages))
        for row, factors in zip(self._tableau, [*tableau.stages, tableau.weights], strict=True):
            row[: len(factors)] = factors
        self._last: _Solved | None = None

    def flatten(self, parts: tuple[Float[AnyArray, "_ _ _"], ...]) -> Float64[np.ndarray, " dofs"]:
        """Arrays shaped like `u` of each function, one behind the other.

        Raises
        ------
        ValueError
            If the shapes are others.
        """
        shapes = [np.shape(part) for part in parts]
        if shapes != self._shapes:
            raise ValueError(
                f"HermiteSolver.flatten: `parts` must have the shapes {self._shapes} of the "
                f"degrees of freedom of each function, got {shapes}."
            )
        return np.concatenate([np.asarray(part, dtype=np.float64).ravel() for part in parts])

    def solve(
        self,
        u: Float64[np.ndarray, " dofs"],
        theta0: Float64[np.ndarray, "batch coefficients"],
        times: Float64[np.ndarray, " times"],
    ) -> Path:
        """Solve from the first time on.

        Parameters
        ----------
        u
            Degrees of freedom.
        theta0
            Coefficients at the first time.
        times
            Increasing times; one alone gives the start.

        Raises
        ------
        ValueError
            If the shapes do not fit the field.
        """
        self._check("solve", u, theta0, times)
        sizes = self._sizes(times)
        n_batch, n_steps, tables = len(theta0), len(sizes), self._tables
        steps = np.empty((n_batch, n_steps + 1, theta0.shape[1]))
        steps[:, 0] = theta0
        path = Path(steps, self._substeps, np.empty((n_batch, n_steps), dtype=bool))
        needs = len(self._tableau) - 1, tables.dims.size, 1 << tables.sides.shape[1]
        rows = np.empty((n_batch, n_steps, *needs), dtype=np.int32)
        first = self._recall(u, sizes, path, rows)
        solve_steps(first, sizes, tables, u, self._tableau, steps, rows, path.complete)
        self._last = _Solved(u.copy(), sizes, path, rows)
        return path

    def pull_back(
        self,
        u: Float64[np.ndarray, " dofs"],
        path: Path,
        first: int,
        times: Float64[np.ndarray, " times"],
        cotangents: Float64[np.ndarray, "batch times coefficients"],
    ) -> tuple[Float64[np.ndarray, "_ _ _"], ...]:
        r"""Gradient of $\sum_n c_n \cdot \theta(t_n)$ with respect to the degrees of freedom.

        Parameters
        ----------
        u
            Degrees of freedom.
        path
            Solution that was found with them.
        first
            Index of the time from which on the solution is looked at; $\theta$ there is fixed.
        times
            Times from there on.
        cotangents
            $c_n$ at these times.

        Returns
        -------
        gradient
            Shaped like `u` of each function.

        Raises
        ------
        ValueError
            If the shapes do not fit the field or the path.
        """
        where = "pull_back"
        self._check(where, u, cotangents, times)
        n_needed = (first + len(times) - 1) * self._substeps + 1
        if path.steps.shape[0] != len(cotangents) or path.steps.shape[2] != cotangents.shape[-1]:
            raise ValueError(
                f"HermiteSolver.{where}: `cotangents` must have a row for each of the "
                f"{path.steps.shape[0]} solutions of `path`, got shape {cotangents.shape}."
            )
        if first < 0 or path.substeps != self._substeps or path.steps.shape[1] < n_needed:
            raise ValueError(
                f"HermiteSolver.{where}: `first` and `times` must lie within `path`, which has "
                f"{path.steps.shape[1]} points; got first = {first} and {len(times)} times."
            )
        sizes = self._sizes(times)
        start = first * self._substeps
        steps = np.ascontiguousarray(path.steps[:, start : start + len(sizes) + 1])
        sources = np.zeros_like(steps)
        sources[:, :: self._substeps] = cotangents
        groups = np.zeros((min(GROUPS, len(steps)), len(u)))
        pull_back_steps(steps, sizes, sources, self._tables, u, self._tableau, groups)
        total = groups.sum(axis=0)
        ends = np.cumsum([np.prod(shape) for shape in self._shapes])[:-1]
        parts = np.split(total, ends.astype(int))
        return tuple(p.reshape(s) for p, s in zip(parts, self._shapes, strict=True))

    def _check(
        self, where: str, u: np.ndarray, rows: np.ndarray, times: Float64[np.ndarray, " times"]
    ) -> None:
        """Raise `ValueError` unless shapes fit the field: the kernels do not look."""
        n_dofs = int(self._tables.u_pointers[-1])
        if u.shape != (n_dofs,):
            raise ValueError(
                f"HermiteSolver.{where}: `u` must have shape ({n_dofs},), one entry a degree of "
                f"freedom (see `flatten`), got {u.shape}."
            )
        if rows.shape[-1] != self._n_coefficients:
            raise ValueError(
                f"HermiteSolver.{where}: the last axis must have {self._n_coefficients} entries, "
                f"one a coefficient, got shape {rows.shape}."
            )
        if not len(times):
            raise ValueError(f"HermiteSolver.{where}: `times` must hold one time or more, got 0.")

    def _recall(
        self,
        u: Float64[np.ndarray, " dofs"],
        sizes: Float64[np.ndarray, " steps"],
        path: Path,
        rows: Int32[np.ndarray, "batch steps stages functions corners"],
    ) -> Int64[np.ndarray, " batch"]:
        """Fill in the beginning of paths from the last solution; return how many steps that is."""
        last, first = self._last, np.zeros(len(rows), dtype=np.int64)
        if last is None or not np.array_equal(last.path.steps[:, 0], path.steps[:, 0]):
            return first
        n = min(len(sizes), len(last.sizes))
        if not np.array_equal(sizes[:n], last.sizes[:n]):
            return first
        path.steps[:, : n + 1] = last.path.steps[:, : n + 1]
        path.complete[:, :n], rows[:, :n] = last.path.complete[:, :n], last.rows[:, :n]
        first_changed(self._tables, last.u, u, rows[:, :n], first)
        return first

    def _sizes(self, times: Float64[np.ndarray, " times"]) -> Float64[np.ndarray, " steps"]:
        return np.repeat(np.diff(times) / self._substeps, self._substeps)


def _tables(field: HermiteField) -> HermiteTables:
    functions = field.functions
    grids = [function.grid for function in functions]
    keys = [np.asarray(f.keys)[: f.n_allocated].astype(np.int64) for f in functions]
    outputs = [[field.coefficients.index(name) for name in f.outputs] for f in functions]
    return HermiteTables(
        dims=np.array([grid.dim for grid in grids], dtype=np.int64),
        n_outputs=np.array([len(names) for names in outputs], dtype=np.int64),
        arguments=_table([field.arguments(f) for f in functions], np.int64),
        outputs=_table(outputs, np.int64),
        lower=_table([grid.box[0] for grid in grids], np.float64),
        sides=_table([grid.cell for grid in grids], np.float64),
        last=_table([np.array(grid.n_cells) - 1 for grid in grids], np.float64),
        linear=np.array([grid.outside == "linear" for grid in grids]),
        strides=_table([grid.strides for grid in grids], np.int64),
        corners=_table([grid.corners for grid in grids], np.int64),
        key_pointers=_pointers([len(k) for k in keys]),
        u_pointers=_pointers([np.size(function.u) for function in functions]),
        keys=np.concatenate(keys),
    )


def _table(rows: list, dtype: type) -> np.ndarray:
    table = np.zeros((len(rows), max(map(len, rows))), dtype=dtype)
    for place, row in zip(table, rows, strict=True):
        place[: len(row)] = row
    return table


def _pointers(counts: list[int]) -> Int64[np.ndarray, " pointers"]:
    return np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
