"""Joining the shards of a simulation."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from dynboltz.store import StoreError

from ._directory import ResultDirectory, claim
from ._ensemble import AbstractEnsemble, Blocks
from ._errors import ExperimentError
from ._lock import only_writer
from ._parts import PARTS
from ._progress import Progress, silent
from ._stages import stages_of

SHOWN = 5
NOWHERE = "is in none of the shards"


def merge(
    shards: Sequence[Path | str], out: Path | str, *, progress: Progress = silent
) -> ResultDirectory:
    """Join the trajectories of shards in one result directory.

    Every block is copied from the first shard that has it undamaged: all checksums are compared on
    the way. The bytes are those of a simulation in one process. Blocks that are there already are
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
        If there is no shard, shards belong to different experiments, or blocks are missing or
        damaged in all of them; the others are then copied.
    StoreError
        If the disk refuses.
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
    lacking: dict[str, str] = {}
    with only_writer(whole.path):
        for part in PARTS:
            ensemble = stages_of(experiments[0]).ensemble(experiments[0], part)
            faults = _merge_part(ensemble, directories, whole, progress)
            lacking |= {f"{part} {number}": fault for number, fault in faults.items()}
    if lacking:
        raise ExperimentError(_message(whole.path, lacking))
    return whole


def _merge_part(
    ensemble: AbstractEnsemble,
    shards: Sequence[ResultDirectory],
    whole: ResultDirectory,
    progress: Progress,
) -> dict[int, str]:
    """Copy the blocks of one part; why those are lacking that could not be copied."""
    sources = [ensemble.find(shard.trajectories(ensemble.part)) for shard in shards]
    target = ensemble.open(whole.trajectories(ensemble.part))
    lacking = {}
    for number in range(target.n_blocks):
        if target.fault(number) is not None:
            fault = _copy(target, number, sources)
            if fault is not None:
                lacking[number] = fault
        progress(
            {"stage": "merge", "part": ensemble.part, "step": number + 1, "total": target.n_blocks}
        )
    return lacking


def _copy(target: Blocks, number: int, sources: Sequence[Blocks | None]) -> str | None:
    """Copy a block from the first shard that has it; say why if none has it undamaged."""
    fault = NOWHERE
    for source in _holders(sources, number):
        try:
            target.copy_block(number, source)
        except StoreError as error:
            if error.path != source.path:
                raise
            fault = str(error)
        else:
            return None
    return fault


def _holders(sources: Sequence[Blocks | None], number: int) -> Iterator[Blocks]:
    for source in sources:
        if source is not None and source.fault(number) is None:
            yield source


def _message(out: Path, lacking: dict[str, str]) -> str:
    damaged_first = sorted(lacking.items(), key=lambda item: item[1] == NOWHERE)
    lines = [f"  {block}: {fault}" for block, fault in damaged_first[:SHOWN]]
    if len(lacking) > SHOWN:
        lines.append(f"  ... and {len(lacking) - SHOWN} more")
    return "\n".join(
        [
            f"{out}: all blocks are merged but {len(lacking)}:",
            *lines,
            "Merge again with the shards that have them, or let `dynboltz simulate "
            f"{out}` make them. Of a damaged shard, `dynboltz doctor SHARD --repair` takes away "
            "what is damaged, and `dynboltz simulate SHARD --shard I/N` makes it anew.",
        ]
    )
