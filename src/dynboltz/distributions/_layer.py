"""Layers of units: the visible lattice and the hidden layers above it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np
from jaxtyping import Bool

from dynboltz._arguments import checked
from dynboltz.lattices import Lattice


@final
@checked
@dataclass(frozen=True)
class Layer:
    """A layer of units, each empty or holding one species of the layer.

    Parameters
    ----------
    species
        Names of the species.
    stencil
        For a hidden layer, the offsets of the sites of the layer below that a unit is connected
        to; `((0,), (1,))` makes one unit for every neighbouring pair of a chain. The visible layer
        has none.

    Raises
    ------
    ValueError
        If there is no species, or a species or an offset is named twice.
    """

    species: tuple[str, ...]
    stencil: tuple[tuple[int, ...], ...] = ()

    def __post_init__(self) -> None:
        if not self.species or len(set(self.species)) < len(self.species):
            raise ValueError(
                f"Layer: `species` must be one or more different names, got {self.species}."
            )
        if len(set(self.stencil)) < len(self.stencil):
            raise ValueError(f"Layer: `stencil` names an offset twice: {self.stencil}.")

    def exists(self, lattice: Lattice) -> Bool[np.ndarray, " sites"]:
        """Whether the unit anchored at each site exists.

        On a closed lattice a hidden unit needs its whole stencil inside.
        """
        present = np.ones(lattice.n_sites, dtype=bool)
        for offset in self.stencil:
            present &= lattice.translate(offset) >= 0
        return present

    def check(self, lattice: Lattice) -> None:
        """Check the stencil of a hidden layer.

        Raises
        ------
        ValueError
            If there is no stencil, or one that does not fit the lattice.
        """
        name = f"the hidden layer of {', '.join(self.species)}"
        if not self.stencil:
            raise ValueError(f"Layer: {name} needs a stencil.")
        lengths = {len(offset) for offset in self.stencil}
        axes = list(zip(*self.stencil, strict=False))
        if lengths != {lattice.dim} or any(min(a) > 0 or max(a) < 0 for a in axes):
            raise ValueError(
                f"Layer: the stencil {self.stencil} of {name} must have {lattice.dim} entries an "
                "offset, and along each axis the unit at 0 must lie between its smallest and its "
                "largest offset."
            )
        if not self.exists(lattice).any():
            raise ValueError(
                f"Layer: the stencil {self.stencil} of {name} does not fit a lattice of shape "
                f"{lattice.shape}."
            )
