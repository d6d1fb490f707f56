"""Equations of the literature and by hand, and what the equations offer."""

import numpy as np
import pytest
import sympy

from dynboltz.lattices import Lattice
from dynboltz.moments import Moment, moment_equations, rate_constants
from dynboltz.reactions import ReactionNetwork

ANNIHILATION = ReactionNetwork.parse("A + A -> 0 ; k = 2")
ROSSLER = ReactionNetwork.parse(
    "A -> A + A ; k = 30\nB -> 0 ; k = 10\nC -> C + C ; k = 16.5\nA + A -> A ; p = 0.1\n"
    "A + B -> B + B ; p = 0.4\nA + C -> 0 ; p = 0.24\nC + C -> C ; p = 0.36"
)
D = sympy.Symbol("D")
k1, k2, k3, k4, k5, k6, k7 = sympy.symbols("k1:8")


def right_hand_side(equations, moment):
    terms = equations.terms(Moment.parse(moment))
    return {str(other): coefficient for other, coefficient in terms.items()}


def test_equation_36_of_the_paper():
    """With the sign of the pair coefficient that the exact generator has."""
    equations = moment_equations(ANNIHILATION, ["A(0)", "A(0) A(1)"])
    assert right_hand_side(equations, "A(0)") == {"A(0) A(1)": -2 * k1}
    assert right_hand_side(equations, "A(0) A(1)") == {
        "A(0) A(1)": -(k1 + 2 * D),
        "A(0) A(2)": 2 * D,
        "A(0) A(1) A(2)": -2 * k1,
    }
    assert [str(moment) for moment in equations.unclosed] == ["A(0) A(2)", "A(0) A(1) A(2)"]


def test_equation_43_of_the_paper():
    """The paper's numbers of pairs are 3 a site for AA and CC, 6 for AB and AC.

    It leaves out that a crowded particle has no room for its offspring: all six neighbours full.
    """
    equations = moment_equations(ROSSLER, ["A(0,0,0)", "B(0,0,0)", "C(0,0,0)"])
    printed = {
        "A": {"A(0,0,0)": k1, "A A": -3 * k4, "A B": -6 * k5, "A C": -6 * k6},
        "B": {"B(0,0,0)": -k2, "A B": 6 * k5},
        "C": {"C(0,0,0)": k3, "A C": -6 * k6, "C C": -3 * k7},
    }
    crowded = {"A": -k1, "B": 0, "C": -k3}
    for species, terms in printed.items():
        found = right_hand_side(equations, f"{species}(0,0,0)")
        few = {name: c for name, c in found.items() if name.count("(") < 3}
        assert few == {
            name.replace(" ", "(0,0,0) ") + "(0,0,1)" * (" " in name): c
            for name, c in terms.items()
        }
        rest = {name: c for name, c in found.items() if name not in few}
        assert all(name.count("(") == 7 for name in rest)
        assert all(f"{species}(1,1,1)" in name for name in rest)
        # Each of the 3^6 ways to fill the neighbours once.
        assert sum(rest.values()) == crowded[species] * 3**6


def test_reactions_without_a_reactant_need_an_empty_site():
    network = ReactionNetwork.parse("0 -> A ; k = 3\nB -> 0 ; k = 1")
    equations = moment_equations(network, ["A(0)"])
    assert right_hand_side(equations, "A(0)") == {"1": k1, "A(0)": -k1, "B(0)": -k1}
    assert list(equations.constant) == [k1]
    assert equations.matrix == sympy.Matrix([[-k1, -k1]])


def test_offspring_takes_a_random_empty_neighbour():
    """A -> A + A on a chain: <A_0 (1 - A_-1 A_1)> parents succeed."""
    equations = moment_equations(ReactionNetwork.parse("A -> A + A ; k = 1"), ["A(0)"])
    assert right_hand_side(equations, "A(0)") == {"A(0)": k1, "A(0) A(1) A(2)": -k1}


def test_hop_rates_by_species():
    network = ReactionNetwork.parse("A -> B ; k = 3")
    equations = moment_equations(network, ["A(0) A(1)", "A(0) B(2)"], hop_rates="by-species")
    assert equations.rate_names == ("D_A", "D_B", "k1")
    rates = rate_constants(network, {"A": 1.0, "B": 2.0})
    common = moment_equations(network, ["A(0) A(1)", "A(0) B(2)"])
    same = dict.fromkeys(("D_A", "D_B"), 0.7) | {"k1": 3.0}
    np.testing.assert_allclose(
        equations.numeric(same).matrix[:, [equations.known.index(m) for m in common.known]],
        common.numeric(rate_constants(network, 0.7)).matrix,
    )
    assert rates == {"D_A": 1.0, "D_B": 2.0, "k1": 3.0}


