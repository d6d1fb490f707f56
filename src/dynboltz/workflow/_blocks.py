"""Writing the blocks of an ensemble that are missing: here, or on the workers of a cluster."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Protocol, runtime_checkable

from ._directory import ResultDirectory, remove_store
from ._ensemble import AbstractEnsemble, Blocks
from ._progress import Progress
from ._shard import WHOLE, Shard
from ._timings import timed


@runtime_checkable
class BlockWorkers(Protocol):
    """Processes that write blocks, perhaps on other machines."""

    def write(
        self, directory: ResultDirectory, ensemble: AbstractEnsemble, numbers: list[int]
    ) -> Iterator[int]:
        """Write blocks, and yield each number when its block is written."""
        ...


def simulate_missing(
    ensembles: Iterable[AbstractEnsemble],
    directory: ResultDirectory,
    *,
    overwrite: bool,
    progress: Progress,
    workers: BlockWorkers | None = None,
    shard: Shard = WHOLE,
) -> None:
    """Write the blocks of some ensembles that are not there yet.

    Parameters
    ----------
    ensembles
        What to simulate.
    directory
        Where to.
    overwrite
        Whether trajectories of other settings may be replaced.
    progress
        Called after every block.
    workers
        Who writes, this process if left out.
    shard
        Which blocks.
    """
    there = {e: e.find(directory.trajectories(e.part)) for e in ensembles}
    if all(store is not None and not _missing(store, shard) for store in there.values()):
        return
    resumed = any(store is not None for store in there.values())
    with timed(directory, "simulate", resumed=resumed):
        for ensemble, store in there.items():
            path = directory.trajectories(ensemble.part)
            if overwrite and store is None and path.exists():
                remove_store(path)
            _simulate(ensemble, directory, path, progress, workers, shard)


def _simulate(
    ensemble: AbstractEnsemble,
    directory: ResultDirectory,
    path: Path,
    progress: Progress,
    workers: BlockWorkers | None,
    shard: Shard,
) -> None:
    target = ensemble.open(path)
    numbers, total = _missing(target, shard), len(shard.numbers(target.n_blocks))

    def report(n_written: int) -> None:
        step = total - len(numbers) + n_written
        progress({"stage": "simulate", "part": ensemble.part, "step": step, "total": total})

    if not numbers:
        return
    if workers is None:
        write_blocks(ensemble, target, numbers, report)
        return
    for done, _ in enumerate(workers.write(directory, ensemble, numbers), start=1):
        report(done)


def _missing(store: Blocks, shard: Shard) -> list[int]:
    return [n for n in shard.numbers(store.n_blocks) if store.fault(n) is not None]


def write_blocks(
    ensemble: AbstractEnsemble,
    target: Blocks,
    numbers: list[int],
    report: Callable[[int], None],
) -> None:
    """Write blocks in this process, each while the next one is made.

    Parameters
    ----------
    ensemble
        Makes the blocks.
    target
        Where to.
    numbers
        Which ones.
    report
        Called with the number of blocks that are made.
    """
    with ThreadPoolExecutor(max_workers=1) as writer:
        pending: Future[None] | None = None
        for done, number in enumerate(numbers, start=1):
            content = ensemble.make(target.block(number))
            if pending is not None:
                pending.result()
            pending = writer.submit(target.write_block, number, *content)
            report(done)
        if pending is not None:
            pending.result()
