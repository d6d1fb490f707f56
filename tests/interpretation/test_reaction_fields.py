"""Effective rates of fields that follow entropic matching."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from dynboltz.closures import entropic_matching
from dynboltz.distributions import LatticeModel
from dynboltz.dynamics import HermiteField, HermiteFunction, HermiteGrid, integrate
from dynboltz.interpretation import Candidate, constant, linear, project, reaction_fields
from dynboltz.interpretation._columns import values_at
from dynboltz.lattices import Lattice
from dynboltz.reactions import ReactionNetwork

NAMES = ("b.A", "J.A.A")
NETWORK = ReactionNetwork.parse("A + A -> 0 ; k = 1.5\n0 -> A ; k = 0.25")
HOP_RATE = 0.75


def matching():
    model = LatticeModel.from_names(Lattice((12,)), ("A",), NAMES)
    return entropic_matching(model, NETWORK, hop_rate=HOP_RATE)


def interpolated(field):
    """Hermite field that is closest to a field on the cells of a box."""
    grid = HermiteGrid(NAMES, (0.2, 0.2), (0.0, 0.0), (-1.0, -1.0), (1.0, 1.0))
    side = np.linspace(-0.99, 0.99, 41)
    points = np.array([(x, y) for x in side for y in side])
    empty = HermiteField.zeros(NAMES, dict.fromkeys(NAMES, grid)).allocate(points)
    (function,), (basis,) = empty.functions, empty.basis(points)
    design = np.zeros((len(points), *function.u.shape[:2]))
    rows = np.arange(len(points))[:, None]
    design[rows, np.asarray(basis.rows)] = np.asarray(basis.weights)
    values = values_at(field, points)
    u = np.linalg.lstsq(design.reshape(len(points), -1), values)[0]
    fitted = HermiteFunction(grid, NAMES, function.keys, jnp.asarray(u.reshape(function.u.shape)))
    return HermiteField(NAMES, (fitted,))


@pytest.fixture(autouse=True, scope="module")
def _shapes_as_closures_take_them():
    with jax.enable_x64(True):
        yield


@pytest.fixture(scope="module")
def projection():
    with jax.enable_x64(True):
        field = matching()
        learned = interpolated(field)
        starts = np.random.default_rng(1).uniform(-0.6, 0.6, (10, 2))
        trajectories = np.asarray(integrate(learned, starts, np.linspace(0, 0.2, 6)))
        candidates = [*reaction_fields(field, NETWORK), constant(), *linear(NAMES)]
        reference = Candidate("entropic matching", field)
        return project(learned, trajectories, candidates, reference=reference)


def test_the_fields_add_up_to_that_of_entropic_matching():
    field = matching()
    candidates = reaction_fields(field, NETWORK)
    expected = {"hops": HOP_RATE, "[A + A -> 0]": 1.5, "[0 -> A]": 0.25}
    assert {c.name: c.expected for c in candidates} == expected
    theta = jnp.array([0.3, -0.7])
    total = sum(expected[c.name] * eqx.filter_jit(c)(theta) for c in candidates)
    np.testing.assert_allclose(total, eqx.filter_jit(field)(theta), rtol=1e-10)


def test_independent_sites_by_hand():
    # One coefficient: sites are independent with the density c = 1 / (1 + e^-b), whose derivative
    # is c (1 - c) db/dt. Annihilation takes two particles from each bond, -2 c^2 a site; creation
    # adds 1 - c.
    model = LatticeModel.from_names(Lattice((12,)), ("A",), ("b.A",))
    field = entropic_matching(model, NETWORK, hop_rate=HOP_RATE)
    b = 0.4
    c = 1 / (1 + np.exp(-b))
    expected = {"[A + A -> 0]": -2 * c / (1 - c), "[0 -> A]": 1 / c}
    for candidate in reaction_fields(field, NETWORK):
        found = float(eqx.filter_jit(candidate)(jnp.array([b]))[0])
        assert found == pytest.approx(expected.get(candidate.name, 0), rel=1e-9, abs=1e-12)


def test_hop_rates_of_species_have_fields_of_their_own():
    network = ReactionNetwork.parse("A + B -> 0 ; k = 2")
    model = LatticeModel.from_names(Lattice((8,)), ("A", "B"), ("b.A", "b.B", "J.A.B"))
    field = entropic_matching(model, network, hop_rate={"A": 1.0, "B": 0.5})
    found = {c.name: c.expected for c in reaction_fields(field, network)}
    assert found == {"hops of A": 1.0, "hops of B": 0.5, "[A + B -> 0]": 2.0}


def test_an_interpolated_field_has_the_rate_constants_as_weights(projection):
    expected = {"hops": HOP_RATE, "[A + A -> 0]": 1.5, "[0 -> A]": 0.25}
    for equation in projection.equations:
        found = {term.candidate.name: term.weight for term in equation.terms}
        assert found == {name: pytest.approx(rate, rel=0.01) for name, rate in expected.items()}
        assert equation.residual < 0.01
        assert equation.difference < 0.01


def test_the_projection_says_what_is_expected(projection):
    text = projection.to_text()
    assert "entropic matching differs by 0." in text
    assert "expected 1.5" in text
    assert r"F^{\text{[A + A → 0]}}" in projection.to_latex()
    assert projection.field().coefficients == NAMES
