"""Flat tables of reactions in continuous space and of neighbour cells, for the compiled kernels."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from dynboltz.particles import Box
from dynboltz.reactions import Reaction, ReactionNetwork, equation_text

from ._tables import ReactionTable, reaction_table

_LEAST_RADIUS, _MOST_RADIUS = 1e-150, 1e150


class PairTable(NamedTuple):
    """Reactions of two particles, in sets of the species of an ordered pair.

    Attributes
    ----------
    pointers
        First reaction of each set `first * (n_species + 1) + second`; one entry more than sets.
    rates
        Rate of each reaction.
    squares
        Square of its radius.
    products
        Labels of its products [reactions, 2], 0 for none; the first belongs to the first particle.
    reach
        Largest square of a radius in each set, 0 if there is no reaction.
    """

    pointers: np.ndarray
    rates: np.ndarray
    squares: np.ndarray
    products: np.ndarray
    reach: np.ndarray


class CellGrid(NamedTuple):
    """Cells at least as wide as the largest radius.

    Attributes
    ----------
    shape
        Number of cells along each axis.
    neighbours
        Each cell and those around it [cells, neighbours]: the first `counts[cell]` of a row.
    counts
        Number of them.
    """

    shape: np.ndarray
    neighbours: np.ndarray
    counts: np.ndarray


def single_tables(
    network: ReactionNetwork, radii: Mapping[Reaction, float]
) -> tuple[ReactionTable, np.ndarray]:
    """Reactions with less than two reactants, and the distance within which each puts products."""
    sides = [(), *((name,) for name in network.species)]
    sets = [[r for r in network.reactions if r.reactants == side and r.rate] for side in sides]
    distances = [radii.get(reaction, 0.0) for set_ in sets for reaction in set_]
    return reaction_table(network, sets), np.array(distances, dtype=np.float64)


def pair_reaction_table(network: ReactionNetwork, radii: Mapping[Reaction, float]) -> PairTable:
    """Reactions of two particles in either order."""
    label = {name: index + 1 for index, name in enumerate(network.species)}
    names = [None, *network.species]
    sets = [_oriented(network, a, b) for a in names for b in names]
    members = [member for set_ in sets for member in set_]
    products = [([label[name] for name in made] + [0, 0])[:2] for _, made in members]
    return PairTable(
        pointers=np.cumsum([0] + [len(set_) for set_ in sets], dtype=np.int64),
        rates=np.array([reaction.rate for reaction, _ in members], dtype=np.float64),
        squares=np.array([radii[reaction] ** 2 for reaction, _ in members], dtype=np.float64),
        products=np.array(products, dtype=np.uint8).reshape(-1, 2),
        reach=np.array([max([radii[r] ** 2 for r, _ in s] + [0.0]) for s in sets]),
    )


def _oriented(
    network: ReactionNetwork, a: str | None, b: str | None
) -> list[tuple[Reaction, tuple[str, ...]]]:
    """Reactions of a pair with their products in the order of the pair."""
    along = [(r, r.products) for r in network.reactions if r.reactants == (a, b) and r.rate]
    if a == b:
        return along
    against = [r for r in network.reactions if r.reactants == (b, a) and r.rate]
    return along + [(r, r.products[::-1]) for r in against]


def cell_grid(box: Box, radius: float, n_slots: int) -> CellGrid:
    """Cells for pairs within `radius`, no more than there may be particles."""
    side = max(radius, (box.volume / max(n_slots, 1)) ** (1 / box.dim))
    shape = _cells_along(box, side)
    while math.prod(shape) > max(n_slots, 1):
        side *= 1.1
        shape = _cells_along(box, side)
    cells = np.stack(
        [_shifted(shape, offset, box.is_periodic) for offset in _offsets(shape, box.is_periodic)],
        axis=1,
    )
    outside = cells < 0
    order = np.argsort(outside, axis=1, kind="stable")
    neighbours = np.maximum(np.take_along_axis(cells, order, axis=1), 0)
    return CellGrid(
        np.array(shape, dtype=np.int64),
        neighbours.astype(np.int32),
        (~outside).sum(axis=1).astype(np.int32),
    )


def _cells_along(box: Box, side: float) -> tuple[int, ...]:
    return tuple(max(1, int(length / side)) for length in box.lengths)


def _offsets(shape: tuple[int, ...], periodic: bool) -> list[tuple[int, ...]]:
    """Steps to a cell itself and its neighbours, each neighbour once."""
    near = {1: (0,), 2: (0, 1) if periodic else (-1, 0, 1)}
    return list(itertools.product(*[near.get(count, (-1, 0, 1)) for count in shape]))


def _shifted(shape: tuple[int, ...], offset: tuple[int, ...], periodic: bool) -> np.ndarray:
    """Number of the cell at `offset` from each cell, -1 outside."""
    lengths = np.array(shape)[:, None]
    places = np.indices(shape).reshape(len(shape), -1) + np.array(offset)[:, None]
    if periodic:
        return np.asarray(np.ravel_multi_index(tuple(places % lengths), shape))
    inside = np.all((places >= 0) & (places < lengths), axis=0)
    within = tuple(np.clip(places, 0, lengths - 1))
    return np.where(inside, np.ravel_multi_index(within, shape), -1)


def reaction_radii(
    network: ReactionNetwork, radius: float | Mapping[str, float]
) -> dict[Reaction, float]:
    """Radius of each reaction with two reactants or two products.

    Raises
    ------
    ValueError
        If a mapping does not name each such reaction once, or a radius is not positive and finite.
    """
    needed = {
        _key(equation_text(r.reactants, r.products)): r
        for r in network.reactions
        if max(len(r.reactants), len(r.products)) == 2
    }
    if isinstance(radius, Mapping):
        given = {_key(text): value for text, value in radius.items()}
    else:
        given = dict.fromkeys(needed, radius)
    if given.keys() != needed.keys():
        names = [repr(equation_text(r.reactants, r.products)) for r in needed.values()]
        raise ValueError(
            "simulate_particles: `reaction_radius` must be one number or name each reaction with "
            f"two reactants or two products once ({', '.join(names) or 'there is none'}), got "
            f"{', '.join(map(repr, radius)) or 'none'}."  # pyright: ignore[reportArgumentType, reportCallIssue]
        )
    for value in given.values():
        if not _LEAST_RADIUS <= value <= _MOST_RADIUS:
            raise ValueError(
                f"simulate_particles: `reaction_radius` must be positive and finite, got {value}. "
                f"It may be from {_LEAST_RADIUS:g} to {_MOST_RADIUS:g}, so that its square is a "
                "positive number too."
            )
    return {needed[key]: float(value) for key, value in given.items()}


def _key(equation: str) -> str:
    return "".join(equation.split())
