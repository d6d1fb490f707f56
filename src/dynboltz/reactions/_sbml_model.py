"""What of a model that libSBML has read has a meaning in space, and its reaction network."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, final

import libsbml

from ._imported import ImportedNetwork, NetworkImportError
from ._mass_action import SAME, mass_action_reactions, merged
from ._network import ReactionNetwork
from ._polynomial import (
    MOST,
    MissingValueError,
    NotMassActionError,
    Polynomial,
    constant,
    constant_value,
    multiply,
    variable,
)
from ._reaction import Reaction
from ._sbml_math import FormulaReader
from ._sbml_units import Units

SIZES = (1.0, math.pi)
"""For a compartment without a size: sizes at which what does not depend on it is the same."""
EXTENDED_MATH = "l3v2extendedmath"
"""Further functions, of which those that are used are refused one by one."""


def network_of_model(
    document: Any, source: str, particles_per_substance: float | None
) -> ImportedNetwork:
    """Network of the model of a document without errors.

    Raises
    ------
    NetworkImportError
        If parts of it have no meaning here, or a rate law is not mass action; lists all of them.
    """
    model = document.getModel()
    problems = [*_unread_packages(document), *_unsupported_parts(model)]
    compartment = _only_compartment(model, problems)
    units = Units(model, problems, particles_per_substance)
    if compartment is None or units.particles is None:
        raise NetworkImportError(source, _listed(problems))
    sized = _has_size(model, compartment)
    read = _read if sized else _read_without_size
    content = read(model, compartment, units)
    problems += content.problems
    if problems:
        raise NetworkImportError(source, _listed(problems))
    names = [one.getId() for one in _each(model.getListOfSpecies()) if not _is_reservoir(one)]
    reactions = list(itertools.chain.from_iterable(content.reactions.values()))
    return ImportedNetwork(
        name=_one_line(model.getName() or model.getId() or "unnamed"),
        well_mixed=ReactionNetwork(merged(reactions), tuple(names)),
        volume=content.volume if sized else None,
        amounts=content.amounts,
        time_unit=_one_line(units.time),
        volume_unit=_one_line(units.volume(compartment)),
        notes=(*units.notes, *content.notes),
    )


@final
@dataclass
class _Content:
    """What a model says, and what of it has no meaning.

    Attributes
    ----------
    volume
        Size of the compartment.
    reactions
        One-way reactions that each reaction of the model consists of.
    amounts
        Number of particles of each species at the beginning.
    notes
        What was read otherwise than it stands in the file.
    problems
        What has no meaning.
    """

    volume: float = math.nan
    reactions: dict[str, list[Reaction]] = field(default_factory=dict)
    amounts: dict[str, float] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


def _has_size(model: Any, compartment: Any) -> bool:
    """Whether the size of a compartment is known; in level 1 it is 1 where none is given."""
    name = compartment.getId()
    return (
        model.getLevel() == 1
        or compartment.isSetSize()
        or model.getInitialAssignmentBySymbol(name) is not None
        or model.getAssignmentRuleByVariable(name) is not None
    )


def _read(model: Any, compartment: Any, units: Units, size: float | None = None) -> _Content:
    """What a model says, with `size` in place of that of the compartment."""
    assert units.particles is not None
    content = _Content()
    values = _Values(model, compartment, units.particles, size)
    volume = _volume(values, compartment, content.problems)
    if volume is None:
        return content
    content.volume = volume
    content.reactions = _reactions(model, values, units, content)
    content.amounts = dict(_amounts(model, values, content.problems))
    if not content.problems and not any(content.reactions.values()):
        content.problems.append("no reaction of it changes anything.")
    return content


def _read_without_size(model: Any, compartment: Any, units: Units) -> _Content:
    """What a model says of which the compartment has no size: what is the same for two sizes."""
    content, other = (_read(model, compartment, units, size) for size in SIZES)
    name = compartment.getId()
    for reaction, parts in content.reactions.items():
        if not _are_same(parts, other.reactions.get(reaction, [])):
            content.problems.append(
                f"reaction {reaction!r}: its rate depends on the size of the compartment "
                f"{name!r}, which is not given."
            )
    for species, amount in list(content.amounts.items()):
        if not math.isclose(amount, other.amounts.get(species, math.nan), rel_tol=SAME):
            del content.amounts[species]
            content.notes.append(
                f"The amount of {species} at the beginning depends on the size of the compartment "
                f"{name}, which is not given."
            )
    return content


def _are_same(first: Sequence[Reaction], second: Sequence[Reaction]) -> bool:
    """Whether reactions differ by rounding only."""
    return len(first) == len(second) and all(
        (a.reactants, a.products) == (b.reactants, b.products)
        and math.isclose(a.rate or 0.0, b.rate or 0.0, rel_tol=SAME)
        for a, b in zip(first, second, strict=True)
    )


def _one_line(text: str) -> str:
    """Text of a file without line breaks and control characters."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


