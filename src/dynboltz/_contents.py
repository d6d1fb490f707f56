"""What a path leads to, in words, for messages about files of a kind that was not expected."""

from __future__ import annotations

import os
import stat
from pathlib import Path

_BEGINNINGS = (
    (b"\x93NUMPY", "one NumPy array (.npy)"),
    (b"PK\x03\x04", "a zip archive"),
    (b"PK\x05\x06", "an empty zip archive"),
    (b"\x89HDF\r\n\x1a\n", "an HDF5 file"),
    (b"CDF", "a classic NetCDF file"),
    (b"\x1f\x8b", "a gzip file"),
    (b"\x80\x03", "a Python pickle"),
    (b"\x80\x04", "a Python pickle"),
    (b"\x80\x05", "a Python pickle"),
    (b"MATLAB", "a MATLAB file"),
)
KINDS = ("a NumPy archive (.npz)", *dict.fromkeys(name for _, name in _BEGINNINGS))
"""Kinds of files, by the bytes that they begin with."""
_TEXTS = {
    ".csv": "a table of text (.csv)",
    ".tsv": "a table of text (.tsv)",
    ".json": "JSON text",
    ".toml": "text (.toml)",
    ".xml": "XML text",
    ".xyz": "an XYZ file",
}
_ENOUGH = 512
"""Bytes that are looked at."""


def contents_of(path: Path) -> str:
    """Say what a path leads to: "an empty file", "one NumPy array (.npy)", "a directory", ...

    A file is recognised by its first bytes, whatever its name; text by its name.
    """
    try:
        mode = path.stat().st_mode
    except (OSError, ValueError):
        return "not there"
    try:
        if stat.S_ISDIR(mode):
            return _of_directory(path)
        if not stat.S_ISREG(mode):
            return "no regular file"
        with path.open("rb") as file:
            beginning = file.read(_ENOUGH)
    except OSError:
        return "not readable"
    return _of_file(path, beginning)


def _of_directory(path: Path) -> str:
    if (path / "experiment.toml").is_file():
        return "a result directory"
    if any((path / name).is_file() for name in ("zarr.json", ".zgroup", ".zarray")):
        return "a Zarr store"
    return "a directory" if os.listdir(path) else "an empty directory"


def _of_file(path: Path, beginning: bytes) -> str:
    if not beginning:
        return "an empty file"
    for magic, name in _BEGINNINGS:
        if beginning.startswith(magic):
            is_archive = b".npy" in beginning[: len(magic) + 100] and name == "a zip archive"
            return "a NumPy archive (.npz)" if is_archive else name
    if b"\0" in beginning:
        return "a binary file of unknown kind"
    try:
        beginning.decode("utf-8")
    except UnicodeDecodeError as error:
        if error.end < len(beginning):  # not only a letter that is cut off
            return "a binary file of unknown kind"
    return _TEXTS.get(path.suffix.lower(), "text")
