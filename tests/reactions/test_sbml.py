"""Networks from SBML and Antimony."""

import itertools
import math
import pickle
import re

import antimony
import libsbml
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dynboltz.reactions import (
    NetworkImportError,
    ReactionNetwork,
    parse_antimony,
    parse_sbml,
    read_antimony,
    read_sbml,
)
from dynboltz.reactions._polynomial import NotMassActionError

LOTKA = """
model lotka
  compartment cell = 2
  species X in cell, Y in cell
  J0: X => 2 X; a*X*cell
  J1: X + Y => 2 Y; b*X*Y*cell
  J2: Y => ; c*Y*cell
  a = 1; b = 0.01; c = 3
  X = 50; Y = 20
end
"""


def well_mixed(text, **options):
    return parse_antimony(text, **options).well_mixed.to_text().splitlines()


def problems_of(text):
    with pytest.raises(NetworkImportError) as caught:
        parse_antimony(text)
    return caught.value.problems


def rate_of(reaction):
    assert reaction.rate is not None
    return reaction.rate


def document(level, version, *, units=None, species=None, law="k*A*B"):
    """A + B -> 0 by libSBML itself, A = 3 and B without a value in a volume of 2."""
    made = libsbml.SBMLDocument(level, version)
    model = made.createModel()
    model.setId("m")
    cell = model.createCompartment()
    cell.setId("cell")
    cell.setSize(2.0)
    cell.setSpatialDimensions(3)
    cell.setConstant(True)
    if units is not None:
        definition = model.createUnitDefinition()
        definition.setId("substance")
        unit = definition.createUnit()
        unit.setKind(libsbml.UnitKind_forName(units[0]))
        unit.setExponent(1)
        unit.setScale(units[1])
        unit.setMultiplier(units[2])
        if level == 3:
            model.setSubstanceUnits("substance")
    for name in "AB":
        one = model.createSpecies()
        one.setId(name)
        one.setCompartment("cell")
        for setting, value in {"HasOnlySubstanceUnits": False, "Constant": False}.items():
            getattr(one, f"set{setting}")(value)
        one.setBoundaryCondition(False)
        if name == "A":
            one.setInitialAmount(3.0)
        if species is not None and name == "B":
            one.setSubstanceUnits(species)
    parameter = model.createParameter()
    parameter.setId("k")
    parameter.setValue(5.0)
    parameter.setConstant(True)
    reaction = model.createReaction()
    reaction.setId("meet")
    reaction.setReversible(False)
    if level == 3:
        reaction.setFast(False)
    for name in "AB":
        reference = reaction.createReactant()
        reference.setSpecies(name)
        reference.setStoichiometry(1.0)
        if level == 3:
            reference.setConstant(True)
    reaction.createKineticLaw().setMath(libsbml.parseL3Formula(law))
    return libsbml.writeSBMLToString(made).encode()


def test_concentrations_and_volume_of_lotka_volterra():
    imported = parse_antimony(LOTKA)
    expected = ReactionNetwork.parse(
        "X -> X + X ; k = 1\nX + Y -> Y + Y ; k = 0.005\nY -> 0 ; k = 3"
    )
    assert imported.well_mixed == expected
    assert imported.amounts == {"X": 100.0, "Y": 40.0}
    assert (imported.name, imported.volume) == ("lotka", 2.0)


def test_way_back_becomes_a_reaction_and_parts_of_a_law_too():
    assert well_mixed("A + B -> C; kf*A*B - kr*C; kf = 2; kr = 0.5") == [
        "A + B -> C ; k = 2",
        "C -> A + B ; k = 0.5",
    ]
    assert well_mixed("A => B; (k + q*E)*A; k = 2; q = 3; species E") == [
        "A -> B ; k = 2",
        "A + E -> B + E ; k = 3",
    ]


@pytest.mark.parametrize("law", ["k*A*(A - 1)", "k*A*A", "k*A^2", "k*pow(A, 2)", "A*k*(-1 + A)"])
def test_pair_of_one_species_has_twice_the_constant_of_its_law(law):
    assert well_mixed(f"A + A => ; {law}; k = 0.25") == ["A + A -> 0 ; k = 0.5"]