def _listed(problems: Sequence[str]) -> tuple[str, ...]:
    return (f"{len(problems)} part(s) of the model have no meaning in space:", *problems)


def _each(elements: Any) -> Iterator[Any]:
    return (elements.get(index) for index in range(elements.size()))


def _is_reservoir(species: Any) -> bool:
    """Whether reactions leave the amount of a species as it is."""
    return species.getConstant() or species.getBoundaryCondition()


def _unread_packages(document: Any) -> Iterator[str]:
    if document.getLevel() < 3:
        return
    plugins = (document.getPlugin(index) for index in range(document.getNumPlugins()))
    known = [(plugin.getPackageName(), plugin.getURI()) for plugin in plugins]
    unknown = [
        (document.getUnknownPackagePrefix(index), document.getUnknownPackageURI(index))
        for index in range(document.getNumUnknownPackages())
    ]
    for name, uri in [*known, *unknown]:
        if name != EXTENDED_MATH and document.getPackageRequired(uri):
            hint = "; write the submodels out first" if name == "comp" else ""
            yield f"package {name!r}: changes the meaning of the model and is not read{hint}."


def _unsupported_parts(model: Any) -> Iterator[str]:
    """Everything beside reactions that changes amounts or constants over time."""
    for event in _each(model.getListOfEvents()):
        yield f"event {event.getId() or event.getName()!r}: there are no events in space."
    for constraint in _each(model.getListOfConstraints()):
        yield f"constraint at line {constraint.getLine()}: cannot be kept."
    species = {one.getId() for one in _each(model.getListOfSpecies())}
    for rule in _each(model.getListOfRules()):
        name = rule.getVariable()
        if rule.isAlgebraic():
            yield f"algebraic rule at line {rule.getLine()}: only reactions change amounts."
        elif rule.isRate():
            yield f"rate rule of {name!r}: only reactions change amounts."
        elif name in species or model.getParameter(name) is None:
            yield f"assignment rule of {name!r}: only parameters can have one."
    for one in _each(model.getListOfSpecies()):
        if one.isSetConversionFactor() or model.isSetConversionFactor():
            yield f"species {one.getId()!r}: has a conversion factor; convert its amounts first."
    for reaction in _each(model.getListOfReactions()):
        if reaction.getFast():
            yield f"reaction {reaction.getId()!r}: is `fast`, in equilibrium at all times."


def _only_compartment(model: Any, problems: list[str]) -> Any:
    used = {one.getCompartment() for one in _each(model.getListOfSpecies())}
    found = [one for one in _each(model.getListOfCompartments()) if one.getId() in used]
    if len(found) == 1:
        return found[0]
    if found:
        names = ", ".join(repr(one.getId()) for one in found)
        problems.append(
            f"compartments {names}: a lattice or box is one compartment. Import one at a time."
        )
    else:
        problems.append("it has no species in a compartment.")
    return None


def _volume(values: _Values, compartment: Any, problems: list[str]) -> float | None:
    name = compartment.getId()
    try:
        volume = values.at_start(name)
    except NotMassActionError as error:
        problems.append(f"compartment {name!r}: {error}.")
        return None
    if not volume > 0:
        problems.append(f"compartment {name!r}: its size must be positive, is {volume:g}.")
        return None
    return volume


