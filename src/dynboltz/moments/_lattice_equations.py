"""Moment equations of a reaction network on a hypercubic lattice."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal, final, get_args

import numpy as np
from jaxtyping import Float64, Shaped

from dynboltz._arguments import checked
from dynboltz._hints import did_you_mean
from dynboltz._typing import AnyArray
from dynboltz.lattices import (
    Lattice,
    Term,
    TermCounter,
    check_pattern,
    check_states,
    pattern_term,
)
from dynboltz.reactions import ReactionNetwork

from ._derivative import derivative
from ._equations import MomentEquations, Row
from ._events import Rate, events
from ._geometry import Geometry
from ._moment import Moment

HopRates = Literal["common", "by-species"]


@final
@checked
@dataclass(frozen=True, eq=False)
class LatticeMomentEquations(MomentEquations[Moment]):
    """Moment equations on a lattice; made by `moment_equations`.

    Attributes
    ----------
    geometry
        Which moments are the same.
    """

    geometry: Geometry

    def term(self, moment: Moment) -> Term:
        """Term whose mean over the places where it fits is the moment."""
        return pattern_term(str(moment), self.geometry.images(moment.places))

    def estimate(
        self, states: Shaped[AnyArray, "states sites"], lattice: Lattice
    ) -> Float64[np.ndarray, "states known"]:
        """Moments of lattice states, in the order of `known`.

        Their mean over an ensemble, in `numeric(rates)`, gives the time derivatives. On a
        periodic lattice that is too small, where an event reaches a moment from two sides, these
        belong to equations made for that lattice, `moment_equations(..., lattice=lattice)`.

        Parameters
        ----------
        states
            States, 0 for an empty site and `i + 1` for species `i`.
        lattice
            The lattice.

        Returns
        -------
        moments
            Means over the places where a moment fits, all of them on a periodic lattice.

        Raises
        ------
        TypeError, ValueError
            If the lattice is not the one the equations were made for, or too small for a moment,
            or the states do not fit it or the species.
        """
        if lattice.dim != self.geometry.dim or self.geometry.periods not in (None, lattice.shape):
            raise ValueError(
                f"LatticeMomentEquations.estimate: the equations are those of "
                f"{self.geometry.periods or f'{self.geometry.dim} axes'}; got a lattice of shape "
                f"{lattice.shape}."
            )
        where, species = "LatticeMomentEquations.estimate", self.network.species
        states = check_states(where, states, species, ("states", lattice.n_sites))
        terms = [self.term(moment) for moment in self.known]
        counts = TermCounter(lattice, [species], terms).count(states[None])
        return counts / np.array([n_places(term, lattice) for term in terms], dtype=np.float64)


@checked
def moment_equations(
    network: ReactionNetwork,
    moments: Sequence[Moment | str],
    *,
    lattice: Lattice | None = None,
    symmetries: bool = True,
    hop_rates: HopRates = "common",
) -> LatticeMomentEquations:
    r"""Derive the time derivatives of moments on a hypercubic lattice.

    The process is that of `ContinuousTimeKernel` and `continuous_time_generator`: hops at rate
    $D$ to each empty neighbour, reactions at rate $k$ per empty site, particle or neighbouring
    pair, a second product of one reactant on a random empty neighbour. The derivative of a mean
    product of occupations is a sum over all transitions of rate times change; empty sites are
    eliminated as one minus the sum over the species, and translations make moments equal.

    Parameters
    ----------
    network
        The reactions. Their numbers do not enter; two reactants with a probability $p$ are taken
        to have a rate instead.
    moments
        Moments on the left-hand sides, or their text, such as `"A(0) B(1)"`; those that are the
        same are taken once.
    lattice
        A periodic lattice, for equations that also hold where it is so small that an event
        reaches a moment from two sides; the infinite lattice if left out.
    symmetries
        Whether moments that are images of each other under reflections and permutations of axes
        of equal length are taken as one, the mean over the images. The equations of these means
        are exact for any state.
    hop_rates
        `"common"`, one symbol `D`, or `"by-species"`, `D_A`, `D_B`, ...

    Returns
    -------
    equations
        The equations, moments in their canonical form.

    Raises
    ------
    ValueError
        If there is no moment, one is malformed or names a species that is not in the network,
        moments have different numbers of axes, the lattice is not periodic or has another number
        of axes, or `hop_rates` is unknown.

    References
    ----------
    Ernst et al. (2019), eqs. (36) and (43).
    """
    if hop_rates not in get_args(HopRates):
        raise ValueError(
            f"moment_equations: `hop_rates` must be one of {get_args(HopRates)}, got {hop_rates!r}."
        )
    wanted = [Moment.parse(m) if isinstance(m, str) else m for m in moments]
    dim = _check_moments(wanted, network)
    geometry = Geometry.of(dim, lattice, symmetric=symmetries)
    canonical = [check_pattern(geometry.canonical(moment.places)) for moment in wanted]
    left = tuple(Moment(pattern) for pattern in dict.fromkeys(canonical))
    happenings = events(network, geometry)
    rows = []
    for moment in left:
        found = derivative(moment.places, happenings, network.species, geometry)
        rows.append({Moment(p): _named(n, hop_rates) for p, n in found.items()})
    nonzero: tuple[Row[Moment], ...] = tuple({m: n for m, n in row.items() if n} for row in rows)
    return LatticeMomentEquations(network, left, nonzero, geometry)


def _named(numbers: dict[Rate, Fraction], hop_rates: HopRates) -> dict[str, Fraction]:
    """Sum of the numbers of each symbol."""
    named: dict[str, Fraction] = {}
    for rate, number in numbers.items():
        name = f"k{rate + 1}" if isinstance(rate, int) else f"D_{rate}"
        if hop_rates == "common" and isinstance(rate, str):
            name = "D"
        named[name] = named.get(name, Fraction(0)) + number
    return {name: number for name, number in named.items() if number}


def _check_moments(moments: Sequence[Moment], network: ReactionNetwork) -> int:
    """Raise unless the moments fit each other and the network; return the number of axes."""
    dims = {len(offset) for moment in moments for offset, _ in check_pattern(moment.places)}
    if len(dims) != 1 or not all(moment.order for moment in moments):
        raise ValueError(
            "moment_equations: `moments` must hold at least one moment, all with offsets of the "
            f"same number of axes; got {', '.join(map(str, moments)) or 'none'}."
        )
    for moment in moments:
        unknown = [label for label in moment.species if label not in network.species]
        if unknown:
            raise ValueError(
                f"The moment {moment} names the species {unknown[0]!r}; the network has "
                f"{', '.join(network.species)}.{did_you_mean(unknown[0], network.species)}"
            )
    return dims.pop()


def n_places(term: Term, lattice: Lattice) -> int:
    """Number of places where the products fit."""
    fits = (
        np.all([lattice.translate(factor.offset) >= 0 for factor in product], axis=0)
        for product in term.products
    )
    return int(sum(np.sum(fit) for fit in fits))
