"""Stores written block by block: what is common to lattice and particle trajectories."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import zarr

from dynboltz._arguments import checked

from ._chunks import check_chunk, chunk_keys, n_chunks
from ._errors import StoreError
from ._files import flush, os_errors
from ._header import open_array
from ._json import read_json, write_json


@checked
class BlockStore:
    """A store of replicas that blocks are written to.

    On the disk it is one Zarr v3 group. No chunk of the arrays `DATA` holds replicas of two blocks.
    A block counts once its commit marker `NNNNNN.json` exists in the folder `commits` of the first
    of them, a file that appears in one step and lists the sizes of the block's chunks; whatever a
    killed writer left of a block without marker is removed when the block is written. The bytes do
    not depend on the order of the blocks. Blocks may be written from several threads or processes,
    each block by one of them.

    Attributes
    ----------
    DATA
        Arrays that hold the replicas along their first axis.
    path
        Directory of the store.
    attrs
        Attributes of the store.
    n_replicas, n_blocks, block_replicas
        Number of replicas and of blocks; replicas in each block but the last, which may be shorter.
    """

    DATA: ClassVar[tuple[str, ...]]

    def __init__(self, path: Path, attrs: dict[str, Any]) -> None:
        self.path = path = Path(path)
        self.attrs = attrs
        self._arrays = {name: open_array(path, name, "r+") for name in self.DATA}
        self.n_replicas = self._arrays[self.DATA[0]].shape[0]
        self.block_replicas = attrs.get("block_replicas", 0)
        self._check_blocks()
        self.n_blocks = -(-self.n_replicas // self.block_replicas)

    def _check_blocks(self) -> None:
        """Raise `StoreError` unless the arrays can be cut into blocks: a seal can be forged."""
        if type(self.block_replicas) is not int or not 1 <= self.block_replicas <= self.n_replicas:
            raise StoreError(
                self.path,
                f"must be 1 to {self.n_replicas} (replicas), got {self.block_replicas!r}.",
                key="attribute `block_replicas`",
            )
        for name, array in self._arrays.items():
            is_cut = self.block_replicas % array.chunks[0] == 0 if array.chunks else False
            if array.shape[0] != self.n_replicas or not is_cut:
                raise StoreError(
                    self.path,
                    f"has {array.shape[0]} replicas in chunks of {array.chunks[0]}; expected "
                    f"{self.n_replicas} in blocks of {self.block_replicas}.",
                    key=f"array `{name}`",
                )

    def block(self, index: int) -> range:
        """Replicas of the block `index`."""
        if not 0 <= index < self.n_blocks:
            raise StoreError(
                self.path, f"there is no block {index}; there are {self.n_blocks}, from 0."
            )
        start = index * self.block_replicas
        return range(start, min(start + self.block_replicas, self.n_replicas))

    def _write(self, index: int, values: Mapping[str, np.ndarray]) -> None:
        """Write checked values of one block and commit it."""
        replicas = self.block(index)
        with os_errors(self.path, "written"):
            self._discard(index)
            for name, array in self._arrays.items():
                array[replicas.start : replicas.stop] = values[name]
            self._commit(index)

    def copy_block(self, index: int, source: BlockStore) -> None:
        """Take a block from another store that is cut into the same blocks, and commit it.

        Parameters
        ----------
        index
            Number of the block.
        source
            Store of the same replicas; the block is complete there.

        Raises
        ------
        StoreError
            If the arrays of the stores differ, a chunk is damaged, or the disk refuses; its `path`
            is that of the store that is to blame.
        """
        for name in self.DATA:
            cuts = {(path / name / "zarr.json").read_bytes() for path in (self.path, source.path)}
            if len(cuts) > 1:
                raise StoreError(
                    source.path,
                    f"is cut into other chunks than that of {self.path}; simulate both with the "
                    "same version.",
                    key=f"array `{name}`",
                )
        with os_errors(self.path, "written"):
            self._discard(index)
            for key in self.keys(index):
                with os_errors(source.path, "read"):
                    data = (source.path / key).read_bytes()
                check_chunk(source.path, key, data)
                (self.path / key).parent.mkdir(parents=True, exist_ok=True)
                (self.path / key).write_bytes(data)
            self._commit(index)

    def _check(self, index: int, name: str, values: np.ndarray) -> None:
        array: zarr.Array = self._arrays[name]
        shape = (len(self.block(index)), *array.shape[1:])
        if values.shape != shape or values.dtype != array.dtype:
            raise StoreError(
                self.path,
                f"a block needs {array.dtype} of shape {shape}, got {values.dtype} of shape "
                f"{values.shape}.",
                key=f"array `{name}`",
            )

    def keys(self, index: int) -> list[str]:
        """Names of the chunks of a block."""
        replicas = self.block(index)
        return [key for a in self._arrays.values() for key in chunk_keys(a, replicas)]

    def _n_chunks(self, index: int) -> int:
        replicas = self.block(index)
        return sum(n_chunks(array, replicas) for array in self._arrays.values())

    def _marker(self, index: int) -> Path:
        return self.path / self.DATA[0] / "commits" / f"{index:06d}.json"

    def _discard(self, index: int) -> None:
        self.uncommit(index)
        for folder in sorted({"/".join(key.split("/")[:3]) for key in self.keys(index)}):
            if (self.path / folder).exists():
                shutil.rmtree(self.path / folder)

    def _commit(self, index: int) -> None:
        keys = self.keys(index)
        for key in keys:
            flush(self.path / key)
        sizes = {key: (self.path / key).stat().st_size for key in keys}
        write_json(self._marker(index), {"block": index, "chunk_bytes": sizes})

    def uncommit(self, index: int) -> None:
        """Take the commit marker of a block away, so that the block is missing."""
        self._marker(index).unlink(missing_ok=True)

    def is_written(self, index: int) -> bool:
        """Whether the block has a commit marker."""
        return self._marker(index).exists()

    def written_blocks(self) -> list[int]:
        """Blocks that have a commit marker."""
        names = (marker.stem for marker in self._marker(0).parent.glob("*.json"))
        numbers = {int(name) for name in names if name.isdecimal() and len(name) < 19}
        return sorted(n for n in numbers if n < self.n_blocks and self.is_written(n))

    def fault(self, index: int) -> str | None:
        """Say what keeps a block from being complete, `None` if nothing does.

        Sizes are compared; damage inside a chunk is found by its checksum when it is read.
        """
        if not self.is_written(index):
            return f"block {index} is not written"
        try:
            sizes = read_json(self._marker(index))["chunk_bytes"]
            if len(sizes) == self._n_chunks(index):  # there may be more than can be listed
                faults = (self._chunk_fault(key, sizes[key]) for key in self.keys(index))
                return next(filter(None, faults), None)
        except (StoreError, KeyError, TypeError):
            pass
        return f"the commit marker of block {index} is damaged"

    def _chunk_fault(self, key: str, size: int) -> str | None:
        if not (self.path / key).is_file():
            return f"chunk {key} is missing"
        found = (self.path / key).stat().st_size
        return None if found == size else f"chunk {key} has {found} bytes, not {size}"

    def missing_blocks(self) -> list[int]:
        """Blocks to write: those never committed, and those that lost chunks since."""
        return [index for index in range(self.n_blocks) if self.fault(index) is not None]

    @property
    def is_complete(self) -> bool:
        """Whether no block is missing."""
        return not self.missing_blocks()