def _amounts(model: Any, values: _Values, problems: list[str]) -> Iterator[tuple[str, float]]:
    """Numbers of particles at the beginning."""
    for one in _each(model.getListOfSpecies()):
        name = one.getId()
        if _is_reservoir(one) or not values.has_start(name):
            continue
        try:
            yield name, values.particles_at_start(one)
        except NotMassActionError as error:
            problems.append(f"species {name!r}, amount at the beginning: {error}.")


def _reactions(
    model: Any, values: _Values, units: Units, content: _Content
) -> dict[str, list[Reaction]]:
    """One-way reactions that each reaction of the model consists of; adds notes and problems."""
    found: dict[str, list[Reaction]] = {}
    for one in _each(model.getListOfSpecies()):
        if _is_reservoir(one):
            content.notes.append(
                f"{one.getId()} has a constant amount, which is part of the rates."
            )
    for reaction in _each(model.getListOfReactions()):
        name = reaction.getId()
        try:
            found[name] = _parts(reaction, values, units)
        except NotMassActionError as error:
            content.problems.append(f"reaction {name!r}: {error}.")
            continue
        if not found[name]:
            content.notes.append(f"reaction {name} is left out, since it changes nothing.")
    return found


def _parts(reaction: Any, values: _Values, units: Units) -> list[Reaction]:
    """One-way reactions that a reaction of the model consists of."""
    reactants = _side(values, reaction.getListOfReactants(), "reactants")
    products = _side(values, reaction.getListOfProducts(), "products")
    law = reaction.getKineticLaw()
    if law is None or law.getMath() is None:
        raise NotMassActionError("it has no rate law")
    unit = units.differing(law)
    if unit is not None:
        raise NotMassActionError(f"its rate law has the unit {unit!r}, which is not the model's")
    text = " ".join((libsbml.formulaToL3String(law.getMath()) or "").split())
    shown = text if len(text) <= 80 else text[:77] + "..."
    try:
        events = multiply(constant(values.particles), values.law(law))
        return mass_action_reactions(
            events, reactants, products, reversible=reaction.getReversible()
        )
    except MissingValueError as error:
        raise NotMassActionError(f"its rate law {shown} has no value, since {error}") from None
    except NotMassActionError as error:
        raise NotMassActionError(
            f"its rate law {shown} is not mass action: {error}; write it out in elementary steps, "
            "such as binding, unbinding and turnover of an enzyme"
        ) from None


def _side(values: _Values, references: Any, which: str) -> list[str]:
    """Species of one side, each as often as an event takes or makes it."""
    names: list[str] = []
    for reference in _each(references):
        species = values.species[reference.getSpecies()]
        count = _stoichiometry(values.model, reference)
        if not _is_reservoir(species):
            names += [species.getId()] * count
        if len(names) > MOST:
            raise NotMassActionError(
                f"it has more than two {which}; write it as reactions through an intermediate "
                "species"
            )
    return names


def _stoichiometry(model: Any, reference: Any) -> int:
    name = reference.getSpecies()
    changed = reference.getId() and (
        model.getRuleByVariable(reference.getId()) is not None
        or model.getInitialAssignmentBySymbol(reference.getId()) is not None
    )
    if changed or reference.isSetStoichiometryMath():
        raise NotMassActionError(f"the stoichiometry of {name!r} is a formula; give a number")
    value = reference.getStoichiometry() / reference.getDenominator()
    if value not in (0.0, 1.0, 2.0):
        raise NotMassActionError(f"the stoichiometry of {name!r} must be 1 or 2, is {value:g}")
    return int(value)


