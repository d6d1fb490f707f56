"""Seeds of an experiment: one for each purpose, part, model and initial condition."""

from __future__ import annotations

import zlib
from collections.abc import Collection
from enum import IntEnum
from typing import Protocol, runtime_checkable

import numpy as np

from dynboltz.lattices import numbered_seed

from ._parts import PARTS


class Purpose(IntEnum):
    """What random numbers are for. The numbers are part of all seeds: new purposes go last."""

    COEFFICIENTS = 0
    STATES = 1
    DYNAMICS = 2
    FITS = 3
    LEARNING = 4
    EVALUATION = 5
    EQUILIBRIUM = 6
    FOLLOWING = 7
    TRANSFER = 8
    EXAMPLES = 9
    MATCHING = 10
    PREDICTION = 11
    SAMPLES = 12
    FITS_OF_HALVES = 13
    EVALUATION_OF_HALVES = 14


@runtime_checkable
class Seeded(Protocol):
    """Anything with a seed and names."""

    @property
    def seed(self) -> int:
        """Seed of everything random."""
        ...

    @property
    def stored_names(self) -> Collection[str]:
        """Names of everything that may draw random numbers of its own."""
        ...


def derive_seed(
    experiment: Seeded,
    part: str,
    purpose: Purpose,
    *,
    name: str | None = None,
    number: int | None = None,
    seed: int | None = None,
) -> np.random.SeedSequence:
    """Seed that nothing else in the experiment has, whatever other models there are.

    Every seed of the workflow comes from here, so that no two consumers share random numbers.

    Parameters
    ----------
    experiment
        The experiment.
    part
        `"train"` or `"test"`.
    purpose
        What the random numbers are for.
    name
        Of the model, or of the prediction without learning, that they are for.
    number
        Of the initial condition that they are for.
    seed
        Seed instead of the experiment's.
    """
    root = [experiment.seed if seed is None else seed, PARTS.index(part), int(purpose)]
    if name is None:
        return np.random.SeedSequence([*root, number or 0])
    named = np.random.SeedSequence([*root, *_name_words(name, experiment.stored_names)])
    return named if number is None else numbered_seed(named, number)


def _name_words(name: str, names: Collection[str]) -> list[int]:
    """Checksum of a name; if another name has the same, or it is 0, the letters as well.

    0 is the number of what has no name.
    """
    own = zlib.crc32(name.encode())
    taken = {0, *(zlib.crc32(other.encode()) for other in names if other != name)}
    return [own, *name.encode()] if own in taken else [own]
