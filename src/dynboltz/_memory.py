"""How much memory there is."""

from __future__ import annotations

import os

from ._digits import against


def memory() -> int:
    """Bytes of memory that this process may use at most."""
    try:
        installed = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
        import resource  # noqa: PLC0415 - not on all systems

        limit = resource.getrlimit(resource.RLIMIT_AS)[0]
    except (AttributeError, ValueError, OSError, ImportError):
        return 2**63
    return installed if limit == resource.RLIM_INFINITY else min(installed, limit)


def gigabytes(n_bytes: float | int, beyond: float | int | None = None) -> str:
    """Bytes in words, with enough digits to be more than those of `beyond` if they are."""
    if n_bytes >= 2**80:
        return "more than 2**80 bytes"
    limit = 0.0 if beyond is None else float(f"{beyond / 2**30:.3g}")
    return f"{against(n_bytes / 2**30, limit)} GiB"


class TooLargeError(ValueError):
    """Something would be larger than the memory."""


def check_size(what: str, n_bytes: float | int, advice: str) -> None:
    """Raise `TooLargeError` if something is larger than the memory.

    Parameters
    ----------
    what
        What would be allocated, the beginning of the message.
    n_bytes
        Bytes that it needs at least.
    advice
        What to change.
    """
    if n_bytes > memory():
        raise TooLargeError(
            f"{what} would need at least {gigabytes(n_bytes, memory())} of memory, more than the "
            f"{gigabytes(memory())} there are; {advice}."
        )
