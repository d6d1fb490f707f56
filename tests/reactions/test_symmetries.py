import pytest

from dynboltz.reactions import ReactionNetwork, species_symmetries

CIRCLE = "A + B -> A ; k = 1\nB + C -> B ; k = 1\nC + A -> C ; k = 1"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("A + B -> 0 ; k = 2", {(0, 1), (1, 0)}),
        ("A -> 0 ; k = 1\nB -> 0 ; k = 1", {(0, 1), (1, 0)}),
        ("A -> 0 ; k = 1\nB -> 0 ; k = 2", {(0, 1)}),
        ("A + B -> B + B ; p = 0.1", {(0, 1)}),
        (CIRCLE, {(0, 1, 2), (1, 2, 0), (2, 0, 1)}),
        (CIRCLE.replace("C + A -> C ; k = 1", "C + A -> C ; k = 2"), {(0, 1, 2)}),
        ("A + B -> A + C ; p = 0.1\nA + B -> B + C ; p = 0.1", {(0, 1, 2), (1, 0, 2)}),
        # The first product takes the site of the target: these two are no mirror images.
        ("A + B -> A + C ; p = 0.1\nA + B -> C + B ; p = 0.1", {(0, 1, 2)}),
    ],
)
def test_the_symmetries_are_the_permutations_that_change_nothing(text, expected):
    assert set(species_symmetries(ReactionNetwork.parse(text))) == expected


def test_the_identity_comes_first_and_hop_rates_count():
    network = ReactionNetwork.parse("A + B -> 0 ; k = 2")
    assert species_symmetries(network)[0] == (0, 1)
    assert species_symmetries(network, {"A": 1.0, "B": 2.0}) == ((0, 1),)
    assert len(species_symmetries(network, {"A": 1.0, "B": 1.0})) == 2


def test_many_species_are_not_tried():
    text = "\n".join(f"S{i} -> 0 ; k = 1" for i in range(7))
    assert species_symmetries(ReactionNetwork.parse(text)) == (tuple(range(7)),)