def test_square_less_its_root_is_refused_where_it_may_be_a_way_back():
    assert well_mixed("A + A => A; A*A - A") == ["A + A -> A ; k = 2"]
    assert well_mixed("A + A -> A; 2*A*A - A") == ["A + A -> A ; k = 4", "A -> A + A ; k = 1"]
    assert "can mean pairs of particles, or a way back" in problems_of("A + A -> A; A*A - A")[1]


def test_constants_are_computed():
    text = """
    function share(x, y)
      x / (x + y)
    end
    model m
      A => ; rate*A; B => ; share(k, 3)*B; C => ; exp(0) * sqrt(k) * C; D => ; ln(e_)*D
      rate := ln(2)/half; half = 4; k = 9; e_ = exponentiale; h = 2*k; E => ; h*log10(100)*E
    end
    """
    rates = [reaction.rate for reaction in parse_antimony(text).well_mixed.reactions]
    assert np.allclose(rates, [math.log(2) / 4, 9 / 12, 3.0, 1.0, 36.0], rtol=1e-15)


def test_same_sides_are_merged_and_what_changes_nothing_is_told():
    imported = parse_antimony("A => ; k*A; A => ; q*A; A => A; A; k = 1; q = 2")
    assert imported.well_mixed.to_text() == "A -> 0 ; k = 3"
    assert "reaction _J2 is left out, since it changes nothing." in imported.notes


def test_constant_species_enters_the_rates():
    imported = parse_antimony("$S + A => 2 A; k*S*A; k = 0.5; S = 8")
    assert imported.well_mixed.to_text() == "A -> A + A ; k = 4"
    assert imported.well_mixed.species == ("A",)
    assert "S has a constant amount, which is part of the rates." in imported.notes
    assert "'S' has no value" in problems_of("$S + A => 2 A; k*S*A; k = 0.5")[1]


@pytest.mark.parametrize(
    ("units", "particles"),
    [(("item", 0, 1.0), 1.0), (("mole", -9, 2.0), 2 * 6.02214076e14), (("item", 3, 1.0), 1000.0)],
)
@pytest.mark.parametrize(("level", "version"), [(2, 4), (3, 1), (3, 2)])
def test_units_of_substance(level, version, units, particles):
    imported = parse_sbml(document(level, version, units=units), "m.xml")
    (reaction,) = imported.well_mixed.reactions
    # dn/dt = f k (n_A / f V) (n_B / f V)
    assert reaction.rate == pytest.approx(5.0 / (particles * 4.0), rel=1e-14)
    assert imported.amounts == {"A": pytest.approx(3.0 * particles, rel=1e-14)}


def test_default_units_of_substance():
    level_2 = parse_sbml(document(2, 4), "m.xml")
    assert level_2.amounts["A"] == pytest.approx(3 * 6.02214076e23, rel=1e-14)
    assert (level_2.time_unit, level_2.volume_unit) == ("second", "litre")
    assert parse_sbml(document(3, 1), "m.xml").amounts["A"] == 3.0
    chosen = parse_sbml(document(2, 4), "m.xml", particles_per_substance=1.0)
    assert chosen.amounts["A"] == 3.0
    with pytest.raises(ValueError, match="must be positive and finite, got 0"):
        parse_sbml(document(2, 4), "m.xml", particles_per_substance=0.0)


def test_units_that_are_no_number_of_particles_are_refused():
    with pytest.raises(NetworkImportError, match="is no number of particles"):
        parse_sbml(document(3, 1, units=("gram", 0, 1.0)), "m.xml")
    with pytest.raises(NetworkImportError, match="'item', 'substance': must be one for all"):
        parse_sbml(document(3, 1, units=("mole", 0, 1.0), species="item"), "m.xml")


