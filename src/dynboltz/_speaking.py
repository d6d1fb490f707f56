"""Messages in the name of the function that was called, not of those it calls."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from contextlib import contextmanager

_NAMED = re.compile(r"([A-Za-z_][A-Za-z0-9_.]*): ")


def in_name_of(function: str, message: str, keep: Collection[str] = ()) -> str:
    """Message that begins with the name of a function in place of another's, unless it is kept."""
    named = _NAMED.match(message)
    if named is None or named[1] in keep:
        return message
    return f"{function}: {message[named.end() :]}"


@contextmanager
def speaking_as(function: str, *, keep: Collection[str] = ()) -> Iterator[None]:
    """Let errors of functions that a public one calls begin with the name of the public one.

    Parameters
    ----------
    function
        The public function.
    keep
        Names that stay: those of objects that the caller made.
    """
    try:
        yield
    except (ValueError, TypeError, ArithmeticError, MemoryError) as error:
        if error.args and isinstance(error.args[0], str):
            error.args = (in_name_of(function, error.args[0], keep), *error.args[1:])
        raise
