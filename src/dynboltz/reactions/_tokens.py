"""Tokens of the reaction syntax, and the error that points at one."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, final

TokenKind = Literal[
    "name", "number", "empty", "arrow", "plus", "minus", "semicolon", "equals", "end"
]

SYMBOLS: dict[str, TokenKind] = {
    "->": "arrow",
    "+": "plus",
    "-": "minus",
    ";": "semicolon",
    "=": "equals",
    "∅": "empty",
}
NUMBER = re.compile(r"(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")


@final
class ReactionSyntaxError(ValueError):
    """The text of a reaction network is wrong.

    Parameters
    ----------
    problem
        What is wrong, what is allowed and what to do.
    line, column
        Where, both counted from 1.
    source
        The offending line.
    """

    def __init__(self, problem: str, line: int, column: int, source: str) -> None:
        super().__init__(problem, line, column, source)
        self.problem = problem
        self.line = line
        self.column = column
        self.source = source

    def __str__(self) -> str:
        margin = "".join("\t" if c == "\t" else " " for c in self.source[: self.column - 1])
        return (
            f"line {self.line}, column {self.column}: {self.problem}\n"
            f"    {self.source}\n    {margin}^"
        )


@final
@dataclass(frozen=True)
class Token:
    """A piece of a line; `column` counts from 1, kind `end` closes the line."""

    kind: TokenKind
    text: str
    line: int
    column: int
    source: str

    def error(self, problem: str) -> ReactionSyntaxError:
        """Make the error that points at this token."""
        return ReactionSyntaxError(problem, self.line, self.column, self.source)

    def __str__(self) -> str:
        return "the end of the line" if self.kind == "end" else f"{self.text!r}"


def tokenize(source: str, line: int) -> list[Token]:
    """Tokens of one line, a comment left out, with an `end` token.

    Raises
    ------
    ReactionSyntaxError
        At a character that starts no token.
    """
    tokens = list(_tokens(source, line))
    end = len(source.partition("#")[0].rstrip())
    return [*tokens, Token("end", "", line, end + 1, source)]


def _tokens(source: str, line: int) -> Iterator[Token]:
    start = 0
    while start < len(source) and source[start] != "#":
        if source[start].isspace():
            start += 1
            continue
        kind, text = _match(source, start)
        token = Token(kind, text, line, start + 1, source)
        if kind == "end":
            raise token.error(_unexpected(text))
        yield token
        start += len(text)


def _match(source: str, start: int) -> tuple[TokenKind, str]:
    """Kind and text of the token at `start`; kind `end` if there is none."""
    if number := NUMBER.match(source, start):
        return "number", number.group()
    for text, kind in SYMBOLS.items():
        if source.startswith(text, start):
            return kind, text
    stop = start
    while stop < len(source) and source[start : stop + 1].isidentifier():
        stop += 1
    return ("name", source[start:stop]) if stop > start else ("end", source[start])


def _unexpected(character: str) -> str:
    if character == "<":
        return "'<' is not part of the syntax. Write a reversible reaction as two reactions."
    return f"{character!r} is not part of the syntax, which reads 'A + B -> C ; k = 1'."
