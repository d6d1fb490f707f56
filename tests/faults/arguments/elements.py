"""Valid calls of `dynboltz.elements`."""

from __future__ import annotations

from typing import Any

import numpy as np
from bad_arguments import call

from dynboltz.elements import AxisElements, ElementSpace, RadialSpace, UniformSpace
from dynboltz.particles import Box


def calls() -> dict[str, Any]:
    box = Box((1.0, 2.0))
    axis = AxisElements(2.0, 4, "Hermite", periodic=True)
    space = ElementSpace(box, (3, 4))
    radial = RadialSpace(0.5, 4)
    points = np.array([[0.1, 0.2], [0.3, 1.2], [0.9, 1.9]])
    line = np.array([0.1, 0.3, 1.9])
    rule, _ = space.quadrature()
    return {
        "AxisElements": call(length=2.0, n_elements=4, family="Hermite", periodic=True),
        "AxisElements.locate": call(axis, positions=line),
        "AxisElements.matrix": call(axis, positions=line, derivative=1),
        "AxisElements.values": call(axis, positions=line, derivative=0),
        "ElementSpace": call(box=box, n_elements=(3, 4), family="Hermite"),
        "ElementSpace.evaluate": call(space, points=points, derivative=(0, 1)),
        "ElementSpace.project": call(space, values=np.ones(len(rule))),
        "ElementSpace.sums": call(space, points=points, weights=line),
        "RadialSpace": call(cutoff=0.5, n_elements=4, family="Hermite"),
        "RadialSpace.evaluate": call(radial, points=line[:, None] / 4, derivative=0),
        "UniformSpace": call(box=box),
        "UniformSpace.evaluate": call(UniformSpace(box), points=points),
    }


def others() -> list[Any]:
    return [Box((1.0,)), Box((1.0, 1.0, 3.0), "reflecting")]
