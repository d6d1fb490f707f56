"""Models that name other files: nothing but the given file is ever opened."""

import contextlib
import json
import os
import subprocess
import sys

import antimony
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dynboltz.reactions import (
    NetworkImportError,
    parse_antimony,
    parse_sbml,
    read_antimony,
    read_sbml,
)

MODEL = "A => ; k*A; k = 3; A = 2\n"
IMPORTS = (
    'import "FILE"\n',
    'compartment c = 1; import "FILE"\n',
    '/* first */ import "FILE"\n',
    '/***/import"FILE"\n',
    '// first\rimport "FILE"\n',
    '# first \\\nimport "FILE"\n',
    '# /*\nimport "FILE"\n# */\n',
    '// "\nimport "FILE" // "\n',
    'a = 1; a is "/*"; import "FILE"; a is "*/"\n',
    'a = 1; a is "b // c"; import "FILE"\n',
    'a = 1; a is ""; import "FILE"; a is ""\n',
    'a = 1; a is "b\\"; import "FILE"; a is "\\"\n',
    'a = 1; a is "b\\"// "; import "FILE"\n',
    'a = 1; a notes ```b``c```; import "FILE"\n',
    'import \\\n "FILE"\n',
    'model m\n a = 1\nend import "FILE"\n',
    '/* /* */ import "FILE" */\n',
)
COMP = "http://www.sbml.org/sbml/level3/version1/comp/version1"
DOCUMENT = (
    '<?xml version="1.0" encoding="UTF-8"?>BEFORE'
    '<sbml xmlns="http://www.sbml.org/sbml/level3/version1/core" level="3" version="1" '
    f'xmlns:xi="http://www.w3.org/2001/XInclude" xmlns:q="{COMP}" q:required="true">'
    'INSIDE<model id="m"/></sbml>'
)
EXTERNAL = (
    '<q:listOfExternalModelDefinitions><q:externalModelDefinition q:id="e" q:source="FILE"/>'
    "</q:listOfExternalModelDefinitions>"
)
DOCUMENTS = [
    DOCUMENT.replace("BEFORE", before).replace("INSIDE", inside)
    for before, inside in (
        ("", EXTERNAL),
        ("", EXTERNAL.replace("FILE", "file:FILE")),
        ("", EXTERNAL.replace("FILE", "file://FILE")),
        ("", '<xi:include href="FILE"/>'),
        ('<!DOCTYPE sbml SYSTEM "FILE">', ""),
        ('<!DOCTYPE sbml [<!ENTITY e SYSTEM "FILE">]>', "<notes>&e;</notes>"),
        ('<!DOCTYPE sbml [<!ENTITY % e SYSTEM "FILE"> %e;]>', ""),
    )
]
READ_ALL = """
import json, sys
from dynboltz.reactions import NetworkImportError, parse_antimony, parse_sbml

for text in json.load(sys.stdin):
    for parse, given in ((parse_antimony, text), (parse_sbml, text.encode())):
        try:
            parse(given, "m")
        except NetworkImportError as error:
            print(json.dumps(str(error)))
        else:
            print(json.dumps("read"))
"""


def answers(texts, folder):
    """Outcomes of reading texts as Antimony and as SBML in a process of its own, in a folder."""
    done = subprocess.run(
        [sys.executable, "-c", READ_ALL],
        input=json.dumps(texts),
        capture_output=True,
        text=True,
        check=True,
        cwd=folder,
        timeout=60,  # who opens a pipe that nobody writes to waits without end
    )
    both = [json.loads(line) for line in done.stdout.splitlines()]
    return both[::2], both[1::2]


@pytest.mark.parametrize("name", ["pipe", "../pipe", "ABSOLUTE"])
def test_no_other_file_is_opened(tmp_path, name):
    folder = tmp_path / "folder"
    folder.mkdir()
    pipe = tmp_path / "pipe" if name != "pipe" else folder / "pipe"
    os.mkfifo(pipe)
    given_name = name.replace("ABSOLUTE", str(pipe))
    texts = [text.replace("FILE", given_name) for text in (*IMPORTS, *DOCUMENTS)]
    as_antimony, as_sbml = answers(texts, folder)
    for answer in as_antimony[: len(IMPORTS)]:
        assert "imports another file, which is not read; write all into one file." in answer
    for answer in as_antimony[len(IMPORTS) :]:
        assert answer.startswith("m: is XML, not Antimony")
    for answer in as_sbml[len(IMPORTS) :]:
        assert "names another file, which is not read" in answer or "document type" in answer


def test_comment_without_an_end_is_refused():
    for text in ("A => ; A /*/", "A => ; A\n/* import", "a = 1; /* */ /*"):
        with pytest.raises(NetworkImportError, match=r"line \d: a comment begins that has no end"):
            parse_antimony(text)


def test_message_names_the_line():
    with pytest.raises(NetworkImportError, match=r"^m: line 3: imports another file"):
        parse_antimony('/* a\n b */ a = 1\na is "c"; import "other.ant"', "m")
    with pytest.raises(NetworkImportError, match=r"line 1: <externalModelDefinition> names") as e:
        parse_sbml(DOCUMENTS[0].replace("q:listOfExternalModelDefinitions", "notes").encode(), "m")
    assert "write all into one file" in str(e.value)


@pytest.mark.parametrize(
    "text",
    [
        "/* A small model.\nimport of A across the membrane is slow\nexport too */\n",
        '// import "other.ant"\n',
        '# a; import "other.ant"\n',
        'A is "the import"\n',
        "A is \"a; import \\'b\\'\"\n".replace("\\'", "'"),
        'A notes ```import it\nimport "other.ant" <p>a</p><b>c</b>\n```\n',
        "imports = 4; k_import = 2; import2 = 3\n",
        'A is "<a> <b> <c>"; /* 1 < 2 < 3 < 4 */\n',
    ],
)
def test_words_in_comments_strings_and_names_are_none(text):
    imported = parse_antimony(f"{text}{MODEL}")
    assert imported.well_mixed.to_text() == "A -> 0 ; k = 3"


FRAGMENTS = (
    *("import", ' "other.ant"', "import'a'", "\n", "\r", "\r\n", ";", " ", "\\", '"', "'", "`"),
    *("```", "//", "/*", "*/", "/", "*", "#", "a = 1", "a is ", "model m", "end", "1", "e5", "_"),
    *("\\\n", '\\"', "<", "é", "\t", "\v", ".", ",", "A => ; k*A"),
)


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """A folder without and one with the file that models name."""
    without, with_file = tmp_path_factory.mktemp("without"), tmp_path_factory.mktemp("with")
    (with_file / "other.ant").write_text("S1 = 5; J1: S1 => ; k*S1; k = 3\n")
    return without, with_file


def outcome(parse, text, folder):
    with contextlib.chdir(folder):
        try:
            return parse(text)
        except NetworkImportError as error:
            return str(error)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.sampled_from(FRAGMENTS), max_size=14).map("".join))
def test_outcomes_do_not_depend_on_other_files(folders, text):
    first, second = (outcome(parse_antimony, text, folder) for folder in folders)
    assert first == second


def test_the_library_depends_on_them(folders):
    results = []
    for folder in folders:
        antimony.clearPreviousLoads()
        results.append(outcome(antimony.loadAntimonyString, 'a = 1; import "other.ant"', folder))
    assert (results[0] < 0, results[1] < 0) == (True, False)


def test_what_is_no_file_is_not_read(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for read in (read_sbml, read_antimony):
        for path in (tmp_path, tmp_path / "pipe"):
            with pytest.raises(NetworkImportError, match="is no regular file"):
                read(path)
