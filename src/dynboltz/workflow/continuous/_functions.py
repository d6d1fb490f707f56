"""Functions of the interaction functions, from their tables."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from dynboltz._hints import did_you_mean
from dynboltz.dynamics import (
    Constant,
    Dictionary,
    Equation,
    Exponential,
    FunctionalField,
    HermiteCurve,
    Positive,
    ScalarFunction,
)
from dynboltz.elements import ElementSpace

from ._function_schema import CurveTable, DictionaryTable
from ._schema import DynamicsTable

NAMES = ("F1", "F2", "F3")
"""Names of the three functions of eq. (15), in the order of `Equation`."""

SAMPLES = 64
"""Points at which a dictionary is fitted to another function."""


def functional_field(
    space: ElementSpace, species: tuple[str, ...], dynamics: Mapping[str, DynamicsTable]
) -> FunctionalField:
    """Field with the functions at their start.

    Raises
    ------
    ValueError
        If a species has no functions or is unknown, or a function does not make sense.
    """
    if set(dynamics) != set(species):
        raise ValueError(
            f"needs one table for each of the species {', '.join(species)}, got "
            f"{', '.join(dynamics) or 'none'}."
        )
    equations = tuple(_equation(dynamics[name], name, species) for name in species)
    return FunctionalField(space, species, equations)


def functions_of(equation: Equation) -> dict[str, ScalarFunction]:
    """Return the functions of an equation by their names."""
    functions = (equation.laplacian, equation.gradient_squared, equation.source)
    return dict(zip(NAMES, functions, strict=True))


def _equation(table: DynamicsTable, name: str, species: tuple[str, ...]) -> Equation:
    own = species.index(name)
    first, source = scalar_function(table.F1, own, species), scalar_function(table.F3, own, species)
    if table.F2 is None:
        return Equation.conserving(first, source, species=own)
    return Equation(first, scalar_function(table.F2, own, species), source)


def scalar_function(
    table: float | CurveTable | DictionaryTable, own: int, species: tuple[str, ...]
) -> ScalarFunction:
    """A function at its start, seen from the species of number `own`."""
    if isinstance(table, CurveTable):
        return _curve(table, own, species)
    if isinstance(table, DictionaryTable):
        for exponents in table.exponents:
            _check_species(exponents, species)
        functions = tuple(
            Exponential(tuple(exponents.get(name, 0.0) for name in species))
            for exponents in table.exponents
        )
        return Dictionary(functions, jnp.asarray(table.start, dtype=jnp.float64))
    return Constant(jnp.asarray(table, dtype=jnp.float64))


def _curve(table: CurveTable, own: int, species: tuple[str, ...]) -> ScalarFunction:
    _check_species([] if table.of is None else [table.of], species)
    number = own if table.of is None else species.index(table.of)
    if table.positive and not table.start > 0:
        raise ValueError(f"`start` of a positive curve must be positive, got {table.start}.")
    start = float(np.log(table.start)) if table.positive else table.start
    lower, upper = map(float, table.range)
    u = np.zeros((table.cells + 1, 2))
    u[:, 0] = start
    curve = HermiteCurve(lower, upper, jnp.asarray(u), number)
    return Positive(curve) if table.positive else curve


def _check_species(given: Mapping[str, float] | list[str], species: tuple[str, ...]) -> None:
    unknown = [name for name in given if name not in species]
    if unknown:
        raise ValueError(
            f"names {unknown[0]!r}; the species are {', '.join(species)}."
            f"{did_you_mean(unknown[0], species)}"
        )


def started_from(field: FunctionalField, other: FunctionalField, nu: np.ndarray) -> FunctionalField:
    """Field of the form of one, with the functions of another as closely as they can be.

    Curves take over values and slopes at their vertices, constants the mean, dictionaries the
    closest weights in the mean square.

    Parameters
    ----------
    field
        The form.
    other
        The functions.
    nu
        Typical values of all species [points, species].
    """
    equations = []
    for own, their in zip(field.equations, other.equations, strict=True):
        found = functions_of(their)
        first = _restarted(own.laplacian, found["F1"], nu)
        source = _restarted(own.source, found["F3"], nu)
        second = own.gradient_squared
        if hasattr(second, "diffusion"):
            equations.append(Equation.conserving(first, source, species=second.species))
        else:
            equations.append(Equation(first, _restarted(second, found["F2"], nu), source))
    return FunctionalField(field.space, field.species, tuple(equations))


def _restarted(own: ScalarFunction, their: ScalarFunction, nu: np.ndarray) -> ScalarFunction:
    if isinstance(own, Positive):
        inner = _restarted(own.logarithm, lambda nu: jnp.log(their(nu)), nu)
        return Positive(inner)
    if isinstance(own, HermiteCurve):
        return _interpolated(own, their, nu)
    points = jnp.asarray(nu[:: max(1, len(nu) // SAMPLES)])
    values = np.asarray(_at(their, points))
    if isinstance(own, Dictionary):
        basis = np.asarray(_at(lambda nu: jnp.stack([f(nu) for f in own.functions]), points))
        weights = np.linalg.lstsq(basis, values, rcond=None)[0]
        return Dictionary(own.functions, jnp.asarray(weights))
    return Constant(jnp.asarray(values.mean()))


@eqx.filter_jit
def _at(function: Callable[..., Any], points: Array) -> Any:
    """Values of a function at many points."""
    return jax.vmap(function)(points)


def _interpolated(own: HermiteCurve, their: ScalarFunction, nu: np.ndarray) -> HermiteCurve:
    """Curve with values and slopes of a function, the other species at their median."""
    vertices = np.linspace(own.lower, own.upper, len(own.u))
    points = np.tile(np.median(nu, axis=0), (len(vertices), 1))
    points[:, own.species] = vertices
    values, slopes = _at(jax.value_and_grad(their), jnp.asarray(points))
    length = (own.upper - own.lower) / (len(own.u) - 1)
    u = jnp.stack([values, slopes[:, own.species] * length], axis=-1)
    return HermiteCurve(own.lower, own.upper, u, own.species)
