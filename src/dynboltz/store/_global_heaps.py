"""A look at the global heaps of an HDF5 file, which the library walks without end if damaged.

Lists of variable length, among them the names of the dimensions of NetCDF files, lie in heaps of
objects, each as far behind the one before as that says it is long. HDF5 2.0 takes a length of zero,
or one that leads back, and never returns; nothing can interrupt it.

Source: HDF5 File Format Specification 3.0, section III.E, "Disk Format: Level 1E - Global Heap".
"""

from __future__ import annotations

import mmap
import struct
from collections.abc import Iterator
from pathlib import Path

from ._errors import StoreError

_START = b"GCOL\x01\0\0\0"
_HEADER = 16


def check_global_heaps(path: Path) -> None:
    """Raise `StoreError` unless the objects of every global heap follow one another to its end."""
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        for start in _starts(data):
            (size,) = struct.unpack_from("<Q", data, start + 8)
            if not _is_sound(data, start + _HEADER, start + size):
                raise StoreError(path, f"has a damaged heap at byte {start}; restore the file.")


def _starts(data: mmap.mmap) -> Iterator[int]:
    start = data.find(_START)
    while start != -1 and start + _HEADER <= len(data):
        yield start
        start = data.find(_START, start + 1)


def _is_sound(data: mmap.mmap, place: int, end: int) -> bool:
    """Whether objects from `place` on lead to the end."""
    if end > len(data):
        return True  # beyond the file, which HDF5 notices
    while end - place >= _HEADER:
        index, size = struct.unpack_from("<H6xQ", data, place)
        length = size if index == 0 else _HEADER + -(-size // 8) * 8
        if not 0 < length <= end - place:
            return False
        place += length
    return True
