"""The command `dynboltz import-network`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from ._checks import check_file
from ._help import flowing

HELP = """
Turn an SBML or Antimony model into reactions for an experiment file.

Rate laws must be mass action with up to two reactants; whatever else the model holds that has no
meaning in space is refused by name.

Rate constants of a well-mixed volume are not those of a lattice or a box. Say which you want:
--site-volume V for a lattice whose sites have the volume V; --reaction-radius R for particles
that react within R; --well-mixed for numbers of particles in the model's compartment.

Example: dynboltz import-network model.xml --site-volume 0.001 --out reactions.txt
"""
SBML, ANTIMONY = (".xml", ".sbml"), (".ant", ".txt")
MEANINGS = {
    "lattice": "per empty site without a reactant, per particle, per neighbouring pair",
    "box": "per volume without a reactant, per particle, per pair within the radius",
    "well-mixed": "in the compartment without a reactant, per particle, per pair of particles",
}


def import_network(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Model: .xml, .sbml, .ant or .txt.")],
    *,
    site_volume: Annotated[
        float | None,
        typer.Option("--site-volume", help="Lattice: volume of a site, in the model's unit."),
    ] = None,
    reaction_radius: Annotated[
        float | None,
        typer.Option("--reaction-radius", help="Box: radius within which pairs react."),
    ] = None,
    well_mixed: Annotated[
        bool, typer.Option("--well-mixed", help="Numbers of particles in the compartment.")
    ] = False,
    dimensions: Annotated[
        int, typer.Option("--dim", min=1, max=3, help="Axes of the lattice or box.")
    ] = 3,
    particles_per_substance: Annotated[
        float | None,
        typer.Option(
            "--particles-per-substance",
            help="Particles in a unit of substance, if not as the units of the model say.",
        ),
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="File to write, .txt, instead of the screen.")
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace the file of --out if it is there already.")
    ] = False,
) -> None:
    if (site_volume is not None) + (reaction_radius is not None) + well_mixed != 1:
        raise ValueError(
            "Give exactly one of --site-volume, --reaction-radius and --well-mixed, since rate "
            "constants differ between them."
        )
    if file.suffix.lower() not in SBML + ANTIMONY:
        raise ValueError(f"{file}: must end in {', '.join(SBML + ANTIMONY)}.")
    if not file.is_file():
        raise ValueError(f"{file}: there is no such file.")
    if out is not None:
        check_file(out, (".txt",), overwrite=overwrite)
    from dynboltz.reactions import read_antimony, read_sbml  # noqa: PLC0415

    read = read_sbml if file.suffix.lower() in SBML else read_antimony
    imported = read(file, particles_per_substance=particles_per_substance)
    if site_volume is not None:
        network, kind = imported.on_lattice(site_volume, dimensions=dimensions), "lattice"
        place = f"lattice, axes: {dimensions}, volume of a site: {site_volume:.12g}"
    elif reaction_radius is not None:
        network, kind = imported.in_box(reaction_radius, dimensions=dimensions), "box"
        place = f"box, axes: {dimensions}, reaction radius: {reaction_radius:.12g}"
    else:
        network, kind = imported.well_mixed, "well-mixed"
        place = "well mixed"
    text = f"{_origin(imported, file, kind, place)}{network.to_text()}\n"
    if out is None:
        typer.echo(text, nl=False)
    else:
        from dynboltz.store._files import replacing_file  # noqa: PLC0415

        with replacing_file(out) as temporary:
            temporary.write_text(text, encoding="utf-8", errors="backslashreplace")
        typer.echo(f"Reactions: {out}")


import_network.__doc__ = flowing(HELP)


def _origin(imported: Any, file: Path, kind: str, place: str) -> str:
    """Comment lines on what was read, and what the numbers mean."""
    volume = "not given" if imported.volume is None else f"{imported.volume:.12g}"
    lines = [
        f"{imported.name}, from {file.name}",
        f"Species: {', '.join(imported.well_mixed.species)}",
        f"For: {place}",
        f"k: {MEANINGS[kind]}; unit of time: {imported.time_unit}",
        f"Volume of the model: {volume}; unit of volume: {imported.volume_unit}",
        *(f"{name}: {n:.12g} particles at the beginning" for name, n in imported.amounts.items()),
        *imported.notes,
    ]
    return "".join(f"# {line}\n" for line in lines)
