"""Stores of trajectories on lattices, written block by block."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, final

import numpy as np

from dynboltz._arguments import checked

from ._block_store import BlockStore
from ._errors import StoreError
from ._header import open_array, read_header

FORMAT = "dynboltz-trajectories"
VERSION = 2
NO_STATE = 255
ARRAYS = ("state", "moments", "time", "moment", "initial_condition")


@final
@checked
class TrajectoryStore(BlockStore):
    """A store of trajectories that blocks of replicas are written to.

    On the disk it is one Zarr v3 group with the arrays `state`, `moments`, `time`, `moment` and
    `initial_condition`; see `BlockStore` for what is kept when a writer is killed.

    Made by `create_trajectories` and `resume_trajectories`.
    """

    DATA = ("state", "moments")

    def write_block(self, index: int, state: np.ndarray, moments: np.ndarray) -> None:
        """Write one block and commit it; a block that is there already is replaced.

        Parameters
        ----------
        index
            Number of the block.
        state
            States of the block's replicas, uint8 of shape (replicas, times, x[, y, z]): 0 for an
            empty site, `i + 1` for the species `i`.
        moments
            Moments per site, float64 of shape (replicas, times, moments).

        Raises
        ------
        StoreError
            If a shape or a type is wrong, a state names no species, a moment is not finite, or the
            disk refuses. Nothing is written in the first cases; the block is missing in the last.
        """
        self._check(index, "state", state)
        self._check(index, "moments", moments)
        self._check_values(state, moments)
        self._write(index, {"state": state, "moments": moments})

    def _check_values(self, state: np.ndarray, moments: np.ndarray) -> None:
        largest = len(self.attrs["species"]) if "species" in self.attrs else NO_STATE - 1
        if state.max() > largest:
            raise StoreError(
                self.path,
                f"states must be 0 to {largest}, got {state.max()}.",
                key="array `state`",
            )
        if not np.all(np.isfinite(moments)):
            raise StoreError(self.path, "moments must be finite.", key="array `moments`")


@checked
def resume_trajectories(
    path: Path | str, *, expect: Mapping[str, Any] | None = None
) -> TrajectoryStore:
    """Open a store of trajectories to write the blocks that are missing.

    Parameters
    ----------
    path
        Directory of the store.
    expect
        Attributes that the store must have, such as the `fingerprint` of the experiment.

    Raises
    ------
    StoreError
        If there is no store of trajectories, or it belongs to another experiment.
    """
    path = Path(path)
    attributes = read_header(path, FORMAT, VERSION, expect)
    for name in ARRAYS:
        open_array(path, name, "r")
    return TrajectoryStore(path, attributes)
