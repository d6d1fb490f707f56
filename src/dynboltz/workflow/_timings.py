"""Seconds that each stage took."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager

from dynboltz.store import read_json, write_json

from ._directory import ResultDirectory

STAGES = ("simulate", "fit", "train", "evaluate")


def read_timings(directory: ResultDirectory) -> dict[str, float]:
    """Seconds by stage; stages that never ran are missing."""
    return read_json(directory.timings) if directory.timings.is_file() else {}


@contextmanager
def timed(directory: ResultDirectory, stage: str, *, resumed: bool = False) -> Iterator[None]:
    """Write down how long a stage takes, also if it is interrupted.

    The seconds of a stage that goes on where it was interrupted are added up.
    """
    start = time.perf_counter()
    try:
        yield
    finally:
        seconds = read_timings(directory)
        before = seconds.get(stage, 0.0) if resumed else 0.0
        write_json(directory.timings, seconds | {stage: before + time.perf_counter() - start})


def wall_seconds(timings: dict[str, float]) -> dict[str, float]:
    """Seconds of every stage of the learning, and their sum."""
    seconds = {stage: timings.get(stage, 0.0) for stage in STAGES}
    return {**seconds, "total": math.fsum(seconds.values())}
