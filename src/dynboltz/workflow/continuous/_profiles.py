"""Random smooth densities, and Poisson patterns with them."""

from __future__ import annotations

import itertools
from typing import NamedTuple

import numpy as np
from jaxtyping import Float64

from dynboltz.particles import Box


class Profile(NamedTuple):
    r"""Density $\rho(x) = c\, \exp \sum_m [a_m \cos(k_m \cdot x) + b_m \sin(k_m \cdot x)]$.

    In a reflecting box the modes are products of cosines, whose slopes vanish at the walls.

    Attributes
    ----------
    box
        The box.
    waves
        Wave vectors $k_m$ [1/length].
    cosines, sines
        $a_m$ and $b_m$.
    mean
        Mean number of particles, the integral of the density.
    """

    box: Box
    waves: Float64[np.ndarray, "modes dim"]
    cosines: Float64[np.ndarray, " modes"]
    sines: Float64[np.ndarray, " modes"]
    mean: float

    def logarithm(
        self, points: Float64[np.ndarray, "points dim"]
    ) -> Float64[np.ndarray, " points"]:
        """Logarithm of the density but for its constant."""
        if self.box.is_periodic:
            phases = points @ self.waves.T
            return np.cos(phases) @ self.cosines + np.sin(phases) @ self.sines
        return np.prod(np.cos(points[:, None, :] * self.waves), axis=-1) @ self.cosines

    def draw(self, random: np.random.Generator) -> Float64[np.ndarray, "particles dim"]:
        """Draw a Poisson number of independent particles, by rejection."""
        most = float(np.sum(np.hypot(self.cosines, self.sines)))
        needed = int(random.poisson(self.mean))
        lengths = np.array(self.box.lengths, dtype=np.float64)
        found = np.zeros((0, self.box.dim))
        while len(found) < needed:
            points = random.random((4 * needed + 16, self.box.dim)) * lengths
            kept = np.log(random.random(len(points))) < self.logarithm(points) - most
            found = np.concatenate([found, points[kept]])
        return found[:needed]


def random_profile(
    box: Box, mean: float, modes: int, amplitude: float, random: np.random.Generator
) -> Profile:
    r"""Draw a density whose logarithm is a random smooth function.

    Parameters
    ----------
    box
        The box.
    mean
        Mean number of particles.
    modes
        Largest number of waves along an axis.
    amplitude
        Standard deviation of the logarithm, over space and draws; modes have amplitudes as
        $1 / |m|$.
    random
        Where random numbers come from.
    """
    numbers = _modes(box, modes)
    scales = 1 / np.linalg.norm(numbers, axis=1)
    share = np.ones(len(numbers))
    if not box.is_periodic:
        share = 0.5 ** np.count_nonzero(numbers, axis=1)  # mean square of products of cosines
    scales *= amplitude / np.sqrt(np.sum(share * scales**2))
    drawn = random.standard_normal((2, len(numbers))) * scales
    waves = numbers * (2 if box.is_periodic else 1) * np.pi / np.array(box.lengths)
    sines = drawn[1] if box.is_periodic else np.zeros(len(numbers))
    return Profile(box, waves, drawn[0], sines, mean)


def _modes(box: Box, modes: int) -> Float64[np.ndarray, "modes dim"]:
    """Numbers of waves along each axis, of each pair of opposite ones one."""
    least = -modes if box.is_periodic else 0
    every = itertools.product(range(least, modes + 1), repeat=box.dim)
    zero = (0,) * box.dim
    return np.array([m for m in every if m > zero], dtype=np.float64)
