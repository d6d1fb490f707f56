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
        where = f"{path}" if key is None else f"{path}, {_shortened(key)}"
        super().__init__(_printable(f"{where}: {_shortened(problem)}"))

    def __reduce__(self) -> tuple[Any, ...]:
        """Arguments to make the error again in another process."""
        return partial(StoreError, key=self.key), (self.path, self._problem)


def _shortened(text: str) -> str:
    """Text without its middle, if a file put too much into it."""
    return text if len(text) <= 1500 else f"{text[:1000]} ... {text[-400:]}"


def _printable(text: str) -> str:
    """Text that any terminal shows as it is: control characters and lone surrogates escaped."""
    return "".join(c if c.isprintable() or c == "\n" else ascii(c)[1:-1] for c in text)
