"""The terminal: everything printed is text of users in part, none of which is markup."""

from __future__ import annotations

from rich.console import Console
from rich.progress import TextColumn


def plain_console(*, stderr: bool = False) -> Console:
    """Console that prints text as it is, also in tables: no markup, emoji codes or colours of it.

    Paths, names of models and settings may hold `[bold]`, `[/x]` or `:warning:`.
    """
    return Console(stderr=stderr, markup=False, emoji=False, highlight=False)


def plain_column(text: str) -> TextColumn:
    """Column of a progress bar that shows text as it is; columns do not ask the console."""
    return TextColumn(text, markup=False)
