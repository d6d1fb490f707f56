"""Errors of commands: one message, no traceback."""

from __future__ import annotations

import os
import sys
from typing import Any

import typer
from typer.core import TyperGroup

from ._signals import INTERRUPTED, MESSAGE, TERMINATED, Termination

BAD_INPUT = 2
PLATFORMS = ("JAX_PLATFORMS", "JAX_PLATFORM_NAME")
"""Environment variables that choose the devices of JAX."""


class ReportingGroup(TyperGroup):
    """Commands whose known errors become one message on stderr.

    The exit code is 2 for bad input, 130 after an interruption and 143 after a termination; with
    `--debug` the error is raised with its traceback.
    """

    def invoke(self, ctx: Any) -> Any:
        """Run the command."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt as reason:
            typer.echo(MESSAGE, err=True)
            ended = isinstance(reason, Termination)
            raise typer.Exit(TERMINATED if ended else INTERRUPTED) from None
        except BrokenPipeError:
            raise  # the reader of the output has enough: click ends quietly
        except (
            ValueError,
            ArithmeticError,
            OSError,
            MemoryError,
            RuntimeError,
            AssertionError,
        ) as error:
            message = _message(error)
            if message is None or ctx.params.get("debug"):
                raise
            typer.echo(f"Error: {message}", err=True)
            raise typer.Exit(BAD_INPUT) from None


def _message(error: Exception) -> str | None:
    """What to tell the user, `None` for what is an error of this package."""
    if isinstance(error, UnicodeEncodeError):
        name = error.object[max(error.start - 20, 0) : error.end + 20]
        return (
            f"{name!r}: is no text in {error.encoding}, which results cannot hold; rename the file "
            "or folder."
        )
    if isinstance(error, OSError) and error.filename is not None and error.strerror is not None:
        return f"{os.fsdecode(error.filename)}: {error.strerror}."
    if isinstance(error, (ValueError, ArithmeticError, OSError)):
        return str(error)
    # JAX raises a RuntimeError where an array is too large for the memory of its device.
    if isinstance(error, MemoryError) or "RESOURCE_EXHAUSTED" in str(error):
        return _of_memory(error)
    return _missing_device()  # for which JAX raises either of the others


def _missing_device() -> str | None:
    """Why JAX has no device, `None` if it has one or was not needed."""
    if "jax" not in sys.modules:
        return None
    import jax  # noqa: PLC0415

    try:
        jax.devices()
    except (RuntimeError, AssertionError):
        name = next((name for name in PLATFORMS if os.environ.get(name)), None)
        if name is None:
            return "JAX finds no device to compute on; `JAX_PLATFORMS=cpu` takes the processor."
        return (
            f"{name}={os.environ[name]}: JAX finds no such device on this machine, or is not "
            f"installed for it. Unset {name}, or set it to cpu."
        )
    return None


def _of_memory(error: Exception) -> str:
    """Say that memory was short: in the words of the function that asked for it, or in general."""
    from dynboltz._memory import gigabytes, memory  # noqa: PLC0415

    known = str(error) if type(error).__module__.startswith("dynboltz.") else ""
    return known or (
        f"more memory was needed than the {gigabytes(memory())} there are. Choose a smaller "
        "lattice or box, fewer replicas, initial conditions, records or chains, fewer terms, or "
        "larger cells; with --debug (before the command) the traceback says what was too large."
    )
