"""The command `dynboltz export`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from dynboltz._hints import did_you_mean

from ._checks import check_file, check_model
from ._help import flowing

HELP = """
Write a learned model or simulated trajectories as one file.

--model NAME --out FILE.nc: a learned model with its settings. xarray reads it alone; on any machine
`dynboltz predict FILE.nc` and `dynboltz sample FILE.nc` predict and draw from it, and
`dynboltz.workflow.read_model_file` opens it in Python, models of particles in a box too; a law of
moments (family = "auto") is opened by `dynboltz.load`.

--trajectories train --out FILE.nc: states and moments of all replicas as NetCDF, or with --replica
those of one.

--trajectories test --out FILE.csv: moments and numbers of particles as a table for pandas or R, one
value a line, without states; FILE.csv.json holds units and lineage.

--trajectories test --replica 3 --out FILE.xyz: the particles of one replica as extended XYZ, which
OVITO reads, and ASE if species are named as chemical elements.

Every file holds what it was made from under `lineage`: settings, network, seed, version, checksums.

Example: dynboltz export annihilation-results --model visible --out visible.nc && dynboltz predict
visible.nc
"""


def export(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="Result directory.")],
    *,
    out: Annotated[Path, typer.Option("--out", help="File to write, .nc, .csv or .xyz.")],
    model: Annotated[
        str | None, typer.Option("--model", metavar="NAME", help="Name of a learned model.")
    ] = None,
    trajectories: Annotated[
        str | None, typer.Option("--trajectories", metavar="train|test", help="Which part.")
    ] = None,
    replica: Annotated[
        int | None, typer.Option("--replica", min=0, help="One replica instead of all.")
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace the file of --out if it is there already.")
    ] = False,
) -> None:
    if (model is None) == (trajectories is None):
        raise ValueError("Give --model NAME or --trajectories train|test, one of the two.")
    if trajectories not in (None, "train", "test"):
        raise ValueError(
            f"--trajectories: must be train or test, got {trajectories!r}."
            f"{did_you_mean(trajectories, ('train', 'test'))}"
        )
    if model is not None and replica is not None:
        raise ValueError("--replica: belongs to --trajectories.")
    formats = (".nc",) if model is not None else (".nc", ".csv", ".xyz")
    check_file(out, formats, overwrite=overwrite)
    if out.suffix == ".csv":
        check_file(out.with_name(f"{out.name}.json"), (".json",), overwrite=overwrite)
    if out.suffix == ".xyz" and replica is None:
        raise ValueError("--replica: is needed for a file .xyz, which holds one replica.")
    if model is not None:
        check_model(directory, model)
        _export_model(directory, model, out)
        typer.echo(f"Model: {out}")
    else:
        assert trajectories is not None
        _export_trajectories(directory, trajectories, replica, out)
        typer.echo(f"Trajectories: {out}")


export.__doc__ = flowing(HELP)


def _export_model(directory: Path, name: str, out: Path) -> None:
    from dynboltz.workflow import ResultDirectory, export_model  # noqa: PLC0415

    results = ResultDirectory(directory)
    export_model(results.load_experiment(), results, name, out)


def _export_trajectories(directory: Path, part: str, replica: int | None, out: Path) -> None:
    from dynboltz.workflow import ResultDirectory, export_trajectories  # noqa: PLC0415

    export_trajectories(ResultDirectory(directory), part, out, replica=replica)
