"""Verification of whole stores, and their checksums."""

from __future__ import annotations

import hashlib
import itertools
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, final

from dynboltz._arguments import checked

from . import _dataset, _particle_store, _trajectory_store
from ._block_store import BlockStore
from ._chunks import check_chunk
from ._errors import StoreError
from ._files import os_errors
from ._header import read_header
from ._json import read_json
from ._particle_store import resume_particles
from ._seal import SEAL
from ._trajectory_store import resume_trajectories


class _Resume(Protocol):
    def __call__(self, path: Path) -> BlockStore: ...


RESUME: dict[str, _Resume] = {
    _trajectory_store.FORMAT: resume_trajectories,
    _particle_store.FORMAT: resume_particles,
}
CRC_BYTES = 4
_SHOWN = 10


@final
@checked
@dataclass(frozen=True)
class Verification:
    """What the verification of a store or file found, one sentence each.

    Attributes
    ----------
    damaged
        What is damaged or has been lost.
    missing
        What is not there: blocks that nobody has written yet, as in a shard or while a simulation
        runs, and what a result was made from.
    """

    damaged: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()

    @property
    def is_sound(self) -> bool:
        """Whether nothing is wrong or missing."""
        return not self.damaged and not self.missing


@checked
def store_checksum(path: Path | str) -> str:
    """SHA-256 of a store: of its metadata and of the checksums of all its chunks.

    Two stores have the same one if they hold the same values and attributes, written by the same
    version; the chunks themselves are not read.

    Parameters
    ----------
    path
        Directory of the store.

    Raises
    ------
    StoreError
        If there is no store, its metadata are damaged, or it cannot be read.
    """
    path = Path(path)
    digest = hashlib.sha256()
    with os_errors(path, "read"):
        digest.update(json.dumps(_attributes(path)[SEAL], sort_keys=True).encode())
        for key in _chunks(path):
            with (path / key).open("rb") as file:
                size = file.seek(0, os.SEEK_END)
                file.seek(max(0, size - CRC_BYTES))
                digest.update(f"{key} {size} ".encode() + file.read())
    return digest.hexdigest()


@checked
def verify_store(path: Path | str) -> Verification:
    """Compare every checksum of a store.

    Parameters
    ----------
    path
        Directory of a store of trajectories, particles, or labelled results.

    Returns
    -------
    verification
        What is damaged, and which blocks are not written.
    """
    path = Path(path)
    try:
        attributes = _attributes(path)
        if attributes["format"] not in RESUME:
            faults = _chunk_faults(path, _chunks(path)) + _lost_arrays(path, attributes)
            return Verification(tuple(faults))
        store = RESUME[attributes["format"]](path)
    except StoreError as error:
        return Verification((str(error),))
    written = store.written_blocks()
    faults = _label_faults(store)
    for index in written:
        faults += _block_faults(store, index)
    return Verification(tuple(faults), _unwritten(store, written))


def _unwritten(store: BlockStore, written: list[int]) -> tuple[str, ...]:
    """One sentence on all blocks that are missing, as most are in a shard."""
    ends = [-1, *written, store.n_blocks]
    gaps = [(a + 1, b - 1) for a, b in itertools.pairwise(ends) if b - a > 1]
    if not gaps:
        return ()
    shown = ", ".join(f"{a}" if a == b else f"{a} to {b}" for a, b in gaps[:_SHOWN])
    more = ", ..." if len(gaps) > _SHOWN else ""
    n_missing = store.n_blocks - len(written)
    return (
        f"{store.path}: {n_missing} of {store.n_blocks} blocks are not written: {shown}{more}.",
    )


def _label_faults(store: BlockStore) -> list[str]:
    """What is wrong with the chunks that all blocks share."""
    labels = [key for key in _chunks(store.path) if key.partition("/")[0] not in store.DATA]
    return _chunk_faults(store.path, labels)


def _block_faults(store: BlockStore, index: int) -> list[str]:
    """What is wrong with a block, every checksum compared."""
    fault = store.fault(index)
    if fault is not None:
        return [f"{store.path}: {fault}."]
    return _chunk_faults(store.path, store.keys(index))


@checked
def discard_damaged_blocks(path: Path | str) -> list[int]:
    """Take the commit markers of damaged blocks away, so that they are made anew.

    Blocks that are not written yet are left as they are.

    Parameters
    ----------
    path
        Directory of a store of trajectories or particles.

    Returns
    -------
    blocks
        Numbers of the blocks.

    Raises
    ------
    StoreError
        If there is no such store, what its blocks share is damaged, or the disk refuses.
    """
    path = Path(path)
    store = RESUME[_attributes(path)["format"]](path)
    if shared := _label_faults(store):
        raise StoreError(path, f"cannot be mended block by block: {shared[0]}")
    damaged = [index for index in store.written_blocks() if _block_faults(store, index)]
    with os_errors(path, "written"):
        for index in damaged:
            store.uncommit(index)
    return damaged


@checked
def is_block_store(path: Path) -> bool:
    """Whether a store is one that is written block by block, as far as it says."""
    return _format(Path(path)) in RESUME


def _attributes(path: Path) -> dict[str, Any]:
    """Attributes of a store of any of our formats, compared with their seal."""
    versions = {m.FORMAT: m.VERSION for m in (_dataset, _particle_store, _trajectory_store)}
    name = _format(path)
    return read_header(path, name, versions[name])


def _format(path: Path) -> str:
    """What a store says it is; that of labelled results if it is none of ours."""
    try:
        name = read_json(path / "zarr.json")["attributes"]["format"]
    except (StoreError, KeyError, TypeError):
        return _dataset.FORMAT
    return name if isinstance(name, str) and name in RESUME else _dataset.FORMAT


def _chunks(path: Path) -> list[str]:
    return sorted(
        file.relative_to(path).as_posix()
        for array in path.iterdir()
        if (array / "c").exists()
        for file in [array / "c", *(array / "c").rglob("*")]
        if file.is_file()
    )


def _chunk_faults(path: Path, keys: list[str]) -> list[str]:
    faults = []
    for key in keys:
        try:
            with os_errors(path, "read"):
                check_chunk(path, key, (path / key).read_bytes())
        except StoreError as error:
            faults.append(str(error))
    return faults


def _lost_arrays(path: Path, attributes: dict[str, Any]) -> list[str]:
    kind = attributes.get("kind")
    if not isinstance(kind, str):
        return [f"{path}, attribute `kind`: is missing."]
    try:
        _dataset.read_dataset(path, kind)
    except StoreError as error:
        return [] if "chunk is damaged" in str(error) else [str(error)]
    return []
