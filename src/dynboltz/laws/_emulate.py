"""Moments of models without an exact solution, as smooth functions fitted to chains."""

from __future__ import annotations

import dataclasses
from typing import NamedTuple

import numpy as np
import scipy.linalg
from jaxtyping import Float64, Shaped

from dynboltz._arguments import check_range, checked
from dynboltz._numbers import check_finite
from dynboltz._typing import AnyArray
from dynboltz.lattices import Lattice, Term, TermCounter
from dynboltz.moments._lattice_equations import n_places
from dynboltz.sampling import GibbsSampler, advance, start_from_data

from ._coefficient_chart import CoefficientChart
from ._emulator import Emulator

BURN_IN = 60
"""Sweeps of the chains before the first sample."""

THIN = 3
"""Sweeps between two samples."""

GROUPS = 8
"""Groups of chains, from whose scatter the errors of values and slopes follow."""

LENGTHS = (1.0, 2.0, 4.0, 8.0)
"""Ranges of the correlations that are tried, in standard deviations of the features."""

SIZES = (0.1, 0.3, 1.0, 3.0)
"""Standard deviations of the functions that are tried, relative to that of the residuals."""

NARROWEST = 0.1
"""Least width of a feature: what hardly varied is no reason for fast changes."""


class _Seen(NamedTuple):
    """Values and slopes at the points, with standard errors."""

    z: Float64[np.ndarray, "points coordinates"]
    value: Float64[np.ndarray, "points outputs"]
    slope: Float64[np.ndarray, "points outputs features"]
    value_error: Float64[np.ndarray, "points outputs"]
    slope_error: Float64[np.ndarray, "points outputs features"]


@checked
def emulate(
    chart: CoefficientChart,
    theta: Float64[np.ndarray, "points coefficients"],
    visible: Shaped[AnyArray, "points chains sites"],
    *,
    counted_on: Lattice | None = None,
    n_samples: int = 40,
    seed: int = 1,
) -> CoefficientChart:
    r"""Coordinates whose moments are functions fitted to chains.

    At each point, chains give the moments and, as covariances with the statistics, all their
    derivatives by the coefficients. The functions are the biases, relative to those of independent
    sites, and the logarithms of moments, relative to the densities: affine functions of log
    densities and coefficients plus a Gaussian process, conditioned on values and slopes with their
    errors.

    Parameters
    ----------
    chart
        Coordinates of the model.
    theta
        Coefficients of the points, such as those of snapshots (`fit_snapshots_sampled`).
    visible
        Visible states from which the chains of each point start; eight or more.
    counted_on
        Lattice whose neighbours count, if not the model's, such as one with another boundary.
    n_samples
        Samples of each chain.
    seed
        Of the chains.

    Raises
    ------
    ValueError
        If there are fewer than two points or eight chains, a moment counts different combinations
        of species, or numbers are not finite.
    """
    where = "emulate"
    check_finite(where, "`theta`", theta, ("point", "coefficient"))
    check_range(where, "len(theta)", len(theta), 2)
    check_range(where, "visible.shape[1]", visible.shape[1], GROUPS)
    check_range(where, "n_samples", n_samples, 2)
    check_range(where, "seed", seed, 0)
    if counted_on is not None:
        from dynboltz.evaluation._equilibrium import (  # noqa: PLC0415 - seconds to import
            check_counted_on,
        )

        check_counted_on(where, chart.model, counted_on)
    lattice = counted_on or chart.model.lattice
    places = np.array([n_places(term, lattice) for term in chart.terms]) / lattice.n_sites
    labels = [_species(term, chart) for term in chart.terms]
    counter = TermCounter(lattice, chart.model.species[:1], chart.terms)
    values = _sample(chart, counter, theta, np.asarray(visible), n_samples, seed)
    seen = _seen(chart, theta, values, places, labels)
    blank = dataclasses.replace(chart, emulator=None)
    features = blank.batch_features(seen.z)
    width = np.maximum(features.std(axis=0), NARROWEST)
    x = (features - features.mean(axis=0)) / width
    fitted = [
        _process(
            x,
            seen.value[:, o],
            seen.slope[:, o] * width,
            seen.value_error[:, o],
            seen.slope_error[:, o] * width,
        )
        for o in range(seen.value.shape[1])
    ]
    affine, weights, lengths = map(np.array, zip(*fitted, strict=True))
    n, longest = len(chart.densities), max(map(len, labels))
    density_of = tuple((*own, *(n,) * (longest - len(own))) for own in labels)
    emulator = Emulator(
        n, density_of, places, features.mean(axis=0), width, x, affine, weights, lengths
    )
    return dataclasses.replace(chart, emulator=emulator)


