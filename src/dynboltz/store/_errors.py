"""The error of the store room."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any, final


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
        self._problem = problem
        super().__init__(f"{path}: {problem}" if key is None else f"{path}, {key}: {problem}")

    def __reduce__(self) -> tuple[Any, ...]:
        """Arguments to make the error again in another process."""
        return partial(StoreError, key=self.key), (self.path, self._problem)