def test_hops_alone_are_linear_and_keep_the_density():
    """Symmetric exclusion: n-point equations close among n points, for one species."""
    equations = moment_equations(ReactionNetwork.parse("A -> 0 ; k = 0"), ["A(0)", "A(0) A(3)"])
    assert right_hand_side(equations, "A(0)") == {"A(0)": -k1}
    assert right_hand_side(equations, "A(0) A(3)") == {
        "A(0) A(2)": 2 * D,
        "A(0) A(3)": -(4 * D + 2 * k1),
        "A(0) A(4)": 2 * D,
    }


def test_moments_that_are_the_same_are_taken_once():
    moments = ["A(0,0) A(1,0)", "A(5,5) A(5,4)", "A(0,0) A(1,1)"]
    equations = moment_equations(ANNIHILATION, moments)
    assert [str(m) for m in equations.moments] == ["A(0,0) A(0,1)", "A(0,0) A(1,1)"]
    assert len(moment_equations(ANNIHILATION, moments, symmetries=False).moments) == 3


def test_numbers_text_and_latex():
    equations = moment_equations(ANNIHILATION, ["A(0)", "A(0) A(1)"])
    system = equations.numeric(rate_constants(ANNIHILATION, 0.5))
    np.testing.assert_array_equal(system.matrix, [[0, -4, 0, 0], [0, -3, 1, -4]])
    np.testing.assert_array_equal(system.closed, [[0, -4], [0, -3]])
    np.testing.assert_array_equal(system.open, [[0, 0], [1, -4]])
    velocity = system(np.array([[0.5, 0.3, 0.2, 0.1]]))
    np.testing.assert_allclose(velocity, [[-1.2, -1.1]], rtol=1e-14)
    assert equations.to_text().splitlines() == [
        "d/dt A(0) = -2*k1 A(0) A(1)",
        "d/dt A(0) A(1) = -(2*D + k1) A(0) A(1) + 2*D A(0) A(2) - 2*k1 A(0) A(1) A(2)",
    ]
    assert (
        r"\frac{d}{dt} \langle A_{0} \rangle &= -2 k_{1} \langle A_{0} A_{1} \rangle \\"
        in equations.to_latex()
    )
    inert = moment_equations(ReactionNetwork.parse("AB -> 0 ; k = 1\nC -> 0 ; k = 1"), ["AB(0)"])
    assert r"\langle \mathrm{AB}_{0} \rangle" in inert.to_latex()


def test_estimates_are_means_over_places_that_fit():
    equations = moment_equations(ANNIHILATION, ["A(0)", "A(0) A(1)"])
    states = np.array([[1, 1, 1, 0, 1]], np.uint8)
    known = ["A(0)", "A(0) A(1)", "A(0) A(2)", "A(0) A(1) A(2)"]
    assert [str(m) for m in equations.known] == known
    for boundary, expected in {
        "periodic": [4 / 5, 3 / 5, 3 / 5, 2 / 5],
        "closed": [4 / 5, 2 / 4, 2 / 3, 1 / 3],
    }.items():
        found = equations.estimate(states, Lattice((5,), boundary))
        np.testing.assert_allclose(found, [expected], rtol=1e-15)


@pytest.mark.parametrize(
    ("moments", "options", "message"),
    [
        ([], {}, "at least one moment"),
        (["A(0)", "A(0,0)"], {}, "same number of axes"),
        (["B(0)"], {}, "species 'B'; the network has A"),
        (["A(0)"], {"hop_rates": "none"}, "hop_rates"),
        (["A(0)"], {"lattice": Lattice((5,), "closed")}, "periodic"),
        (["A(0,0)"], {"lattice": Lattice((5,))}, "1 axes"),
        (["A(0) A(5)"], {"lattice": Lattice((5,))}, "one site twice"),
    ],
)
def test_impossible_requests_are_refused(moments, options, message):
    with pytest.raises((ValueError, TypeError), match=message):
        moment_equations(ANNIHILATION, moments, **options)


def test_what_cannot_be_evaluated_is_refused():
    equations = moment_equations(ANNIHILATION, ["A(0) A(1)"])
    with pytest.raises(ValueError, match="no value of D"):
        equations.numeric(rate_constants(ANNIHILATION))
    with pytest.raises(ValueError, match="must be finite"):
        equations.numeric({"D": np.nan, "k1": 1.0})
    with pytest.raises(ValueError, match="has no equation"):
        equations.terms(Moment.parse("A(0)"))
    with pytest.raises(ValueError, match="has a probability"):
        rate_constants(ROSSLER, 1.0)
    with pytest.raises(ValueError, match="the species are A"):
        rate_constants(ANNIHILATION, {"B": 1.0})
    with pytest.raises(ValueError, match="1 axes"):
        equations.estimate(np.zeros((1, 9), np.uint8), Lattice((3, 3)))
    with pytest.raises(ValueError, match="too small"):
        equations.estimate(np.zeros((1, 2), np.uint8), Lattice((2,)))
