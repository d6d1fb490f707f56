"""Boltzmann distributions over point patterns, as exponential families of finite elements."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol, final, runtime_checkable

import numpy as np
import scipy.sparse
from jaxtyping import Float, Float64

from dynboltz._arguments import check_name, checked
from dynboltz._typing import AnyArray
from dynboltz.elements import FunctionSpace
from dynboltz.particles import Box, PointPatterns

from ._local_cubics import LocalCubics, local_cubics
from ._point_kernels import PointTables, add_insertions, add_patterns

_BATCH = 1 << 22


@runtime_checkable
class PairSpace(FunctionSpace, Protocol):
    """Functions of the distance that are zero from a cutoff on."""

    @property
    def cutoff(self) -> float:
        """The cutoff [length]."""
        ...


@final
@checked
@dataclass(frozen=True, eq=False)
class PointProcessModel:
    r"""Boltzmann distribution over the particles in a box, their number included.

    $$p(n, \alpha, x; \theta) = \frac{1}{Z(\theta)} \prod_\alpha \frac{1}{n_\alpha!}
    \exp\Big[-\sum_i \nu_{\alpha_i}(x_i) - \sum_{i<j} \nu_{\alpha_i \alpha_j}(|x_i - x_j|)\Big]
    = \frac{e^{-\theta \cdot s}}{Z \prod_\alpha n_\alpha!}$$

    Each function is linear in its coefficients, so the sufficient statistics $s$ are sums of basis
    functions over particles and over unordered pairs, totals over the box. Distances are those of
    the nearest images in a periodic box. The model holds no coefficients: `theta` is an argument
    everywhere, in the order of `coefficients`, dimensionless [kT].

    Parameters
    ----------
    box
        The box.
    species
        Names of the species.
    single
        Space of $\nu_\alpha(x)$, one for each species.
    pair
        Space of $\nu_{\alpha\beta}(r)$ for each pair of species that interact, in either order;
        without any, particles are independent of each other, which makes a Poisson process.

    Raises
    ------
    ValueError
        If a species is named twice, has no function or is unknown, if a pair has two functions,
        or if a function reaches further than distances in the box are unique.

    References
    ----------
    Ernst et al. (2019), eq. (1), with the factor $1 / \prod_\alpha n_\alpha!$ that unordered
    particles need and one function a tuple of species.
    """

    box: Box
    species: tuple[str, ...]
    single: Mapping[str, FunctionSpace]
    pair: Mapping[tuple[str, str], PairSpace] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.species or len(set(self.species)) < len(self.species):
            raise ValueError(
                f"PointProcessModel: `species` must hold different names, got {self.species}."
            )
        if set(self.single) != set(self.species):
            raise ValueError(
                f"PointProcessModel: `single` must have one space for each of {self.species}, got "
                f"{tuple(self.single)}. A UniformSpace makes no difference between places."
            )
        self._check_pairs()

    def _check_pairs(self) -> None:
        allowed = min(self.box.lengths) / (2 if self.box.is_periodic else 1)
        seen = set()
        for names, space in self.pair.items():
            if len(names) != 2 or not set(names) <= set(self.species):
                raise ValueError(
                    f"PointProcessModel: a pair has two of the species {self.species}, got {names}."
                )
            if frozenset(names) in seen:
                raise ValueError(
                    f"PointProcessModel: the pair {names} has two functions; give it in one order."
                )
            seen.add(frozenset(names))
            if not space.cutoff <= allowed:
                raise ValueError(
                    f"PointProcessModel: the cutoff of the pair {names} must be at most {allowed}, "
                    "half the shortest side of a periodic box or all of it otherwise, got "
                    f"{space.cutoff}."
                )

    @functools.cached_property
    def _axis_entries(self) -> dict[str, int | tuple[str, ...]]:
        return {"coefficients": self.coefficients, "dim": self.box.dim}

    @property
    def sign(self) -> int:
        """Sign of the exponent: -1, as for energies."""
        return -1

    @functools.cached_property
    def spaces(self) -> Mapping[str, FunctionSpace]:
        """Space of each function, in the order of the coefficients: `nu.A`, ..., `nu.A.B`, ..."""
        single = {f"nu.{name}": self.single[name] for name in self.species}
        return single | {f"nu.{'.'.join(names)}": space for names, space in self.pair.items()}

    @functools.cached_property
    def slices(self) -> Mapping[str, slice]:
        """Coefficients of each function."""
        ends = np.cumsum([0, *(space.size for space in self.spaces.values())]).tolist()
        return {
            name: slice(*bounds)
            for name, bounds in zip(self.spaces, itertools.pairwise(ends), strict=True)
        }

    @property
    def coefficients(self) -> tuple[str, ...]:
        """Names of the coefficients: `nu.A[3]`, `nu.A.B[2]`."""
        spaces = self.spaces.items()
        return tuple(f"{name}[{i}]" for name, space in spaces for i in range(space.size))

    def values(
        self,
        theta: Float[AnyArray, " coefficients"],
        name: str,
        points: Float64[np.ndarray, "points coordinates"],
    ) -> Float64[np.ndarray, " points"]:
        """Values of the function `name` at points of the box, or at distances in one column."""
        check_name("PointProcessModel.values", "name", name, self.slices)
        own = np.asarray(theta, dtype=np.float64)[self.slices[name]]
        return self.spaces[name].evaluate(points) @ own

    def statistics(self, patterns: PointPatterns) -> Float64[np.ndarray, "*batch coefficients"]:
        """Sufficient statistics of each pattern, totals over the box.

        Raises
        ------
        ValueError
            If the patterns have another box or other species.
        """
        self.check_patterns(patterns)
        positions, labels = flat(patterns)
        n_monomials = self._n_monomials
        found = np.empty((len(labels), len(self.coefficients)))
        step = max(1, _BATCH // n_monomials)
        for first in range(0, len(labels), step):
            some = slice(first, first + step)
            sums = np.zeros((len(labels[some]), n_monomials))
            add_patterns(positions[some], labels[some], self.tables, sums)
            found[some] = (self.matrix.T @ sums.T).T
        return found.reshape(*patterns.batch, -1)

    def insertions(
        self,
        patterns: PointPatterns,
        species: str,
        points: Float64[np.ndarray, "patterns points dim"],
    ) -> Float64[np.ndarray, "patterns points coefficients"]:
        """What one more particle at each point would add to the statistics of its pattern.

        Parameters
        ----------
        patterns
            Patterns with one batch axis.
        species
            Species of the particle.
        points
            Points of the box, some for each pattern.

        Raises
        ------
        ValueError
            As for `statistics`.
        """
        self.check_patterns(patterns)
        check_name("PointProcessModel.insertions", "species", species, self.species)
        positions, labels = flat(patterns)
        if len(points) != len(labels):
            raise ValueError(
                f"PointProcessModel.insertions: `points` must have shape ({len(labels)}, points, "
                f"{self.box.dim}), some points for each pattern, got {points.shape}."
            )
        n_monomials = self._n_monomials
        found = np.empty((*points.shape[:2], len(self.coefficients)))
        number = self.species.index(species)
        step = max(1, _BATCH // (n_monomials * max(1, points.shape[1])))
        for first in range(0, len(labels), step):
            some = slice(first, first + step)
            sums = np.zeros((*points[some].shape[:2], n_monomials))
            add_insertions(positions[some], labels[some], points[some], number, self.tables, sums)
            flattened = np.asarray(self.matrix.T @ sums.reshape(-1, n_monomials).T)
            found[some] = flattened.T.reshape(*sums.shape[:2], len(self.coefficients))
        return found

    def check_patterns(self, patterns: PointPatterns) -> None:
        """Raise `ValueError` if patterns have another box or other species than the model."""
        if patterns.box != self.box or patterns.species != self.species:
            raise ValueError(
                f"PointProcessModel: patterns must lie in {self.box} and have the species "
                f"{self.species} in this order, got {patterns.box} and {patterns.species}."
            )

    @functools.cached_property
    def matrix(self) -> scipy.sparse.csr_array:
        """All functions as local polynomials: one row a monomial, one column a coefficient."""
        return scipy.sparse.csr_array(scipy.sparse.block_diag([f.matrix for f in self._functions]))

    @functools.cached_property
    def tables(self) -> PointTables:
        """The model as arrays for compiled code."""
        dim, n = self.box.dim, len(self.species)
        n_elements = np.ones((len(self._functions), dim), dtype=np.int64)
        for row, function in zip(n_elements, self._functions, strict=True):
            row[: len(function.n_elements)] = function.n_elements
        pair, squared = np.full((n, n), -1, dtype=np.int64), np.zeros((n, n))
        for number, (names, space) in enumerate(self.pair.items(), start=n):
            a, b = (self.species.index(name) for name in names)
            pair[a, b] = pair[b, a] = number
            squared[a, b] = squared[b, a] = space.cutoff**2
        lengths = np.array(self.box.lengths, dtype=np.float64)
        return PointTables(
            lengths=lengths,
            periods=lengths if self.box.is_periodic else np.full(dim, np.inf),
            n_elements=n_elements,
            first=np.cumsum([0, *(f.n_monomials for f in self._functions[:-1])]),
            pair=pair,
            squared_cutoffs=squared,
            cutoffs=np.array([0.0] * n + [space.cutoff for space in self.pair.values()]),
        )

    @property
    def _n_monomials(self) -> int:
        return sum(function.n_monomials for function in self._functions)

    @functools.cached_property
    def _functions(self) -> tuple[LocalCubics, ...]:
        upper = [self.box.lengths] * len(self.species)
        upper += [(space.cutoff,) for space in self.pair.values()]
        pairs = zip(self.spaces.values(), upper, strict=True)
        return tuple(local_cubics(space, ends) for space, ends in pairs)


def flat(patterns: PointPatterns) -> tuple[np.ndarray, np.ndarray]:
    """Positions [patterns, slots, dim] and labels [patterns, slots] of all patterns."""
    slots, dim = patterns.positions.shape[-2:]
    positions = np.ascontiguousarray(patterns.positions).reshape(-1, slots, dim)
    return positions, np.ascontiguousarray(patterns.labels).reshape(-1, slots)
