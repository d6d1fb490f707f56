"""What experiments of all kinds have in common."""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

from dynboltz.reactions import ReactionNetwork
from dynboltz.reactions._network import unknown_network

from ._errors import in_field
from ._schema import CommonTable
from ._toml import toml_text

TableT = TypeVar("TableT", bound=CommonTable)


def check_duration(time_step: float, n_steps: int) -> None:
    """Raise `ValueError` if the last time is not a number."""
    if not math.isfinite(time_step * n_steps):
        raise ValueError(f"{n_steps} times {time_step:g} is too large for a time.")


@dataclass(frozen=True)
class AbstractExperiment(Generic[TableT]):
    """An experiment of any kind.

    Attributes
    ----------
    table
        The settings as in the file, presets and overrides applied.
    source
        The file, for messages.
    """

    table: TableT
    source: Path

    @property
    def name(self) -> str:
        """Name of the experiment."""
        return self.table.name

    @property
    def law_names(self) -> tuple[str, ...]:
        """Names of the models whose laws have a store of their own; none in boxes."""
        return ()

    @property
    def seed(self) -> int:
        """Seed of everything random."""
        return self.table.seed

    @functools.cached_property
    def network(self) -> ReactionNetwork:
        """Species and reactions."""
        species = None if self.table.species is None else tuple(self.table.species)
        if self.table.network is None:
            assert species is not None
            with in_field(self.source, "species"):
                return unknown_network(species)
        with in_field(self.source, "network"):
            return ReactionNetwork.parse(self.table.network, species)

    def to_toml(self) -> str:
        """Text of an experiment file with these settings."""
        return toml_text(self.table.model_dump(exclude_none=True))
