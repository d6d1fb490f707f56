"""What a command needs around it: folders for compiled code, streams that take any text."""

from __future__ import annotations

import codecs
import io
import os
import sys

from dynboltz._caches import package_is_writable, temporary_folder, told_once, user_folder

SHOWING = ("--help", "--version")
"""Options that only show something."""


def prepare() -> None:
    """Choose folders for compiled code, and let anything be printed.

    The folders go into the environment, which worker processes inherit.
    """
    _accept_any_text()
    os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0.1")
    folder = user_folder()
    if folder is not None:
        os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", str(folder / "jax"))
        return
    folder = temporary_folder()
    if folder is not None:
        os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", str(folder / "jax"))
        os.environ.setdefault("MPLCONFIGDIR", str(folder / "matplotlib"))
        if not package_is_writable():
            os.environ.setdefault("NUMBA_CACHE_DIR", str(folder / "numba"))
    line = told_once(folder)
    if line is not None and len(sys.argv) > 1 and not set(SHOWING) & set(sys.argv):
        sys.stderr.write(f"{line}\n")


def _accept_any_text() -> None:
    """Print names of files that are no text as their bytes, what a terminal lacks as escapes."""
    codecs.register_error("dynboltz", _replaced)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="dynboltz")


def _replaced(error: UnicodeError) -> tuple[str | bytes, int]:
    """Replacement of one character; names of files hold other bytes as halves of surrogates."""
    assert isinstance(error, UnicodeEncodeError)
    character, after = error.object[error.start], error.start + 1
    if "\udc80" <= character <= "\udcff":
        return character.encode("ascii", "surrogateescape"), after
    return character.encode("ascii", "backslashreplace").decode(), after
