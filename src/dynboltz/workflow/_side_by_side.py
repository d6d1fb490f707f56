"""Independent work on several models at the same time."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import jax

Item = TypeVar("Item")


def side_by_side(work: Callable[[Item], None], items: Sequence[Item]) -> None:
    """Do the work on all items in double precision, in as many threads as there are cores.

    Compiled code leaves Python free while it runs. The first error is raised when all threads have
    ended, an interruption at once: threads then go on until the process ends.

    Parameters
    ----------
    work
        What to do with an item; must not depend on the other items.
    items
        The items.
    """

    def in_double_precision(item: Item) -> None:
        with jax.enable_x64(True):
            work(item)

    pool = ThreadPoolExecutor(max_workers=max(1, min(len(items), os.cpu_count() or 1)))
    wait = True
    try:
        for _ in pool.map(in_double_precision, items):
            pass
    except KeyboardInterrupt:
        wait = False
        raise
    finally:
        pool.shutdown(wait=wait, cancel_futures=True)
