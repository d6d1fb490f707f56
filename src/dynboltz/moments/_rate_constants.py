"""Values of the rate constants of moment equations."""

from __future__ import annotations

from collections.abc import Mapping

from dynboltz._arguments import check_range, checked
from dynboltz._hints import did_you_mean
from dynboltz._numbers import check_finite
from dynboltz.reactions import ReactionNetwork


@checked
def rate_constants(
    network: ReactionNetwork, hop_rate: float | Mapping[str, float] | None = None
) -> dict[str, float]:
    """Values of the symbols of moment equations.

    Parameters
    ----------
    network
        Reactions, all with a rate.
    hop_rate
        Value of `D` [1/time], or by species those of `D_A` and so on; none for a well-mixed
        system.

    Raises
    ------
    ValueError
        If a reaction has a probability, or a hop rate belongs to no species, is negative or not
        finite.
    """
    rates: dict[str, float] = {}
    if isinstance(hop_rate, Mapping):
        unknown = sorted(set(hop_rate) - set(network.species))
        if unknown:
            raise ValueError(
                f"rate_constants: `hop_rate` names {', '.join(unknown)}; the species are "
                f"{', '.join(network.species)}.{did_you_mean(unknown[0], network.species)}"
            )
        rates |= {f"D_{species}": float(rate) for species, rate in hop_rate.items()}
    elif hop_rate is not None:
        rates["D"] = float(hop_rate)
    for name, rate in rates.items():
        check_finite("rate_constants", f"`hop_rate`, {name},", rate)
        check_range("rate_constants", f"hop_rate`, `{name}", rate, least=0)
    for number, reaction in enumerate(network.reactions, start=1):
        if reaction.rate is None:
            raise ValueError(
                f"rate_constants: the reaction {reaction} has a probability; moment equations "
                f"are those of continuous time. Give it a rate k, or a value of k{number} yourself."
            )
        rates[f"k{number}"] = float(reaction.rate)
    return rates
