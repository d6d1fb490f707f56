"""Units of SBML models, as far as numbers of particles depend on them."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping
from typing import Any, final

import libsbml

AVOGADRO = 6.02214076e23
UNKNOWN = "not given"
OLD_DEFAULTS = {
    "substance": "mole",
    "time": "second",
    "volume": "litre",
    "area": "square metre",
    "length": "metre",
}
"""Units of levels 1 and 2 where a model does not define others."""
SAME = 1e-9
"""Relative difference of units that are one unit written in two ways."""
IN_BASE_UNITS: dict[int, tuple[float, int, float]] = {
    libsbml.UNIT_KIND_MOLE: (AVOGADRO, libsbml.UNIT_KIND_ITEM, 1.0),
    libsbml.UNIT_KIND_AVOGADRO: (AVOGADRO, libsbml.UNIT_KIND_DIMENSIONLESS, 1.0),
    libsbml.UNIT_KIND_GRAM: (1e-3, libsbml.UNIT_KIND_KILOGRAM, 1.0),
    libsbml.UNIT_KIND_LITRE: (1e-3, libsbml.UNIT_KIND_METRE, 3.0),
    libsbml.UNIT_KIND_LITER: (1e-3, libsbml.UNIT_KIND_METRE, 3.0),
    libsbml.UNIT_KIND_METER: (1.0, libsbml.UNIT_KIND_METRE, 1.0),
}
"""Kinds of units as a number times a power of another kind."""
NUMBERS = ({}, {libsbml.UNIT_KIND_ITEM: 1.0})
"""Dimensions of a number of particles."""

Measure = tuple[float, dict[int, float]]
"""A unit as a number and the exponents of base units."""


@final
class Units:
    """Particles in a unit of substance, and names of units.

    Parameters
    ----------
    model
        The model.
    problems
        Where it is added what has no meaning.
    particles_per_substance
        Number to take instead of what the model says.

    Attributes
    ----------
    particles
        Particles in a unit of substance, `None` if that has no meaning.
    time
        Unit of time as text.
    notes
        What was assumed.
    """

    def __init__(
        self, model: Any, problems: list[str], particles_per_substance: float | None
    ) -> None:
        self.model = model
        self.notes: list[str] = []
        self.time = self._text(self._default("time"))
        unit = self._check(problems, optional=particles_per_substance is not None)
        if particles_per_substance is None:
            self.particles = None if unit is None else self._particles(unit, problems)
        elif math.isfinite(particles_per_substance) and particles_per_substance > 0:
            self.particles = float(particles_per_substance)
        else:
            raise ValueError(
                "`particles_per_substance` must be positive and finite, got "
                f"{particles_per_substance}."
            )
        if self.particles is not None:
            self.notes.append(f"A unit of substance is taken as {self.particles:g} particle(s).")

    def volume(self, compartment: Any) -> str:
        """Unit of the compartment's size as text."""
        return self._text(self._size(compartment))

    def differing(self, law: Any) -> str | None:
        """Unit of a rate law of its own that is not the unit of the model, `None` if it has none.

        Only levels 1 and 2 have such units.
        """
        for own, quantity in ((law.getSubstanceUnits(), "substance"), (law.getTimeUnits(), "time")):
            if own and not self._are_one({own, self._default(quantity)}):
                return own
        return None

    def _size(self, compartment: Any) -> str:
        """Unit of the compartment's size, empty if there is none."""
        if compartment.isSetUnits():
            return compartment.getUnits()
        dimensions = compartment.getSpatialDimensions()
        names = {1: "length", 2: "area", 3: "volume"}
        return self._default(names[dimensions]) if dimensions in names else ""

    def _default(self, quantity: str) -> str:
        """Unit of the model for a quantity, empty if there is none."""
        if self.model.getLevel() >= 3:
            return getattr(self.model, f"get{quantity.capitalize()}Units")()
        if self.model.getUnitDefinition(quantity) is not None:
            return quantity
        return OLD_DEFAULTS[quantity]

    def _check(self, problems: list[str], *, optional: bool) -> str | None:
        """Unit of substance of all species and reactions, `None` if they are not one.

        Empty if the model has none; `optional` lets single species lack it.
        """
        default = self._default("substance")
        extent = self.model.getExtentUnits() if self.model.getLevel() >= 3 else ""
        species = self.model.getListOfSpecies()
        units = {species.get(i).getSubstanceUnits() or default for i in range(species.size())}
        units |= {extent} if extent and any(units) else set()
        if optional and any(units):
            units.discard("")
        if not self._are_one(units):
            names = ", ".join(sorted(repr(unit) for unit in units))
            problems.append(
                f"units of substance {names}: must be one for all species and for the extent of "
                "reactions, whatever their names."
            )
            return None
        self._check_concentrations(problems)
        return min(units, default=default)  # whichever: they are equal

    def _check_concentrations(self, problems: list[str]) -> None:
        """Level 2 can give concentrations in another unit of volume than the compartment's."""
        species = self.model.getListOfSpecies()
        for one in (species.get(i) for i in range(species.size())):
            own = one.getSpatialSizeUnits()
            compartment = self.model.getCompartment(one.getCompartment())
            if (
                own
                and compartment is not None
                and not self._are_one({own, self._size(compartment)})
            ):
                problems.append(
                    f"species {one.getId()!r}: its concentration is per {own!r}, which is not the "
                    "unit of its compartment's size."
                )

    def _are_one(self, names: set[str]) -> bool:
        """Whether units have the same value."""
        if len(names) <= 1:
            return True
        measures = [self._measure(name) for name in names]
        first = measures[0]
        if first is None:
            return False
        return all(
            one is not None and one[1] == first[1] and math.isclose(one[0], first[0], rel_tol=SAME)
            for one in measures
        )

    def _particles(self, unit: str, problems: list[str]) -> float | None:
        """Particles in a unit of substance, `None` if it is no number of them."""
        measure = self._measure(unit) if unit else (1.0, {})
        if measure is None or measure[1] not in NUMBERS:
            problems.append(
                f"unit of substance {self._text(unit)!r}: is no number of particles; give "
                "`particles_per_substance`."
            )
            return None
        return measure[0]

    def _measure(self, name: str) -> Measure | None:
        """A unit as a number times powers of base units, `None` if it is none or not finite."""
        definition = self.model.getUnitDefinition(name)
        if definition is None:
            name = OLD_DEFAULTS.get(name, name)
            if name == OLD_DEFAULTS["area"]:
                return 1.0, {libsbml.UNIT_KIND_METRE: 2.0}
            factor, base, power = _in_base_units(libsbml.UnitKind_forName(name))
            return None if base == libsbml.UNIT_KIND_INVALID else (factor, _powers({base: power}))
        value, powers = 1.0, defaultdict[int, float](float)
        for unit in (definition.getUnit(i) for i in range(definition.getNumUnits())):
            factor, base, power = _in_base_units(unit.getKind())
            exponent = unit.getExponentAsDouble()
            try:
                value *= (factor * unit.getMultiplier() * 10.0 ** unit.getScale()) ** exponent
            except (OverflowError, ZeroDivisionError):
                return None
            powers[base] += power * exponent
        if not (math.isfinite(value) and value > 0):
            return None
        return value, _powers(powers)

    def _text(self, name: str) -> str:
        definition = self.model.getUnitDefinition(name) if name else None
        if definition is None:
            return name or UNKNOWN
        return libsbml.UnitDefinition.printUnits(definition, True)


def _in_base_units(kind: int) -> tuple[float, int, float]:
    """A kind of unit as a number times a power of another kind."""
    return IN_BASE_UNITS.get(kind, (1.0, kind, 1.0))


def _powers(powers: Mapping[int, float]) -> dict[int, float]:
    """Exponents without those that cancel."""
    return {
        kind: power
        for kind, power in powers.items()
        if power and kind != libsbml.UNIT_KIND_DIMENSIONLESS
    }
