"""Learned functionals: what predicts, and how it is stored."""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, final

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr
from jax.flatten_util import ravel_pytree
from jaxtyping import Array, Bool, Float64
from pydantic import TypeAdapter

from dynboltz._numbers import check_finite
from dynboltz._warnings import ExtrapolationWarning, warn
from dynboltz.distributions import PointProcessModel, PoissonSolution
from dynboltz.dynamics import (
    AbstractVectorField,
    FunctionalField,
    PairField,
    solve_implicit,
    step_grid,
)
from dynboltz.elements import FunctionSpace
from dynboltz.learning import Solution
from dynboltz.particles import Box

from ._experiment import build_field, build_model
from ._functions import NAMES, functions_of
from ._schema import ModelTable

_MARGIN = 0.05
"""Of what training visited, by which predictions may leave it: functions are smooth."""


@final
@dataclass(frozen=True)
class FunctionalModel:
    """A learned reduced model.

    Attributes
    ----------
    model
        The distribution.
    field
        The learned functional, or the equations in homogeneous space.
    substeps
        Steps of the solver between two times.
    initial
        Learned coefficients at time 0 of the training initial conditions.
    covariance
        Of the parameters of the field.
    history
        `action` and `damping` after every step, and the `window` that it belongs to.
    learned_times
        Times that it was learned from; unknown to models that an earlier version stored.
    """

    model: PointProcessModel
    field: FunctionalField | PairField
    substeps: int
    initial: Float64[np.ndarray, "initial_conditions coefficients"]
    covariance: Float64[np.ndarray, "parameters parameters"]
    history: Mapping[str, np.ndarray]
    learned_times: Float64[np.ndarray, " learned_times"] | None = None

    def predict(
        self,
        initial: Float64[np.ndarray, "initial_conditions coefficients"],
        times: Float64[np.ndarray, " times"],
    ) -> Float64[np.ndarray, "initial_conditions times coefficients"]:
        """Coefficients over time.

        Parameters
        ----------
        initial
            Coefficients at the first time.
        times
            Increasing times [time]; steps are those of learning, the last one before each time
            shortened.

        Raises
        ------
        ValueError
            If a coefficient or a time is not finite.

        Warns
        -----
        ExtrapolationWarning
            If a solution is somewhere that training has not visited, see `visited`, or goes on
            beyond the times that the model was learned from.
        """
        axes = ("initial condition", "coefficient")
        check_finite("FunctionalModel.predict", "`initial`", np.asarray(initial), axes)
        check_finite("FunctionalModel.predict", "`times`", np.asarray(times), ("time",))
        theta = self._solved(np.asarray(initial), np.asarray(times, dtype=np.float64))
        self._warn_of(theta, np.asarray(times))
        return theta

    def visited(self, theta: Float64[np.ndarray, "... coefficients"]) -> Bool[np.ndarray, ...]:
        """Tell which coefficients lie where solutions of the training set passed.

        Of functionals of profiles, these are the values of the interaction functions of each
        species, anywhere in the box; otherwise the coefficients. All are known if the model does
        not know the times that it was learned from.

        Parameters
        ----------
        theta
            Coefficients, in the order of the model.
        """
        theta = np.asarray(theta)
        if self._range is None:
            return np.ones(theta.shape[:-1], dtype=bool)
        lower, upper = self._range
        return np.asarray(~self._beyond(theta, lower, upper).any(axis=-1))

    def _solved(self, initial: np.ndarray, times: np.ndarray) -> np.ndarray:
        if len(times) == 1:
            return initial[:, None]
        known = self.learned_times
        step = None if known is None or len(known) < 2 else float(np.diff(known).min())
        grid, places = step_grid(times, step)
        found = _solve(self.field, jnp.asarray(initial), tuple(grid.tolist()), self.substeps)
        return np.asarray(found)[:, places]

    @functools.cached_property
    def _range(self) -> tuple[np.ndarray, np.ndarray] | None:
        """Least and greatest values along the solutions of the training set."""
        if self.learned_times is None:
            return None
        values = self._values(self._solved(self.initial, self.learned_times))
        lower, upper = values
        return lower.min(axis=(0, 1)), upper.max(axis=(0, 1))

    def _values(self, theta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Least and greatest value in the box of what functions depend on, at each theta."""
        if not isinstance(self.field, FunctionalField):
            return theta, theta
        least, greatest = [], []
        for name in self.model.species:
            space = self.model.single[name]
            nu = theta[..., self.model.slices[f"nu.{name}"]] @ _points(space).T
            least.append(nu.min(axis=-1))
            greatest.append(nu.max(axis=-1))
        return np.stack(least, axis=-1), np.stack(greatest, axis=-1)

    @property
    def _names(self) -> tuple[str, ...]:
        if isinstance(self.field, FunctionalField):
            return tuple(f"nu.{name}" for name in self.model.species)
        return self.model.coefficients

    def _beyond(self, theta: np.ndarray, lower: np.ndarray, upper: np.ndarray) -> np.ndarray:
        least, greatest = self._values(theta)
        margin = _MARGIN * (upper - lower) + 1e-9 * np.maximum(np.abs(upper), np.abs(lower))
        return np.asarray(~((least >= lower - margin) & (greatest <= upper + margin)))

    def _warn_of(self, theta: np.ndarray, times: np.ndarray) -> None:
        """Say where a prediction extrapolates, in one warning."""
        if self._range is None or self.learned_times is None:
            return
        parts, (lower, upper) = [], self._range
        beyond = self._beyond(theta, lower, upper)
        if beyond.any():
            strange = np.asarray(beyond.any(axis=-1))
            shown = ", ".join(
                f"`{name}` (visited: {low:.3g} to {high:.3g})"
                for name, low, high, is_beyond in zip(
                    self._names, lower, upper, np.asarray(beyond.any(axis=(0, 1))), strict=True
                )
                if is_beyond
            )
            parts.append(
                f"the solutions of {strange.any(axis=1).sum()} of {len(theta)} initial conditions "
                "are where no training trajectory has been, from time "
                f"{times[strange.any(axis=0).argmax()]:.6g} on: {shown}. The model extrapolates "
                "there; learn from initial conditions that go there, or leave these predictions "
                "out; `visited` tells which coefficients are known"
            )
        first, last = self.learned_times[0], self.learned_times[-1]
        late = times[-1] > last + 1e-9 * abs(last)
        if late or times[-1] - times[0] > (last - first) * (1 + 1e-9):
            parts.append(
                f"the model was learned from times up to {last:.6g}; what comes later is beyond "
                "its training"
            )
        if parts:
            warn(f"FunctionalModel.predict: {'; '.join(parts)}.", ExtrapolationWarning)

    @property
    def solution(self) -> PoissonSolution:
        """The exact solution of the distribution."""
        return PoissonSolution(self.model)

    def function_values(
        self, name: str, nu: Float64[np.ndarray, "points species"]
    ) -> dict[str, tuple[np.ndarray, np.ndarray]]:
        """Values and standard errors of F1, F2 and F3 of a species, where `nu` are given."""
        assert isinstance(self.field, FunctionalField)
        number = self.model.species.index(name)
        found = _values_and_slopes(self.field, number, jnp.asarray(nu))
        values, slopes = map(np.asarray, found)
        variance = np.einsum("fpi,ij,fpj->fp", slopes, self.covariance, slopes)
        errors = np.sqrt(np.maximum(variance, 0.0))
        return dict(zip(NAMES, zip(values, errors, strict=True), strict=True))


@eqx.filter_jit
def _values_and_slopes(field: FunctionalField, number: int, points: Array) -> tuple[Array, Array]:
    """Functions of one species [function, point], and their derivatives by the parameters."""
    u, unravel, static = _parameters(field)

    def values(u: Array) -> Array:
        functions = functions_of(eqx.combine(unravel(u), static).equations[number]).values()
        return jnp.stack([jax.vmap(function)(points) for function in functions])

    return values(u), jax.jacfwd(values)(u)


def implicit_solution(times: Float64[np.ndarray, " times"], substeps: int) -> Solution:
    """Map a field and initial coefficients to their solution, for `gauss_newton`.

    The stiff part is that of the field as it is, so that steps stay stable however it changes.
    """
    fixed = jnp.asarray(times)

    def solution(field: AbstractVectorField, theta0: Array) -> Array:
        assert isinstance(field, FunctionalField | PairField)
        operator = field.stiff_operator(theta0)
        return solve_implicit(field, theta0, fixed, operator=operator, substeps=substeps)

    return solution


def _points(space: FunctionSpace) -> Float64[np.ndarray, "points coefficients"]:
    """Values of all basis functions at the points of the quadrature."""
    return np.asarray(space.evaluate(space.quadrature()[0]))


@eqx.filter_jit
def _solve(
    field: FunctionalField | PairField, theta0: Array, times: tuple[float, ...], substeps: int
) -> Array:
    fixed = np.array(times)

    def one(theta: Array) -> Array:
        operator = field.stiff_operator(theta)
        return solve_implicit(field, theta[None], fixed, operator=operator, substeps=substeps)[0]

    return jax.vmap(one)(theta0)


def with_parameters(field: FunctionalField | PairField, u: Float64[np.ndarray, " parameters"]):
    """Field with other parameters, in the order of `ravel_pytree`."""
    _, unravel, static = _parameters(field)
    return eqx.combine(unravel(jnp.asarray(u)), static)


def parameters_of(field: FunctionalField | PairField) -> Float64[np.ndarray, " parameters"]:
    """Return the learned parameters of a field."""
    return np.asarray(_parameters(field)[0])


def _parameters(field: FunctionalField | PairField):
    parameters, static = eqx.partition(field, eqx.is_inexact_array)
    u, unravel = ravel_pytree(parameters)
    return u, unravel, static


def functional_dataset(learned: FunctionalModel, table: ModelTable) -> xr.Dataset:
    """A learned model as a labelled dataset that holds numbers and text only."""
    box = learned.model.box
    specification = {
        "box": {"lengths": box.lengths, "boundary": box.boundary},
        "species": learned.model.species,
        "table": table.model_dump(exclude_none=True),
    }
    variables: dict[str, Any] = {
        f"history_{name}": ("step", np.asarray(v)) for name, v in learned.history.items()
    }
    variables["u"] = ("parameter", parameters_of(learned.field))
    variables["covariance"] = (("parameter", "other_parameter"), learned.covariance)
    variables["initial"] = (("initial_condition", "coefficient"), learned.initial)
    if learned.learned_times is not None:
        variables["learned_times"] = ("learned_time", learned.learned_times)
    return xr.Dataset(
        variables,
        coords={"coefficient": list(learned.model.coefficients)},
        attrs={
            "specification": json.dumps(specification),
            "substeps": learned.substeps,
            "history": list(learned.history),
        },
    )


def load_functional(dataset: xr.Dataset) -> FunctionalModel:
    """The learned functional of a dataset made by `functional_dataset`."""
    specification = json.loads(dataset.attrs["specification"])
    lengths, boundary = specification["box"]["lengths"], specification["box"]["boundary"]
    box, species = Box(tuple(lengths), boundary), tuple(specification["species"])
    table = TypeAdapter(ModelTable).validate_python(specification["table"])
    field = with_parameters(build_field(box, species, table), dataset.u.values)
    return FunctionalModel(
        build_model(box, species, table),
        field,
        int(dataset.attrs["substeps"]),
        dataset.initial.values,
        dataset.covariance.values,
        {name: dataset[f"history_{name}"].values for name in dataset.attrs["history"]},
        dataset.learned_times.values if "learned_times" in dataset else None,
    )
