"""Seeds of an experiment: one for each purpose, part and initial condition."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

import numpy as np

from ._parts import PARTS

COEFFICIENTS, STATES, DYNAMICS, FITS, LEARNING, EVALUATION = range(6)
EQUILIBRIUM, FOLLOWING, TRANSFER, EXAMPLES = range(6, 10)
"""What random numbers are for."""


@runtime_checkable
class Seeded(Protocol):
    """Anything with a seed."""

    @property
    def seed(self) -> int:
        """Seed of everything random."""
        ...


def seed_for(
    experiment: Seeded, part: str, purpose: int, number: int = 0
) -> np.random.SeedSequence:
    """Seed of one purpose in one part; initial conditions are numbered."""
    return np.random.SeedSequence([experiment.seed, PARTS.index(part), purpose, number])
