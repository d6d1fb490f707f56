"""Vector fields whose components are Hermite finite elements."""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Mapping
from typing import final

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jaxtyping import Array, Bool, Float

from dynboltz._arguments import checked, is_traced

from ._base import AbstractVectorField, check_inside
from ._hermite import HermiteBasis, HermiteFunction
from ._hermite_grid import HermiteGrid


@final
@checked
class HermiteField(AbstractVectorField):
    r"""Right-hand sides $F_k(\theta; u_k) = \sum_l u_{k,l} f_l(\theta)$ of finite elements.

    Each $F_k$ may depend on a subset of the coefficients of its own. See Ernst et al. (2019),
    eqs. (27) and (34).

    A grid with `outside="error"` raises `OutsideBoxError` when the field is called directly, and
    in `integrate`, which looks at the finished trajectory. Compiled code (`jax.jit`, `jax.vmap`,
    `jax.grad`) clamps instead: raising from there would cost a call back to the host at every step.

    Parameters
    ----------
    coefficients
        Names of the entries of $\theta$, in order.
    functions
        Functions of these coefficients; each coefficient is the output of exactly one of them.

    Raises
    ------
    ValueError
        If a coefficient is the output of no function or of several, if a function has an argument
        or output that is not a coefficient, or if a coefficient is named twice.
    """

    coefficients: tuple[str, ...] = eqx.field(static=True)
    functions: tuple[HermiteFunction, ...]

    def __check_init__(self) -> None:
        if len(set(self.coefficients)) != len(self.coefficients):
            raise ValueError(f"HermiteField: a coefficient is named twice in {self.coefficients}.")
        counts = Counter(name for function in self.functions for name in function.outputs)
        if counts != Counter(self.coefficients):
            raise ValueError(
                "HermiteField: each coefficient must be the output of exactly one function; the "
                f"coefficients are {self.coefficients}, the outputs {tuple(counts.elements())}."
            )
        for function in self.functions:
            unknown = set(function.grid.arguments) - set(self.coefficients)
            if unknown:
                raise ValueError(
                    f"HermiteField: the arguments {sorted(unknown)} of the function for "
                    f"{function.outputs} are not among the coefficients {self.coefficients}."
                )

    @classmethod
    def zeros(
        cls,
        coefficients: tuple[str, ...],
        grids: Mapping[str, HermiteGrid],
        *,
        dtype: jnp.dtype | type | None = None,
    ) -> HermiteField:
        r"""Build the field $F = 0$ without any vertex.

        Parameters
        ----------
        coefficients
            Names of the entries of $\theta$, in order.
        grids
            The grid of each coefficient's right-hand side. Coefficients with equal grids share one
            function, hence one set of vertices and one evaluation of the basis functions.
        dtype
            Floating-point type of the degrees of freedom, by default the one JAX works with.

        Returns
        -------
        field
            Zero everywhere.

        Raises
        ------
        ValueError
            If `grids` does not name exactly the coefficients.
        """
        if set(grids) != set(coefficients):
            raise ValueError(
                "HermiteField.zeros: `grids` must have one grid for each of the coefficients "
                f"{coefficients}, got {tuple(grids)}."
            )
        outputs: dict[HermiteGrid, tuple[str, ...]] = {}
        for name in coefficients:
            outputs[grids[name]] = (*outputs.get(grids[name], ()), name)
        functions = (HermiteFunction.zeros(g, names, dtype=dtype) for g, names in outputs.items())
        return cls(coefficients, tuple(functions))

    def __call__(self, theta: Float[Array, " coefficients"]) -> Float[Array, " coefficients"]:
        r"""Time derivative $d\theta/dt$ [1/time] at one point; use `jax.vmap` for several.

        Parameters
        ----------
        theta
            Coefficients, of the floating-point type of the degrees of freedom.

        Returns
        -------
        derivative
            One value for each coefficient.

        Raises
        ------
        OutsideBoxError
            If a grid with `outside="error"` does not contain `theta` and the call is not compiled.
        """
        if not isinstance(theta, Tracer):
            check_inside(self, np.asarray(theta), "HermiteField")
            return _compiled_derivative(self, theta)
        return self._derivative(theta)

    def _derivative(self, theta: Array) -> Array:
        values = jnp.concatenate([f(theta[self.arguments(f)]) for f in self.functions])
        names = [name for function in self.functions for name in function.outputs]
        if tuple(names) == self.coefficients:
            return values
        return values[np.array([names.index(name) for name in self.coefficients])]

    def limits(
        self,
    ) -> tuple[Float[np.ndarray, " coefficients"], Float[np.ndarray, " coefficients"]]:
        """Intersection of the boxes of all grids with `outside="error"`."""
        grids = tuple(f.grid for f in self.functions if f.grid.outside == "error")
        return _common_box(self.coefficients, grids)

    def outside(
        self, thetas: Float[Array | np.ndarray, "points coefficients"]
    ) -> Bool[np.ndarray, " points"]:
        """Tell which points lie beyond the box of any grid, whatever its behaviour there.

        Parameters
        ----------
        thetas
            Coefficients.

        Returns
        -------
        outside
            True where the field extrapolates, clamps or fails; also for points that are not finite.
        """
        points = _known_points("HermiteField.outside", thetas)
        lower, upper = (
            edge.astype(points.dtype)
            for edge in _common_box(self.coefficients, tuple(f.grid for f in self.functions))
        )
        return ~np.all(np.isfinite(points) & (points >= lower) & (points <= upper), axis=1)

    def visited(
        self, thetas: Float[np.ndarray, "*batch coefficients"]
    ) -> Bool[np.ndarray, "*batch"]:
        """Tell which points lie within all boxes, in cells whose vertices are all allocated.

        Elsewhere the field knows nothing: it extrapolates, or where no vertex of a cell is
        allocated it is zero.

        Parameters
        ----------
        thetas
            Coefficients.
        """
        shape = np.shape(thetas)[:-1]
        points = np.asarray(thetas).reshape(-1, len(self.coefficients))
        found = ~self.outside(points)
        for function in self.functions:
            keys, _ = function.grid.locate(
                np.where(found[:, None], points, 0.0)[:, self.arguments(function)]
            )
            own = np.asarray(function.keys)[: function.n_allocated]
            found &= np.isin(np.asarray(keys), own).all(axis=-1)
        return found.reshape(shape)

    def visited_range(
        self,
    ) -> tuple[Float[np.ndarray, " coefficients"], Float[np.ndarray, " coefficients"]]:
        """Least and greatest value of each coefficient at allocated vertices; NaN without any.

        Cells between them need not all be allocated, see `visited`.
        """
        n = len(self.coefficients)
        lower, upper = np.full(n, -np.inf), np.full(n, np.inf)
        for function in self.functions:
            keys = np.asarray(function.keys)[: function.n_allocated]
            shape = tuple(cells + 1 for cells in function.grid.n_cells)
            places = np.stack(np.unravel_index(keys, shape), axis=-1)
            vertices = function.grid.box[0] + places * np.array(function.grid.cell)
            own = self.arguments(function)
            low, high = (
                (vertices.min(axis=0), vertices.max(axis=0)) if len(keys) else (np.nan, np.nan)
            )
            lower[own], upper[own] = np.maximum(lower[own], low), np.minimum(upper[own], high)
        return lower, upper

    def allocate(self, thetas: Float[Array | np.ndarray, "points coefficients"]) -> HermiteField:
        """Store the vertices of all cells that hold one of the points; runs on the host.

        The values of the field do not change, and vertices are never given up.

        Parameters
        ----------
        thetas
            Coefficients that a trajectory visits. For a point beyond a box of `"clamp"` or
            `"linear"` the nearest cell is allocated.

        Returns
        -------
        field
            The same field with room for more degrees of freedom.

        Raises
        ------
        OutsideBoxError
            If a grid with `outside="error"` does not contain a point.
        ValueError
            If a coefficient is not finite.
        """
        points = _known_points("HermiteField.allocate", thetas)
        if not np.all(np.isfinite(points)):
            point, coefficient = np.argwhere(~np.isfinite(points))[0]
            raise ValueError(
                f"HermiteField.allocate: coefficient `{self.coefficients[coefficient]}` of point "
                f"{point} is {points[point, coefficient]}; only finite points have a cell."
            )
        check_inside(self, points, "HermiteField.allocate")
        functions = tuple(f.allocate(points[:, self.arguments(f)]) for f in self.functions)
        return HermiteField(self.coefficients, functions)

    def basis(
        self, thetas: Float[Array | np.ndarray, "points coefficients"]
    ) -> tuple[HermiteBasis, ...]:
        """Linear map from the degrees of freedom to the values of the field, for each function.

        A least-squares fit of the field to given derivatives solves these maps for `u`. Points
        beyond a box are treated as in compiled code.

        Parameters
        ----------
        thetas
            Coefficients, in cells that are allocated; a vertex that is not has no weight.

        Returns
        -------
        bases
            In the order of `functions`.
        """
        return _basis(self, jnp.asarray(thetas))

    def arguments(self, function: HermiteFunction) -> np.ndarray:
        """Positions of a function's arguments among the coefficients."""
        return np.array([self.coefficients.index(name) for name in function.grid.arguments])