def with_units(level, *, definitions, species=(), extent="", time="", law=None):
    """A -> B with the law k A of amounts, k = 0.5; units by their parts (kind, scale, ...)."""
    made = libsbml.SBMLDocument(*level)
    model = made.createModel()
    model.setId("m")
    for name, parts in definitions.items():
        definition = model.createUnitDefinition()
        definition.setId(name)
        for kind, exponent, scale, multiplier in parts:
            unit = definition.createUnit()
            unit.setKind(libsbml.UnitKind_forName(kind))
            unit.setExponent(exponent)
            unit.setScale(scale)
            unit.setMultiplier(multiplier)
    if level[0] == 3:
        for quantity, name in {"Extent": extent, "Time": time}.items():
            if name:
                getattr(model, f"set{quantity}Units")(name)
    cell = model.createCompartment()
    cell.setId("cell")
    cell.setConstant(True)
    reaction = model.createReaction()
    for name, unit in itertools.zip_longest("AB", species):
        one = model.createSpecies()
        one.setId(name)
        one.setCompartment("cell")
        one.setInitialAmount(2.0)
        one.setHasOnlySubstanceUnits(True)
        one.setConstant(False)
        one.setBoundaryCondition(False)
        if unit:
            one.setSubstanceUnits(unit)
        reference = reaction.createReactant() if name == "A" else reaction.createProduct()
        reference.setSpecies(name)
        reference.setConstant(True)
        reference.setStoichiometry(1.0)
    parameter = model.createParameter()
    parameter.setId("k")
    parameter.setValue(0.5)
    parameter.setConstant(True)
    reaction.setId("change")
    reaction.setReversible(False)
    if level == (3, 1):
        reaction.setFast(False)
    kinetic = reaction.createKineticLaw()
    kinetic.setMath(libsbml.parseL3Formula("k*A"))
    for quantity, name in (law or {}).items():
        getattr(kinetic, f"set{quantity}Units")(name)
    return parse_sbml(libsbml.writeSBMLToString(made).encode(), "m.xml")


MILLIMOLE = {
    "one": [("mole", 1, -3, 1.0)],
    "two": [("mole", 1, 0, 1e-3)],
    "three": [("dimensionless", 1, -3, 1.0), ("mole", 1, 0, 1.0)],
    "four": [("avogadro", 1, 0, 1e-3), ("item", 1, 0, 1.0)],
    "five": [("mole", 2, -3, 1.0), ("mole", -1, -3, 1.0)],
    "six": [("mole", 1, -3, 1.0), ("litre", 1, 0, 1.0), ("metre", -3, -1, 1.0)],
}


@pytest.mark.parametrize("other", MILLIMOLE)
def test_units_of_substance_are_compared_by_value(other):
    read = with_units((3, 1), definitions=MILLIMOLE, species=("one", other), extent=other)
    assert read.well_mixed.to_text() == "A -> B ; k = 0.5"
    assert read.amounts == dict.fromkeys("AB", pytest.approx(2 * 6.02214076e20, rel=1e-12))


def test_names_that_level_2_predefines_are_compared_by_value_too():
    moles = {"mol": [("mole", 1, 0, 1.0)], "minute": [("second", 1, 0, 60.0)]}
    read = with_units((2, 4), definitions=moles, species=("substance", "mol"))
    assert read.amounts["A"] == pytest.approx(2 * 6.02214076e23, rel=1e-12)
    law = {"Substance": "mol", "Time": "second"}
    assert with_units((2, 1), definitions=moles, law=law).well_mixed == read.well_mixed
    with pytest.raises(NetworkImportError, match="rate law has the unit 'minute', which is not"):
        with_units((2, 1), definitions=moles, law={"Time": "minute"})


@pytest.mark.parametrize("second", ["mole", "item", "kilogram", "big"])
def test_units_of_substance_that_differ_are_refused(second):
    definitions = MILLIMOLE | {"big": [("mole", 1, 300, 1e300)]}
    for units in ({"species": ("one", second)}, {"species": ("one", "two"), "extent": second}):
        with pytest.raises(NetworkImportError, match="must be one for all species and for the ext"):
            with_units((3, 1), definitions=definitions, **units)