def _species(term: Term, chart: CoefficientChart) -> tuple[int, ...]:
    """Numbers of the species of the sites of a moment."""
    names = chart.model.species[0]
    found = {tuple(sorted(names.index(f.species) for f in product)) for product in term.products}
    if len(found) > 1 or any(f.layer for product in term.products for f in product):
        raise ValueError(
            f"emulate: the moment {term.name!r} must count one combination of visible species; "
            "give each a term of its own."
        )
    return found.pop()


def _sample(
    chart: CoefficientChart,
    counter: TermCounter,
    theta: np.ndarray,
    visible: np.ndarray,
    n_samples: int,
    seed: int,
) -> np.ndarray:
    """Moments, then statistics with hidden units averaged over, [points, chains, samples, all]."""
    sampler, model = GibbsSampler(chart.model), chart.model
    from dynboltz.learning import HiddenAverage  # noqa: PLC0415 - seconds to import

    average = HiddenAverage(sampler)
    n_points, n_chains, n_sites = visible.shape
    rows = np.repeat(theta, n_chains, axis=0)
    flat = np.ascontiguousarray(visible).reshape(-1, n_sites)
    chains = advance(sampler, start_from_data(model, flat, seed=seed), rows, BURN_IN)
    samples = []
    for _ in range(n_samples):
        chains = advance(sampler, chains, rows, THIN)
        moments = counter.count(chains.visible[None]) / n_sites
        samples.append(np.concatenate([moments, average.of_chains(rows, chains)], axis=1))
    return np.stack(samples, axis=1).reshape(n_points, n_chains, n_samples, -1)


def _seen(
    chart: CoefficientChart,
    theta: np.ndarray,
    values: np.ndarray,
    places: np.ndarray,
    labels: list[tuple[int, ...]],
) -> _Seen:
    """What chains say at the points; errors from the scatter of groups of chains."""
    n_points, n_chains = values.shape[:2]
    flat = values.reshape(n_points, -1, values.shape[-1])
    z, value, slope = _outputs(chart, theta, flat, places, labels)
    groups = np.array_split(np.arange(n_chains), GROUPS)
    own = [
        _outputs(chart, theta, values[:, g].reshape(n_points, -1, values.shape[-1]), places, labels)
        for g in groups
    ]
    # The error of a value at the densities of all chains: groups have others.
    n = len(chart.densities)
    shift = [np.log(one[0][:, :n] / z[:, :n]) for one in own]
    moved = [
        one[1] - np.einsum("kod,kd->ko", slope[..., :n], s)
        for one, s in zip(own, shift, strict=True)
    ]
    value_error, slope_error = (
        np.std(parts, axis=0, ddof=1) / np.sqrt(GROUPS)
        for parts in (moved, [one[2] for one in own])
    )
    # A few groups know their scatter to a third: none is believed to be far below the others.
    value_error = np.maximum(value_error, 0.5 * np.median(value_error, axis=0)) + 1e-6
    slope_error = np.maximum(slope_error, 0.5 * np.median(slope_error, axis=0)) + 1e-6
    return _Seen(z, value, slope, value_error, slope_error)


