"""Opening stores of trajectories."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import xarray as xr

from dynboltz._arguments import checked

from ._block_store import BlockStore
from ._errors import StoreError
from ._header import open_dataset
from ._trajectory_store import resume_trajectories


@checked
def open_trajectories(
    path: Path | str,
    *,
    allow_incomplete: bool = False,
    expect: Mapping[str, Any] | None = None,
) -> xr.Dataset:
    """Open a store of trajectories; values are read and checked when they are used.

    Parameters
    ----------
    path
        Directory of the store.
    allow_incomplete
        Whether blocks may be missing. The dataset then holds the replicas of the blocks that are
        there.
    expect
        Attributes that the store must have, such as the `fingerprint` of the experiment.

    Returns
    -------
    trajectories
        Dataset with `state(replica, time, x[, y, z])`, `moments(replica, time, moment)` and the
        coordinates `time`, `moment` and `initial_condition(replica)`.

    Raises
    ------
    StoreError
        If there is no store, a foreign one, one of another kind, version or experiment; if blocks
        or chunks are missing or cut off. Reading a damaged chunk later raises it too.
    """
    return written_replicas(resume_trajectories(path, expect=expect), allow_incomplete)


def written_replicas(store: BlockStore, allow_incomplete: bool) -> xr.Dataset:
    """Open the replicas of the blocks that are there, all of them unless `allow_incomplete`."""
    written = store.written_blocks()
    faults = [fault for fault in map(store.fault, written) if fault is not None]
    n_faults = len(faults) + (0 if allow_incomplete else store.n_blocks - len(written))
    if n_faults:
        first = itertools.chain(faults, _not_written(store, {*written}))
        more = f" and {n_faults - 5} more" if n_faults > 5 else ""
        raise StoreError(
            store.path,
            f"is truncated, {len(written)} of {store.n_blocks} blocks are written: "
            f"{', '.join(itertools.islice(first, min(n_faults, 5)))}{more}. Resume the simulation "
            "to complete it.",
        )
    dataset = open_dataset(store.path)
    if len(written) == store.n_blocks:
        return dataset
    return dataset.isel(replica=[r for index in written for r in store.block(index)])


def _not_written(store: BlockStore, written: set[int]) -> Iterator[str]:
    return (f"block {n} is not written" for n in range(store.n_blocks) if n not in written)
