"""Errors of commands: one message, no traceback."""

from __future__ import annotations

from typing import Any

import typer
from typer.core import TyperGroup

from ._signals import INTERRUPTED, MESSAGE, TERMINATED, Termination

BAD_INPUT = 2


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
        except MemoryError as error:
            if ctx.params.get("debug"):
                raise
            typer.echo(f"Error: {_of_memory(error)}", err=True)
            raise typer.Exit(BAD_INPUT) from None
        except RuntimeError as error:
            # What JAX raises where an array is too large for the memory of its device.
            if ctx.params.get("debug") or "RESOURCE_EXHAUSTED" not in str(error):
                raise
            typer.echo(f"Error: {_of_memory(error)}", err=True)
            raise typer.Exit(BAD_INPUT) from None
        except (ValueError, ArithmeticError, OSError) as error:
            if ctx.params.get("debug"):
                raise
            typer.echo(f"Error: {error}", err=True)
            raise typer.Exit(BAD_INPUT) from None


def _of_memory(error: Exception) -> str:
    """Say that memory was short: in the words of the function that asked for it, or in general."""
    from dynboltz._memory import gigabytes, memory  # noqa: PLC0415

    known = str(error) if type(error).__module__.startswith("dynboltz.") else ""
    return known or (
        f"more memory was needed than the {gigabytes(memory())} there are. Choose a smaller "
        "lattice or box, fewer replicas, initial conditions, records or chains, fewer terms, or "
        "larger cells; with --debug (before the command) the traceback says what was too large."
    )
