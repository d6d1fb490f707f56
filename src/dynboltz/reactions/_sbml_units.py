"""Units of SBML models, as far as numbers of particles depend on them."""

from __future__ import annotations

import math
from typing import Any, final

import libsbml

AVOGADRO = 6.02214076e23
UNKNOWN = "not given"
OLD_DEFAULTS = {"substance": "mole", "time": "second", "volume": "litre"}
"""Units of levels 1 and 2 where a model does not define others."""


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
        if particles_per_substance is None:
            self.particles = self._particles(problems)
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
        if compartment.isSetUnits():
            return self._text(compartment.getUnits())
        if compartment.getSpatialDimensions() == 3:
            return self._text(self._default("volume"))
        return UNKNOWN

    def _default(self, quantity: str) -> str:
        """Unit of the model for a quantity, empty if there is none."""
        if self.model.getLevel() >= 3:
            return getattr(self.model, f"get{quantity.capitalize()}Units")()
        if self.model.getUnitDefinition(quantity) is not None:
            return quantity
        return OLD_DEFAULTS[quantity]

    def _particles(self, problems: list[str]) -> float | None:
        default = self._default("substance")
        extent = self.model.getExtentUnits() if self.model.getLevel() >= 3 else ""
        species = self.model.getListOfSpecies()
        units = {species.get(i).getSubstanceUnits() or default for i in range(species.size())}
        units |= {extent} - {""} if default else set()
        if len(units) > 1:
            names = ", ".join(sorted(repr(unit) for unit in units))
            problems.append(f"units of substance {names}: must be one for all species.")
            return None
        unit = units.pop() if units else default
        particles = 1.0 if not unit else self._in_unit(unit)
        if particles is None:
            problems.append(
                f"unit of substance {self._text(unit)!r}: is no number of particles; give "
                "`particles_per_substance`."
            )
        return particles

    def _in_unit(self, name: str) -> float | None:
        """Particles in a unit of substance, `None` if it is no such unit."""
        definition = self.model.getUnitDefinition(name)
        if definition is None:
            return _particles_of_kind(libsbml.UnitKind_forName(name))
        if definition.getNumUnits() != 1:
            return None
        unit = definition.getUnit(0)
        kind = _particles_of_kind(unit.getKind())
        if kind is None or unit.getExponentAsDouble() != 1.0:
            return None
        try:
            particles = kind * unit.getMultiplier() * 10.0 ** unit.getScale()
        except OverflowError:
            return None
        return particles if math.isfinite(particles) and particles > 0 else None

    def _text(self, name: str) -> str:
        definition = self.model.getUnitDefinition(name) if name else None
        if definition is None:
            return name or UNKNOWN
        return libsbml.UnitDefinition.printUnits(definition, True)


def _particles_of_kind(kind: int) -> float | None:
    if kind == libsbml.UNIT_KIND_MOLE:
        return AVOGADRO
    if kind == libsbml.UNIT_KIND_AVOGADRO:
        return AVOGADRO
    if kind in (libsbml.UNIT_KIND_ITEM, libsbml.UNIT_KIND_DIMENSIONLESS):
        return 1.0
    return None
