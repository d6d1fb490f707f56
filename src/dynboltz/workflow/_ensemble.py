"""Ensembles: the trajectories of one part of an experiment, made block by block."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from dynboltz.store import StoreError

BLOCK_BYTES = 64 * 2**20
"""Most bytes of states in a block, unless one replica takes more."""


@runtime_checkable
class Blocks(Protocol):
    """A store of trajectories that blocks are written to."""

    path: Path
    n_blocks: int

    @property
    def write_block(self) -> Callable[..., None]:
        """Write one block, given its number and what it holds."""
        ...

    def block(self, index: int) -> range:
        """Replicas of a block."""
        ...

    def fault(self, index: int) -> str | None:
        """Say what keeps a block from being complete."""
        ...

    def copy_block(self, index: int, source: Any) -> None:
        """Take a block from another store of the same ensemble."""
        ...

    @property
    def is_complete(self) -> bool:
        """Whether no block is missing."""
        ...


class AbstractEnsemble(ABC):
    """Trajectories of one part of an experiment, `"train"` or `"test"`.

    Any block can be made without the others, in any process.

    Parameters
    ----------
    part
        The part.
    fingerprint
        Of all settings that the trajectories depend on.
    """

    def __init__(self, part: str, fingerprint: str) -> None:
        self.part, self.fingerprint = part, fingerprint

    @abstractmethod
    def create(self, path: Path) -> Blocks:
        """Create the store, without any block."""

    @abstractmethod
    def resume(self, path: Path, *, expect: Mapping[str, Any]) -> Blocks:
        """Open the store to go on with."""

    @abstractmethod
    def make(self, replicas: range) -> tuple[Any, ...]:
        """Simulate the replicas of a block: what `write_block` of the store takes."""

    def open(self, path: Path) -> Blocks:
        """Open the store of these trajectories, or create it if there is none.

        Raises
        ------
        StoreError
            If there is a store of other settings, or the disk refuses.
        """
        if not path.exists():
            try:
                return self.create(path)
            except StoreError:
                if not path.exists():
                    raise  # otherwise another shard was faster
        return self.resume(path, expect={"fingerprint": self.fingerprint})

    def find(self, path: Path) -> Blocks | None:
        """Open the store if these trajectories are there, complete or not."""
        try:
            return self.resume(path, expect={"fingerprint": self.fingerprint})
        except StoreError:
            return None


def block_replicas(replicas: int, replica_bytes: int) -> int:
    """Replicas in a block: all those of an initial condition, or the most that fit and divide them.

    Parameters
    ----------
    replicas
        Replicas of an initial condition.
    replica_bytes
        Size of the states of one replica.
    """
    most = max(1, BLOCK_BYTES // replica_bytes)
    return max(n for n in range(1, min(replicas, most) + 1) if replicas % n == 0)
