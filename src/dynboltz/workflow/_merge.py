"""Joining the shards of a simulation."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ._directory import ResultDirectory, claim
from ._ensemble import AbstractEnsemble, Blocks
from ._errors import ExperimentError
from ._lock import only_writer
from ._parts import PARTS
from ._progress import Progress, silent
from ._stages import stages_of

SHOWN = 5


def merge(
    shards: Sequence[Path | str], out: Path | str, *, progress: Progress = silent
) -> ResultDirectory:
    """Join the trajectories of shards in one result directory.

    Every block is copied from the first shard that has it, and its checksums are compared on the
    way; the bytes are those of a simulation in one process. Blocks that are there already are
    kept, so that an interrupted merge goes on where it was. The shards are left as they are.

    Parameters
    ----------
    shards
        Result directories of `simulate` with a `shard`.
    out
        Result directory to write: new, or of the same experiment.
    progress
        Called after every block.

    Returns
    -------
    directory
        Where the trajectories are.

    Raises
    ------
    ExperimentError
        If there is no shard, shards belong to different experiments, or blocks are in none of
        them; those that are found are then copied.
    StoreError
        If a chunk is damaged, or the disk refuses.
    """
    directories = [ResultDirectory(shard) for shard in shards]
    if not directories:
        raise ExperimentError("merge: give at least one result directory of a shard.")
    if any(d.path.resolve() == Path(out).resolve() for d in directories):
        raise ExperimentError(f"{out}: is one of the shards; choose another directory with --out.")
    experiments = [directory.load_experiment() for directory in directories]
    for directory, experiment in zip(directories, experiments, strict=True):
        if experiment.table != experiments[0].table:
            raise ExperimentError(
                f"{directory.path}: is a shard of another experiment than {directories[0].path}: "
                "their files `experiment.toml` differ. Merge shards of the same settings."
            )
    whole = claim(experiments[0], out)
    lacking: list[str] = []
    with only_writer(whole.path):
        for part in PARTS:
            ensemble = stages_of(experiments[0]).ensemble(experiments[0], part)
            lacking += _merge_part(ensemble, directories, whole, progress)
    if lacking:
        more = f" and {len(lacking) - SHOWN} more" if len(lacking) > SHOWN else ""
        raise ExperimentError(
            f"{out}: {len(lacking)} blocks are in none of the shards: "
            f"{', '.join(lacking[:SHOWN])}{more}. Merge again with the shards that have them, or "
            f"simulate them with `dynboltz simulate {out}`."
        )
    return whole


def _merge_part(
    ensemble: AbstractEnsemble,
    shards: Sequence[ResultDirectory],
    whole: ResultDirectory,
    progress: Progress,
) -> list[str]:
    """Copy the blocks of one part; names of those that no shard has."""
    sources = [ensemble.find(shard.trajectories(ensemble.part)) for shard in shards]
    target = ensemble.open(whole.trajectories(ensemble.part))
    lacking = []
    for number in range(target.n_blocks):
        if target.fault(number) is not None:
            source = _holder(sources, number)
            if source is None:
                lacking.append(f"{ensemble.part} {number}")
            else:
                target.copy_block(number, source)
        progress(
            {"stage": "merge", "part": ensemble.part, "step": number + 1, "total": target.n_blocks}
        )
    return lacking


def _holder(sources: Sequence[Blocks | None], number: int) -> Blocks | None:
    for source in sources:
        if source is not None and source.fault(number) is None:
            return source
    return None
