"""One writer a result directory."""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from dynboltz.store import StoreError, read_json, write_json
from dynboltz.store._files import os_errors

from ._errors import ExperimentError

LOCK, OWNER = ".lock", ".owner.json"
"""Names of the lock and of the file that says who holds it."""


@contextmanager
def only_writer(directory: Path) -> Iterator[None]:
    """Be the only process that writes to a result directory; again within one process is allowed.

    Where there is no directory yet, there is nothing to keep others from.

    The operating system frees the lock when its holder ends, however that happens, so that the
    remains of a killed process keep nobody out.

    Raises
    ------
    ExperimentError
        If another process writes there.
    StoreError
        If the directory cannot be written.
    """
    if not directory.is_dir():
        yield
        return
    lock = FileLock(directory / LOCK, timeout=0, thread_local=False, is_singleton=True)
    with os_errors(directory, "written"):
        try:
            lock.acquire()
        except Timeout as error:
            raise ExperimentError(
                f"{directory}: another process writes there{_owner(directory)}. Wait until it has "
                "ended, or choose another directory with --out."
            ) from error
    try:
        if lock.lock_counter == 1:
            own = {"pid": os.getpid(), "host": socket.gethostname(), "command": sys.argv}
            write_json(directory / OWNER, own)
        yield
    finally:
        if lock.lock_counter == 1:
            (directory / OWNER).unlink(missing_ok=True)
        lock.release()


def _owner(directory: Path) -> str:
    try:
        own = read_json(directory / OWNER)
        command = " ".join([Path(own["command"][0]).name, *own["command"][1:]])
        return f" (process {own['pid']} on {own['host']}: {command})"
    except (StoreError, KeyError, IndexError, TypeError):
        return ""
