"""The Boltzmann model with the same statistics as a chart: names, possible moments, first guess."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float64

from dynboltz._arguments import checked
from dynboltz._numbers import check_finite
from dynboltz.lattices import Pattern, pattern_text

from ._chart import MomentChart

_RUNS = {1: "b", 2: "J", 3: "K"}
"""Letters of the coefficients of species in a row, as `LatticeModel.from_names` reads them."""

ROUNDING, ROUNDED = 1e-12, 1e-5
"""Of probabilities computed here, and relative to those of predictions in single precision."""


@checked
def coefficient_names(chart: MomentChart) -> tuple[str, ...]:
    """Names of the coefficients of the moments of a chart, for `LatticeModel.from_names`.

    `b.A` for a density, `J.A.B` for neighbours, `K.A.B.A` for three in a row, and the pattern
    itself, such as `A(0) A(2)`, for others.
    """
    species = _species(chart)
    return tuple(_name(pattern, species) for pattern in chart.patterns)


def _name(pattern: Pattern, species: list[str]) -> str:
    if len(pattern) not in _RUNS or not _is_run(pattern):
        return pattern_text(pattern)
    labels = [label for _, label in pattern]
    # Runs count in both directions; the one whose species come first is the one that is written.
    labels = min(labels, labels[::-1], key=lambda run: [species.index(label) for label in run])
    return ".".join([_RUNS[len(pattern)], *labels])


def _is_run(pattern: Pattern) -> bool:
    """Whether the sites follow each other along one axis."""
    steps = np.diff([offset for offset, _ in pattern], axis=0)
    return not len(steps) or bool(np.all(steps == steps[0]) and np.abs(steps[0]).sum() == 1)


@checked
def possible_moments(
    chart: MomentChart, moments: Float64[np.ndarray, "*batch moments"]
) -> tuple[Float64[np.ndarray, "*batch moments"], Bool[np.ndarray, "*batch"]]:
    r"""Moments inside what is possible, and where they were moved for that.

    At the edge of what is possible, as where a species or a pair is absent, coefficients are
    infinite. Half of one occurrence in all states of an initial condition, the floor of the chart,
    is put in the place of none: densities, and that of empty sites, are not less than the floor;
    neighbours, empty sites among them, are moved towards independent sites until no pair has less
    than the floor or half of what independent sites have. Species that are absent are independent
    of the others, and so are pairs of which less than the floor is to be expected and seen.

    Parameters
    ----------
    chart
        Coordinates of the moments.
    moments
        Moments per site.

    Returns
    -------
    moments
        Possible ones, as far as densities and neighbours decide.
    is_at_edge
        Where they differ from the given ones.
    """
    check_finite("possible_moments", "`moments`", moments)
    floor = float(chart.floor)
    given = moments / np.asarray(chart.places)
    density, moved = _possible_densities(given[..., list(chart.densities)], floor)
    table = _pair_table(chart, given, density)
    with_empty = np.concatenate([1 - density.sum(axis=-1, keepdims=True), density], axis=-1)
    independent = with_empty[..., :, None] * with_empty[..., None, :]
    absent = np.concatenate([np.zeros((*moved.shape[:-1], 1), bool), moved], axis=-1)
    table = np.where(absent[..., :, None] | absent[..., None, :], independent, table)
    # Charts put the floor in the place of fewer pairs, also where none are to be expected.
    rare = (table <= floor * (1 + ROUNDED)) & (independent < floor)
    table = _closed_table(np.where(rare, independent, table), density)
    low = np.minimum(floor, 0.5 * independent)
    needed = np.divide(
        low - table, independent - table, out=np.zeros_like(table), where=table < low
    )
    share = needed.max(axis=(-2, -1))[..., None, None]
    table = (1 - share) * table + share * independent
    found = np.array(given)
    found[..., list(chart.densities)] = density
    for place, (a, b) in _neighbours(chart).items():
        found[..., place] = table[..., a + 1, b + 1]
    for place in set(chart.factors) - set(_neighbours(chart)):
        labels = [_species(chart).index(label) for _, label in chart.patterns[place]]
        expected = np.prod(density[..., labels], axis=-1)
        mixed = (1 - share[..., 0, 0]) * given[..., place] + share[..., 0, 0] * expected
        found[..., place] = np.maximum(mixed, np.minimum(floor, 0.5 * expected))
    # Rounding on the way there and back is no move.
    is_at_edge = np.asarray(np.any(np.abs(found - given) > ROUNDING, axis=-1))
    return np.where(is_at_edge[..., None], found * np.asarray(chart.places), moments), is_at_edge


@checked
def pair_coefficients(
    chart: MomentChart, moments: Float64[np.ndarray, "*batch moments"]
) -> Float64[np.ndarray, "*batch moments"]:
    r"""Coefficients that have these moments where neighbours of a site are independent given it.

    $$J_{ab} = \ln \frac{P_{ab} P_{00}}{P_{a0} P_{0b}}, \qquad
    b_a = \ln \frac{\rho_a}{\rho_0} + q \ln \frac{P_{a0} \, \rho_0}{P_{00} \, \rho_a}$$

    with the densities $\rho$ and probabilities $P$ of neighbours, 0 for an empty site, and the
    number of neighbours $q$ of a site: exact on long chains, the Bethe approximation elsewhere.
    Other coefficients are 0.

    Parameters
    ----------
    chart
        Coordinates of the moments.
    moments
        Possible moments per site, see `possible_moments`.
    """
    check_finite("pair_coefficients", "`moments`", moments)
    given = moments / np.asarray(chart.places)
    density = given[..., list(chart.densities)]
    table = np.log(_closed_table(_pair_table(chart, given, density), density))
    log_density, log_empty = np.log(density), np.log(1 - density.sum(axis=-1))
    neighbours = _neighbours(chart)
    alike = [chart.places[place] for place, (a, b) in neighbours.items() if a == b]
    n_neighbours = 2 * float(np.mean(alike)) if alike else 0.0
    theta = np.zeros_like(given)
    for a, place in enumerate(chart.densities):
        bond = table[..., a + 1, 0] - log_density[..., a] - table[..., 0, 0] + log_empty
        theta[..., place] = log_density[..., a] - log_empty + n_neighbours * bond
    for place, (a, b) in neighbours.items():
        with_empty = table[..., a + 1, 0] + table[..., 0, b + 1]
        theta[..., place] = table[..., a + 1, b + 1] + table[..., 0, 0] - with_empty
    return theta


def _possible_densities(
    density: Float64[np.ndarray, "*batch densities"], floor: float
) -> tuple[Float64[np.ndarray, "*batch densities"], Bool[np.ndarray, "*batch densities"]]:
    """Densities that leave some empty sites, and which of them were less than the floor."""
    found = np.maximum(density, floor)
    above = found.sum(axis=-1, keepdims=True) - density.shape[-1] * floor
    most = 1 - (density.shape[-1] + 1) * floor
    return floor + (found - floor) * (most / np.maximum(above, most)), density < floor


def _species(chart: MomentChart) -> list[str]:
    return [chart.patterns[i][0][1] for i in chart.densities]


def _neighbours(chart: MomentChart) -> dict[int, tuple[int, int]]:
    """Species of the moments of neighbouring pairs, by their place."""
    species = _species(chart)
    return {
        i: (species.index(pattern[0][1]), species.index(pattern[1][1]))
        for i, pattern in enumerate(chart.patterns)
        if len(pattern) == 2 and _is_run(pattern)
    }


def _pair_table(
    chart: MomentChart,
    probability: Float64[np.ndarray, "*batch moments"],
    density: Float64[np.ndarray, "*batch densities"],
) -> Float64[np.ndarray, "*batch labels labels"]:
    """Probabilities of neighbours, without those of empty sites; independent if not followed."""
    n = density.shape[-1]
    table = np.zeros((*density.shape[:-1], n + 1, n + 1))
    table[..., 1:, 1:] = density[..., :, None] * density[..., None, :]
    for place, (a, b) in _neighbours(chart).items():
        table[..., a + 1, b + 1] = table[..., b + 1, a + 1] = probability[..., place]
    return table


def _closed_table(
    table: Float64[np.ndarray, "*batch labels labels"],
    density: Float64[np.ndarray, "*batch densities"],
) -> Float64[np.ndarray, "*batch labels labels"]:
    """The same with empty sites, which follow from the densities."""
    found = np.array(table)
    found[..., 0, 1:] = found[..., 1:, 0] = density - table[..., 1:, 1:].sum(axis=-1)
    found[..., 0, 0] = 1 - density.sum(axis=-1) - found[..., 0, 1:].sum(axis=-1)
    return found
