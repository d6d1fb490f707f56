"""Random SBML and Antimony: a network or one message, never a traceback, a hang or a crash."""

from __future__ import annotations

from fuzzing import many, sizes
from hypothesis import given
from hypothesis import strategies as st

from dynboltz.reactions import NetworkImportError, ReactionNetwork, parse_antimony, parse_sbml

ANTIMONY = """
function f(x, y)
  x * y / 2
end
model lotka
  compartment cell = 2; species X in cell, Y in cell; substanceOnly species Z in cell
  unit substance = 1e-9 mole
  J0: X => 2 X; a*X*cell
  J1: X + Y -> 2 Y; (b*X*Y - f(c, Y)*Y)*cell
  J2: $S + Y => ; c*Y*S
  J3: Z => X; k*Z*(Z - 1)
  a = 1; b := 2*a; c = ln(2)/3; k = 1e-3
  X = 50; Y = 20; S = 3; Z = 4
end
"""
MARKS = [
    *("1e999", "-1", "0", "nan", "inf", "", "^", "(" * 50, ")", "*", "/0", "=>", "->", ";", ":="),
    *("'", '"', "&lt;", "<", ">", "\0", "\n", "é", "🧪", "9" * 400, "X", "Y", "a", "cell", "time"),
    *('constant="true"', "<event/>", "<apply><plus/>", "</apply>", "<ci>X</ci>", "delay", "at"),
    *("<!DOCTYPE a>", "<![CDATA[", "model", "end", "import", "function", "species", "const", "has"),
]


def sbml():
    import antimony  # noqa: PLC0415

    antimony.clearPreviousLoads()
    assert antimony.loadAntimonyString(ANTIMONY) >= 0
    return str(antimony.getSBMLString("lotka"))


@st.composite
def changed(draw, source):
    """The text with some pieces dropped, repeated, moved or replaced."""
    text = source
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(text)))
        stop = start + draw(st.integers(0, 40))
        piece = draw(st.sampled_from(["", text[start:stop] * 2, None]) | st.sampled_from(MARKS))
        if piece is None:
            start_of_other = draw(st.integers(0, len(text)))
            piece = text[start_of_other : start_of_other + draw(st.integers(0, 200))]
        text = text[:start] + piece + text[stop:]
    return text


def check_answer(parse, given_text):
    try:
        imported = parse(given_text)
    except NetworkImportError as error:
        said = str(error)
    else:
        check_network(imported)
        return
    assert said.startswith("m: ")


def check_network(imported):
    network = imported.well_mixed
    assert ReactionNetwork.parse(network.to_text(), network.species) == network
    assert imported.volume is None or imported.volume > 0


def check_all(texts, parse, n_inputs):
    @many(n_inputs)
    @given(texts)
    def check(text):
        check_answer(parse, text)

    check()


@sizes(100)
def test_antimony(n_inputs):
    check_all(changed(ANTIMONY) | st.text(), lambda text: parse_antimony(text, "m"), n_inputs)


@sizes(100)
def test_sbml(n_inputs):
    texts = (changed(sbml()) | st.text()).map(lambda t: t.encode("utf-8", "surrogatepass"))
    check_all(texts, lambda content: parse_sbml(content, "m"), n_inputs)
