"""The lattice as moment equations see it: neighbours, and moments that are the same."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from operator import add, mod
from typing import final

from dynboltz._arguments import checked
from dynboltz.lattices import Lattice, Offset, Pattern, anchored, pattern_images, wrap


@final
@checked
@dataclass(frozen=True)
class Geometry:
    """Infinite or periodic hypercubic lattice.

    Parameters
    ----------
    dim
        Number of axes.
    periods
        Numbers of sites along the axes of a periodic lattice, None for the infinite one.
    symmetric
        Whether moments that are reflections or permutations of axes of each other are the same.

    Attributes
    ----------
    first_images
        What `canonical` has found already, of all images at once.
    """

    dim: int
    periods: tuple[int, ...] | None = None
    symmetric: bool = True
    first_images: dict[Pattern, Pattern] = field(
        default_factory=dict, init=False, compare=False, repr=False
    )

    @classmethod
    def of(cls, dim: int, lattice: Lattice | None, *, symmetric: bool) -> Geometry:
        """Check the arguments of the public functions."""
        if not 1 <= dim <= 3:
            raise ValueError(f"`dim` must be 1, 2 or 3, got {dim}.")
        if lattice is None:
            return cls(dim, None, symmetric)
        if lattice.boundary != "periodic":
            raise ValueError(
                f"`lattice` must be periodic: moments of a {lattice.boundary} one differ from site "
                "to site. Leave it out for the infinite lattice."
            )
        if lattice.dim != dim:
            raise ValueError(
                f"`lattice` has {lattice.dim} axes; the offsets of the moments have {dim}."
            )
        return cls(dim, lattice.shape, symmetric)

    def shift(self, site: Offset, by: Offset) -> Offset:
        """Site at the offset `by` from another."""
        if len(site) != self.dim or len(by) != self.dim:
            raise ValueError(
                f"Geometry.shift: `site` and `by` must have {self.dim} entries, got {site} and "
                f"{by}."
            )
        if self.periods is None:
            return tuple(map(add, site, by))
        return tuple(map(mod, map(add, site, by), self.periods))  # `wrap`, called most often

    def neighbours(self) -> Iterator[Offset]:
        """Neighbours of the origin; the one along an axis of length 2 is there twice."""
        for axis in range(self.dim):
            for step in (-1, 1):
                offset = tuple(step if a == axis else 0 for a in range(self.dim))
                yield wrap(offset, self.periods)

    def images(self, pattern: Pattern) -> tuple[Pattern, ...]:
        """Patterns over which the moment of a canonical pattern is the mean."""
        return pattern_images(pattern, self.periods) if self.symmetric else (pattern,)

    def canonical(self, places: Iterable[tuple[Offset, str]]) -> Pattern:
        """The one of all patterns that stand for the same moment."""
        pattern = tuple(sorted(places))
        if any(len(site) != self.dim for site, _ in pattern):
            raise ValueError(
                f"Geometry.canonical: `places` must have offsets of {self.dim} entries, got "
                f"{pattern}."
            )
        pattern = anchored(pattern, self.periods)
        if not self.symmetric:
            return pattern
        if pattern not in self.first_images:
            images = pattern_images(pattern, self.periods)
            self.first_images.update(dict.fromkeys(images, images[0]))
        return self.first_images[pattern]