def _outputs(
    chart: CoefficientChart,
    theta: np.ndarray,
    samples: np.ndarray,
    places: np.ndarray,
    labels: list[tuple[int, ...]],
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Coordinates of the points, outputs there, and their slopes by the features."""
    n, n_moments = len(chart.densities), len(chart.terms)
    biases, others = list(chart.biases), list(chart.others)
    moments, statistics = samples[..., :n_moments], samples[..., n_moments:]
    deviations = [part - part.mean(axis=1, keepdims=True) for part in (moments, statistics)]
    n_sites = chart.model.lattice.n_sites / samples.shape[1]
    metric = np.einsum("ksi,ksj->kij", deviations[1], deviations[1]) * n_sites
    response = np.einsum("ksi,ksj->kij", deviations[0], deviations[1]) * n_sites
    floor = float(chart.floor)
    density = np.maximum(statistics.mean(axis=1)[:, biases], floor)
    of_biases = metric[:, biases][:, :, biases] + 1e-9 * np.eye(n)
    inverse = np.linalg.inv(of_biases)
    # At fixed other coefficients and at fixed densities: biases by log densities and by others.
    by_log = inverse * density[:, None, :]
    by_others = -inverse @ metric[:, biases][:, :, others]
    bias_slope = np.concatenate([by_log, by_others], axis=2)
    direct = np.concatenate([np.zeros((len(theta), n_moments, n)), response[:, :, others]], axis=2)
    moment_slope = response[:, :, biases] @ bias_slope + direct
    mean = np.maximum(moments.mean(axis=1), floor)
    empty = np.maximum(1 - density.sum(axis=1, keepdims=True), floor)
    offset = theta[:, biases] - np.log(density) + np.log(empty)
    factor = np.log(mean / places)
    bias_slope[:, :, :n] -= np.eye(n) + (density / empty)[:, None, :]
    factor_slope = moment_slope / mean[..., None]
    for m, own in enumerate(labels):
        for a in own:
            factor[:, m] -= np.log(density[:, a])
            factor_slope[:, m, a] -= 1
    return (
        np.concatenate([density, theta[:, others]], axis=1),
        np.concatenate([offset, factor], axis=1),
        np.concatenate([bias_slope, factor_slope], axis=1),
    )


def _process(
    x: np.ndarray,
    value: np.ndarray,
    slope: np.ndarray,
    value_error: np.ndarray,
    slope_error: np.ndarray,
) -> tuple[np.ndarray, np.ndarray, float]:
    """Affine part and weights of a Gaussian process of the largest evidence, and its range."""
    n_points, n = x.shape
    target = np.concatenate([value[:, None], slope], axis=1).ravel()
    error = np.concatenate([value_error[:, None], slope_error], axis=1).ravel()
    ones, zeros = np.ones((n_points, 1)), np.zeros((n_points, n, 1))
    of_values = np.concatenate([ones, x], axis=1)[:, None]
    of_slopes = np.concatenate([zeros, np.broadcast_to(np.eye(n), (n_points, n, n))], axis=2)
    basis = np.concatenate([of_values, of_slopes], axis=1).reshape(-1, n + 1)
    scaled = basis / error[:, None]
    gram = scaled.T @ scaled + 1e-6 * np.eye(n + 1)
    affine = np.linalg.solve(gram, scaled.T @ (target / error))
    left = target - basis @ affine
    size = max(float(np.std(left.reshape(n_points, -1)[:, 0])), 1e-6)
    best = (-np.inf, np.zeros_like(left), LENGTHS[-1])
    for length in LENGTHS:
        kernel = _kernel(x, length)
        for share in SIZES:
            matrix = (share * size) ** 2 * kernel + np.diag(error**2)
            factor = scipy.linalg.cho_factor(matrix, lower=True)
            weights = scipy.linalg.cho_solve(factor, left)
            evidence = -0.5 * left @ weights - np.sum(np.log(np.diag(factor[0])))
            if evidence > best[0]:
                best = (evidence, (share * size) ** 2 * weights, length)
    return affine, best[1].reshape(n_points, n + 1), best[2]


def _kernel(x: np.ndarray, length: float) -> np.ndarray:
    """Covariances of values and slopes of a process with Gaussian correlations."""
    n_points, n = x.shape
    d = (x[:, None] - x[None]) / length**2
    k = np.exp(-0.5 * length**2 * np.sum(d**2, axis=2))
    full = np.empty((n_points, n + 1, n_points, n + 1))
    full[:, 0, :, 0] = k
    full[:, 0, :, 1:] = k[..., None] * d
    full[:, 1:, :, 0] = np.swapaxes(-k[..., None] * d, 1, 2)
    second = np.eye(n) / length**2 - d[..., :, None] * d[..., None, :]
    full[:, 1:, :, 1:] = np.transpose(k[..., None, None] * second, (0, 2, 1, 3))
    return full.reshape(n_points * (n + 1), -1)
