"""Seals: checksums of all metadata of a store, so that damage to it is found as in a chunk."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from ._errors import StoreError

SEAL = "metadata_sha256"
"""Attribute with the SHA-256 of each array's `zarr.json`; that of the group's own is named `.`."""


def seal(path: Path) -> None:
    """Seal a store whose arrays and attributes will not change any more; chunks may."""
    file = path / "zarr.json"
    metadata = json.loads(file.read_text(encoding="utf-8"))
    arrays = sorted(found.parent for found in path.glob("*/zarr.json"))
    sums = {array.name: _sha256((array / "zarr.json").read_bytes()) for array in arrays}
    metadata["attributes"][SEAL] = sums
    sums["."] = _own_sum(metadata)
    file.write_text(json.dumps(metadata, indent=2), encoding="utf-8")


def check_seal(path: Path, metadata: dict[str, Any]) -> None:
    """Compare all metadata of a store with its seal.

    Parameters
    ----------
    path
        Directory of the store.
    metadata
        What its `zarr.json` holds.

    Raises
    ------
    StoreError
        If there is no seal, an array is missing, or anything has changed since.
    """
    sums = metadata["attributes"].get(SEAL)
    if not isinstance(sums, dict) or sums.get(".") != _own_sum(metadata):
        raise StoreError(path, "metadata are damaged: the checksum is wrong.", key="zarr.json")
    for name in sums.keys() - {"."}:
        file = path / name / "zarr.json"
        if not file.is_file():
            raise StoreError(path, "is truncated: the array is missing.", key=f"array `{name}`")
        if _sha256(file.read_bytes()) != sums[name]:
            raise StoreError(
                path, "metadata are damaged: the checksum is wrong.", key=f"{name}/zarr.json"
            )


def _own_sum(metadata: dict[str, Any]) -> str:
    attributes = metadata["attributes"]
    sums = {name: value for name, value in attributes[SEAL].items() if name != "."}
    own = metadata | {"attributes": attributes | {SEAL: sums}}
    return _sha256(json.dumps(own, sort_keys=True).encode())


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