def test_concentrations_in_another_unit_than_the_size_are_refused():
    millilitre = (
        '<listOfUnitDefinitions><unitDefinition id="ml"><listOfUnits><unit kind="litre" '
        'scale="-3"/></listOfUnits></unitDefinition></listOfUnitDefinitions>'
    )
    plain = document(2, 1).decode().replace("<listOfComp", f"{millilitre}<listOfComp", 1)
    for unit in ("litre", "volume"):
        same = plain.replace('id="A"', f'id="A" spatialSizeUnits="{unit}"')
        assert parse_sbml(same.encode(), "m") == parse_sbml(plain.encode(), "m")
    other = plain.replace('id="A"', 'id="A" spatialSizeUnits="ml"')
    with pytest.raises(NetworkImportError, match="'A': its concentration is per 'ml', which is"):
        parse_sbml(other.encode(), "m")


def unsized(laws, *, amounts="A = 7", only_amounts=True):
    """SBML of level 3 of Antimony text, its compartment without a size."""
    kind = "substanceOnly " if only_amounts else ""
    text = f"compartment c; {kind}species A in c, B in c; {laws}; {amounts}"
    antimony.clearPreviousLoads()
    assert antimony.loadAntimonyString(text) >= 0
    made = antimony.getSBMLString(antimony.getMainModuleName())
    sized = re.sub(r'(<compartment [^>]*?)size="[^"]*"', r"\1", made)
    return sized.encode()


def test_well_mixed_amounts_need_no_volume():
    imported = parse_sbml(unsized("A + A => B; k*A*(A - 1); => A; 2; k = 3"), "m")
    assert imported.well_mixed.to_text() == "A + A -> B ; k = 6\n0 -> A ; k = 2"
    assert (imported.volume, imported.amounts) == (None, {"A": 7.0})
    for place in (lambda: imported.on_lattice(1.0), lambda: imported.in_box(1.0)):
        with pytest.raises(ValueError, match=r"A \+ A -> B ; k = 6 needs the volume of the comp"):
            place()


def test_single_particles_need_no_volume_anywhere():
    imported = parse_sbml(unsized("A => B; k*A; k = 3"), "m")
    assert imported.volume is None
    assert imported.on_lattice(0.1) == imported.in_box(0.1) == imported.well_mixed


def test_volume_that_cancels_is_not_needed():
    content = unsized("A => B; k*A*c; k = 3", amounts="A = 7/c; B = 2", only_amounts=False)
    imported = parse_sbml(content, "m")
    assert imported.well_mixed.to_text() == "A -> B ; k = 3"
    assert imported.amounts == {"A": 7.0}
    (note,) = [note for note in imported.notes if "B" in note]
    assert note.startswith("The amount of B at the beginning depends on the size of the compart")


def test_rates_that_depend_on_a_volume_that_is_not_given_are_refused():
    content = unsized("A + B => ; k*A*B*c; A => B; k*A*c; k = 3", only_amounts=False)
    with pytest.raises(NetworkImportError) as caught:
        parse_sbml(content, "m")
    assert caught.value.problems[1:] == (
        "reaction '_J0': its rate depends on the size of the compartment 'c', which is not given.",
    )


