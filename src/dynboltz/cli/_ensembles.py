"""Commands for ensembles beyond one process: `dynboltz merge` and `dynboltz sweep`."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from dynboltz.experiments import find_experiment, find_results

from ._help import flowing

Scheduler = Annotated[
    str | None,
    typer.Option(
        "--scheduler", metavar="ADDRESS", help="Dask scheduler, such as tcp://10.0.0.1:8786."
    ),
]
Workers = Annotated[
    int | None,
    typer.Option("--workers", min=1, help="Processes to start on this machine (Dask)."),
]

MERGE_HELP = """
Join the shards of a simulation in one result directory.

Shards are made by `dynboltz simulate EXPERIMENT --shard I/N --out DIR`, for I from 1 to N, in any
order and on any machine. The merged trajectories have the bytes of a simulation in one process.
Every checksum is compared on the way; the shards are left as they are. Run the command again after
an interruption, or with further shards.

Example:

    for i in 1 2 3 4; do dynboltz simulate annihilation --shard $i/4 --out shard-$i; done

    dynboltz merge shard-* --out annihilation-results && dynboltz run annihilation-results
"""

SWEEP_HELP = """
Run an experiment with every combination of some settings.

--vary KEY=[VALUE, ...] names a setting, as --set does, and its values in TOML; repeat it for more.
Each combination gets a result directory run-0001, run-0002, ... in DIR, with its report; sweep.csv
has one row for each run, model and quantity with the error over the test set.

Example: dynboltz sweep annihilation --preset quick --vary 'seed=[1, 2, 3]' --vary
'kernel.dt=[0.005, 0.01]' --out sweep --workers 2
"""


@contextmanager
def chosen_workers(scheduler: str | None, workers: int | None) -> Iterator[Any]:
    """Workers that options ask for; none if they ask for none."""
    if scheduler is None and workers is None:
        yield None
        return
    if scheduler is not None and workers is not None:
        raise ValueError("Give --scheduler or --workers, not both.")
    from dynboltz.workflow import dask_workers  # noqa: PLC0415

    with dask_workers(scheduler, n_workers=workers) as found:
        yield found


def merge(
    shards: Annotated[
        list[Path], typer.Argument(metavar="SHARD...", help="Result directories of the shards.")
    ],
    *,
    out: Annotated[Path, typer.Option("--out", help="Result directory to write.")],
) -> None:
    for shard in shards:
        find_results(shard)
    from dynboltz import workflow  # noqa: PLC0415

    from ._show import progress_display  # noqa: PLC0415

    with progress_display(out) as progress:
        workflow.merge(shards, out, progress=progress)
    typer.echo(f"Trajectories: {out / 'trajectories'}")


def sweep(
    experiment: Annotated[
        str,
        typer.Argument(
            metavar="EXPERIMENT",
            help="Experiment file (TOML) or a name from `dynboltz experiments`.",
        ),
    ],
    *,
    vary: Annotated[
        list[str],
        typer.Option("--vary", metavar="KEY=[VALUE,...]", help="Setting to vary; repeat for more."),
    ],
    out: Annotated[Path, typer.Option("--out", help="Directory for the runs.")],
    preset: Annotated[
        str | None, typer.Option("--preset", help="Preset of the experiment file.")
    ] = None,
    overrides: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Change a setting of all runs."),
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace results that depend on other settings.")
    ] = False,
    scheduler: Scheduler = None,
    workers: Workers = None,
) -> None:
    varied = _varied(vary)
    find_experiment(experiment)
    from dynboltz import workflow  # noqa: PLC0415

    from ._show import progress_display  # noqa: PLC0415

    with chosen_workers(scheduler, workers) as found, progress_display(out) as progress:
        table = workflow.sweep(
            experiment,
            varied,
            out,
            preset=preset,
            overrides=overrides or (),
            overwrite=overwrite,
            workers=found,
            progress=progress,
        )
    typer.echo(f"Table: {table}")


merge.__doc__, sweep.__doc__ = flowing(MERGE_HELP), flowing(SWEEP_HELP)


def _varied(options: Sequence[str]) -> dict[str, list[Any]]:
    """Values by key, as `--vary` gives them."""
    found: dict[str, list[Any]] = {}
    for option in options:
        key, _, values = option.partition("=")
        key = key.strip()
        try:
            listed = tomllib.loads(f"values = {values}")["values"]
        except tomllib.TOMLDecodeError as error:
            raise ValueError(_message(option, str(error))) from error
        if not key or not isinstance(listed, list) or not listed:
            raise ValueError(_message(option, "there must be a key and a list"))
        if key in found:
            raise ValueError(_message(option, f"{key} is there twice"))
        found[key] = listed
    return found


def _message(option: str, problem: str) -> str:
    return (
        f"--vary {option}: must be KEY=[VALUE, ...], values in TOML, such as "
        f"--vary 'seed=[1, 2, 3]': {problem}."
    )
