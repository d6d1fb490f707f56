"""Reactions and networks: what is valid, stoichiometry, conserved quantities."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dynboltz.reactions import Reaction, ReactionNetwork

NAMES = ("A", "B", "C", "D", "E")
SIDES = st.lists(st.sampled_from(NAMES), max_size=2).map(tuple)


# Plain values: building a network here would run the annotation checks inside a strategy.
EQUATIONS = st.lists(
    st.tuples(SIDES, SIDES).filter(lambda sides: sorted(sides[0]) != sorted(sides[1])),
    min_size=1,
    max_size=7,
    unique_by=lambda sides: (tuple(sorted(sides[0])), tuple(sorted(sides[1]))),
)
RATES = st.lists(st.floats(min_value=0, allow_infinity=False), min_size=7, max_size=7)


def build(equations, rates, species):
    reactions = tuple(
        # Seven probabilities of at most 1/7 keep every pair below 1.
        Reaction(reactants, products, probability=min(rate, 1 / 7))
        if len(reactants) == 2
        else Reaction(reactants, products, rate=rate)
        for (reactants, products), rate in zip(equations, rates, strict=False)
    )
    return ReactionNetwork(reactions, tuple(species))


def test_species_are_in_order_of_first_appearance():
    network = ReactionNetwork.parse("B -> A ; k = 1\n0 -> C ; k = 2")
    assert network.species == ("B", "A", "C")


def test_given_species_fix_the_order_and_may_be_idle():
    network = ReactionNetwork.parse("B -> A ; k = 1", species=["A", "Z", "B"])
    assert network.species == ("A", "Z", "B")
    np.testing.assert_array_equal(network.stoichiometry, [[1], [0], [-1]])


def test_stoichiometry_by_hand():
    network = ReactionNetwork.parse(
        "A -> A + A ; k = 1\nA + B -> B + B ; p = 0.4\nA + C -> 0 ; p = 0.2\n0 -> C ; k = 1"
    )
    np.testing.assert_array_equal(
        network.stoichiometry, [[1, -1, -1, 0], [0, 1, 0, 0], [0, 0, -1, 1]]
    )


@pytest.mark.parametrize(
    ("text", "conserved"),
    [
        ("A + B -> C ; k = 1\nC -> A + B ; k = 1", [[1, 0, 1], [0, 1, 1]]),
        ("E + S -> X ; k = 1\nX -> E + P ; k = 1", [[1, 0, 1, 0], [0, 1, 1, 1]]),
        ("A + A -> B ; k = 1", [[1, 2]]),
        ("A + B -> 0 ; k = 1", [[1, -1]]),
        ("A -> B ; k = 1\nB -> C ; k = 1", [[1, 1, 1]]),
        ("A -> 0 ; k = 1", np.zeros((0, 1))),
    ],
)
def test_conserved_quantities_by_hand(text, conserved):
    np.testing.assert_array_equal(ReactionNetwork.parse(text).conserved_quantities, conserved)


@settings(deadline=None)  # a busy machine is no failure
@given(EQUATIONS)
def test_conserved_quantities_span_the_left_null_space(equations):
    network = build(equations, [1.0] * 7, NAMES)
    stoichiometry, conserved = network.stoichiometry, network.conserved_quantities
    assert not np.any(conserved @ stoichiometry)
    nullity = len(NAMES) - np.linalg.matrix_rank(stoichiometry)
    assert len(conserved) == nullity
    if nullity:
        assert np.linalg.matrix_rank(conserved) == nullity
    for row in conserved:
        assert np.gcd.reduce(row) == 1
        assert row[np.flatnonzero(row)[0]] > 0


@settings(deadline=None)  # a busy machine is no failure
@given(EQUATIONS, RATES, st.permutations(NAMES))
def test_text_round_trip(equations, rates, species):
    network = build(equations, rates, species)
    again = ReactionNetwork.parse(network.to_text(), network.species)
    assert again == network
    assert again.to_text() == network.to_text()


def test_text_is_canonical():
    text = "2 A->∅;p=.01 # annihilation\n\n  A -> A + A ; k = 30.0"
    canonical = "A + A -> 0 ; p = 0.01\nA -> A + A ; k = 30"
    assert str(ReactionNetwork.parse(text)) == canonical
    assert str(ReactionNetwork.parse(canonical)) == canonical


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"rate": None}, "needs a rate k or"),
        ({"rate": 1.0, "probability": 0.5}, "not both"),
        ({"rate": -1.0}, "not negative, got -1.0"),
        ({"rate": float("nan")}, "finite and not negative, got nan"),
        ({"rate": float("inf")}, "finite and not negative, got inf"),
        ({"probability": 1.5}, "between 0 and 1, got 1.5"),
        ({"probability": -0.5}, "between 0 and 1, got -0.5"),
        ({"probability": float("nan")}, "between 0 and 1, got nan"),
        ({"reactants": ("A",), "probability": 0.5}, "this reaction has 1"),
        ({"reactants": (), "products": ("A",), "probability": 0.5}, "this reaction has 0"),
        ({"reactants": ("A", "A", "A"), "rate": 1.0}, "at most two reactants, got 3"),
        ({"products": ("A", "A", "A"), "rate": 1.0}, "at most two products, got 3"),
        ({"products": ("B", "A"), "rate": 1.0}, "changes nothing"),
        ({"reactants": ("0",), "rate": 1.0}, "'0' cannot name a species"),
        ({"reactants": ("",), "rate": 1.0}, "'' cannot name a species"),
        ({"products": ("A B",), "rate": 1.0}, "'A B' cannot name a species"),
    ],
)
def test_invalid_reactions_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        Reaction(**({"reactants": ("A", "B"), "products": ()} | arguments))


A_DECAYS = Reaction(("A",), (), rate=1.0)


@pytest.mark.parametrize(
    ("reactions", "species", "message"),
    [
        ((), ("A",), "at least one"),
        ((A_DECAYS,), ("B",), "names the species 'A'; the species are B"),
        ((A_DECAYS,), ("A", "A"), "listed twice"),
        ((A_DECAYS,), ("A", "1"), "'1' cannot name a species"),
        ((A_DECAYS, Reaction(("A",), (), rate=2.0)), ("A",), "there already, as A -> 0 ; k = 1"),
        (
            (
                Reaction(("A", "B"), ("C", "D"), probability=0.1),
                Reaction(("B", "A"), ("D", "C"), rate=0.1),
            ),
            ("A", "B", "C", "D"),
            "there already",
        ),
        (
            (
                Reaction(("A", "B"), (), probability=0.6),
                Reaction(("B", "A"), ("A",), probability=0.5),
            ),
            ("A", "B"),
            "they add up to 1.1",
        ),
    ],
)
def test_invalid_networks_are_refused(reactions, species, message):
    with pytest.raises(ValueError, match=message):
        ReactionNetwork(reactions, species)


def test_probabilities_may_add_up_to_one_within_rounding():
    # 0.1 + 0.2 + 0.7 is 0.9999999999999999 or 1.0000000000000002 depending on the order.
    ReactionNetwork.parse("A + B -> 0 ; p = 0.7\nA + B -> A ; p = 0.1\nB + A -> B ; p = 0.2")


def test_a_pair_of_equal_species_is_not_the_pair_of_different_ones():
    ReactionNetwork.parse("A + A -> 0 ; p = 0.9\nA + B -> 0 ; p = 0.9")
