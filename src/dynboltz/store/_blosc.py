"""Chunks compressed by Blosc, whose decoder trusts the sizes that a chunk claims to have."""

from __future__ import annotations

import struct

from numcodecs import blosc

HEADER_BYTES = 16


def check_frame(data: bytes) -> int:
    """Raise `ValueError` unless `data` is as long as its header says; return the decoded size.

    Without the check, a chunk that claims to be longer than it is makes the decoder read beyond
    its end, which may end the process.
    """
    if len(data) < HEADER_BYTES:
        raise ValueError(f"{len(data)} bytes are too few for a compressed chunk")
    decoded, _, encoded = struct.unpack("<III", data[4:HEADER_BYTES])
    if encoded != len(data):
        raise ValueError(f"the compressed chunk has {len(data)} bytes, not {encoded}")
    return decoded


def decompress(data: bytes, n_bytes: int) -> bytes:
    """Decoded bytes of a chunk, which must be `n_bytes`.

    Raises
    ------
    ValueError
        If the chunk is damaged or of another size.
    """
    found = check_frame(data)
    if found != n_bytes:
        raise ValueError(f"the decoded chunk would have {found} bytes, not {n_bytes}")
    try:
        return bytes(blosc.decompress(data))
    except (RuntimeError, ValueError) as error:
        raise ValueError("the compressed chunk is damaged") from error
