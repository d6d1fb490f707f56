"""How fast the exact process moves the statistics of a model, from moments of its distribution."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import final

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Float64

from dynboltz.distributions import LatticeModel
from dynboltz.lattices import Pattern, Product, Term, anchored, pattern_images, pattern_term
from dynboltz.moments import (
    HopRates,
    LatticeMomentEquations,
    Moment,
    moment_equations,
    rate_constants,
)
from dynboltz.reactions import ReactionNetwork


@final
@dataclass(frozen=True, eq=False)
class Drift:
    r"""Mean rates of change of the statistics, linear in moments and in the rate constants.

    $$\frac{d \langle s_k \rangle}{dt} = \langle \mathcal{L}^\dagger s_k \rangle
    = \sum_r u_r \Big( c_{kr} + \sum_j M_{krj} \mu_j \Big)$$

    Attributes
    ----------
    terms
        Terms whose moments per site are $\mu$.
    rate_names
        Names of the rate constants $u$.
    matrix, constant
        $M$ and $c$.
    """

    terms: tuple[Term, ...]
    rate_names: tuple[str, ...]
    matrix: Float64[np.ndarray, "coefficients rates terms"]
    constant: Float64[np.ndarray, "coefficients rates"]


def statistics_drift(model: LatticeModel, network: ReactionNetwork, hop_rates: HopRates) -> Drift:
    """Derive the drift of the statistics of a visible model on a periodic lattice.

    Raises
    ------
    ValueError
        If the model has hidden layers, terms at one place, other species than the network, or its
        lattice is not periodic.
    """
    _check(model, network)
    patterns = [[_pattern(product) for product in term.products] for term in model.terms]
    periods = model.lattice.shape
    equations = moment_equations(
        network,
        [Moment(pattern) for pattern in itertools.chain.from_iterable(patterns)],
        lattice=model.lattice,
        symmetries=all(_is_symmetric(products, periods) for products in patterns),
        hop_rates=hop_rates,
    )
    shares = np.zeros((len(patterns), len(equations.moments)))
    for row, products in zip(shares, patterns, strict=True):
        for pattern in products:
            moment = Moment(equations.geometry.canonical(pattern))
            row[equations.moments.index(moment)] += 1
    matrix, constant = _by_rate(equations)
    return Drift(
        tuple(_observed(moment, periods) for moment in equations.known),
        equations.rate_names,
        np.einsum("km,mrj->krj", shares, matrix),
        shares @ constant,
    )


def rate_values(
    drift: Drift, network: ReactionNetwork, hop_rate: float | Mapping[str, float]
) -> Float[Array, " rates"]:
    """Values of the rate constants of a drift."""
    known = rate_constants(network, hop_rate)
    return jnp.array([known[name] for name in drift.rate_names])


def _check(model: LatticeModel, network: ReactionNetwork) -> None:
    where = "entropic_matching: `model` must"
    if not model.is_visible:
        raise ValueError(
            f"{where} have no hidden layers: its visible states are no exponential family then. "
            "Terms of visible sites can carry the same moments, see `unclosed_moments`."
        )
    placed = [term.name for term in model.terms if term.at is not None]
    if placed:
        raise ValueError(
            f"{where} have coefficients tied by translation, but {placed[0]!r} belongs to one "
            "place."
        )
    if model.lattice.boundary != "periodic":
        raise ValueError(
            f"{where} be that of a periodic lattice, where all sites are alike; got a "
            f"{model.lattice.boundary} one."
        )
    if model.layers[0].species != network.species:
        raise ValueError(
            f"{where} have the species of the network, {', '.join(network.species)}, in their "
            f"order; got {', '.join(model.layers[0].species)}."
        )


def _pattern(product: Product) -> Pattern:
    return tuple(sorted((factor.offset, factor.species) for factor in product))


def _is_symmetric(products: list[Pattern], periods: tuple[int, ...]) -> bool:
    """Whether a sum of products is the same after every reflection and permutation of axes."""
    numbers = Counter(anchored(pattern, periods) for pattern in products)
    return all(
        numbers[image] == number
        for pattern, number in numbers.items()
        for image in pattern_images(pattern, periods)
    )


def _observed(moment: Moment, periods: tuple[int, ...]) -> Term:
    """Term of a moment, of one of its images: a distribution with the symmetry gives them alike."""
    axes = zip(*(offset for offset, _ in moment.places), strict=True)
    origin = [_start(sorted(set(places)), n) for places, n in zip(axes, periods, strict=True)]
    near = [
        (tuple((x - first) % n for x, first, n in zip(offset, origin, periods, strict=True)), name)
        for offset, name in moment.places
    ]
    return pattern_term(f"moment {moment}", [tuple(sorted(near))])


def _start(places: list[int], period: int) -> int:
    """Where the shortest arc of a ring that holds all places begins: behind the widest gap."""
    gaps = [
        (place - before) % period
        for before, place in zip([places[-1], *places[:-1]], places, strict=True)
    ]
    return places[int(np.argmax(gaps))]


def _by_rate(equations: LatticeMomentEquations) -> tuple[np.ndarray, np.ndarray]:
    """Coefficients of all moments and of 1 on the right-hand sides, for each rate constant."""
    rates = {name: place for place, name in enumerate(equations.rate_names)}
    columns = {moment: place for place, moment in enumerate(equations.known)}
    matrix = np.zeros((len(equations.moments), len(rates), len(columns)))
    constant = np.zeros((len(equations.moments), len(rates)))
    for place, row in enumerate(equations.rows):
        for moment, numbers in row.items():
            for name, number in numbers.items():
                if moment.order:
                    matrix[place, rates[name], columns[moment]] = float(number)
                else:
                    constant[place, rates[name]] = float(number)
    return matrix, constant
