"""Moments of lattice states: mean products of what sites hold."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

from dynboltz._arguments import checked
from dynboltz.lattices import Pattern, parse_pattern, pattern_text

from ._abstract_moment import AbstractMoment


@final
@checked
@dataclass(frozen=True)
class Moment(AbstractMoment):
    r"""Probability that some sites hold some species, the same everywhere on the lattice.

    $$\langle A(o_1) B(o_2) \cdots \rangle
    = \Big\langle [x_{i + o_1} = A]\,[x_{i + o_2} = B] \cdots \Big\rangle$$

    averaged over all sites $i$ and, where symmetries of the lattice are reduced, over the images
    of the offsets under reflections and permutations of the axes. Without a factor it is 1.

    Parameters
    ----------
    places
        Offsets and the species there, in order.
    """

    places: Pattern

    @classmethod
    def parse(cls, text: str) -> Moment:
        """Read `A(0) B(1)` on a chain, `A(0,0) B(0,1)` on a plane.

        Raises
        ------
        ValueError
            If the text is malformed, the offsets have different numbers of axes or more than
            three, or one site is named twice.
        """
        return cls(parse_pattern(text))

    def __str__(self) -> str:
        return pattern_text(self.places)

    @property
    def order(self) -> int:
        """Number of sites."""
        return len(self.places)

    @property
    def species(self) -> tuple[str, ...]:
        """Species at the sites."""
        return tuple(label for _, label in self.places)

    @property
    def sort_key(self) -> tuple[int, Pattern]:
        """Lower orders first, then nearer sites."""
        return self.order, self.places

    def to_latex(self) -> str:
        r"""LaTeX without delimiters, `\langle A_{0} B_{1} \rangle`."""
        if not self.places:
            return "1"
        factors = (f"{latex_name(s)}_{{{','.join(map(str, o))}}}" for o, s in self.places)
        return rf"\langle {' '.join(factors)} \rangle"


def latex_name(species: str) -> str:
    """Name of a species, upright if it has several letters."""
    if len(species) == 1:
        return species
    escaped = species.replace("_", r"\_")
    return rf"\mathrm{{{escaped}}}"
