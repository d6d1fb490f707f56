"""How arrays are cut, compressed and checked."""

from __future__ import annotations

import itertools
import math
from pathlib import Path
from typing import Any, Literal, final

import google_crc32c
import zarr
from zarr.codecs import BloscCodec, Crc32cCodec
from zarr.storage import LocalStore

from ._blosc import check_frame
from ._errors import StoreError

CHUNK_BYTES = 2**20


def codecs(itemsize: int) -> list[Any]:
    """Compressor and checksum of an array.

    Blosc transposes the bits first, so that states of 0 and 1 take about one bit a site; Crc32c
    finds any flipped bit.
    """
    shuffle: Literal["bitshuffle", "shuffle"] = "bitshuffle" if itemsize == 1 else "shuffle"
    return [
        BloscCodec(cname="lz4", clevel=5, shuffle=shuffle, typesize=itemsize),
        Crc32cCodec(),
    ]


def balanced_chunks(
    n_replicas: int, n_times: int, snapshot_bytes: int, block_replicas: int
) -> tuple[int, int]:
    r"""Replicas and times in a chunk, such that both ways of reading cost about the same.

    One snapshot of all $R$ replicas decodes $R t$ snapshots from chunks of $r$ replicas and $t$
    times, one replica over all $T$ times decodes $T r$. With about a megabyte in a chunk,
    $r t m = M$, both are equal at $r = \sqrt{R M / (T m)}$. Chunks must not cross the border of a
    block, so $r$ is the divisor of the block's size that comes closest in ratio.

    Parameters
    ----------
    n_replicas
        Number of replicas $R$.
    n_times
        Number of times $T$.
    snapshot_bytes
        Size $m$ of one replica at one time.
    block_replicas
        Replicas in a block.
    """
    wanted = math.sqrt(n_replicas * CHUNK_BYTES / (n_times * snapshot_bytes))
    divisors = [r for r in range(1, block_replicas + 1) if block_replicas % r == 0]
    replicas = min(divisors, key=lambda r: abs(math.log(r / wanted)))
    longest = min(n_times, max(1, CHUNK_BYTES // (replicas * snapshot_bytes)))
    return replicas, math.ceil(n_times / math.ceil(n_times / longest))


def chunk_keys(array: zarr.Array, replicas: range) -> list[str]:
    """Keys of the chunks that hold `replicas` along the first axis of `array`."""
    places = itertools.product(*_chunk_ranges(array, replicas))
    return [f"{array.basename}/c/{'/'.join(map(str, place))}" for place in places]


def n_chunks(array: zarr.Array, replicas: range) -> int:
    """Number of `chunk_keys`."""
    return math.prod(places.stop - places.start for places in _chunk_ranges(array, replicas))


def _chunk_ranges(array: zarr.Array, replicas: range) -> list[range]:
    length = array.chunks[0]
    first = range(replicas.start // length, -(-replicas.stop // length))
    cuts = zip(array.shape, array.chunks, strict=True)
    return [first, *[range(-(-n // max(1, c))) for n, c in cuts][1:]]


@final
class CheckedStore(LocalStore):
    """A local store whose missing and damaged chunks are errors that name them.

    Zarr takes a missing chunk for one that holds the fill value only. All our chunks are written,
    so a missing one is lost, and the last four bytes of each are its checksum.
    """

    async def get(self, key, prototype=None, byte_range=None):
        """Bytes of `key`, `None` for missing metadata."""
        is_chunk = key.rpartition("/")[2] != "zarr.json"
        if is_chunk and not (self.root / key).is_file():
            check_chunk(self.root, key, None)
        value = await super().get(key, prototype, byte_range)
        if is_chunk and byte_range is None:
            check_chunk(self.root, key, None if value is None else value.to_bytes())
        return value


def check_chunk(path: Path, key: str, data: bytes | None) -> None:
    """Raise `StoreError` if a chunk is missing or its checksum is wrong."""
    if data is None:
        raise StoreError(path, "chunk is missing; restore the file or write it again.", key=key)
    if len(data) < 4 or google_crc32c.value(data[:-4]) != int.from_bytes(data[-4:], "little"):
        raise StoreError(
            path, "chunk is damaged: its checksum is wrong; restore or rewrite it.", key=key
        )
    try:
        check_frame(data[:-4])
    except ValueError as error:
        raise StoreError(path, f"chunk is damaged: {error}.", key=key) from error
