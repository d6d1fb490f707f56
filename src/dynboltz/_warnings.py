"""Warnings of the package, attributed to the line outside it that called it."""

from __future__ import annotations

import contextlib
import contextvars
import sys
import warnings
from collections.abc import Iterator
from types import FrameType

_INSIDE = (__name__.partition(".")[0], "jaxtyping", "beartype", "contextlib")
_collected: contextvars.ContextVar[list[str] | None] = contextvars.ContextVar(
    "collected", default=None
)


class LearningWarning(UserWarning):
    """A fit or a training did not do what was asked of it, and returns something less."""


class ExtrapolationWarning(UserWarning):
    """A prediction is made where a model has learned nothing."""


def warn(message: str, category: type[UserWarning]) -> None:
    """Warn the caller of the package, or hand the message to the enclosing `collected`.

    Parameters
    ----------
    message
        What is wrong, and what to do.
    category
        Class of the warning.
    """
    into = _collected.get()
    if into is not None:
        into.append(message)
        return
    frame = _first_outside()
    namespace = frame.f_globals
    warnings.warn_explicit(
        message,
        category,
        frame.f_code.co_filename,
        frame.f_lineno,
        namespace.get("__name__"),
        namespace.setdefault("__warningregistry__", {}),
    )


@contextlib.contextmanager
def collected() -> Iterator[list[str]]:
    """Collect the messages of this thread in a list instead of warning.

    `warnings.catch_warnings` changes the state of the whole process, so that it cannot be used in
    threads that learn side by side.

    Yields
    ------
    messages
        Filled while the context is open.
    """
    messages: list[str] = []
    token = _collected.set(messages)
    try:
        yield messages
    finally:
        _collected.reset(token)


def _first_outside() -> FrameType:
    """Innermost frame that is not of the package, nor of what checks array annotations in tests."""
    frame = sys._getframe()
    while frame.f_back is not None:
        if frame.f_globals.get("__name__", "").partition(".")[0] not in _INSIDE:
            break
        frame = frame.f_back
    return frame
