"""Stores of trajectories, written block by block."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any, final

import numpy as np
import zarr

from ._chunks import chunk_keys
from ._errors import StoreError
from ._files import flush, os_errors
from ._header import open_array, read_header
from ._json import read_json, write_json

FORMAT = "dynboltz-trajectories"
VERSION = 1
NO_STATE = 255
ARRAYS = ("state", "moments", "time", "moment", "initial_condition")


@final
class TrajectoryStore:
    """A store of trajectories that blocks of replicas are written to.

    On the disk it is one Zarr v3 group with the arrays `state`, `moments`, `time`, `moment` and
    `initial_condition`. No chunk holds replicas of two blocks. A block counts once its commit
    marker `state/commits/NNNNNN.json` exists, a file that appears in one step and lists the sizes
    of the block's chunks; whatever a killed writer left of a block without marker is removed when
    the block is written. The bytes do not depend on the order of the blocks. Blocks may be written
    from several threads or processes, each block by one of them.

    Made by `create_trajectories` and `resume_trajectories`.

    Attributes
    ----------
    path
        Directory of the store.
    attrs
        Attributes of the store.
    n_replicas, n_blocks, block_replicas
        Number of replicas and of blocks; replicas in each block but the last, which may be shorter.
    """

    def __init__(self, path: Path, attrs: dict[str, Any]) -> None:
        self.path = path
        self.attrs = attrs
        self._state = open_array(path, "state", "r+")
        self._moments = open_array(path, "moments", "r+")
        self.n_replicas = self._state.shape[0]
        self.block_replicas = int(attrs["block_replicas"])
        self.n_blocks = -(-self.n_replicas // self.block_replicas)

    def block(self, index: int) -> range:
        """Replicas of the block `index`."""
        if not 0 <= index < self.n_blocks:
            raise StoreError(
                self.path, f"there is no block {index}; there are {self.n_blocks}, from 0."
            )
        start = index * self.block_replicas
        return range(start, min(start + self.block_replicas, self.n_replicas))

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
        replicas = self.block(index)
        self._check(state, "state", self._state, replicas)
        self._check(moments, "moments", self._moments, replicas)
        self._check_values(state, moments)
        with os_errors(self.path, "written"):
            self._discard(index)
            self._state[replicas.start : replicas.stop] = state
            self._moments[replicas.start : replicas.stop] = moments
            self._commit(index)

    def _check(self, values: np.ndarray, name: str, array: zarr.Array, replicas: range) -> None:
        shape = (len(replicas), *array.shape[1:])
        if values.shape != shape or values.dtype != array.dtype:
            raise StoreError(
                self.path,
                f"a block needs {array.dtype} of shape {shape}, got {values.dtype} of shape "
                f"{values.shape}.",
                key=f"array `{name}`",
            )

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

    def _keys(self, index: int) -> list[str]:
        replicas = self.block(index)
        return [key for a in (self._state, self._moments) for key in chunk_keys(a, replicas)]

    def _marker(self, index: int) -> Path:
        return self.path / "state" / "commits" / f"{index:06d}.json"

    def _discard(self, index: int) -> None:
        self._marker(index).unlink(missing_ok=True)
        for folder in sorted({"/".join(key.split("/")[:3]) for key in self._keys(index)}):
            if (self.path / folder).exists():
                shutil.rmtree(self.path / folder)

    def _commit(self, index: int) -> None:
        keys = self._keys(index)
        for key in keys:
            flush(self.path / key)
        sizes = {key: (self.path / key).stat().st_size for key in keys}
        write_json(self._marker(index), {"block": index, "chunk_bytes": sizes})

    def is_written(self, index: int) -> bool:
        """Whether the block has a commit marker."""
        return self._marker(index).exists()

    def fault(self, index: int) -> str | None:
        """Say what keeps a block from being complete, `None` if nothing does.

        Sizes are compared; damage inside a chunk is found by its checksum when it is read.
        """
        if not self.is_written(index):
            return f"block {index} is not written"
        try:
            sizes = read_json(self._marker(index))["chunk_bytes"]
            return next(
                filter(None, (self._chunk_fault(k, sizes[k]) for k in self._keys(index))), None
            )
        except (StoreError, KeyError, TypeError):
            return f"the commit marker of block {index} is damaged"

    def _chunk_fault(self, key: str, size: int) -> str | None:
        try:
            found = (self.path / key).stat().st_size
        except FileNotFoundError:
            return f"chunk {key} is missing"
        return None if found == size else f"chunk {key} has {found} bytes, not {size}"

    def missing_blocks(self) -> list[int]:
        """Blocks to write: those never committed, and those that lost chunks since."""
        return [index for index in range(self.n_blocks) if self.fault(index) is not None]

    @property
    def is_complete(self) -> bool:
        """Whether no block is missing."""
        return not self.missing_blocks()


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
