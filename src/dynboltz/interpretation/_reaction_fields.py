"""The field of entropic matching, taken apart into hops and reactions."""

from __future__ import annotations

import dataclasses

import jax.numpy as jnp

from dynboltz._arguments import checked
from dynboltz.closures import EntropicMatching
from dynboltz.reactions import ReactionNetwork, equation_text

from ._candidate import Candidate


@checked
def reaction_fields(field: EntropicMatching, network: ReactionNetwork) -> tuple[Candidate, ...]:
    r"""The fields of hops and of each reaction as candidates, whose weights are effective rates.

    The field of entropic matching is linear in the rate constants,

    $$F^{EM}(\theta) = \sum_r k_r F^r(\theta), \qquad
    F^r(\theta) = G(\theta)^{-1} \langle \mathcal{L}_r^\dagger s \rangle_\theta$$

    with the generator $\mathcal{L}_r$ of hops, or of one reaction, at rate 1. A projection onto the
    $F^r$ has the rate constants themselves as weights if entropic matching is right.

    Parameters
    ----------
    field
        Entropic matching of the model.
    network
        Its reactions, which give the names.

    Returns
    -------
    candidates
        For each rate constant that moves the statistics, with its value as the expected weight.
    """
    return tuple(
        Candidate(
            _label(name, network),
            dataclasses.replace(field, rates=jnp.zeros_like(field.rates).at[place].set(1.0)),
            expected=float(field.rates[place]),
            latex=rf"F^{{\text{{{_label(name, network).replace('->', '→')}}}}}",
        )
        for place, name in enumerate(field.drift.rate_names)
    )


def _label(rate: str, network: ReactionNetwork) -> str:
    """What a rate constant of the moment equations belongs to."""
    if rate == "D":
        return "hops"
    if rate.startswith("D_"):
        return f"hops of {rate.removeprefix('D_')}"
    reaction = network.reactions[int(rate.removeprefix("k")) - 1]
    return f"[{equation_text(reaction.reactants, reaction.products)}]"