@pytest.mark.parametrize("volume", ["", ' volume="1"', ' volume="4"'])
def test_volume_of_level_1_is_1_unless_given(volume):
    content = f"""<sbml xmlns="http://www.sbml.org/sbml/level1" level="1" version="2">
    <model name="m"><listOfCompartments><compartment name="c"{volume}/></listOfCompartments>
    <listOfSpecies><species name="A" compartment="c" initialAmount="8"/></listOfSpecies>
    <listOfParameters><parameter name="k" value="3"/></listOfParameters>
    <listOfReactions><reaction name="r" reversible="false"><listOfReactants>
    <speciesReference species="A" stoichiometry="2"/></listOfReactants>
    <kineticLaw formula="k*A*A*c"/></reaction></listOfReactions></model></sbml>"""
    imported = parse_sbml(content.encode(), "m", particles_per_substance=1.0)
    size = 4.0 if "4" in volume else 1.0
    # 3 (n / V)^2 V events per time; twice that for each of the n^2 / 2 pairs
    assert imported.well_mixed.to_text() == f"A + A -> 0 ; k = {6 / size:g}"
    assert (imported.volume, imported.amounts) == (size, {"A": 8.0})


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("A => ; k*A/(K + A); k = 1; K = 2", "it divides by the amount of a species"),
        ("A => ; k*A^3; k = 1", "power 3"),
        ("A => ; k*A^n; k = 1; n = 0.5", "power 0.5"),
        ("A => ; k*2^A; k = 1", "in an exponent"),
        ("A + B => ; k*A*B*C; k = 1; species C", "third or higher order"),
        ("A => ; k; k = 3", "its part constant does not vanish"),
        ("A => B; k*A - q*B; k = 1; q = 1", "negative part, -B"),
        ("A => ; k*A; E1: at time > 3: A = 2; k = 1", "event 'E1'"),
        ("A => ; A; C' = 3; C = 1", "rate rule of 'C'"),
        ("A => ; A; species C; C := 2*A", "assignment rule of 'C'"),
        ("A => B; A; algebraic: A + B = 3", "unexpected"),
        ("A => ; k*A", "'k' has no value"),
        ("A => ; k*A; k = q; q = k; k = 1", "Loop detected"),
        ("A + B + C => ; A*B*C", "more than two reactants"),
        ("A => 3 A; A", "stoichiometry of 'A' must be 1 or 2, is 3"),
        ("A => 1.5 B; A", "must be 1 or 2, is 1.5"),
        ("A => B; E*E*A; species E", "third or higher order"),
        ("A => B + C; E*A; species E", "more than two products"),
        ("A => ; time*A", "it uses time"),
        ("A => ; sin(A)", "it uses sin(A)"),
        ("A => ; exp(A)", "it uses exp(A), of the amount of a species"),
        ("A => ; ln(-1)*A", "has no value at -1"),
        ("A => ; A/0", "it divides by 0"),
        ("A => ; 1e200*1e200*A", "not finite"),
        ("A => ; piecewise(1, A > 2, 0)*A", "it uses piecewise(1, A > 2, 0)"),
        ("A => B;", "it has no rate law"),
        ("compartment c, d; species A in c, B in d; A => B; A", "compartments 'c', 'd'"),
        ("compartment c; c = 0; species A in c; A => ; A", "its size must be positive, is 0"),
        ("compartment c; species A in c; A => ; A; c = -1", "its size must be positive, is -1"),
        ("A => A; A", "no reaction of it changes anything"),
        ("k = 1", "no species"),
        ("A = -3; A => ; A", "must be finite and not negative, is -3"),
        ('import "other.ant"\nA => ; A', "imports another file"),
        ("A => ; A\na<b<c<d", "chains three comparisons"),
        ("A => ; A\na>=(b>\\\nc)>d", "chains three comparisons"),
        ("A => ; A\ud800", "holds half of a surrogate pair"),
        ("zzz((", "syntax error"),
    ],
)
def test_refusals(text, problem):
    assert any(problem in one for one in problems_of(text)), problems_of(text)


def test_every_problem_is_listed():
    found = problems_of("A => ; A/(1 + A); B => 3 B; B; E1: at time > 3: A = 2")
    assert [one.split(":")[0] for one in found[1:]] == [
        "event 'E1'",
        "reaction '_J0'",
        "reaction '_J1'",
    ]
    assert found[0].startswith("3 part(s)")


