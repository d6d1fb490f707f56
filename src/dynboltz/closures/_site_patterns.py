"""Probabilities of patterns with empty sites, by those without."""

from __future__ import annotations

import itertools
from collections import defaultdict
from dataclasses import dataclass
from fractions import Fraction
from typing import final

from dynboltz.lattices import Offset, Pattern
from dynboltz.moments import Geometry

from ._closed_moments import Affine
from ._expression import Expression, Monomial, monomial

EMPTY = "0"
"""State of a site without a particle."""

Place = tuple[Offset, str]
"""A site and its state."""

MAX_INTERMEDIATES = 10_000
"""Largest number of states of the sites between two others that are summed over."""


@final
@dataclass(frozen=True)
class SitePatterns:
    """Patterns of the states of sites, empty ones included, on some lattice."""

    species: tuple[str, ...]
    geometry: Geometry

    @property
    def states(self) -> tuple[str, ...]:
        """What a site can hold."""
        return (EMPTY, *self.species)

    def single(self, state: str) -> Pattern:
        """A site in some state."""
        return (((0,) * self.geometry.dim, state),)

    def path(self, first: Offset, second: Offset) -> list[Offset]:
        """Sites on a shortest way from one to the other, both included, axis after axis."""
        sites = [first]
        for axis, (start, end) in enumerate(zip(first, second, strict=True)):
            gap = end - start
            if self.geometry.periods is not None:
                length = self.geometry.periods[axis]
                gap = (gap + length // 2) % length - length // 2
            step = tuple((gap > 0) - (gap < 0) if a == axis else 0 for a in range(len(first)))
            for _ in range(abs(gap)):
                sites.append(self.geometry.shift(sites[-1], step))
        return sites

    def distance(self, first: Offset, second: Offset) -> int:
        """Least number of hops from one site to the other."""
        steps = (abs(x - y) for x, y in zip(first, second, strict=True))
        if self.geometry.periods is None:
            return sum(steps)
        return sum(min(s, n - s) for s, n in zip(steps, self.geometry.periods, strict=True))

    def affine(self, pattern: Pattern) -> Affine:
        """Probability of a pattern as a sum over patterns of particles, `None` for the constant."""
        found: dict[Pattern | None, int] = defaultdict(int)
        for sign, particles in self._without_empty(pattern):
            found[self.geometry.canonical(particles) or None] += sign
        return {particles: number for particles, number in found.items() if number}

    def _without_empty(self, pattern: Pattern) -> list[tuple[int, Pattern]]:
        place = next((n for n, (_, state) in enumerate(pattern) if state == EMPTY), None)
        if place is None:
            return [(1, pattern)]
        offset, rest = pattern[place][0], pattern[:place] + pattern[place + 1 :]
        summands = self._without_empty(rest)
        for name in self.species:
            filled = tuple(sorted((*rest, (offset, name))))
            summands += [(-sign, particles) for sign, particles in self._without_empty(filled)]
        return summands

    def along_path(self, first: Place, second: Place) -> Expression:
        r"""Probability of the states of two sites, those between them a Markov chain.

        $$P(a, b) = \sum_{s_1 \dots s_{d - 1}} \frac{P(a s_1) P(s_1 s_2) \cdots P(s_{d - 1} b)}
        {P(s_1) \cdots P(s_{d - 1})}$$

        Raises
        ------
        ValueError
            If the sites are too far apart.
        """
        path = self.path(first[0], second[0])
        n_between = len(path) - 2
        if len(self.states) ** n_between > MAX_INTERMEDIATES:
            raise ValueError(
                f"lattice_closure: two sites {n_between + 1} hops apart have too many states "
                f"between them, {len(self.states)}**{n_between}; the pair closure sums over up to "
                f"{MAX_INTERMEDIATES}. Ask for moments of closer sites."
            )
        found: dict[Monomial, Fraction] = defaultdict(Fraction)
        for between in itertools.product(self.states, repeat=n_between):
            places = zip(path, (first[1], *between, second[1]), strict=True)
            powers: dict[Pattern, int] = defaultdict(int)
            for pair in itertools.pairwise(places):
                powers[self.geometry.canonical(pair)] += 1
            for state in between:
                powers[self.single(state)] -= 1
            found[monomial(powers)] += 1
        return found
