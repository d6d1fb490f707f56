"""Reaction networks from SBML."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from xml.parsers import expat

from dynboltz._arguments import checked
from dynboltz._text import decode_text

from ._imported import ImportedNetwork, NetworkImportError, file_content

LARGEST = 10_000_000
DEEPEST = 200
MOST_PARTS = 1000
FORMULAS = ("apply", "lambda", "piecewise", "piece", "bvar", "ci", "cn", "csymbol")
EXTERNAL = ("listOfExternalModelDefinitions", "externalModelDefinition")
"""Elements of the package `comp` at which libSBML opens other files, whatever the package's URI."""
INCLUDE = "http://www.w3.org/2001/XInclude"
MISSING = "reading SBML needs libSBML, which is not installed: pip install 'dynboltz[sbml]'."


@checked
def read_sbml(path: Path | str, *, particles_per_substance: float | None = None) -> ImportedNetwork:
    r"""Read the reaction network of an SBML file.

    Rate laws must be mass action with up to two reactants. In particle numbers $n$, a law
    $c \prod_{i=1}^m x_i$ of amounts $x = n / f$ makes $c f^{1-m} \prod_i n_i$ events per time, $f$
    being `particles_per_substance`; concentrations are amounts divided by the volume. A law with a
    negative part is split into a reaction there and one back, one with several parts into a
    reaction for each.

    Parameters
    ----------
    path
        File of SBML, level 1 to 3.
    particles_per_substance
        Particles in a unit of substance; by default what the units of the model say: 1 for items,
        the Avogadro constant times the scale for moles, and 1 if it has none.

    Returns
    -------
    :
        The network of the well-mixed compartment; `on_lattice` and `in_box` put it into space.

    Raises
    ------
    NetworkImportError
        If the file is not SBML, names other files (none of which is opened), or has parts without
        a meaning here, all of which are listed, or libSBML is not installed.
    """
    content = file_content(path, LARGEST)
    return parse_sbml(content, str(path), particles_per_substance=particles_per_substance)


@checked
def parse_sbml(
    content: bytes, source: str, *, particles_per_substance: float | None = None
) -> ImportedNetwork:
    """Read the reaction network of SBML text; `source` names it in errors.

    As `read_sbml`.
    """
    try:
        import libsbml  # noqa: PLC0415
    except ImportError:
        raise NetworkImportError(source, (MISSING,)) from None
    from ._sbml_model import network_of_model  # noqa: PLC0415

    try:
        text = decode_text(content)
    except ValueError as error:
        raise NetworkImportError(source, (str(error),)) from None
    check_xml(text.encode(), source)
    document = libsbml.readSBMLFromString(text)
    problems = tuple(_errors(document))
    if problems or document.getModel() is None:
        raise NetworkImportError(source, problems or ("holds no model.",))
    return network_of_model(document, source, particles_per_substance)


def check_xml(content: bytes, source: str) -> None:
    """Raise `NetworkImportError` unless `content` is UTF-8 XML that libSBML reads safely.

    It must be well-formed. Document types are refused, since entities can name files or grow
    without bound; so are elements that name other files, elements nested too deep, and formulas
    with too many parts.
    """
    parts: list[int] = []

    def refuse(problem: str) -> None:
        raise NetworkImportError(source, (f"line {parser.CurrentLineNumber}: {problem}",))

    def enter(name: str, attributes: Mapping[str, str]) -> None:
        space, _, local = name.rpartition(" ")
        if local in EXTERNAL or space == INCLUDE:
            refuse(f"<{local}> names another file, which is not read; write all into one file.")
        if len(parts) == DEEPEST:
            refuse(f"more than {DEEPEST} nested elements.")
        if parts:
            parts[-1] += 1
        parts.append(0)

    def leave(name: str) -> None:
        if parts.pop() > MOST_PARTS and name.rpartition(" ")[2] in FORMULAS:
            refuse(f"a formula with more than {MOST_PARTS} parts.")

    parser = expat.ParserCreate("utf-8", namespace_separator=" ")
    parser.StartElementHandler, parser.EndElementHandler = enter, leave
    parser.StartDoctypeDeclHandler = lambda *_: refuse("a document type (DTD) is not read.")
    try:
        content.decode("utf-8")
        parser.Parse(content, True)
    except expat.ExpatError as error:
        raise NetworkImportError(source, (f"is not XML: {error}.",)) from None
    except UnicodeDecodeError as error:
        raise NetworkImportError(
            source, (f"is not UTF-8 ({error}); save it in that encoding.",)
        ) from None


def _errors(document: object) -> Iterator[str]:
    """What libSBML finds wrong, in one line each."""
    import libsbml  # noqa: PLC0415

    document.setConsistencyChecks(libsbml.LIBSBML_CAT_UNITS_CONSISTENCY, False)
    document.setConsistencyChecks(libsbml.LIBSBML_CAT_MODELING_PRACTICE, False)
    document.setConsistencyChecks(libsbml.LIBSBML_CAT_SBO_CONSISTENCY, False)
    if not document.getNumErrors(libsbml.LIBSBML_SEV_ERROR):
        document.checkConsistency()
    for index in range(document.getNumErrors()):
        error = document.getError(index)
        if error.isError() or error.isFatal():
            message = " ".join(error.getMessage().split())
            yield f"line {error.getLine()}: {message}"
