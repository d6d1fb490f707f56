"""Coordinates of moments: densities, and the logarithms of correlation factors."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Any, final

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Float64

from dynboltz._arguments import check_range, checked
from dynboltz._numbers import check_finite
from dynboltz._typing import AnyArray
from dynboltz.lattices import Lattice, Pattern, Term, pattern_images, pattern_term
from dynboltz.moments import Geometry, Moment
from dynboltz.moments._lattice_equations import n_places

from ._kernels import log_ratios_kernel, probabilities_kernel


@final
@checked
class MomentChart(eqx.Module):
    r"""Coordinates in which laws of moments are learned; made by `moment_chart`.

    A moment per visible site is $m_C = n_C P_C$: the number of places of its pattern per site,
    times the probability that a place holds it. With the densities $\rho$,

    $$P_C = e^{\sum_{D \subseteq C} \nu_{CD} g_D} \prod_{a \in C} \rho_a$$

    over the followed patterns $D$ of two sites or more, each as often as it is part of $C$; $g_C =
    0$ where sites are independent given the smaller patterns. Coordinates are the densities
    [particles per site] and the factors $g$ [-]. Densities themselves, and not their logarithms:
    the equations of densities are linear in moments and stay finite where a species is absent. The
    learned functions see their logarithms (`features`).

    Attributes
    ----------
    names
        Names of the moments, of one site and of more.
    patterns
        Pattern of each of them.
    densities
        Places of the densities among the moments.
    factors
        Places of the others.
    density_of
        For each of the others, the places of its densities among the densities, filled up with
        the number of densities.
    weights
        $\nu$, of the factors.
    inverse_weights
        Its inverse.
    places
        $n_C$ [1/site].
    floor
        Probability below which a moment counts as absent: half of one occurrence in all sites of
        all replicas of an initial condition.
    """

    names: tuple[str, ...] = eqx.field(static=True)
    patterns: tuple[Pattern, ...] = eqx.field(static=True)
    densities: tuple[int, ...] = eqx.field(static=True)
    factors: tuple[int, ...] = eqx.field(static=True)
    density_of: tuple[tuple[int, ...], ...] = eqx.field(static=True)
    weights: Float[AnyArray, "factors factors"]
    inverse_weights: Float[AnyArray, "factors factors"]
    places: Float[AnyArray, " moments"]
    floor: Float[AnyArray, ""]

    @property
    def _axis_entries(self) -> dict[str, Any]:
        return {
            "moments": self.names,
            "compared": self.names,
            "coordinates": self.coordinates,
            "factors": len(self.factors),
            "densities": tuple(self.names[i] for i in self.densities),
        }

    @property
    def coordinates(self) -> tuple[str, ...]:
        """Names of the coordinates: the densities, then `g(...)` of the other moments."""
        order = (*self.densities, *self.factors)
        factors = tuple(f"g({self.names[i]})" for i in self.factors)
        return tuple(self.names[i] for i in order[: len(self.densities)]) + factors

    @property
    def narrowest(self) -> float:
        """Smallest width of a feature that functions are to resolve: any."""
        return 0.0

    def probabilities(self, z: Float[AnyArray, " coordinates"]) -> Float[Array, " moments"]:
        """Probabilities of the patterns at one point, in the order of the moments [-]."""
        n = len(self.densities)
        z = jnp.asarray(z)
        density = z[:n]
        parts = density
        if self.factors:
            with_one = jnp.concatenate([density, jnp.ones((1,), z.dtype)])
            products = jnp.prod(with_one[jnp.asarray(self.density_of)], axis=-1)
            parts = jnp.concatenate([density, products * jnp.exp(self.weights @ z[n:])])
        order = np.argsort((*self.densities, *self.factors))
        return parts[order]

    def moments(self, z: Float[AnyArray, " coordinates"]) -> Float[Array, " moments"]:
        """Moments per visible site at one point."""
        return self.probabilities(z) * self.places

    def compared(
        self, replicas: Sequence[Float64[np.ndarray, "_ times moments"]]
    ) -> tuple[Float64[np.ndarray, "starts times coordinates"], list[np.ndarray]]:
        """Coordinates of the means over replicas, and probabilities of the replicas."""
        for number, moments in enumerate(replicas):
            if np.any(np.abs(moments) > np.asarray(self.places) * (1 + 1e-9)):
                raise ValueError(
                    f"learn_law: `replicas[{number}]` must hold moments per site, at most as large "
                    f"as {np.asarray(self.places)}, where all places hold the pattern; got "
                    f"{np.abs(moments).max():g}."
                )
        means = np.array([moments.mean(axis=0) for moments in replicas])
        return self.from_moments(means), [m / np.asarray(self.places) for m in replicas]

    def batch_moments(
        self, z: Float64[np.ndarray, "*batch coordinates"]
    ) -> Float64[np.ndarray, "*batch moments"]:
        """The moments per visible site at many points."""
        found = self.batch_probabilities(z)
        found *= np.asarray(self.places)
        return found

    def batch_probabilities(
        self, z: Float64[np.ndarray, "*batch coordinates"]
    ) -> Float64[np.ndarray, "*batch moments"]:
        """The probabilities at many points."""
        flat = np.ascontiguousarray(z, dtype=np.float64).reshape(-1, z.shape[-1])
        found = np.empty(flat.shape)
        weights = np.ascontiguousarray(self.weights, dtype=np.float64)
        probabilities_kernel(weights, self._sites, self._order, flat, found)
        return found.reshape(z.shape)

    @np.errstate(over="ignore", invalid="ignore")
    def batch_derivatives(
        self, z: Float64[np.ndarray, "*batch coordinates"]
    ) -> Float64[np.ndarray, "*batch moments coordinates"]:
        """Derivatives of the moments per visible site by the coordinates, at many points."""
        n, densities = len(self.densities), z[..., : len(self.densities)]
        found = np.zeros((*z.shape, z.shape[-1]))
        for row, place in enumerate(self.densities):
            found[..., place, row] = 1.0
        weights = np.asarray(self.weights)
        factors = np.exp(z[..., n:] @ weights.T)
        for f, place in enumerate(self.factors):
            species = [a for a in self.density_of[f] if a < n]
            product = factors[..., f] * np.prod(densities[..., species], axis=-1)
            found[..., place, n:] = product[..., None] * weights[f]
            for q, a in enumerate(species):
                others = np.prod(densities[..., species[:q] + species[q + 1 :]], axis=-1)
                found[..., place, a] += factors[..., f] * others
        return found * np.asarray(self.places)[:, None]

    def batch_features(
        self, z: Float64[np.ndarray, "*batch coordinates"]
    ) -> Float64[np.ndarray, "*batch coordinates"]:
        """The features at many points."""
        n = len(self.densities)
        logs = np.log(np.maximum(z[..., :n], float(self.floor)))
        return np.concatenate([logs, z[..., n:]], axis=-1)

    def features(self, z: Float[AnyArray, " coordinates"]) -> Float[Array, " coordinates"]:
        """What the learned functions see: log densities, not below the floor, and factors."""
        n = len(self.densities)
        return jnp.concatenate([jnp.log(jnp.maximum(z[:n], self.floor)), z[n:]])

    def from_moments(
        self, moments: Float64[np.ndarray, "*batch moments"]
    ) -> Float64[np.ndarray, "*batch coordinates"]:
        """Coordinates of moments.

        Moments below the floor count as at the floor, or as those of independent sites where these
        are below it.
        """
        probability = (moments / np.asarray(self.places)).reshape(-1, len(self.names))
        found = np.empty(probability.shape)
        log_ratios_kernel(
            self._sites, self._order, float(self.floor), np.ascontiguousarray(probability), found
        )
        inverse, n = np.asarray(self.inverse_weights), len(self.densities)
        if np.any(inverse != np.eye(len(inverse))):
            found[:, n:] = found[:, n:] @ inverse.T
        return found.reshape(moments.shape)

    @property
    def _order(self) -> np.ndarray:
        return np.array((*self.densities, *self.factors), dtype=np.int64)

    @property
    def _sites(self) -> np.ndarray:
        shape = (len(self.factors), len(self.density_of[0]) if self.factors else 0)
        return np.array(self.density_of, dtype=np.int64).reshape(shape)

    def uncorrelated(
        self, densities: Float64[np.ndarray, "*batch densities"], n_sites: int
    ) -> Float64[np.ndarray, "*batch coordinates"]:
        r"""Coordinates of particles placed at random, without their exact numbers being drawn.

        $n_a$ particles of species $a$ on $N$ sites have
        $P_C = \prod_a n_a! / (n_a - c_a)! \; / \; (N! / (N - |C|)!)$ for a pattern with $c_a$ of
        them. Where $n_a < c_a$ the factor is that of the floor.
        """
        check_range("MomentChart.uncorrelated", "n_sites", n_sites, max(map(len, self.patterns)))
        check_finite("MomentChart.uncorrelated", "`densities`", densities)
        counts = densities * n_sites
        columns = []
        for place in range(len(self.names)):
            pattern, value = self.patterns[place], np.ones(counts.shape[:-1])
            taken: dict[int, int] = {}
            for k, (_, label) in enumerate(pattern):
                at = self._species_place(label)
                value = value * np.maximum(counts[..., at] - taken.get(at, 0), 0) / (n_sites - k)
                taken[at] = taken.get(at, 0) + 1
            columns.append(value)
        return self.from_moments(np.stack(columns, axis=-1) * np.asarray(self.places))

    @property
    def terms(self) -> tuple[Term, ...]:
        """Terms that count the moments."""
        return tuple(
            pattern_term(name, pattern_images(pattern))
            for name, pattern in zip(self.names, self.patterns, strict=True)
        )

    def renamed(self, names: Mapping[str, str]) -> tuple[int, ...] | None:
        """Places of the moments with other names of the species; `None` if one is not followed."""
        geometry = Geometry(len(self.patterns[0][0][0]))
        found = []
        for pattern in self.patterns:
            other = geometry.canonical((offset, names[label]) for offset, label in pattern)
            if other not in self.patterns:
                return None
            found.append(self.patterns.index(other))
        return tuple(found)

    def _species_place(self, label: str) -> int:
        return [self.patterns[i][0][1] for i in self.densities].index(label)


@checked
def moment_chart(terms: Sequence[Term], lattice: Lattice, *, n_replicas: int = 1) -> MomentChart:
    """Coordinates of the moments of lattice states.

    Parameters
    ----------
    terms
        Moments to follow. Each counts one pattern and images of it under reflections and
        permutations of the axes; each species has its density among them.
    lattice
        The lattice.
    n_replicas
        Number of states that the moments are averages of, for the floor.

    Raises
    ------
    ValueError
        If a term belongs to one site only, has hidden units, or counts different patterns, two
        terms count the same, or a species has no density.
    """
    check_range("moment_chart", "n_replicas", n_replicas, 1)
    geometry = Geometry(lattice.dim)
    if not terms:
        raise ValueError("moment_chart: `terms` must hold one moment or more, got none.")
    patterns = [_pattern(term, geometry) for term in terms]
    places = np.array([n_places(term, lattice) for term in terms]) / lattice.n_sites
    floor = 0.5 / (lattice.n_sites * n_replicas)
    return chart_of_patterns([term.name for term in terms], patterns, places, floor)


def chart_of_patterns(
    names: Sequence[str],
    patterns: Sequence[Pattern],
    places: Float64[np.ndarray, " moments"],
    floor: float,
) -> MomentChart:
    """Coordinates of the moments of canonical patterns; see `MomentChart`."""
    for (first, one), (second, other) in itertools.combinations(enumerate(patterns), 2):
        if one == other:
            raise ValueError(
                f"moment_chart: the moments {names[first]!r} and {names[second]!r} count the same "
                "pattern; leave one out."
            )
    densities = [i for i, pattern in enumerate(patterns) if len(pattern) == 1]
    factors = sorted(set(range(len(patterns))) - set(densities), key=lambda i: len(patterns[i]))
    species = [patterns[i][0][1] for i in densities]
    for i in factors:
        missing = [label for _, label in patterns[i] if label not in species]
        if missing:
            raise ValueError(
                f"moment_chart: the moment {names[i]!r} has the species {missing[0]!r}, whose "
                "density is not followed; add it to `terms`."
            )
    longest = max((len(patterns[i]) for i in factors), default=0)
    density_of = tuple(
        tuple([species.index(label) for _, label in patterns[i]])
        + (len(densities),) * (longest - len(patterns[i]))
        for i in factors
    )
    geometry = Geometry(len(patterns[0][0][0]))
    weights = np.array(
        [[_occurrences(patterns[j], patterns[i], geometry) for j in factors] for i in factors],
        dtype=np.float64,
    ).reshape(len(factors), len(factors))
    return MomentChart(
        tuple(names),
        tuple(patterns),
        tuple(densities),
        tuple(factors),
        density_of,
        weights,
        np.linalg.inv(weights),
        places,
        np.array(floor),
    )


def _pattern(term: Term, geometry: Geometry) -> Pattern:
    """Canonical pattern that a term counts."""
    if term.at is not None or any(f.layer for product in term.products for f in product):
        raise ValueError(
            f"moment_chart: the moment {term.name!r} belongs to one site or to a hidden layer; "
            "laws of moments follow patterns of the visible layer that count at all sites."
        )
    found = {geometry.canonical((f.offset, f.species) for f in p) for p in term.products}
    if len(found) > 1:
        raise ValueError(
            f"moment_chart: the moment {term.name!r} counts different patterns, "
            f"{' and '.join(sorted(str(Moment(p)) for p in found))}; give each a term of its own."
        )
    return found.pop()


def _occurrences(part: Pattern, pattern: Pattern, geometry: Geometry) -> int:
    """How often a pattern of two sites or more is a part of another one."""
    subsets = itertools.combinations(pattern, len(part))
    return sum(geometry.canonical(subset) == part for subset in subsets)
