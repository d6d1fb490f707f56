"""Errors of commands: one message, no traceback."""

from __future__ import annotations

from typing import Any

import typer
from typer.core import TyperGroup

BAD_INPUT, INTERRUPTED, TERMINATED = 2, 130, 143


class Termination(KeyboardInterrupt):
    """The process was asked to end, such as by a batch system at its time limit."""


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
            typer.echo(
                "Interrupted. What is complete is kept; run the same command again to go on.",
                err=True,
            )
            ended = isinstance(reason, Termination)
            raise typer.Exit(TERMINATED if ended else INTERRUPTED) from None
        except (ValueError, ArithmeticError, OSError) as error:
            if ctx.params.get("debug"):
                raise
            typer.echo(f"Error: {error}", err=True)
            raise typer.Exit(BAD_INPUT) from None
