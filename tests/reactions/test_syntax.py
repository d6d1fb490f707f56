"""The text syntax: errors that point at the right place, and nothing but those errors."""

import pickle

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dynboltz.reactions import Reaction, ReactionNetwork, ReactionSyntaxError


@pytest.mark.parametrize(
    ("text", "reaction"),
    [
        ("A + A -> 0 ; p = 0.01", Reaction(("A", "A"), (), probability=0.01)),
        ("2 A -> ∅;p=1", Reaction(("A", "A"), (), probability=1.0)),
        ("0 -> 1 B ; k = 1e-3", Reaction((), ("B",), rate=1e-3)),
        ("∅ -> 2B ; k = .5", Reaction((), ("B", "B"), rate=0.5)),
        ("α_1 + _x2 -> β ; k = +5.", Reaction(("α_1", "_x2"), ("β",), rate=5.0)),
        ("\tk -> p ; k = 0 # names of constants name species too", Reaction(("k",), ("p",), 0.0)),
    ],
)
def test_reactions_are_read(text, reaction):
    assert ReactionNetwork.parse(text).reactions == (reaction,)


@pytest.mark.parametrize(
    ("text", "line", "column", "message"),
    [
        ("", 1, 1, "There is no reaction"),
        ("\n# only a comment", 1, 1, "There is no reaction"),
        ("A -> B", 1, 7, "found the end of the line"),
        ("A", 1, 2, r"Expected '\+' or '->'"),
        ("A -> B ; k = 1\nA <-> C ; k = 1", 2, 3, "two reactions"),
        ("A -> B , k = 1", 1, 8, "',' is not part of the syntax"),
        ("A -- B ; k = 1", 1, 3, r"Expected '\+' or '->', found '-'"),
        ("A -> ; k = 1", 1, 6, "Expected a species name, found ';'"),
        ("-> A ; k = 1", 1, 1, "Expected a species name, found '->'"),
        ("A + -> B ; k = 1", 1, 5, "Expected a species name"),
        ("A B -> 0 ; k = 1", 1, 3, "found 'B'"),
        ("0 + A -> 0 ; k = 1", 1, 1, "stands alone"),
        ("A + 0 -> B ; k = 1", 1, 5, "must be 1 or 2, got '0'"),
        ("3 A -> 0 ; k = 1", 1, 1, "must be 1 or 2, got '3'"),
        ("2e1 -> 0 ; k = 1", 1, 1, "must be 1 or 2, got '2e1'"),
        ("A -> B ; q = 1", 1, 10, r"Expected 'k' \(a rate\) or 'p'"),
        ("A -> B ; k 1", 1, 12, "Expected '='"),
        ("A -> B ; k = fast", 1, 14, "Expected a number, found 'fast'"),
        ("A -> B ; k = 1 ; k = 2", 1, 18, "'k' is given twice"),
        ("A + B -> 0 ; k = 1 ; p = 0.5", 1, 22, "not both"),
        ("A -> B ; k = 1 2", 1, 16, "Expected the end of the line"),
        ("A -> B ; k = -1", 1, 14, "not negative, got -1.0"),
        ("A -> B ; k = nan", 1, 14, "got nan"),
        ("A -> B ; k = -inf", 1, 14, "got -inf"),
        ("A -> B ; k = 1e999", 1, 14, "got inf"),
        ("A + A -> B ; p = 1.1", 1, 18, "between 0 and 1"),
        ("A + A -> B ; p = -0.1", 1, 18, "between 0 and 1"),
        ("A -> B ; p = 0.1", 1, 14, "this reaction has 1"),
        ("2 A + B -> 0 ; k = 1", 1, 1, "at most two reactants"),
        ("A -> B + B + B ; k = 1", 1, 6, "at most two products"),
        ("A + B -> B + A ; k = 1", 1, 1, "changes nothing"),
        ("A + B -> 0 ; k = 1\n  B + A -> 0 ; k = 2", 2, 3, "there already"),
        ("A + B -> 0 ; p = 0.9\n# and\nB + A -> A ; p = 0.2", 3, 1, "add up to 1.1"),
        ("A -> 0 ; k = 1\nA -> Ä ; k = 1 ?", 2, 16, r"'\?' is not part"),
    ],
)
def test_errors_point_at_the_place(text, line, column, message):
    with pytest.raises(ReactionSyntaxError, match=message) as caught:
        ReactionNetwork.parse(text)
    assert (caught.value.line, caught.value.column) == (line, column)


def test_message_shows_the_line_with_a_caret():
    with pytest.raises(ReactionSyntaxError) as caught:
        ReactionNetwork.parse("A -> 0 ; k = 1\n\tA + Q -> 0 ; k = 1", species=("A", "B"))
    assert str(caught.value) == (
        "line 2, column 6: Unknown species 'Q'; the species are A, B.\n"
        "    \tA + Q -> 0 ; k = 1\n"
        "    \t    ^"
    )


def test_error_survives_pickling():
    error = ReactionSyntaxError("wrong", 1, 2, "A")
    assert str(pickle.loads(pickle.dumps(error))) == str(error)


def test_species_must_not_be_a_string():
    # Under the tests' type checker a string is still a sequence of strings.
    with pytest.raises(TypeError, match=r"`species` must be a list or tuple of texts.*got 'AB'"):
        ReactionNetwork.parse("A -> B ; k = 1", species="AB")


PIECES = ("A", "B", "αβ", "0", "∅", "2", "3", "1e5", ".", "+", "->", ";", "k", "p", "=", "-", "nan")
SALAD = st.lists(st.sampled_from([*PIECES, " ", "\n", "#", "0.5", "; k = 1"])).map("".join)


def parse_or_error(text):
    try:
        return ReactionNetwork.parse(text)
    except ReactionSyntaxError as error:
        return error


@settings(deadline=None)  # a busy machine is no failure
@given(st.one_of(st.text(), SALAD))
def test_any_text_parses_or_raises_a_syntax_error(text):
    outcome = parse_or_error(text)
    if isinstance(outcome, ReactionSyntaxError):
        assert 1 <= outcome.line <= max(1, len(text.splitlines()))
        assert 1 <= outcome.column <= len(outcome.source) + 1
    else:
        assert ReactionNetwork.parse(outcome.to_text()) == outcome


def test_numbers_of_any_length_are_read():
    with pytest.raises(ReactionSyntaxError, match="got inf"):
        ReactionNetwork.parse("A -> 0 ; k = " + 5000 * "9")
    with pytest.raises(ReactionSyntaxError, match="must be 1 or 2"):
        ReactionNetwork.parse(5000 * "9" + " A -> 0 ; k = 1")
