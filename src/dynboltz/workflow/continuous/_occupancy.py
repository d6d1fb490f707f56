"""Where functions were visited: values of the interaction functions that particles saw."""

from __future__ import annotations

import itertools
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float64

from dynboltz._warnings import collected
from dynboltz.elements import FunctionSpace
from dynboltz.particles import Box

from ._model import FunctionalModel

GRID_POINTS = {1: 64, 2: 24, 3: 12}
"""Points along each side of a box of one to three axes."""
BINS = 60


class Occupancy(NamedTuple):
    r"""How often solutions passed the values of one interaction function.

    Attributes
    ----------
    nu
        Centres of the bins.
    share
        Share of the particles, over space, times and initial conditions, that are in a place with
        this value, divided by the largest share.
    """

    nu: Float64[np.ndarray, " bins"]
    share: Float64[np.ndarray, " bins"]

    def visited(self, least: float) -> Bool[np.ndarray, " bins"]:
        """Tell which bins between the first and the last one with `least` of the largest share."""
        known = np.flatnonzero(self.share >= least)
        places = np.arange(len(self.nu))
        return (places >= known[0]) & (places <= known[-1])


def grid_points(box: Box, n: int) -> Float64[np.ndarray, "points dim"]:
    """Centres of equal cells, `n` along each side, in C order."""
    sides = [(np.arange(n) + 0.5) / n * length for length in box.lengths]
    return np.array(list(itertools.product(*sides)), dtype=np.float64)


def visited_values(
    learned: FunctionalModel, times: Float64[np.ndarray, " times"]
) -> Float64[np.ndarray, "points species"]:
    """Values of the interaction functions along the solutions of the training set.

    Over initial conditions, times and equal cells of the box.
    """
    with collected():
        theta = learned.predict(learned.initial, times)
    box = learned.model.box
    points = grid_points(box, GRID_POINTS[box.dim])
    columns = [
        function_values(
            learned.model.single[name], theta[..., learned.model.slices[f"nu.{name}"]], points
        )
        for name in learned.model.species
    ]
    return np.stack([values.ravel() for values in columns], axis=-1)


def function_values(
    space: FunctionSpace,
    theta: Float64[np.ndarray, "*batch coefficients"],
    points: Float64[np.ndarray, "points dim"],
) -> Float64[np.ndarray, "*batch points"]:
    """Values of many functions at some points."""
    return theta @ space.evaluate(points).T


def occupancy(nu: Float64[np.ndarray, " values"]) -> Occupancy:
    r"""Histogram of the values of an interaction function, weighted with the particles there.

    Parameters
    ----------
    nu
        Values in cells of the same size; a cell holds particles in proportion to $e^{-\nu}$.
    """
    share, edges = np.histogram(nu, bins=BINS, weights=np.exp(-nu))
    return Occupancy((edges[1:] + edges[:-1]) / 2, share / share.max())
