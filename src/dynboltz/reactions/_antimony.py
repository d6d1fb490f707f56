"""Reaction networks from Antimony."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from ._imported import ImportedNetwork, NetworkImportError
from ._sbml import LARGEST, parse_sbml

MISSING = (
    "reading Antimony needs its library, which is not installed: pip install 'dynboltz[sbml]'."
)
IMPORT = re.compile(r"^\s*import\b", re.MULTILINE)
ASIDE = re.compile(r"//[^\n]*|#[^\n]*|/\*.*?\*/|\"\"\".*?\"\"\"|\"[^\"\n]*\"", re.DOTALL)
"""Comments and text in quotation marks."""
CHAIN = re.compile("|".join(rf"{c}(?:(?:[^;\n&|,{c}]|\\\r?\n)*{c}){{2}}" for c in "<>"))
"""Three comparisons in a row, `a < b < c < d`, at which the library (3.3) ends the process."""


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
        If the file is not Antimony, imports other files, or has parts without a meaning here, or
        the library is not installed.
    """
    path = Path(path)
    if path.stat().st_size > LARGEST:
        raise NetworkImportError(
            str(path), (f"has more than {LARGEST} bytes; such a model is no network for space.",)
        )
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise NetworkImportError(str(path), (f"is not UTF-8 ({error}).",)) from None
    return parse_antimony(text, str(path), particles_per_substance=particles_per_substance)


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

    if IMPORT.search(text):
        raise NetworkImportError(
            source, ("imports another file, which is not read; write all into one file.",)
        )
    if "\0" in text:
        raise NetworkImportError(source, ("holds a null character.",))
    if re.search("[\ud800-\udfff]", text):
        raise NetworkImportError(source, ("holds half of a surrogate pair, which is no text.",))
    if CHAIN.search(ASIDE.sub("", text)):
        raise NetworkImportError(
            source, ("chains three comparisons, which are no part of a network; remove them.",)
        )
    antimony.clearPreviousLoads()
    if antimony.loadAntimonyString(text) < 0:
        raise NetworkImportError(source, (_last_error(antimony.getLastError),))
    try:
        document = str(antimony.getSBMLString(antimony.getMainModuleName()))
    except UnicodeDecodeError as error:
        raise NetworkImportError(source, (f"is not sound Antimony ({error}).",)) from None
    return parse_sbml(document.encode(), source, particles_per_substance=particles_per_substance)


def _last_error(ask: Callable[[], str | None]) -> str:
    """The library's message, which it may cut inside a character."""
    try:
        message = str(ask())
    except UnicodeDecodeError:
        return (
            "is not Antimony; a character that is not ASCII stands outside of comments and names."
        )
    return " ".join(message.split()).removeprefix("Error in model string, ")
