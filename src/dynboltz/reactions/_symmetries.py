"""Species that can be renamed without changing a network."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Mapping

from dynboltz._arguments import checked

from ._network import ReactionNetwork

MOST_SPECIES = 6
"""Species up to which all permutations are tried, 720 of them."""


@checked
def species_symmetries(
    network: ReactionNetwork, hop_rates: Mapping[str, float] | None = None
) -> tuple[tuple[int, ...], ...]:
    r"""Permutations of the species that leave a network as it is, rates included.

    If `p` is one of them and trajectories of the species $s_0, s_1, \dots$ are possible, so are
    those in which $s_{p_i}$ does what $s_i$ did, with the same probability.

    Parameters
    ----------
    network
        The reactions.
    hop_rates
        Hop rate of each species, where they are not all the same.

    Returns
    -------
    permutations
        Places in `network.species`, the identity first. Of more than six species only the identity.
    """
    species = network.species
    identity = tuple(range(len(species)))
    if len(species) > MOST_SPECIES:
        return (identity,)
    own, rates = _content(network, dict(zip(species, species, strict=True))), hop_rates or {}
    found = []
    for permutation in itertools.permutations(identity):
        names = {species[i]: species[j] for i, j in enumerate(permutation)}
        hops = all(rates.get(a) == rates.get(b) for a, b in names.items())
        if hops and _content(network, names) == own:
            found.append(permutation)
    return tuple(sorted(found))


def _content(network: ReactionNetwork, names: Mapping[str, str]) -> Counter:
    """Reactions with other names; the order of products says which site they take, and is kept."""
    return Counter(
        (
            tuple(sorted(names[one] for one in reaction.reactants)),
            tuple(names[one] for one in reaction.products),
            reaction.rate,
            reaction.probability,
        )
        for reaction in network.reactions
    )