def _known_points(where: str, thetas: Array | np.ndarray) -> np.ndarray:
    """Points on the host, or `TypeError` within compiled code, where cells cannot be counted."""
    if is_traced(thetas):
        raise TypeError(
            f"{where}: `thetas` is traced by JAX (within jax.jit, jax.grad or jax.vmap); call it "
            "before, with the points that will be visited."
        )
    return np.asarray(thetas)


@functools.lru_cache(maxsize=64)
def _common_box(
    coefficients: tuple[str, ...], grids: tuple[HermiteGrid, ...]
) -> tuple[Float[np.ndarray, " coefficients"], Float[np.ndarray, " coefficients"]]:
    """Intersection of the boxes of some grids, infinite where there is none; not to be changed."""
    lower, upper = np.full(len(coefficients), -np.inf), np.full(len(coefficients), np.inf)
    for grid in grids:
        index, (low, high) = [coefficients.index(a) for a in grid.arguments], grid.box
        lower[index] = np.maximum(lower[index], low)
        upper[index] = np.minimum(upper[index], high)
    lower.flags.writeable = upper.flags.writeable = False
    return lower, upper


@eqx.filter_jit
def _compiled_derivative(field: HermiteField, theta: Array) -> Array:
    return field._derivative(theta)


@eqx.filter_jit
def _basis(
    field: HermiteField, thetas: Float[Array, "points coefficients"]
) -> tuple[HermiteBasis, ...]:
    return tuple(jax.vmap(f.basis)(thetas[:, field.arguments(f)]) for f in field.functions)