@final
class _Values:
    """What the names of a model stand for: at the beginning, and in rate laws.

    Parameters
    ----------
    model
        The model.
    compartment
        The compartment of its species.
    particles
        Particles in a unit of substance.
    size
        Size of the compartment, `None` for that of the model.
    """

    def __init__(self, model: Any, compartment: Any, particles: float, size: float | None) -> None:
        self.model = model
        self.compartment = compartment
        self.particles = particles
        self.size = size
        functions = {one.getId(): one for one in _each(model.getListOfFunctionDefinitions())}
        self.reader = FormulaReader(functions)
        self.species = {one.getId(): one for one in _each(model.getListOfSpecies())}
        self.starts: dict[str, float] = {}
        self.pending: list[str] = []

    def law(self, law: Any) -> Polynomial:
        """A rate law, in units of substance per time, of numbers of particles."""
        local = {one.getId(): one for one in _each(law.getListOfParameters())}
        local |= {one.getId(): one for one in _each(law.getListOfLocalParameters())}

        def lookup(name: str) -> Polynomial:
            if name in local:
                return constant(_attribute(name, local[name].isSetValue(), local[name].getValue()))
            return self.in_law(name)

        return self.reader.read(law.getMath(), lookup)

    def in_law(self, name: str) -> Polynomial:
        """What a name stands for in a rate law."""
        species = self.species.get(name)
        if species is not None and not _is_reservoir(species):
            per_particle = 1.0 / self.particles
            if not species.getHasOnlySubstanceUnits():
                per_particle /= self.at_start(self.compartment.getId())
            return variable(name, per_particle)
        rule = self.model.getAssignmentRuleByVariable(name)
        if rule is None:
            return constant(self.at_start(name))
        return self._once(name, lambda: self.reader.read(rule.getMath(), self.in_law))

    def at_start(self, name: str) -> float:
        """Value of a parameter, compartment or species at time 0."""
        if name not in self.starts:
            formula = self._formula(name)
            self.starts[name] = (
                self._given(name)
                if formula is None
                else self._once(name, lambda: self._number(formula))
            )
        return self.starts[name]

    def has_start(self, name: str) -> bool:
        """Whether a species has an amount or concentration at time 0."""
        species = self.species[name]
        given = species.isSetInitialAmount() or species.isSetInitialConcentration()
        return given or self._formula(name) is not None

    def particles_at_start(self, species: Any) -> float:
        """Number of particles of a species at time 0."""
        value = self.at_start(species.getId()) * self.particles
        if not species.getHasOnlySubstanceUnits():
            value *= self.at_start(self.compartment.getId())
        if not (math.isfinite(value) and value >= 0):
            raise NotMassActionError(f"must be finite and not negative, is {value:g}")
        return value

    def _once(self, name: str, read: Any) -> Any:
        if name in self.pending:
            raise NotMassActionError(f"{name!r} is defined by itself")
        self.pending.append(name)
        try:
            return read()
        finally:
            self.pending.pop()

    def _formula(self, name: str) -> Any:
        for found in (
            self.model.getInitialAssignmentBySymbol(name),
            self.model.getAssignmentRuleByVariable(name),
        ):
            if found is not None:
                return found.getMath()
        return None

    def _number(self, formula: Any) -> float:
        value = constant_value(
            self.reader.read(formula, lambda symbol: constant(self.at_start(symbol)))
        )
        assert value is not None
        return value

    def _given(self, name: str) -> float:
        """Value among the attributes of an element."""
        parameter = self.model.getParameter(name)
        if parameter is not None:
            return _attribute(name, parameter.isSetValue(), parameter.getValue())
        if name == self.compartment.getId() and self.size is not None:
            return self.size
        compartment = self.model.getCompartment(name)
        if compartment is not None:
            is_set = compartment.isSetSize() or self.model.getLevel() == 1
            return _attribute(name, is_set, compartment.getSize())
        species = self.species.get(name)
        if species is None:
            raise NotMassActionError(f"it uses {name!r}, which is no species or parameter")
        volume = 1.0
        if not species.getHasOnlySubstanceUnits():
            volume = self.at_start(self.compartment.getId())
        if species.isSetInitialConcentration():
            factor = volume if species.getHasOnlySubstanceUnits() else 1.0
            return species.getInitialConcentration() * factor
        return _attribute(name, species.isSetInitialAmount(), species.getInitialAmount()) / volume


def _attribute(name: str, is_set: bool, value: float) -> float:
    if not is_set or not math.isfinite(value):
        raise MissingValueError(f"{name!r} has no value")
    return float(value)
