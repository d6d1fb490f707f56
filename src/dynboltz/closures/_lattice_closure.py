"""Closures of the moment equations of a periodic lattice."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import final, get_args

import numpy as np
from jaxtyping import Float64, Shaped

from dynboltz._arguments import checked
from dynboltz._typing import AnyArray
from dynboltz.lattices import Lattice, Term, TermCounter
from dynboltz.moments import (
    Geometry,
    LatticeMomentEquations,
    Moment,
    moment_equations,
    rate_constants,
)
from dynboltz.reactions import ReactionNetwork

from ._closed_moments import Affine, ClosedMoments
from ._closure import Closure
from ._expression import total
from ._lattice_arguments import hop_rates_of, reach_of
from ._lattice_factors import Factorisation, LatticeKind
from ._requirements import ProbabilityRequirements
from ._site_patterns import SitePatterns

MARGIN = 6
"""Sites that a lattice has more than twice the reach where it is as good as infinite."""


@final
@checked
@dataclass(frozen=True, eq=False)
class LatticeClosure(Closure[Moment]):
    """Closed equations of lattice moments; made by `lattice_closure`.

    Attributes
    ----------
    lattice
        The lattice.
    factorisation
        How any other moment follows from the followed ones.
    """

    lattice: Lattice
    factorisation: Factorisation

    def estimate_initial(
        self, states: Shaped[AnyArray, "states sites"], lattice: Lattice | None = None
    ) -> Float64[np.ndarray, "states moments"]:
        """Followed moments of lattice states; their mean over states is an initial value.

        Parameters
        ----------
        states
            States, 0 for an empty site and `i + 1` for species `i`.
        lattice
            Their lattice, if it is not the one of the closure.

        Raises
        ------
        ValueError
            As `LatticeMomentEquations.estimate`.
        """
        equations = self.equations
        assert isinstance(equations, LatticeMomentEquations)
        followed = dataclasses.replace(equations, rows=({},) * len(self.moments))
        return followed.estimate(states, lattice or self.lattice)

    def predict_terms(
        self, values: Float64[np.ndarray, "*batch moments"], terms: Sequence[Term]
    ) -> Float64[np.ndarray, "*batch terms"]:
        r"""Moments of any terms, by the factorisation of the closure.

        Parameters
        ----------
        values
            Followed moments, such as `values` of a prediction; NaN gives NaN.
        terms
            Terms of the visible layer.

        Returns
        -------
        moments
            Per site, as `mean_field_moments`: a term's expected number of products over the
            number of sites.

        Raises
        ------
        ValueError
            If values have another number of moments, or a term does not fit the lattice, names a
            species or layer that is not there, or has sites too far apart for the pair closure.
        """
        if values.shape[-1:] != (len(self.moments),):
            raise ValueError(
                f"LatticeClosure.predict_terms: `values` must have one entry for each of the "
                f"{len(self.moments)} moments, {', '.join(map(str, self.moments))}, on the last "
                f"axis; got shape {values.shape}."
            )
        TermCounter(self.lattice, [self.factorisation.sites.species], terms)
        geometry = self.factorisation.sites.geometry
        expressions = []
        for term in terms:
            patterns = (
                geometry.canonical((factor.offset, factor.species) for factor in p)
                for p in term.products
            )
            expressions.append(total((1, self.factorisation.expression(p)) for p in patterns))
        places = np.array([1.0 if t.at is None else 1 / self.lattice.n_sites for t in terms])
        table = ClosedMoments.of(expressions, _patterns(self.moments), self._affine)
        return table(values) * places

    def _affine(self, pattern) -> Affine:
        return self.factorisation.sites.affine(pattern)


@checked
def lattice_closure(
    network: ReactionNetwork,
    lattice: Lattice,
    closure: LatticeKind,
    *,
    hop_rate: float | Mapping[str, float],
    reach: int | None = None,
) -> LatticeClosure:
    r"""Close the moment equations of the continuous-time kernel on a periodic lattice.

    - `"mean-field"` follows the densities; sites are independent.
    - `"pair"` follows densities and neighbouring pairs. Other moments factorise over the shortest
      tree that spans their sites, $\prod_{\text{edges}} P_{ij} / \prod_i P_i^{n_i - 1}$ with $n_i$
      edges at a site; an edge between sites that are no neighbours is a sum over the states,
      empty or not, of the sites along a path between them, each independent of all before given
      its predecessor. On a chain this is a Markov chain; on a plane or in space it is the
      approximation of Bethe, with the first of the shortest trees where there are several.
    - `"kirkwood"` follows densities and all pairs within `reach` hops, and superposes them,
      $\prod_{i < j} P_{ij} / \prod_i P_i^{n - 2}$ for $n$ sites; pairs further apart are
      independent.

    Parameters
    ----------
    network
        Reactions, all with a rate.
    lattice
        A periodic lattice.
    closure
        Its name.
    hop_rate
        Rate of hops to each empty neighbour [1/time], one number or one a species.
    reach
        For `"kirkwood"`, at least 1; by default 16, 6 and 3 hops on one, two and three axes, and
        at most as many as there are between any two sites.

    Returns
    -------
    closure
        The closed equations, with the interface of a learned model.

    Raises
    ------
    ValueError
        If the closure is unknown, the lattice not periodic, `reach` less than 1 or given to
        another closure, a reaction has a probability, or a hop rate is missing, negative or not
        finite or belongs to no species.

    References
    ----------
    Matsuda, Ogita, Sasaki and Sato (1992), Prog. Theor. Phys. 88, 1035; Kirkwood (1935), J. Chem.
    Phys. 3, 300.
    """
    if closure not in get_args(LatticeKind):
        raise ValueError(
            f"lattice_closure: `closure` must be one of {get_args(LatticeKind)}, got {closure!r}."
        )
    hop_rates = hop_rates_of(network, hop_rate)
    hops = reach_of(lattice, closure, reach)
    small = min(lattice.shape) <= 2 * hops + MARGIN
    periodic = Geometry.of(lattice.dim, lattice, symmetric=True)
    geometry = periodic if small else Geometry(lattice.dim)
    factorisation = Factorisation(closure, SitePatterns(network.species, geometry), hops)
    equations = moment_equations(
        network,
        factorisation.followed(),
        lattice=lattice if small else None,
        hop_rates="by-species",
    )
    system = equations.numeric(rate_constants(network, hop_rates))
    expressions = [factorisation.expression(moment.places) for moment in equations.unclosed]
    patterns = _patterns(equations.moments)
    velocity = ClosedMoments.of(expressions, patterns, factorisation.sites.affine, system)
    return LatticeClosure(
        closure,
        equations,
        velocity,
        _requirements(factorisation),
        lattice,
        factorisation,
    )


def _patterns(moments: Sequence[Moment]) -> list:
    return [moment.places for moment in moments]


def _requirements(factorisation: Factorisation) -> ProbabilityRequirements:
    """The probabilities of all states of a site and of the followed pairs of sites."""
    sites = factorisation.sites
    patterns = [sites.single(state) for state in sites.states]
    for here, there in factorisation.pairs_of_sites():
        for first, second in itertools.product(sites.states, repeat=2):
            patterns.append(sites.geometry.canonical([(here, first), (there, second)]))
    functions = {_text(pattern): sites.affine(pattern) for pattern in patterns}
    return ProbabilityRequirements.of(functions, _patterns(factorisation.followed()))


def _text(pattern) -> str:
    return str(Moment(pattern)).replace("0(", "empty(")
