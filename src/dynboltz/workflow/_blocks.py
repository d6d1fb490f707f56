"""Trajectories block by block: which are there, and writing those that are missing."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from dynboltz.store import StoreError


@runtime_checkable
class Blocks(Protocol):
    """A store of trajectories that blocks are written to."""

    n_blocks: int

    @property
    def write_block(self) -> Callable[..., None]:
        """Write one block, given its number and what it holds."""
        ...

    def missing_blocks(self) -> list[int]:
        """Blocks to write."""
        ...

    @property
    def is_complete(self) -> bool:
        """Whether no block is missing."""
        ...


Resume = Callable[..., Blocks]
"""Opens a store to go on with; raises `StoreError` if it does not have the attributes `expect`."""


def is_ours(resume: Resume, path: Path, fingerprint: str) -> bool:
    """Whether trajectories of these settings are there, complete or not."""
    try:
        resume(path, expect={"fingerprint": fingerprint})
    except StoreError:
        return False
    return True


def is_complete(resume: Resume, path: Path, fingerprint: str) -> bool:
    """Whether all trajectories of these settings are there."""
    return is_ours(resume, path, fingerprint) and resume(path).is_complete


def write_missing(
    target: Blocks,
    produce: Callable[[list[int]], Iterable[tuple[int, tuple[Any, ...]]]],
    report: Callable[[int, int], None],
) -> None:
    """Write the blocks that are missing, each while the next one is made.

    Parameters
    ----------
    target
        Where to.
    produce
        Makes the blocks of these numbers: each number, and what the block holds.
    report
        Called with the number of blocks that are made, and how many there are.
    """
    missing = target.missing_blocks()
    done = target.n_blocks - len(missing)
    with ThreadPoolExecutor(max_workers=1) as writer:
        pending: Future[None] | None = None
        for number, content in produce(missing):
            if pending is not None:
                pending.result()
            pending = writer.submit(target.write_block, number, *content)
            done += 1
            report(done, target.n_blocks)
        if pending is not None:
            pending.result()
