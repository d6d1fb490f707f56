"""Reading HDF5 files that others wrote.

Links and arrays that lead to other files are refused, as are arrays that are larger than the memory
or compressed more than once. What remains is that a chunk which deflate compressed takes up to a
thousand times its size in the file while HDF5 reads it, and an attribute that names a long text
many times takes all of these copies.

HDF5 is not made for hostile files. Damage at which it was seen to run without end or to end the
process is looked for first (`check_global_heaps`, dimensions of NetCDF files, sizes of Blosc
chunks); there may be more, so that files of strangers are best converted in a process of their own.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from dynboltz._contents import contents_of

from . import _blosc
from ._decoding import check_memory, check_regular, decoding
from ._errors import StoreError
from ._global_heaps import check_global_heaps

_BLOSC = 32001
_NO_COMPRESSION = {
    h5py.h5z.FILTER_SHUFFLE,
    h5py.h5z.FILTER_FLETCHER32,
    h5py.h5z.FILTER_NBIT,
    h5py.h5z.FILTER_SCALEOFFSET,
}


@contextmanager
def open_hdf5(path: Path, what: str = "HDF5") -> Iterator[h5py.File]:
    """Open a file for reading; what is done with it is not covered by its errors."""
    check_regular(path)
    if not h5py.is_hdf5(path):
        raise StoreError(path, f"cannot be read as {what}: it is {contents_of(path)}.")
    if path.stat().st_size > 0:
        check_global_heaps(path)
    with decoding(path, what):
        file = h5py.File(path, "r")
    try:
        yield file
    finally:
        with decoding(path, what):
            file.close()


def find(path: Path, group: h5py.Group, key: str) -> Any:
    """Group or array of the name `key`, `None` if there is none or it is in another file."""
    with decoding(path, "HDF5", f"`{key}`"):
        found: Any = group
        for name in key.split("/"):
            if not isinstance(found, h5py.Group):
                return None
            link = found.get(name, getlink=True)
            found = found[name] if isinstance(link, h5py.HardLink) else None
        return found


def check_array(path: Path, array: h5py.Dataset, key: str) -> None:
    """Raise `StoreError` unless an array is in this file and will fit the memory."""
    with decoding(path, "HDF5", f"`{key}`"):
        is_elsewhere = bool(array.is_virtual or array.external)
        n_bytes = math.prod(map(int, array.shape or ())) * array.dtype.itemsize
        compressors = [code for code in _filters(array) if code not in _NO_COMPRESSION]
    if is_elsewhere:
        raise StoreError(path, "holds its values in other files; copy them.", key=f"`{key}`")
    if len(compressors) > 1:
        raise StoreError(path, "is compressed more than once; copy it.", key=f"`{key}`")
    check_memory(path, n_bytes, f"`{key}`")


def _filters(array: h5py.Dataset) -> list[int]:
    properties = array.id.get_create_plist()
    return [properties.get_filter(i)[0] for i in range(properties.get_nfilters())]


def read_values(path: Path, array: h5py.Dataset, key: str) -> np.ndarray:
    """Values of an array, chunks compressed with Blosc decoded here."""
    check_array(path, array, key)
    with decoding(path, "HDF5", f"`{key}`"):
        if array.chunks and _filters(array) == [_BLOSC]:
            return _decompressed(array, array.chunks)
        if array.dtype.hasobject and array.shape:
            return _items(path, array, key)
        return np.asarray(array[()])


def _items(path: Path, array: h5py.Dataset, key: str) -> np.ndarray:
    """Values of unknown length, one by one: many may be the same piece of the file."""
    values, n_bytes = np.empty(array.shape, dtype=array.dtype), 0
    for index in np.ndindex(array.shape):
        values[index] = array[index]
        n_bytes += _size(values[index])
        check_memory(path, n_bytes, f"`{key}`")
    return values


def _size(value: Any) -> int:
    if isinstance(value, np.ndarray) and value.dtype.kind == "O":
        return sum(map(_size, value.flat))
    if isinstance(value, np.void):
        return sum(_size(value[name]) for name in value.dtype.names or ())
    return len(value) if isinstance(value, bytes | str) else np.asarray(value).nbytes


def _decompressed(array: h5py.Dataset, shape: tuple[int, ...]) -> np.ndarray:
    """Values of an array whose chunks have a shape."""
    values = np.zeros(array.shape, dtype=array.dtype)
    for index in range(array.id.get_num_chunks()):
        start = array.id.get_chunk_info(index).chunk_offset
        skipped, data = array.id.read_direct_chunk(start)
        chunk = _chunk(data, bool(skipped), shape, array.dtype)
        stop = [min(s + c, n) for s, c, n in zip(start, shape, array.shape, strict=True)]
        place = tuple(slice(s, e) for s, e in zip(start, stop, strict=True))
        values[place] = chunk[tuple(slice(0, e - s) for s, e in zip(start, stop, strict=True))]
    return values


def _chunk(data: bytes, plain: bool, shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
    decoded = data if plain else _blosc.decompress(data, math.prod(shape) * dtype.itemsize)
    return np.frombuffer(decoded, dtype=dtype).reshape(shape)
