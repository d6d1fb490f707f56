"""Well-mixed moment equations against derivations by hand and the chemical master equation."""

import itertools

import numpy as np
import pytest
import sympy

from dynboltz.moments import rate_constants, well_mixed_equations
from dynboltz.reactions import ReactionNetwork

k1, k2 = sympy.symbols("k1 k2")


def right_hand_sides(text, order):
    equations = well_mixed_equations(ReactionNetwork.parse(text), order)
    return {
        str(moment): {str(other): c for other, c in equations.terms(moment).items()}
        for moment in equations.moments
    }


def test_birth_and_death_by_hand():
    assert right_hand_sides("0 -> A ; k = 1\nA -> 0 ; k = 1", 3) == {
        "A": {"1": k1, "A": -k2},
        "A^2": {"1": k1, "A": 2 * k1 + k2, "A^2": -2 * k2},
        "A^3": {"1": k1, "A": 3 * k1 - k2, "A^2": 3 * k1 + 3 * k2, "A^3": -3 * k2},
    }


def test_dimerisation_by_hand():
    """A + A -> B at the rate k n (n - 1) / 2: n falls by 2."""
    found = right_hand_sides("A + A -> B ; k = 1", 2)
    assert found["A"] == {"A": k1, "A^2": -k1}
    assert found["B"] == {"A": -k1 / 2, "A^2": k1 / 2}
    # ((n - 2)^2 - n^2) n (n - 1) / 2 = (4 - 4 n) n (n - 1) / 2 = -2 n^3 + 4 n^2 - 2 n
    assert found["A^2"] == {"A": -2 * k1, "A^2": 4 * k1, "A^3": -2 * k1}


def test_moments_up_to_the_order_come_lower_ones_first():
    equations = well_mixed_equations(ReactionNetwork.parse("A + B -> 0 ; k = 1"), 2)
    assert [str(m) for m in equations.moments] == ["A", "B", "A^2", "A B", "B^2"]
    assert [str(m) for m in equations.unclosed] == ["A^2 B", "A B^2"]
    assert r"\langle n_{A}^{2} n_{B} \rangle" in equations.to_latex()
    with pytest.raises(ValueError, match="at least 1"):
        well_mixed_equations(ReactionNetwork.parse("A + B -> 0 ; k = 1"), 0)


# Of the largest entry: rounding of sums of some hundred terms.
RELATIVE = 1e-10


@pytest.mark.parametrize(
    "text",
    [
        "0 -> A ; k = 1.3\nA -> 0 ; k = 0.7",
        "0 -> A ; k = 1.3\nA + A -> B ; k = 0.7\nB -> A + A ; k = 0.2",
        "A + B -> C ; k = 0.4\nB + B -> A ; k = 0.3\nC -> 0 ; k = 2\nA -> A + B ; k = 0.9",
    ],
)
def test_every_state_against_the_chemical_master_equation(text):
    """From one state, d/dt of n^m is the sum of propensity times change."""
    network = ReactionNetwork.parse(text)
    equations = well_mixed_equations(network, 3)
    system = equations.numeric(rate_constants(network))
    states = np.array(list(itertools.product(range(5), repeat=len(network.species))), float)

    def powers(numbers, moments):
        columns = [
            np.prod([numbers[:, network.species.index(s)] ** p for s, p in m.powers], axis=0)
            for m in moments
        ]
        return np.stack(columns, axis=1)

    exact = np.zeros((len(states), len(equations.moments)))
    for reaction, change in zip(network.reactions, network.stoichiometry.T, strict=True):
        where = [network.species.index(name) for name in reaction.reactants]
        propensity = np.full(len(states), reaction.rate)
        for index in where:
            propensity *= states[:, index]
        if len(where) == 2 and where[0] == where[1]:
            propensity *= (states[:, where[0]] - 1) / (2 * np.maximum(states[:, where[0]], 1))
        difference = powers(states + change, equations.moments) - powers(states, equations.moments)
        exact += propensity[:, None] * difference
    found = system(powers(states, equations.known))
    np.testing.assert_allclose(found, exact, rtol=0, atol=RELATIVE * np.abs(exact).max())
