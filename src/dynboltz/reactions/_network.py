"""Networks of reactions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

import numpy as np
from jaxtyping import Int64

from dynboltz._arguments import checked

from ._conservation import left_null_space
from ._parser import parse_reactions
from ._reaction import Reaction, Rivals, check_name


@final
@checked
@dataclass(frozen=True)
class ReactionNetwork:
    """Species and the reactions between them.

    Parameters
    ----------
    reactions
        At least one reaction, no two with the same reactants and products.
    species
        Names of the species. Their order numbers them; species that take part in no reaction are
        allowed.

    Raises
    ------
    ValueError
        If there is no reaction, a reaction occurs twice or names a species that is not in
        `species`, the probabilities of one pair of reactants exceed 1 together, or a species is
        not an identifier or is listed twice.
    """

    reactions: tuple[Reaction, ...]
    species: tuple[str, ...]

    def __post_init__(self) -> None:
        check_species(self.species)
        if not self.reactions:
            raise ValueError("ReactionNetwork: there is no reaction; give at least one.")
        rivals, known = Rivals(), set(self.species)
        for reaction in self.reactions:
            rivals.add(reaction)
            for name in (*reaction.reactants, *reaction.products):
                if name not in known:
                    raise ValueError(
                        f"ReactionNetwork: the reaction {reaction} names the species {name!r}; "
                        f"the species are {', '.join(self.species)}."
                    )

    @classmethod
    def parse(cls, text: str, species: Sequence[str] | None = None) -> ReactionNetwork:
        """Read a network from text.

        One reaction a line; `#` starts a comment. A line reads `A + B -> C ; k = 1`: up to two
        species on each side, `0` or `∅` for none, `2 A` for `A + A`; then `k`, a rate [1/time], or
        `p`, the probability of reacting at a collision of the two reactants.

        Parameters
        ----------
        text
            The reactions.
        species
            Names of the species in their order, if not that of their first appearance in `text`.

        Raises
        ------
        ReactionSyntaxError
            If the text is malformed, or a reaction is invalid, there twice, or names a species
            that is not in `species`. The error shows the line and points at the column.
        ValueError
            If a name in `species` is not an identifier or is listed twice.
        """
        if species is not None:
            check_species(species)
        reactions = parse_reactions(text, species)
        names = (name for r in reactions for name in (*r.reactants, *r.products))
        return cls(reactions, tuple(dict.fromkeys(names) if species is None else species))

    def to_text(self) -> str:
        """Text from which `ReactionNetwork.parse(text, network.species)` makes the same network."""
        return "\n".join(reaction.to_text() for reaction in self.reactions)

    def __str__(self) -> str:
        return self.to_text()

    @property
    def stoichiometry(self) -> Int64[np.ndarray, "species reactions"]:
        """Change of the number of particles of each species by one event of each reaction."""
        changes = [
            [r.products.count(name) - r.reactants.count(name) for r in self.reactions]
            for name in self.species
        ]
        return np.array(changes, dtype=np.int64)

    @property
    def conserved_quantities(self) -> Int64[np.ndarray, "quantities species"]:
        r"""Weights $c$ of sums of particle numbers that no reaction changes.

        Each row fulfils $\sum_\alpha c_\alpha S_{\alpha r} = 0$ for every reaction $r$ of the
        stoichiometry $S$. The rows are linearly independent integers without a common divisor,
        and span all such weights over the rationals; the first entry of a row that is not zero is
        positive.
        """
        return left_null_space(self.stoichiometry)


def check_species(species: Sequence[str]) -> None:
    """Raise unless `species` are distinct valid names."""
    if isinstance(species, str):
        raise TypeError(f"ReactionNetwork: `species` must be a sequence of names, got {species!r}.")
    for name in species:
        check_name(name)
    if len(set(species)) < len(species):
        raise ValueError(f"ReactionNetwork: a species is listed twice in {', '.join(species)}.")


def unknown_network(species: Sequence[str]) -> ReactionNetwork:
    """Species of a process whose reactions are not known, in place of a network.

    A `ReactionNetwork` that users make has one reaction or more: without any, nothing can be
    simulated or derived. What only asks for the species takes this one.
    """
    check_species(tuple(species))
    found = object.__new__(ReactionNetwork)
    object.__setattr__(found, "reactions", ())
    object.__setattr__(found, "species", tuple(species))
    return found
