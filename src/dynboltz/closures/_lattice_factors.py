"""Moments of lattice patterns as products of what a closure follows."""

from __future__ import annotations

import itertools
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal, final

from dynboltz.lattices import Offset, Pattern
from dynboltz.moments import Moment

from ._expression import Expression, monomial, power, product
from ._site_patterns import SitePatterns

LatticeKind = Literal["mean-field", "pair", "kirkwood"]


@final
@dataclass(frozen=True)
class Factorisation:
    """How a closure of a lattice writes the probability of any pattern of particles.

    Attributes
    ----------
    kind
        The closure.
    sites
        Patterns of the lattice.
    reach
        Largest number of hops between the sites of followed pairs.
    """

    kind: LatticeKind
    sites: SitePatterns
    reach: int

    def followed(self) -> tuple[Moment, ...]:
        """Densities, then the pairs within reach, nearer ones first."""
        singles = [self.sites.single(name) for name in self.sites.species]
        pairs = [
            self.sites.geometry.canonical([(here, first), (there, second)])
            for here, there in self.pairs_of_sites()
            for first, second in itertools.product(self.sites.species, repeat=2)
        ]
        return tuple(Moment(pattern) for pattern in dict.fromkeys([*singles, *pairs]))

    def pairs_of_sites(self) -> Iterator[tuple[Offset, Offset]]:
        """One pair of sites of each kind within reach, nearer ones first."""
        geometry = self.sites.geometry
        here = (0,) * geometry.dim
        lengths = geometry.periods or (2 * self.reach + 1,) * geometry.dim
        ranges = (range(min(self.reach, length // 2) + 1) for length in lengths)
        offsets = [o for o in itertools.product(*ranges) if 0 < sum(o) <= self.reach]
        kinds = {}
        for offset in sorted(offsets, key=lambda o: (sum(o), o)):
            kinds.setdefault(geometry.canonical([(here, ""), (offset, "")]), offset)
        return ((here, offset) for offset in kinds.values())

    def expression(self, pattern: Pattern) -> Expression:
        """Probability of a pattern; its factors are patterns of one or two sites."""
        if self.kind == "pair":
            return self._along_tree(pattern)
        powers: Counter[Pattern] = Counter()
        for place in pattern:
            powers[self.sites.single(place[1])] += 1
        if self.kind == "kirkwood":
            for one, other in itertools.combinations(pattern, 2):
                if self.sites.distance(one[0], other[0]) <= self.reach:
                    powers[self.sites.geometry.canonical([one, other])] += 1
                    powers[self.sites.single(one[1])] -= 1
                    powers[self.sites.single(other[1])] -= 1
        return {monomial(powers): Fraction(1)}

    def _along_tree(self, pattern: Pattern) -> Expression:
        """Pairs along the shortest tree that spans the sites, over the singles that they share."""
        degrees: dict[int, int] = defaultdict(int)
        edges = []
        for first, second in self._shortest_tree([offset for offset, _ in pattern]):
            edges.append(self.sites.along_path(pattern[first], pattern[second]))
            degrees[first] += 1
            degrees[second] += 1
        singles = (
            power(self.sites.single(state), 1 - degrees[place])
            for place, (_, state) in enumerate(pattern)
        )
        return product(*edges, *singles)

    def _shortest_tree(self, offsets: list[Offset]) -> Iterator[tuple[int, int]]:
        """Edges of the tree of least length in hops, ties by the order of the sites."""
        within, outside = [0], list(range(1, len(offsets)))
        while outside:
            _, first, second = min(
                (self.sites.distance(offsets[a], offsets[b]), a, b)
                for a, b in itertools.product(within, outside)
            )
            yield first, second
            within.append(second)
            outside.remove(second)