def nested(depth):
    inside = "<apply><plus/>" * depth + "<cn>1</cn>" + "</apply>" * depth
    return document(3, 1).replace(b"<ci> k </ci>", inside.encode())


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "is not XML: no element found"),
        (b"<sbml>", "is not XML"),
        (b"\xff", "is not UTF-8"),
        (b"<a/>", "line 2"),
        (b'<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>', "a document type"),
        (nested(1000), "more than 200 nested elements"),
        (nested(150), "too long"),
        (document(3, 1).replace(b"<ci> k </ci>", b"<ci>k</ci>" * 1001), "more than 1000 parts"),
        (document(3, 1).replace(b'species="A"', b'species="Z"', 1), "line"),
        (document(3, 1).replace(b'id="B"', b'id="A"'), "line"),
        (document(3, 1).replace(b"<ci> B </ci>", b"<ci> Q </ci>"), "line"),
    ],
)
def test_files_that_are_not_sound(content, problem):
    with pytest.raises(NetworkImportError) as caught:
        parse_sbml(content, "m.xml")
    assert problem in str(caught.value)
    assert str(caught.value).startswith("m.xml: ")
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)


def test_functions_that_call_each_other_without_end_are_cut_short():
    def define(name, body):
        return (
            f'<functionDefinition id="{name}"><math xmlns="http://www.w3.org/1998/Math/MathML">'
            f"<lambda><bvar><ci>x</ci></bvar>{body}</lambda></math></functionDefinition>"
        )

    def call(name):
        return f"<apply><ci>{name}</ci><ci>x</ci></apply>"

    functions = define("f60", "<ci>x</ci>")
    for i in reversed(range(60)):
        functions += define(f"f{i}", f"<apply><plus/>{call(f'f{i + 1}') * 2}</apply>")
    functions = f"<listOfFunctionDefinitions>{functions}</listOfFunctionDefinitions>"
    content = document(3, 1).replace(
        b"<listOfCompartments>", functions.encode() + b"<listOfCompartments>"
    )
    content = content.replace(b"<ci> k </ci>", b"<apply><ci>f0</ci><ci>k</ci></apply>")
    with pytest.raises(NetworkImportError, match="too long, functions and rules written out"):
        parse_sbml(content, "m.xml")


def test_files(tmp_path):
    (tmp_path / "m.ant").write_text(LOTKA)
    (tmp_path / "m.xml").write_bytes(document(3, 1))
    assert read_antimony(tmp_path / "m.ant") == parse_antimony(LOTKA)
    assert read_sbml(tmp_path / "m.xml").well_mixed.species == ("A", "B")
    (tmp_path / "m.ant").write_bytes(b"\xff")
    with pytest.raises(NetworkImportError, match="is not UTF-8"):
        read_antimony(tmp_path / "m.ant")
    for read in (read_antimony, read_sbml):
        with pytest.raises(NetworkImportError, match=r"none.xml: cannot be read: No such file"):
            read(tmp_path / "none.xml")


LAWS = [
    ("A + B => C", "k*A*B"),
    ("A => B", "(k + q*C)*A/2"),
    ("A + B -> C", "k*(A*B - C/q)*c"),
    ("C => ", "(k*q)^2*C + q*C*B"),
    ("=> A", "k*c + q*C - 0*A"),
    ("A -> 2 B", "k*A - q*B*B"),
]


@pytest.mark.parametrize(("sides", "law"), LAWS)
def test_rates_of_change_are_those_of_the_law(sides, law):
    constants = {"k": 0.7, "q": 1.3, "c": 2.5}
    values = "; ".join(f"{name} = {value}" for name, value in constants.items() if name != "c")
    imported = parse_antimony(
        f"compartment c = 2.5; species A in c, B in c, C in c; {sides}; {law}; {values}"
    )
    network = imported.well_mixed
    left, right = sides.replace("=>", "->").split("->")
    change = {name: right.split().count(name) - left.split().count(name) for name in "ABC"}
    change["B"] += sides.endswith("2 B")
    rng = np.random.default_rng(1)
    for amounts in rng.uniform(0, 50, (20, 3)):
        n = dict(zip("ABC", amounts, strict=True))
        concentrations = {name: value / 2.5 for name, value in n.items()}
        rate = eval(law.replace("^", "**"), {}, constants | concentrations)
        expected = [change[name] * rate for name in network.species]
        propensities = [
            rate_of(r) * math.prod(n[s] for s in r.reactants) / (1 + (r.reactants == ("B", "B")))
            for r in network.reactions
        ]
        assert np.allclose(network.stoichiometry @ propensities, expected, rtol=1e-12, atol=1e-9)


