"""Verification of results on the disk, and their repair."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

from dynboltz.store import (
    StoreError,
    Verification,
    discard_damaged_blocks,
    import_netcdf,
    is_block_store,
    read_json,
    store_checksum,
    verify_store,
)
from dynboltz.store._files import os_errors

from ._directory import LEARNED, ResultDirectory
from ._errors import ExperimentError
from ._lock import only_writer
from ._model_file import read_model_file


def verify(path: Path | str) -> Iterator[tuple[str, Verification]]:
    """Compare all checksums of results, and what they were made from with what is there.

    Parameters
    ----------
    path
        A result directory, a store, or an exported NetCDF file.

    Yields
    ------
    name, verification
        A store or file, and what was found there.

    Raises
    ------
    ExperimentError
        If `path` is none of these.
    """
    path = Path(path)
    if path.is_file():
        yield path.name, Verification(_file_faults(path))
    elif (path / "zarr.json").is_file():
        yield path.name, verify_store(path)
    elif (path / "experiment.toml").is_file():
        for found in _stores(path):
            yield found.relative_to(path).as_posix(), _verification(path, found)
    else:
        raise ExperimentError(
            f"{path}: is nothing to verify: neither a result directory (with `experiment.toml`), "
            "nor a store (with `zarr.json`), nor an exported file."
        )


def repair(path: Path | str) -> Iterator[str]:
    """Take away what is damaged in a result directory, so that it is made anew.

    Of trajectories the damaged blocks go, of everything else the whole store, and what was made
    from a store that is gone stays, since it is made anew with the same bytes. Blocks that are not
    written yet are no damage.

    Parameters
    ----------
    path
        The result directory.

    Yields
    ------
    line
        What was taken away, one sentence a store.

    Raises
    ------
    ExperimentError
        If it is no result directory, or another process writes there.
    StoreError
        If the disk refuses.
    """
    path = Path(path)
    if not (path / "experiment.toml").is_file():
        raise ExperimentError(f"{path}: only a result directory can be repaired.")
    with only_writer(path):
        for found in _stores(path):
            name, damaged = found.relative_to(path).as_posix(), _verification(path, found).damaged
            if not damaged:
                continue
            if is_block_store(found) and (blocks := _discard(found)):
                yield f"{name}: to be made anew: block {', '.join(map(str, blocks))}."
            else:
                _remove(found)
                yield f"{name}: removed. {damaged[0]}"
        ResultDirectory(path).metrics.unlink(missing_ok=True)


def _verification(path: Path, found: Path) -> Verification:
    """What is wrong with a store of a result directory; another origin is damage as well."""
    verification = verify_store(found)
    if verification.is_sound:
        return Verification(_strangers(path, found))
    return verification


def _stores(path: Path) -> list[Path]:
    return [
        found
        for folder in ("trajectories", *LEARNED)
        for found in sorted(path.glob(f"{folder}/*.zarr"))
    ]


def _discard(path: Path) -> list[int]:
    """Discard damaged blocks; none if the store as a whole cannot be opened."""
    try:
        return discard_damaged_blocks(path)
    except StoreError:
        return []


def _remove(path: Path) -> None:
    with os_errors(path, "removed"):
        shutil.rmtree(path)


def _file_faults(path: Path) -> tuple[str, ...]:
    try:
        if "kind" in import_netcdf(path).attrs:  # trajectories have none
            read_model_file(path)
    except (StoreError, ExperimentError) as error:
        return (str(error),)
    return ()


def _strangers(path: Path, found: Path) -> tuple[str, ...]:
    """Parents that differ from those a sound store was made from; lost ones cannot be compared."""
    attributes = read_json(found / "zarr.json")["attributes"]
    return tuple(
        f"{found}: was made from another {name} than the one that is there."
        for name, checksum in attributes.get("lineage", {}).get("parents", {}).items()
        if (path / name).exists() and not _is_same(path / name, checksum)
    )


def _is_same(path: Path, checksum: str) -> bool:
    try:
        return store_checksum(path) == checksum
    except StoreError:
        return True  # damage is told of the store itself
