"""The command `dynboltz doctor`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ._help import flowing

HELP = """
Check the installation, or results on the disk.

Without DIR: versions, devices, threads, the kernels that lattice models get here, and how fast this
machine simulates and samples (about 5 seconds each, once kernels are compiled; the first time that
takes a minute).

With DIR, a result directory, a Zarr store or an exported NetCDF file: every checksum is compared,
and what results say they were made from with what is there. A store whose blocks are not all
written, such as that of a shard, is INCOMPLETE, as is a result when what it was made from is gone;
what is broken is DAMAGED. The exit code is 1 if anything is either. Figures, the report and timings
are not verified; `dynboltz report DIR` draws them anew.

--repair takes away what is damaged in a result directory; nothing sound is touched, and `dynboltz
run DIR` then makes what is missing anew, with the same bytes.

Example: dynboltz doctor annihilation-results --repair && dynboltz run annihilation-results
"""
UNSOUND = 1


def doctor(
    path: Annotated[
        Path | None,
        typer.Argument(metavar="[DIR|STORE|FILE]", help="Results to verify.", show_default=False),
    ] = None,
    *,
    repair: Annotated[
        bool, typer.Option("--repair", help="Take away what is damaged in a result directory.")
    ] = False,
) -> None:
    if path is None:
        if repair:
            raise ValueError("--repair: name the result directory to repair.")
        from ._machine import describe_machine  # noqa: PLC0415

        for name, value in describe_machine():
            typer.echo(f"{name + ':':<28} {value}")
        return
    if repair:
        _repair(path)
    else:
        _verify(path)


def _repair(path: Path) -> None:
    from dynboltz import workflow  # noqa: PLC0415

    lines = list(workflow.repair(path))
    for line in lines:
        typer.echo(line)
    typer.echo(_make(path) if lines else "Nothing is damaged.")


def _verify(path: Path) -> None:
    from dynboltz import workflow  # noqa: PLC0415

    n_damaged = n_incomplete = 0
    for name, found in workflow.verify(path):
        label = "DAMAGED" if found.damaged else "INCOMPLETE" if found.missing else "sound"
        typer.echo(f"{name}: {label}")
        for sentence in (*found.damaged, *found.missing):
            typer.echo(f"  {sentence}")
        n_damaged += label == "DAMAGED"
        n_incomplete += label == "INCOMPLETE"
    if not n_damaged and not n_incomplete:
        return
    advice = _make(path)
    if not workflow.ResultDirectory(path).experiment.is_file():
        advice = "Only result directories can be repaired; copy or export it anew."
    elif n_damaged:
        advice = f"`dynboltz doctor {path} --repair` takes away what is damaged. {advice}"
    typer.echo(f"{n_damaged} damaged, {n_incomplete} incomplete. {advice}", err=True)
    raise typer.Exit(UNSOUND)


def _make(path: Path) -> str:
    return (
        f"If this is a shard, `dynboltz simulate {path} --shard I/N` makes what is missing of it; "
        f"otherwise `dynboltz run {path}`."
    )


doctor.__doc__ = flowing(HELP)
