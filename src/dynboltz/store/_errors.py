"""The error of the store room."""

from __future__ import annotations

from pathlib import Path
from typing import final


@final
class StoreError(ValueError):
    """Something on disk is not what it should be, or cannot be written.

    Parameters
    ----------
    path
        The store or file.
    problem
        What is wrong, what is allowed, and the next step.
    key
        Which part of it: an array, an attribute, a chunk, `line 12`.

    Attributes
    ----------
    path
        The store or file.
    key
        Which part of it, or `None`.
    """

    def __init__(self, path: Path | str, problem: str, *, key: str | None = None) -> None:
        self.path = Path(path)
        self.key = key
        super().__init__(f"{path}: {problem}" if key is None else f"{path}, {key}: {problem}")
