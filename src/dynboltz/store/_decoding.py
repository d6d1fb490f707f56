"""What files may not do: declare more than the memory holds, or end in an error of a library.

HDF5, NetCDF and zip files are read by libraries that do not say what a damaged file makes them
raise, and that allocate what a file declares. `decoding` turns whatever they raise into one
`StoreError`; `check_memory` compares declared sizes with the memory before anything is allocated;
only regular files are opened, since a pipe or a device may never end.
"""

from __future__ import annotations

import stat
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dynboltz._contents import contents_of
from dynboltz._memory import gigabytes, memory
from dynboltz._text import decode_text

from ._errors import StoreError
from ._files import os_errors


@contextmanager
def decoding(path: Path, what: str, key: str | None = None) -> Iterator[None]:
    """Turn whatever a library raises into a `StoreError`, and silence its warnings.

    Only calls of libraries that decode `path` belong inside: faults of our own would be hidden.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except StoreError:
        raise
    except MemoryError as error:
        raise StoreError(path, "needs more memory than there is to be read.", key=key) from error
    except Exception as error:
        reason = str(error) or type(error).__name__
        raise StoreError(path, f"cannot be read as {what}: {reason}.", key=key) from error


@contextmanager
def within_memory(path: Path) -> Iterator[None]:
    """Turn a `MemoryError` into a `StoreError`."""
    try:
        yield
    except MemoryError as error:
        raise StoreError(
            path, f"needs more memory than the {gigabytes(memory())} there are; read a part."
        ) from error


def check_memory(path: Path, n_bytes: int, key: str | None = None) -> None:
    """Raise `StoreError` if what a file declares is larger than the memory."""
    if n_bytes > memory():
        raise StoreError(
            path,
            f"declares {gigabytes(n_bytes, memory())}, more than the {gigabytes(memory())} of "
            "memory; the file is damaged, or has to be cut into parts.",
            key=key,
        )


def check_regular(path: Path) -> None:
    """Raise `StoreError` unless `path` is a regular file that can be opened."""
    try:
        with os_errors(path, "read"):
            mode = path.stat().st_mode
    except ValueError as error:
        if isinstance(error, StoreError):
            raise
        what = "holds a null character" if "\0" in str(path) else "is no text for the file system"
        raise StoreError(path, f"cannot be read: its name {what}.") from error
    if stat.S_ISDIR(mode):
        raise StoreError(path, f"cannot be read: it is {contents_of(path)}, not a file.")
    if not stat.S_ISREG(mode):
        raise StoreError(path, "cannot be read: it is no regular file.")
    with os_errors(path, "read"), path.open("rb"):
        pass


def check_begins(path: Path, what: str, beginnings: tuple[bytes, ...], advice: str) -> None:
    """Raise `StoreError`, which says what a file is, unless it begins as files of a kind do."""
    with os_errors(path, "read"), path.open("rb") as file:
        is_right = file.read(max(map(len, beginnings))).startswith(beginnings)
    if not is_right:
        raise StoreError(path, f"cannot be read as {what}: it is {contents_of(path)}. {advice}")


def read_lines(path: Path) -> list[str]:
    """Lines of a text file."""
    check_regular(path)
    with os_errors(path, "read"):
        check_memory(path, path.stat().st_size)
        data = path.read_bytes()
    try:
        return decode_text(data).split("\n")
    except ValueError as error:
        raise StoreError(path, str(error)) from error
