"""Reactions with less than two reactants, exact in time.

Each particle has a budget of time. Its reactions happen after exponential waiting times until the
budget is spent, and products go on with what is left of it.
"""

from __future__ import annotations

import math
from typing import no_type_check

from dynboltz.lattices import exponential, inlined, uncounted, uniform

from ._brownian_motion import move, split
from ._particles import find_reaction

FULL = -1
"""Number of particles that stands for more than there are slots."""


@inlined
@no_type_check
def _live(cloud, slot, n, u, reactions, radii):
    """Let one particle react until its budget is spent or it is gone, with label 0.

    The random number `u` decides about the first reaction. Second products are appended. Returns
    the number of particles with the gone one.
    """
    budget = cloud.budgets[slot]
    while True:
        species = cloud.labels[slot]
        total = reactions.totals[species]
        if u >= total * budget:
            return n
        budget += math.log1p(-u) / total
        if budget <= 0.0:
            return n
        reaction = find_reaction(reactions, species, uniform(cloud.random) * total)
        first, second = reactions.products[reaction, 0], reactions.products[reaction, 1]
        cloud.labels[slot] = first
        if first == 0:
            return n
        if second:
            if n == cloud.labels.size:
                return FULL
            split(cloud, slot, n, radii[reaction])
            cloud.labels[n] = second
            cloud.budgets[n] = budget
            n += 1
        u = uniform(cloud.random)


@uncounted
@no_type_check
def _settle(cloud, slot, n, pending, u, reactions, radii):
    """Let a particle live, then those that wait in the last `pending` slots, and all products."""
    while True:
        before = n
        n = _live(cloud, slot, n, u, reactions, radii)
        if n == FULL:
            return n
        u = uniform(cloud.random)
        pending += n - before
        if cloud.labels[slot] == 0:
            n -= 1
            move(cloud, n, slot)
            if pending:
                pending -= 1
                continue
        if pending == 0:
            return n
        slot = n - pending
        pending -= 1


@inlined
@no_type_check
def _create(cloud, n, duration, reactions, radii):
    """Let the reactions without reactants happen; newborn particles live on."""
    volume = 1.0
    for axis in range(cloud.lengths.size):
        volume *= cloud.lengths[axis]
    rate = reactions.totals[0] * volume
    budget = duration
    while rate > 0.0:
        budget -= exponential(cloud.random) / rate
        if budget <= 0.0:
            break
        reaction = find_reaction(reactions, 0, uniform(cloud.random) * reactions.totals[0])
        n_products = 2 if reactions.products[reaction, 1] else 1
        if n + n_products > cloud.labels.size:
            return FULL
        for axis in range(cloud.lengths.size):
            cloud.positions[n, axis] = uniform(cloud.random) * cloud.lengths[axis]
        if n_products == 2:
            split(cloud, n, n + 1, radii[reaction])
        for product in range(n_products):
            cloud.labels[n + product] = reactions.products[reaction, product]
            cloud.budgets[n + product] = budget
        u = uniform(cloud.random)
        n = _settle(cloud, n, n + n_products, n_products - 1, u, reactions, radii)
        if n == FULL:
            break
    return n


@uncounted
@no_type_check
def react_alone(cloud, n, duration, reactions, radii):
    """Let all reactions with less than two reactants happen; return the number of particles.

    Slots are visited from the last to the first, so that whatever fills a gap has been visited.
    """
    for slot in range(n - 1, -1, -1):
        total = reactions.totals[cloud.labels[slot]]
        if total == 0.0:
            continue
        u = uniform(cloud.random)
        if u < total * duration:
            cloud.budgets[slot] = duration
            n = _settle(cloud, slot, n, 0, u, reactions, radii)
            if n == FULL:
                return n
    return _create(cloud, n, duration, reactions, radii)
