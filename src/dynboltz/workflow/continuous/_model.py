"""Learned functionals: what predicts, and how it is stored."""

from __future__ import annotations

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
from jaxtyping import Array, Float64
from pydantic import TypeAdapter

from dynboltz.distributions import PointProcessModel, PoissonSolution
from dynboltz.dynamics import AbstractVectorField, FunctionalField, PairField, solve_implicit
from dynboltz.learning import Solution
from dynboltz.particles import Box

from ._experiment import build_field, build_model
from ._functions import NAMES, functions_of
from ._schema import ModelTable


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
    """

    model: PointProcessModel
    field: FunctionalField | PairField
    substeps: int
    initial: Float64[np.ndarray, "initial_conditions coefficients"]
    covariance: Float64[np.ndarray, "parameters parameters"]
    history: Mapping[str, np.ndarray]

    def predict(
        self,
        initial: Float64[np.ndarray, "initial_conditions coefficients"],
        times: Float64[np.ndarray, " times"],
    ) -> Float64[np.ndarray, "initial_conditions times coefficients"]:
        """Coefficients at equidistant times from those at the first."""
        return np.asarray(
            _solve(self.field, jnp.asarray(initial), jnp.asarray(times), self.substeps)
        )

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


@eqx.filter_jit
def _solve(field: FunctionalField | PairField, theta0: Array, times: Array, substeps: int) -> Array:
    def one(theta: Array) -> Array:
        operator = field.stiff_operator(theta)
        return solve_implicit(field, theta[None], times, operator=operator, substeps=substeps)[0]

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
    )
