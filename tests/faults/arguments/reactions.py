"""Valid calls of `dynboltz.reactions`."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from bad_arguments import call

from dynboltz.reactions import ImportedNetwork, Reaction, ReactionNetwork, parse_antimony

ANTIMONY = "species A in c, B in c; compartment c = 2; A -> B; k*A; k = 3; A = 5"


def calls() -> dict[str, Any]:
    network = ReactionNetwork.parse("A -> B ; k = 3\nA + A -> 0 ; k = 1")
    imported = ImportedNetwork("m", network, 2.0, {"A": 5.0}, "time", "litre", ())
    entries = {
        "ImportedNetwork": call(
            name="m",
            well_mixed=network,
            volume=2.0,
            amounts={"A": 5.0},
            time_unit="time",
            volume_unit="litre",
            notes=("one",),
        ),
        "ImportedNetwork.in_box": call(imported, reaction_radius=0.1, dimensions=3),
        "ImportedNetwork.on_lattice": call(imported, site_volume=0.1, dimensions=2),
        "Reaction": call(reactants=("A", "B"), products=("B",), rate=2.0, probability=None),
        "ReactionNetwork": call(
            reactions=(Reaction(("A",), ("B",), rate=2.0),), species=("A", "B")
        ),
        "ReactionNetwork.parse": call(text="A -> B ; k = 3", species=("A", "B")),
        "species_symmetries": call(network=network, hop_rates={"A": 1.0, "B": 1.0}),
        "equation_text": call(reactants=("A",), products=("A", "B")),
    }
    try:
        sbml = _sbml()
        file = Path(tempfile.mkdtemp()) / "model.xml"
        file.write_bytes(sbml)
        text = file.with_suffix(".ant")
        text.write_text(ANTIMONY, encoding="utf-8")
        parse_antimony(ANTIMONY)
    except ImportError:  # libSBML and Antimony are optional
        return entries
    return entries | {
        "parse_antimony": call(text=ANTIMONY, source="here", particles_per_substance=1.0),
        "parse_sbml": call(content=sbml, source="here", particles_per_substance=1.0),
        "read_antimony": call(path=text, particles_per_substance=1.0),
        "read_sbml": call(path=file, particles_per_substance=1.0),
    }


def _sbml() -> bytes:
    import antimony  # noqa: PLC0415

    antimony.clearPreviousLoads()
    antimony.loadAntimonyString(ANTIMONY)
    return antimony.getSBMLString(antimony.getMainModuleName()).encode()


def others() -> list[Any]:
    return [ReactionNetwork.parse("C + D -> D ; p = 0.5"), Reaction((), ("Q",), rate=1.0)]
