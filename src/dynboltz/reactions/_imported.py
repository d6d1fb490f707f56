"""Networks of other people's models, and what their rate constants become in space."""

from __future__ import annotations

import math
import stat
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import final

from dynboltz._arguments import checked

from ._network import ReactionNetwork
from ._reaction import Reaction

LARGEST_LOG = 700.0
"""Log of the largest and smallest volume, within double precision, exp(709)."""


@final
class NetworkImportError(ValueError):
    """A model of a well-mixed system cannot be read, or has parts that have no meaning here.

    Parameters
    ----------
    source
        File or name of the text.
    problems
        What is wrong, one entry each.

    Attributes
    ----------
    problems
        What is wrong, one entry each.
    """

    def __init__(self, source: str, problems: tuple[str, ...]) -> None:
        self.source = source
        self.problems = problems
        super().__init__(f"{source}: " + "\n  ".join(problems))

    def __reduce__(self) -> tuple[type[NetworkImportError], tuple[str, tuple[str, ...]]]:
        """Arguments to make the error again in another process."""
        return NetworkImportError, (self.source, self.problems)


@final
@checked
@dataclass(frozen=True)
class ImportedNetwork:
    r"""A reaction network of a well-mixed compartment.

    Its rate constants belong to the compartment of volume $V$; a network in space needs others,
    which `on_lattice` and `in_box` make. Both agree with the compartment where particles are few
    and diffusion is fast against reactions; slower diffusion lowers the rate of pairs.

    Parameters
    ----------
    name
        Name of the model.
    well_mixed
        The network, with rates in events per `time_unit`: $k_0$ in the compartment without a
        reactant, $k_1$ for each particle with one, $k_2$ for each pair of particles with two.
    volume
        Volume $V$ of the compartment (area or length if it has two dimensions or one), `None` if
        the model gives none and `well_mixed` does not depend on it.
    amounts
        Number of particles of each species at the beginning, of those that have one.
    time_unit, volume_unit
        Units as text.
    notes
        What was read otherwise than it stands in the file.
    """

    name: str
    well_mixed: ReactionNetwork
    volume: float | None
    amounts: Mapping[str, float]
    time_unit: str
    volume_unit: str
    notes: tuple[str, ...]

    def on_lattice(self, site_volume: float, *, dimensions: int = 3) -> ReactionNetwork:
        r"""Network on a lattice whose sites have the volume $v$ [volume].

        $k_0 v / V$ per empty site, $k_1$ per particle, $k_2 V / (2 d v)$ per neighbouring pair,
        each site having $2 d$ neighbours in $d$ dimensions.

        Raises
        ------
        ValueError
            If `site_volume` is not positive and finite, `dimensions` is not 1, 2 or 3, or a rate
            constant needs the volume of the compartment, which the model does not give.
        """
        _check_positive(site_volume, "on_lattice: `site_volume`")
        _check_dimensions(dimensions, "on_lattice")
        share = site_volume / self._known_volume("on_lattice")
        return self._scaled((share, 1.0, 1.0 / (2 * dimensions * share)))

    def in_box(self, reaction_radius: float, *, dimensions: int = 3) -> ReactionNetwork:
        r"""Network of particles that react within the radius $\rho$ [length].

        $k_0 / V$ per volume, $k_1$ per particle, $k_2 V / B(\rho)$ for each pair within $\rho$,
        the ball of that radius having the volume $B(\rho)$: $2 \rho$, $\pi \rho^2$ and
        $4 \pi \rho^3 / 3$ in one to three dimensions.

        Raises
        ------
        ValueError
            If `reaction_radius` is not positive and finite, `dimensions` is not 1, 2 or 3, or a
            rate constant needs the volume of the compartment, which the model does not give.
        """
        _check_positive(reaction_radius, "in_box: `reaction_radius`")
        _check_dimensions(dimensions, "in_box")
        log_ball = dimensions * math.log(reaction_radius)
        if abs(log_ball) > LARGEST_LOG:
            raise ValueError(
                f"in_box: `reaction_radius` = {reaction_radius} makes a ball in {dimensions} "
                "dimensions whose volume is beyond double precision; choose another unit of length."
            )
        ball = (2.0, math.pi, 4 * math.pi / 3)[dimensions - 1] * reaction_radius**dimensions
        volume = self._known_volume("in_box")
        return self._scaled((1.0 / volume, 1.0, volume / ball))

    def _known_volume(self, where: str) -> float:
        """Volume of the compartment, 1 where no rate constant depends on it."""
        if self.volume is not None:
            return self.volume
        for reaction in self.well_mixed.reactions:
            if len(reaction.reactants) != 1:
                raise ValueError(
                    f"{where}: {reaction} needs the volume of the compartment, which the model "
                    f"{self.name!r} does not give. Set the size of the compartment in the model, "
                    "or take the well-mixed network (`--well-mixed`)."
                )
        return 1.0

    def _scaled(self, factors: tuple[float, float, float]) -> ReactionNetwork:
        scale: Callable[[Reaction], Reaction] = lambda reaction: replace(  # noqa: E731
            reaction, rate=(reaction.rate or 0.0) * factors[len(reaction.reactants)]
        )
        reactions = tuple(scale(reaction) for reaction in self.well_mixed.reactions)
        return ReactionNetwork(reactions, self.well_mixed.species)


def _check_positive(value: float, what: str) -> None:
    if not (math.isfinite(value) and value > 0):
        raise ValueError(f"{what} must be positive and finite, got {value}.")


def _check_dimensions(dimensions: int, what: str) -> None:
    if dimensions not in (1, 2, 3):
        raise ValueError(f"{what}: `dimensions` must be 1, 2 or 3, got {dimensions}.")


def file_content(path: Path | str, largest: int) -> bytes:
    """Return what a file holds, at most `largest` bytes; raise `NetworkImportError` otherwise."""
    try:
        path = Path(path)
        found = path.stat()
        if not stat.S_ISREG(found.st_mode):
            raise NetworkImportError(str(path), ("is no regular file.",))
        if found.st_size <= largest:
            return path.read_bytes()
    except NetworkImportError:
        raise
    except (OSError, ValueError) as error:  # `ValueError` for null characters and the like
        reason = getattr(error, "strerror", None) or str(error)
        raise NetworkImportError(str(path), (f"cannot be read: {reason}.",)) from None
    raise NetworkImportError(
        str(path), (f"has more than {largest} bytes; such a model is no network for space.",)
    )
