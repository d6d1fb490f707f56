"""Processes of a Dask cluster that simulate, on this machine or on others."""

from __future__ import annotations

import functools
import logging
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, final

from ._directory import ResultDirectory
from ._ensemble import AbstractEnsemble
from ._errors import ExperimentError
from ._load import load_experiment
from ._stages import stages_of
from ._version import version

if TYPE_CHECKING:
    from distributed import Client

PATIENCE = 20
"""Seconds to wait for a scheduler."""

# Clients are never made Dask's default: a client that is interrupted while it closes would leave
# its scheduler behind as the default, and every later array of this process would ask for it.


@final
class DaskWorkers:
    """Workers of a Dask cluster; made by `dask_workers`.

    All of them need the same version of dynboltz, and must see the result directory under the same
    name, on a shared file system.

    Parameters
    ----------
    client
        Connected to the cluster.
    """

    def __init__(self, client: Client) -> None:
        self._client = client

    def write(
        self, directory: ResultDirectory, ensemble: AbstractEnsemble, numbers: list[int]
    ) -> Iterator[int]:
        """Write blocks of an ensemble, and yield each number when its block is written.

        A block whose worker dies is given to another one.

        Raises
        ------
        ExperimentError
            If workers have another version or see another directory, or several died with the
            same block.
        StoreError
            If the disk refuses.
        """
        place = str(directory.path.resolve())
        write = functools.partial(_write_block, place, ensemble.part, ensemble.fingerprint)
        return self.each(write, numbers)

    def each(self, task: Callable[[int], None], numbers: Sequence[int]) -> Iterator[int]:
        """Do a task for each number, on any worker, and yield the number when it is done."""
        from distributed import KilledWorker, as_completed  # noqa: PLC0415

        futures = self._client.map(
            _checked, [task] * len(numbers), numbers, [version()] * len(numbers), pure=False
        )
        number_of = dict(zip(futures, numbers, strict=True))
        try:
            for future in as_completed(futures, loop=self._client.loop):
                try:
                    future.result()
                except KilledWorker as error:
                    raise ExperimentError(
                        f"several workers died with task {number_of[future]}, the last one "
                        f"{error.last_worker}; their logs say why. Too little memory is a common "
                        "cause: use fewer workers on a machine. What is complete is kept."
                    ) from error
                yield number_of[future]
        finally:
            self._client.cancel(futures)


@contextmanager
def dask_workers(
    scheduler: str | None = None, *, n_workers: int | None = None
) -> Iterator[DaskWorkers]:
    """Connect to a Dask scheduler, or start workers on this machine.

    Give one of both. A script that starts workers needs `if __name__ == "__main__":` around it,
    since they import it.

    Parameters
    ----------
    scheduler
        Address of a scheduler, such as `tcp://10.0.0.1:8786`.
    n_workers
        Number of processes to start here, which share the cores.

    Raises
    ------
    ExperimentError
        If Dask is not installed, or there is no scheduler at the address.
    """
    try:
        from distributed import Client, LocalCluster  # noqa: PLC0415
    except ImportError as error:
        raise ExperimentError(
            "Workers need Dask, which is not installed: pip install 'dynboltz[cluster]'."
        ) from error
    if (scheduler is None) == (n_workers is None):
        raise ExperimentError("Give the address of a scheduler or a number of workers, not both.")
    if scheduler is not None:
        try:
            client = Client(scheduler, timeout=PATIENCE, set_as_default=False)
        except (OSError, ValueError, TimeoutError) as error:
            raise ExperimentError(
                f"{scheduler}: no Dask scheduler answers within {PATIENCE} s ({error}). Start one "
                "with `dask scheduler`, and workers with `dask worker ADDRESS`."
            ) from error
        with client:
            yield DaskWorkers(client)
        return
    assert n_workers is not None
    threads = max(1, (os.cpu_count() or 1) // n_workers)
    cluster = LocalCluster(
        n_workers=n_workers,
        threads_per_worker=1,
        dashboard_address=":0",
        silence_logs=logging.CRITICAL,
        env={"NUMBA_NUM_THREADS": str(threads)},
    )
    with cluster, Client(cluster, set_as_default=False) as client:
        yield DaskWorkers(client)


def _checked(task: Callable[[int], None], number: int, wanted: str) -> None:
    """Do a task on a worker if it has the version of the one who asks."""
    if version() != wanted:
        raise ExperimentError(
            f"A worker has dynboltz {version()}, this process {wanted}: install the same version."
        )
    task(number)


def _write_block(directory: str, part: str, fingerprint: str, number: int) -> None:
    ensemble = _ensemble(directory, part, fingerprint)
    path = ResultDirectory(directory).trajectories(part)
    target = ensemble.resume(path, expect={"fingerprint": fingerprint})
    target.write_block(number, *ensemble.make(target.block(number)))


@functools.lru_cache(maxsize=2)
def _ensemble(directory: str, part: str, fingerprint: str) -> AbstractEnsemble:
    """Ensemble of the experiment in a directory; kept, with its initial states."""
    settings = ResultDirectory(directory).experiment
    if not settings.is_file():
        raise ExperimentError(
            f"{settings}: a worker does not see this file. Workers need the result directory "
            "under the same name: use a file system that all machines share, or --shard."
        )
    experiment: Any = load_experiment(Path(settings))
    ensemble = stages_of(experiment).ensemble(experiment, part)
    if ensemble.fingerprint != fingerprint:
        raise ExperimentError(f"{settings}: a worker reads other settings there.")
    return ensemble
