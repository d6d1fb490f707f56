"""What an interrupted training goes on from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol, runtime_checkable

import numpy as np

SEPARATOR = "/"


@runtime_checkable
class Checkpoint(Protocol):
    """Keeps named arrays while a training goes on."""

    def load(self) -> dict[str, np.ndarray] | None:
        """What was saved last, or nothing."""
        ...

    def is_due(self) -> bool:
        """Whether it is time to save."""
        ...

    def save(self, arrays: Mapping[str, np.ndarray]) -> None:
        """Replace what was saved before; never leaves half of it."""
        ...


def join_groups(groups: Mapping[str, Mapping[str, np.ndarray]]) -> dict[str, np.ndarray]:
    """Arrays of all groups, with the name of the group before their own."""
    return {
        f"{group}{SEPARATOR}{name}": array
        for group, arrays in groups.items()
        for name, array in arrays.items()
    }


def split_groups(arrays: Mapping[str, np.ndarray]) -> dict[str, dict[str, np.ndarray]]:
    """Undo `join_groups`; groups without arrays are left out."""
    groups: dict[str, dict[str, np.ndarray]] = {}
    for name, array in arrays.items():
        group, own = name.split(SEPARATOR, 1)
        groups.setdefault(group, {})[own] = array
    return groups
