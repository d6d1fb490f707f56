"""Equations of densities and pair functions in homogeneous space, from their tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import jax.numpy as jnp
from jaxtyping import Array

from dynboltz._hints import did_you_mean
from dynboltz.distributions import PointProcessModel
from dynboltz.dynamics import (
    Constant,
    CorrelationWithin,
    Dictionary,
    Equation,
    ExponentialWithin,
    PairField,
    ScalarFunction,
    UniformEquation,
)
from dynboltz.elements import RadialSpace, UniformSpace
from dynboltz.particles import Box

from ._functions import scalar_function
from ._homogeneous_schema import PairTermTable, RadialTable, SingleDynamicsTable, UniformTable

PAIR = "pair"
"""Stands for the interaction function of the pair itself among exponents."""
TERMS = {"exponential": ExponentialWithin, "correlation": CorrelationWithin}
SYMBOLS = ("F1", "F2", "F3")


def homogeneous_model(
    box: Box, species: tuple[str, ...], table: UniformTable | RadialTable
) -> PointProcessModel:
    """Distribution with one value of each species for the whole box, and functions of distances.

    Raises
    ------
    ValueError
        If a pair has an unknown species, or the cutoff does not fit into the box.
    """
    uniform = dict.fromkeys(species, UniformSpace(box))
    if isinstance(table, UniformTable):
        return PointProcessModel(box, species, uniform)
    space = _radial_space(table)
    pairs = {_pair(name, species): space for name in table.pairs}
    return PointProcessModel(box, species, uniform, pairs)


def homogeneous_field(
    box: Box, species: tuple[str, ...], table: UniformTable | RadialTable
) -> PairField:
    """Equations with the functions at their start.

    Raises
    ------
    ValueError
        If a species has no equation, or a name is unknown.
    """
    if set(table.dynamics) != set(species):
        raise ValueError(
            f"needs one table for each of the species {', '.join(species)}, got "
            f"{', '.join(table.dynamics) or 'none'}."
        )
    equations = pair_equations(species, table)
    pairs = tuple(equations)
    single = tuple(_single(table.dynamics[name], name, species, pairs) for name in species)
    space = _radial_space(table) if isinstance(table, RadialTable) else None
    return PairField(space, box.dim, species, pairs, single, tuple(equations.values()))


def pair_equations(
    species: tuple[str, ...], table: UniformTable | RadialTable
) -> dict[tuple[str, str], Equation]:
    """Equation of each pair, with the functions at their start; none without pairs.

    Raises
    ------
    ValueError
        If a pair has an unknown species, or an exponent an unknown name.
    """
    found = {}
    for name, own in table.pairs.items() if isinstance(table, RadialTable) else ():
        functions = (_pair_function(getattr(own, symbol), name, species) for symbol in SYMBOLS)
        found[_pair(name, species)] = Equation(*functions)
    return found


def term_labels(
    table: UniformTable | RadialTable, species: tuple[str, ...]
) -> dict[str, list[str]]:
    """What each learned weight belongs to, by the function it is part of.

    In the order in which the weights stand in the field; of free curves there are none.
    """
    pairs = table.pairs if isinstance(table, RadialTable) else {}
    labels: dict[str, list[str]] = {}
    for name in species:
        own = table.dynamics[name]
        labels[f"{name}.F"] = _function_labels(own.F)
        for pair in pairs:
            if pair in own.integrals:
                labels[f"{name}.integral.{pair}"] = [_label(t) for t in own.integrals[pair]]
    for pair, own in pairs.items():
        for symbol in SYMBOLS:
            given = getattr(own, symbol)
            one = not isinstance(given, list)
            labels[f"{pair}.{symbol}"] = ["1"] if one else [_label(t) for t in given]
    return labels


def _function_labels(table) -> list[str]:
    if table is None or getattr(table, "kind", None) == "curve":
        return []
    if isinstance(table, float | int):
        return ["1"]
    return [_exponential(exponents) for exponents in table.exponents]


def _label(term: PairTermTable) -> str:
    excess = f" (exp(-nu.{PAIR}) - 1)" if term.kind == "correlation" else ""
    return f"{_exponential(term.exponents)}{excess} [r < {term.within:g}]"


def _exponential(exponents: Mapping[str, float]) -> str:
    parts = [f"{value:+g} nu.{name}" for name, value in exponents.items() if value]
    return f"exp({' '.join(parts)})" if parts else "1"


def _radial_space(table: RadialTable) -> RadialSpace:
    return RadialSpace(table.elements.cutoff, table.elements.cells)


def _pair(name: str, species: tuple[str, ...]) -> tuple[str, str]:
    names = name.split(".")
    if len(names) != 2 or any(one not in species for one in names):
        raise ValueError(
            f"pairs are named by two species such as {species[0]}.{species[-1]}, got {name!r}; "
            f"the species are {', '.join(species)}."
        )
    return names[0], names[1]


def _single(
    table: SingleDynamicsTable,
    name: str,
    species: tuple[str, ...],
    pairs: Sequence[tuple[str, str]],
) -> UniformEquation:
    names = [".".join(pair) for pair in pairs]
    unknown = [pair for pair in table.integrals if pair not in names]
    if unknown:
        raise ValueError(
            f"{name}: integrals over the pair {unknown[0]!r}; the pairs of this model are "
            f"{', '.join(names) or 'none: it has order 1'}.{did_you_mean(unknown[0], names)}"
        )
    own = species.index(name)
    local = _nothing if table.F is None else scalar_function(table.F, own, species)
    integrands = tuple(
        _dictionary(table.integrals[pair], name, species) if pair in table.integrals else None
        for pair in names
    )
    return UniformEquation(local, integrands)


def _nothing(nu: Array) -> Array:
    return jnp.zeros((), nu.dtype)


def _pair_function(
    table: float | list[PairTermTable], name: str, species: tuple[str, ...]
) -> ScalarFunction:
    if isinstance(table, list):
        return _dictionary(table, name, species)
    return Constant(jnp.asarray(table, dtype=jnp.float64))


def _dictionary(terms: Sequence[PairTermTable], name: str, species: tuple[str, ...]) -> Dictionary:
    arguments = (*species, PAIR)
    for term in terms:
        unknown = [argument for argument in term.exponents if argument not in arguments]
        if unknown:
            raise ValueError(
                f"{name}: exponents of {unknown[0]!r}; a function of a pair depends on "
                f"{', '.join(arguments)}."
            )
    functions = tuple(
        TERMS[term.kind](tuple(term.exponents.get(own, 0.0) for own in arguments), term.within)
        for term in terms
    )
    return Dictionary(functions, jnp.asarray([t.start for t in terms], dtype=jnp.float64))
