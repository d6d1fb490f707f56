"""Valid calls of `dynboltz.particles`."""

from __future__ import annotations

from typing import Any

import numpy as np
from bad_arguments import call

from dynboltz.particles import Box, PointPatterns


def calls() -> dict[str, Any]:
    box = Box((1.0, 2.0))
    positions = np.array([[[0.1, 0.2], [0.3, 1.2]], [[0.5, 0.5], [0.0, 0.0]]])
    labels = np.array([[1, 2], [1, 0]], np.uint8)
    patterns = PointPatterns(positions, labels, ("A", "B"), box)
    common = {"box": box, "species": ("A", "B"), "seed": 3, "first": 1}
    counts = {"A": 2, "B": 1}
    return {
        "Box": call(lengths=(1.0, 2.0), boundary="periodic"),
        "Box.contains": call(box, points=positions[0]),
        "Box.displacement": call(box, a=positions[0], b=positions[1]),
        "Box.fold": call(box, points=positions[0]),
        "PointPatterns": call(positions=positions, labels=labels, species=("A", "B"), box=box),
        "PointPatterns.from_lists": call(
            patterns=[{"A": positions[0], "B": positions[1]}, {}],
            species=("A", "B"),
            box=box,
            n_slots=5,
        ),
        "PointPatterns.points": call(patterns, _positional=("A", 0)),
        "random_arrivals": call(**common, density={"A": 2.0}, n_patterns=2, distance=0.1),
        "random_hard_core": call(**common, counts=counts, n_patterns=2, distance=0.1),
        "random_pairs": call(**common, pair=("A", "B"), n_pairs=2, n_patterns=2, distance=0.1),
        "random_particles": call(**common, counts=counts, n_patterns=2),
    }


def others() -> list[Any]:
    return [Box((1.0,)), Box((1.0, 1.0, 3.0), "reflecting")]