sides_of_reaction = st.lists(st.sampled_from("ABC"), max_size=2).map(sorted).map(tuple)


@st.composite
def networks(draw):
    pairs = draw(st.lists(st.tuples(sides_of_reaction, sides_of_reaction), min_size=1, unique=True))
    lines = [
        f"{' + '.join(left) or '0'} -> {' + '.join(right) or '0'} ; k = {draw(RATES)!r}"
        for left, right in pairs
        if left != right
    ]
    return "\n".join(lines)


RATES = st.floats(1e-6, 1e6)


@settings(max_examples=25, deadline=None)
@given(networks())
def test_round_trip_of_random_networks(text):
    if not text:
        return
    network = ReactionNetwork.parse(text, ("A", "B", "C"))
    lines = []
    for r in network.reactions:
        same = len(set(r.reactants)) == 1 and len(r.reactants) == 2
        law = f"{r.reactants[0]}*({r.reactants[0]} - 1)/2" if same else "*".join(r.reactants) or "1"
        lines.append(f"{' + '.join(r.reactants)} => {' + '.join(r.products)}; {r.rate!r}*{law}")
    read = parse_antimony("species A, B, C; " + "; ".join(lines)).well_mixed
    assert read.species == network.species
    assert [(r.reactants, r.products) for r in read.reactions] == [
        (r.reactants, r.products) for r in network.reactions
    ]
    rates = [[r.rate for r in one.reactions] for one in (read, network)]
    assert np.allclose(*rates, rtol=1e-12, atol=0)


def test_rate_of_pairs_on_a_lattice_by_all_placements():
    n_sites = 7
    imported = parse_antimony("compartment c = 14; species A in c, B in c; A + B => ; 3*A*B*c")
    (reaction,) = imported.on_lattice(14 / n_sites, dimensions=1).reactions
    (whole,) = imported.well_mixed.reactions
    bonds = []
    for sites in itertools.permutations(range(n_sites), 4):
        distances = [abs(a - b) % n_sites for a in sites[:2] for b in sites[2:]]
        bonds.append(sum(d in (1, n_sites - 1) for d in distances))
    # A particle has no pair with its own site: hence N - 1.
    expected = rate_of(whole) * 2 * 2 * n_sites / (n_sites - 1)
    assert rate_of(reaction) * np.mean(bonds) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("dimensions", [1, 2, 3])
def test_rate_of_pairs_in_a_box_by_random_placements(dimensions):
    imported = parse_antimony("A + A => ; 0.5*A*A; => A; 4; A => ; 7*A")
    pair, birth, death = imported.in_box(0.2, dimensions=dimensions).reactions
    apart = np.random.default_rng(2).uniform(-0.5, 0.5, (200_000, dimensions))
    within = np.linalg.norm(apart, axis=1) < 0.2
    error = within.std() / math.sqrt(within.size)
    assert abs(within.mean() - 1.0 / rate_of(pair)) < 4 * error
    assert (birth.rate, death.rate) == (4.0, 7.0)


def test_rates_without_and_with_one_reactant_on_a_lattice():
    imported = parse_antimony("compartment c = 5; species A in c; => A; 4*c; A => ; 7*A*c")
    birth, death = imported.on_lattice(0.5).reactions
    assert (birth.rate, death.rate) == (pytest.approx(2.0), pytest.approx(7.0))


def test_places_that_are_none():
    imported = parse_antimony("A => ; A")
    for volume in (0.0, -1.0, math.inf, math.nan):
        with pytest.raises(ValueError, match=r"on_lattice: `site_volume` must be positive"):
            imported.on_lattice(volume)
        with pytest.raises(ValueError, match=r"in_box: `reaction_radius` must be positive"):
            imported.in_box(volume)
    with pytest.raises(ValueError, match="`dimensions` must be 1, 2 or 3, got 4"):
        imported.on_lattice(1.0, dimensions=4)


def test_error_of_a_law_is_a_value_error():
    assert issubclass(NotMassActionError, ValueError)
