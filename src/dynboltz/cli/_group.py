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
        except (ValueError, ArithmeticError, OSError) as error:
            if ctx.params.get("debug"):
                raise
            typer.echo(f"Error: {error}", err=True)
            raise typer.Exit(BAD_INPUT) from None
