"""What a model without pairs, K = 1, predicts of the quantities that simulations show."""

from __future__ import annotations

import math

import numpy as np
from jaxtyping import Float64

from dynboltz.distributions import PointProcessModel
from dynboltz.evaluation import species_pairs
from dynboltz.particles import Box

from ._experiment import BoxExperiment
from ._observed import distance_edges
from ._occupancy import function_values, grid_points

INNER = 3
"""Points along each side of a cell in which a density is averaged."""
FINE = {1: 240, 2: 60, 3: 40}
"""Points along each side of a box for pair correlations, at least."""


def predict_quantities(
    experiment: BoxExperiment,
    model: PointProcessModel,
    theta: Float64[np.ndarray, "initial_conditions times coefficients"],
) -> dict[str, Float64[np.ndarray, "initial_conditions times kinds ..."]]:
    """Quantities of Poisson processes with these coefficients."""
    number = np.stack([_number(model, name, theta) for name in model.species], axis=-1)
    edges = distance_edges(experiment)
    profiles = [_profile(experiment, model, name, theta) for name in model.species]
    pairs = species_pairs(model.species)
    correlations = [_pair_correlation(model, pair, theta, edges) for pair in pairs]
    return {
        "number": number,
        "dispersion": np.ones_like(number),
        "profile": np.stack(profiles, axis=2),
        "pair_correlation": np.stack(correlations, axis=2),
    }


def density(
    model: PointProcessModel,
    name: str,
    theta: Float64[np.ndarray, "*batch coefficients"],
    points: Float64[np.ndarray, "points dim"],
) -> Float64[np.ndarray, "*batch points"]:
    r"""Density $\rho = e^{-\nu}$ of a species at some points."""
    own = theta[..., model.slices[f"nu.{name}"]]
    return np.exp(-function_values(model.single[name], own, points))


def _number(model: PointProcessModel, name: str, theta: np.ndarray) -> np.ndarray:
    points, weights = model.single[name].quadrature()
    return density(model, name, theta, points) @ weights


def _profile(
    experiment: BoxExperiment, model: PointProcessModel, name: str, theta: np.ndarray
) -> np.ndarray:
    """Means over equal cells of the box."""
    n, dim = experiment.table.evaluation.profile_bins, model.box.dim
    fine = density(model, name, theta, grid_points(model.box, INNER * n))
    split = fine.reshape(*theta.shape[:-1], *(n, INNER) * dim)
    inner = tuple(theta.ndim - 1 + 2 * axis + 1 for axis in range(dim))
    return split.mean(axis=inner)


def _pair_correlation(
    model: PointProcessModel,
    pair: tuple[str, str],
    theta: np.ndarray,
    edges: Float64[np.ndarray, " edges"],
) -> np.ndarray:
    """Pairs of independent particles with these densities over those of uniform ones."""
    box = model.box
    n = max(FINE[box.dim], math.ceil(2 * max(box.lengths) / np.diff(edges).min()))
    first, second = (_relative_density(model, name, theta, n) for name in pair)
    places = np.digitize(_offsets(box, n), edges) - 1
    everywhere = np.ones((n,) * box.dim)
    pairs, uniform = _correlated(box, first, second), _correlated(box, everywhere, everywhere)
    bins = [places == number for number in range(len(edges) - 1)]
    return np.stack([pairs[..., own].sum(axis=-1) / uniform[own].sum() for own in bins], axis=-1)


def _relative_density(model: PointProcessModel, name: str, theta: np.ndarray, n: int) -> np.ndarray:
    """Density on a grid over its mean."""
    box = model.box
    fine = density(model, name, theta, grid_points(box, n))
    fine = fine.reshape(*theta.shape[:-1], *(n,) * box.dim)
    return fine / fine.mean(axis=tuple(range(-box.dim, 0)), keepdims=True)


def _correlated(box: Box, first: np.ndarray, second: np.ndarray) -> np.ndarray:
    r"""$\sum_x f(x) g(x + d)$ for all steps $d$ of the grid, the last axes."""
    axes = tuple(range(-box.dim, 0))
    sizes = [first.shape[axis] * (1 if box.is_periodic else 2) for axis in axes]
    spectra = [np.fft.rfftn(values, s=sizes, axes=axes) for values in (first, second)]
    return np.fft.irfftn(spectra[0].conj() * spectra[1], s=sizes, axes=axes)


def _offsets(box: Box, n: int) -> np.ndarray:
    """Length of every step of the grid, of those to the nearest images."""
    sizes = n if box.is_periodic else 2 * n
    steps = [np.fft.fftfreq(sizes) * sizes * length / n for length in box.lengths]
    return np.sqrt(sum(step**2 for step in np.meshgrid(*steps, indexing="ij")))
