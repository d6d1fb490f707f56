"""The particles of one replica in continuous space, and how they move."""

from __future__ import annotations

from typing import NamedTuple, no_type_check

import numpy as np

from dynboltz.lattices import inlined, normal, uncounted, uniform


class Cloud(NamedTuple):
    """One replica.

    Attributes
    ----------
    positions
        Positions [slots, dim]; those of the particles come first.
    labels
        Species of each particle, counted from 1.
    budgets
        Time that each particle still has to react on its own in the current step.
    lengths
        Sides of the box.
    periodic
        Whether the box is periodic, else it is reflecting.
    random
        State of the random stream.
    """

    positions: np.ndarray
    labels: np.ndarray
    budgets: np.ndarray
    lengths: np.ndarray
    periodic: bool
    random: np.ndarray


@inlined
@no_type_check
def inside(x, length, periodic):
    """Coordinate in the box that `x` stands for or is reflected to."""
    if 0.0 <= x < length:
        return x
    if periodic:
        x -= length * np.floor(x / length)
        return x if x < length else 0.0
    x = abs(x) % (2.0 * length)
    return min(x, 2.0 * length - x)


@uncounted
@no_type_check
def diffuse(cloud, n, widths):
    """Move every particle by a normally distributed step; `widths` of its deviations by label."""
    positions, lengths = cloud.positions, cloud.lengths
    for slot in range(n):
        width = widths[cloud.labels[slot]]
        if width > 0.0:
            for axis in range(lengths.size):
                x = positions[slot, axis] + width * normal(cloud.random)
                positions[slot, axis] = inside(x, lengths[axis], cloud.periodic)


@inlined
@no_type_check
def separation(cloud, a, b, axis):
    """Component of the vector from particle `a` to the nearest image of `b`."""
    length = cloud.lengths[axis]
    difference = cloud.positions[b, axis] - cloud.positions[a, axis]
    if cloud.periodic:
        if difference > 0.5 * length:
            difference -= length
        elif difference < -0.5 * length:
            difference += length
    return difference


@uncounted
@no_type_check
def split(cloud, slot, other, radius):
    """Put two particles at random around the position of `slot`.

    Their difference is uniform in the ball of the radius, their middle is the position.
    """
    dim = cloud.lengths.size
    while True:
        square = 0.0
        for axis in range(dim):
            cloud.positions[other, axis] = (2.0 * uniform(cloud.random) - 1.0) * radius
            square += cloud.positions[other, axis] ** 2
        if square <= radius * radius:
            break
    for axis in range(dim):
        half = 0.5 * cloud.positions[other, axis]
        centre = cloud.positions[slot, axis]
        length = cloud.lengths[axis]
        cloud.positions[slot, axis] = inside(centre - half, length, cloud.periodic)
        cloud.positions[other, axis] = inside(centre + half, length, cloud.periodic)


@inlined
@no_type_check
def move(cloud, origin, target):
    """Move a particle to another slot."""
    for axis in range(cloud.lengths.size):
        cloud.positions[target, axis] = cloud.positions[origin, axis]
    cloud.labels[target] = cloud.labels[origin]
    cloud.budgets[target] = cloud.budgets[origin]
