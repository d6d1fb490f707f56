"""Reaction networks from Antimony."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

from dynboltz._arguments import checked
from dynboltz._text import MARK, decode_text

from ._imported import ImportedNetwork, NetworkImportError, file_content
from ._sbml import LARGEST, parse_sbml

MISSING = (
    "reading Antimony needs its library, which is not installed: pip install 'dynboltz[sbml]'."
)
ASIDE = re.compile(
    r"""
    (?P<comment> //[^\n\r]* | \#[^\n\r]* | /\*.*?\*/ )
    | (?P<open> /\* )
    | (?P<string> "[^"\\`\n\r]*" | ```[^`]*``` )
    | (?P<unsure> ["`] )
    """,
    re.DOTALL | re.VERBOSE,
)
"""What is no statement, as the library (2.15 to 3.3) reads it.

`open` begins a comment without an end; `unsure` a string that the library's versions end in
different places, or that has no end.
"""
IMPORT = re.compile(r"(?<![A-Za-z_0-9])import(?![A-Za-z_0-9])")
CHAIN = re.compile("|".join(rf"{c}(?:(?:[^;\n&|,{c}]|\\\r?\n)*{c}){{2}}" for c in "<>"))
"""Three comparisons in a row, `a < b < c < d`, at which the library (3.3) ends the process."""


@checked
def read_antimony(
    path: Path | str, *, particles_per_substance: float | None = None
) -> ImportedNetwork:
    """Read the reaction network of an Antimony file.

    The library `antimony` turns the main model, its submodels written out, into SBML; the rest is
    as `read_sbml`.

    Parameters
    ----------
    path
        The file.
    particles_per_substance
        As in `read_sbml`.

    Raises
    ------
    NetworkImportError
        If the file is not Antimony, imports other files (none of which is opened), or has parts
        without a meaning here, or the library is not installed.
    """
    content = file_content(path, LARGEST)
    try:
        text = decode_text(content)
    except ValueError as error:
        raise NetworkImportError(str(path), (str(error),)) from None
    return parse_antimony(text, str(path), particles_per_substance=particles_per_substance)


@checked
def parse_antimony(
    text: str, source: str = "Antimony", *, particles_per_substance: float | None = None
) -> ImportedNetwork:
    """Read the reaction network of Antimony text; `source` names it in errors.

    As `read_antimony`.
    """
    try:
        import antimony  # noqa: PLC0415
    except ImportError:
        raise NetworkImportError(source, (MISSING,)) from None

    text = text.removeprefix(MARK)
    problem = next(_dangers(text), None)
    if problem is not None:
        raise NetworkImportError(source, (problem,))
    antimony.clearPreviousLoads()
    if antimony.loadAntimonyString(text) < 0:
        raise NetworkImportError(source, (_last_error(antimony.getLastError),))
    try:
        document = str(antimony.getSBMLString(antimony.getMainModuleName()))
    except UnicodeDecodeError as error:
        raise NetworkImportError(source, (f"is not sound Antimony ({error}).",)) from None
    return parse_sbml(document.encode(), source, particles_per_substance=particles_per_substance)


def _dangers(text: str) -> Iterator[str]:
    """Why the library must not see a text.

    It would open other files, or end the process.
    """
    if text.lstrip("\ufeff \t\r\n").startswith("<"):  # the library would read it as SBML
        yield "is XML, not Antimony; if it is SBML, let its name end in .xml (`read_sbml`)."
    if "\0" in text:
        yield "holds a null character."
    if re.search("[\ud800-\udfff]", text):
        yield "holds half of a surrogate pair, which is no text."
    for piece in ASIDE.finditer(text):
        if piece.lastgroup == "open":  # the library would drop the rest, and the next text it reads
            yield f"line {_line(text, piece)}: a comment begins that has no end (`*/`)."
    statements = _statements(text)
    found = IMPORT.search(statements)
    if found is not None:
        yield (
            f"line {_line(text, found)}: imports another file, which is not read; write all into "
            "one file."
        )
    if CHAIN.search(statements):
        yield "chains three comparisons, which are no part of a network; remove them."


def _line(text: str, place: re.Match[str]) -> int:
    return text.count("\n", 0, place.start()) + 1


def _statements(text: str) -> str:
    """Text with spaces for comments and strings, all of it if a string has no certain end."""
    pieces = list(ASIDE.finditer(text))
    if any(piece.lastgroup == "unsure" for piece in pieces):
        return text
    return ASIDE.sub(lambda piece: " " * len(piece[0]), text)


def _last_error(ask: Callable[[], str | None]) -> str:
    """The library's message, which it may cut inside a character."""
    try:
        message = str(ask())
    except UnicodeDecodeError:
        return (
            "is not Antimony; a character that is not ASCII stands outside of comments and names."
        )
    return " ".join(message.split()).removeprefix("Error in model string, ")
