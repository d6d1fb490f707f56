"""Shards: every n-th block of an ensemble, for batch systems."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import final

from ._errors import ExperimentError


@final
@dataclass(frozen=True)
class Shard:
    """One of several shares of the blocks.

    Parameters
    ----------
    index
        Number of the shard, 1 to `count`.
    count
        Number of shards.

    Raises
    ------
    ExperimentError
        If `index` is not 1 to `count`.
    """

    index: int
    count: int

    def __post_init__(self) -> None:
        if not 1 <= self.index <= self.count:
            raise ExperimentError(
                f"--shard {self.index}/{self.count}: must be I/N with I from 1 to N, such as 1/4."
            )

    @classmethod
    def parse(cls, text: str) -> Shard:
        """Read `I/N`."""
        if not re.fullmatch(r"[0-9]{1,9}/[0-9]{1,9}", text):
            raise ExperimentError(f"--shard {text}: must be I/N with I from 1 to N, such as 1/4.")
        index, count = map(int, text.split("/"))
        return cls(index, count)

    def numbers(self, n_blocks: int) -> range:
        """Numbers of the blocks that belong to the shard."""
        return range(self.index - 1, n_blocks, self.count)

    def __str__(self) -> str:
        return f"{self.index}/{self.count}"


WHOLE = Shard(1, 1)
"""All blocks."""
