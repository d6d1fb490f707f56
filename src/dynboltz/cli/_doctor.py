"""The command `dynboltz doctor`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ._help import flowing

HELP = """
Check the installation, or results on the disk.

Without DIR: versions, devices, threads, the kernels that models get here, and how fast this machine
simulates and samples (about 5 seconds each).

With DIR, a result directory, a Zarr store or an exported NetCDF file: every checksum is compared,
and what results say they were made from with what is there. The exit code is 1 if anything is
wrong.

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
    from dynboltz import workflow  # noqa: PLC0415

    n_unsound = 0
    for name, faults in workflow.verify(path):
        typer.echo(f"{name}: {'sound' if not faults else 'DAMAGED'}")
        for fault in faults:
            typer.echo(f"  {fault}")
        n_unsound += bool(faults)
    if not n_unsound:
        return
    if repair:
        for line in workflow.repair(path):
            typer.echo(line)
        typer.echo(
            f"Run `dynboltz run {path}` to make anew what is missing; in a shard, "
            f"`dynboltz simulate {path} --shard I/N`."
        )
        return
    if workflow.ResultDirectory(path).experiment.is_file():
        repair_it = f"`dynboltz doctor {path} --repair`"
        advice = f"{repair_it} takes away what is damaged, `dynboltz run` makes it"
    else:
        advice = "Only result directories can be repaired; copy or export it"
    typer.echo(f"{n_unsound} damaged or not complete. {advice} anew.", err=True)
    raise typer.Exit(UNSOUND)


doctor.__doc__ = flowing(HELP)
