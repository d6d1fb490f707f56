"""Verification of results on the disk, and their repair."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

from dynboltz._contents import contents_of
from dynboltz._fit import KIND as LAW_KIND
from dynboltz._fit import load as load_law
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
from ._parts import PARTS
from ._stages import stages_of


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
    if path.is_file() and path.suffix == ".nc":
        yield path.name, Verification(_file_faults(path))
    elif (path / "zarr.json").is_file():
        yield path.name, verify_store(path)
    elif (path / "experiment.toml").is_file():
        yield "experiment.toml", Verification(_settings_faults(path))
        yield from _verify_stores(path)
        if (metrics := ResultDirectory(path).metrics).exists():
            yield metrics.name, Verification(_json_faults(metrics))
    elif path.exists():
        raise ExperimentError(
            f"{path}: is nothing to verify, but {contents_of(path)}: neither a result directory "
            "(with `experiment.toml`), nor a store (with `zarr.json`), nor an exported file (.nc)."
        )
    else:
        raise ExperimentError(f"{path}: there is no such file or directory.")


def repair(path: Path | str) -> Iterator[str]:
    """Take away what is damaged in a result directory, so that it is made anew.

    Of trajectories the damaged blocks go, of everything else the whole store, and what was made
    from a store that is gone stays, since it is made anew with the same bytes. What is missing is
    no damage.

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
        If it is no result directory, its settings are damaged, or another process writes there.
    StoreError
        If the disk refuses.
    """
    path = Path(path)
    if not (path / "experiment.toml").is_file():
        raise ExperimentError(
            f"{path}: is {contents_of(path)}; only a result directory can be repaired."
        )
    if faults := _settings_faults(path):
        raise ExperimentError(f"{faults[0]} This has to be mended by hand first.")
    with only_writer(path):
        for name, found in list(_verify_stores(path)):
            if not found.damaged:
                continue
            if is_block_store(path / name) and (blocks := _discard(path / name)):
                yield f"{name}: to be made anew: block {', '.join(map(str, blocks))}."
            else:
                _remove(path / name)
                yield f"{name}: removed. {found.damaged[0]}"
        metrics = ResultDirectory(path).metrics
        if metrics.exists() and _json_faults(metrics):
            metrics.unlink()
            yield f"{metrics.name}: removed."


def _verify_stores(path: Path) -> Iterator[tuple[str, Verification]]:
    """Verify all stores of a result directory, what others are made from before these."""
    unsound: set[str] = set()
    for found in _stores(path):
        name, verification = found.relative_to(path).as_posix(), verify_store(found)
        if not verification.is_sound:
            unsound.add(name)
        else:
            verification = _verify_parents(path, found, unsound)
        yield name, verification


def _verify_parents(path: Path, found: Path, unsound: set[str]) -> Verification:
    """Compare what a sound store was made from with what is there, if that is sound as well."""
    attributes = read_json(found / "zarr.json")["attributes"]
    parents = attributes.get("lineage", {}).get("parents", {})
    there = {name: checksum for name, checksum in parents.items() if (path / name).exists()}
    return Verification(
        tuple(
            f"{found}: was made from another {name} than the one that is there."
            for name, checksum in there.items()
            if name not in unsound and store_checksum(path / name) != checksum
        ),
        tuple(
            f"{found}: was made from {name}, which is not there."
            for name in sorted(parents.keys() - there.keys())
        ),
    )


def _settings_faults(path: Path) -> tuple[str, ...]:
    """What is wrong with the settings, and which trajectories do not belong to them."""
    directory = ResultDirectory(path)
    try:
        experiment = directory.load_experiment()
    except ExperimentError as error:
        return (str(error),)
    ensembles = [stages_of(experiment).ensemble(experiment, part) for part in PARTS]
    return tuple(
        f"{directory.experiment}: is not what {found} was simulated with, which its attribute "
        "`experiment` holds."
        for found, ensemble in ((directory.trajectories(each.part), each) for each in ensembles)
        if found.exists() and _fingerprint(found) not in (None, ensemble.fingerprint)
    )


def _fingerprint(store: Path) -> str | None:
    """Fingerprint of trajectories; nothing if the store is damaged, which is told of itself."""
    try:
        return read_json(store / "zarr.json")["attributes"]["fingerprint"]
    except (StoreError, KeyError, TypeError):
        return None


def _json_faults(path: Path) -> tuple[str, ...]:
    try:
        read_json(path)
    except StoreError as error:
        return (str(error),)
    return ()


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
        kind = import_netcdf(path).attrs.get("kind")
        if kind == LAW_KIND:
            load_law(path)
        elif kind is not None:  # trajectories have none
            read_model_file(path)
    except (StoreError, ExperimentError) as error:
        return (str(error),)
    return ()
