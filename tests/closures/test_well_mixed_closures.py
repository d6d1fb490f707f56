"""Well-mixed closures against formulas of the literature and the chemical master equation."""

import itertools

import numpy as np
import pytest
from scipy.linalg import expm
from scipy.stats import poisson

from dynboltz.closures import well_mixed_closure
from dynboltz.moments import RawMoment, rate_constants, well_mixed_equations
from dynboltz.reactions import ReactionNetwork

EXACT = 1e-10
SOLVER = 1e-8

KINDS = ("zero", "poisson", "normal", "log-normal", "derivative-matching")
ANNIHILATION = ReactionNetwork.parse("A + A -> 0 ; k = 0.7")
MEETING = ReactionNetwork.parse("A + B -> 0 ; k = 0.7")


def velocity(network, order, kind, values):
    closure = well_mixed_closure(network, order, kind)
    named = [values[str(moment)] for moment in closure.moments]
    return dict(zip(closure.names, closure.velocity(np.array([named]))[0], strict=True))


@pytest.mark.parametrize(
    ("kind", "third"),
    [
        ("zero", lambda m1, m2: 3 * m1 * m2 - 2 * m1**3),
        ("normal", lambda m1, m2: 3 * m1 * m2 - 2 * m1**3),
        ("poisson", lambda m1, m2: 3 * m1 * m2 - 2 * m1**3 + m1),
        ("log-normal", lambda m1, m2: m2**3 / m1**3),
        ("derivative-matching", lambda m1, m2: m2**3 / m1**3),
    ],
)
def test_third_moments_of_annihilation(kind, third):
    m1, m2 = 3.1, 11.3
    found = velocity(ANNIHILATION, 2, kind, {"A": m1, "A^2": m2})
    assert found["A"] == pytest.approx(-0.7 * (m2 - m1), rel=EXACT)
    wanted = 0.7 * (-2 * third(m1, m2) + 4 * m2 - 2 * m1)
    assert found["A^2"] == pytest.approx(wanted, rel=EXACT)


@pytest.mark.parametrize(
    ("kind", "fourth"),
    [
        ("zero", lambda a, b, c: 4 * a * c - 6 * a**2 * b + 3 * a**4),
        ("normal", lambda a, b, c: 4 * a * c + 3 * b**2 - 12 * a**2 * b + 6 * a**4),
        ("poisson", lambda a, b, c: 4 * a * c + 3 * b**2 - 12 * a**2 * b + 6 * a**4 + a),
        ("log-normal", lambda a, b, c: b**6 / a**8),
        ("derivative-matching", lambda a, b, c: c**4 * a**4 / b**6),
    ],
)
def test_fourth_moments_of_annihilation(kind, fourth):
    m1, m2, m3 = 3.1, 11.3, 47.0
    found = velocity(ANNIHILATION, 3, kind, {"A": m1, "A^2": m2, "A^3": m3})
    wanted = 0.7 * (-3 * fourth(m1, m2, m3) + 9 * m3 - 10 * m2 + 4 * m1)
    assert found["A^3"] == pytest.approx(wanted, rel=EXACT)


@pytest.mark.parametrize(
    ("kind", "mixed"),
    [
        ("zero", lambda x, y, xx, xy: 2 * x * xy + y * xx - 2 * x**2 * y),
        ("normal", lambda x, y, xx, xy: 2 * x * xy + y * xx - 2 * x**2 * y),
        ("poisson", lambda x, y, xx, xy: 2 * x * xy + y * xx - 2 * x**2 * y),
        ("log-normal", lambda x, y, xx, xy: xx * xy**2 / (x**2 * y)),
        ("derivative-matching", lambda x, y, xx, xy: xx * xy**2 / (x**2 * y)),
    ],
)
def test_mixed_third_moments_of_two_species(kind, mixed):
    a, b, aa, ab, bb = 2.0, 3.1, 5.2, 6.9, 12.4
    values = {"A": a, "B": b, "A^2": aa, "A B": ab, "B^2": bb}
    found = velocity(MEETING, 2, kind, values)
    aab, abb = mixed(a, b, aa, ab), mixed(b, a, bb, ab)
    assert found["A"] == pytest.approx(-0.7 * ab, rel=EXACT)
    assert found["A^2"] == pytest.approx(0.7 * (ab - 2 * aab), rel=EXACT)
    assert found["A B"] == pytest.approx(0.7 * (ab - aab - abb), rel=EXACT)


def own_distributions():
    """A mean of powers of two numbers, under the distribution for which a closure is exact."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(12)
    weights = weights / weights.sum()
    x, y = np.meshgrid(nodes, nodes)
    first, second = 2 + 0.7 * x, 3 - 0.4 * x + 0.5 * y
    numbers = np.arange(80)
    mean, covariance = np.array([0.3, -0.2]), np.array([[0.2, 0.05], [0.05, 0.1]])

    def normal(m):
        return np.einsum("yx,y,x", first ** m[0] * second ** m[1], weights, weights)

    def log_normal(m):
        m = np.array(m)
        return np.exp(m @ mean + m @ covariance @ m / 2)

    def independent(m):
        return np.prod([poisson.pmf(numbers, k) @ numbers**p for k, p in zip((2, 3), m)])  # noqa: B905

    def certain(m):
        return 2.5 ** m[0] * 1.5 ** m[1]

    return {
        "zero": certain,
        "normal": normal,
        "poisson": independent,
        "log-normal": log_normal,
        "derivative-matching": log_normal,
    }


@pytest.mark.parametrize("order", [2, 3, 4])
@pytest.mark.parametrize("kind", KINDS)
def test_each_closure_is_exact_for_its_own_distribution(kind, order):
    network = ReactionNetwork.parse("A + B -> A ; k = 0.7\nB + B -> A ; k = 0.3\n0 -> A ; k = 2")
    mean = own_distributions()[kind]
    equations = well_mixed_equations(network, order)
    moment = lambda m: mean(tuple(dict(m.powers).get(name, 0) for name in "AB"))  # noqa: E731
    exact = equations.numeric(rate_constants(network))(
        np.array([moment(m) for m in equations.known])
    )
    closure = well_mixed_closure(network, order, kind)
    found = closure.velocity(np.array([moment(m) for m in closure.moments]))
    np.testing.assert_allclose(found, exact, rtol=EXACT, atol=EXACT * np.abs(exact).max())


@pytest.mark.parametrize("kind", KINDS)
def test_a_linear_network_is_exact(kind):
    network = ReactionNetwork.parse("0 -> A ; k = 4\nA -> 0 ; k = 0.5")
    closure = well_mixed_closure(network, 2, kind)
    times = np.linspace(0, 5, 7)
    initial = closure.estimate_initial(np.array([[0], [9]]))
    prediction = closure.predict(initial, times)
    # From n0 particles: a binomial number of survivors and independent Poisson arrivals.
    kept, arrived = np.exp(-0.5 * times), 8 * (1 - np.exp(-0.5 * times))
    for n0, values in zip((0, 9), prediction.values, strict=True):
        mean = n0 * kept + arrived
        np.testing.assert_allclose(values[:, 0], mean, rtol=SOLVER, atol=SOLVER)
        variance = n0 * kept * (1 - kept) + arrived
        np.testing.assert_allclose(values[:, 1], variance + mean**2, rtol=SOLVER, atol=SOLVER)
    assert np.all(np.isinf(prediction.stopped_at))
    assert prediction.message == ""


def test_annihilation_with_arrivals_beside_the_master_equation():
    """The errors of the means, which shrink with the order."""
    network = ReactionNetwork.parse("0 -> A ; k = 10\nA -> 0 ; k = 1\nA + A -> 0 ; k = 0.1")
    numbers = np.arange(60)
    generator = np.zeros((60, 60))
    for n in numbers:
        for step, rate in ((1, 10.0 * (n < 59)), (-1, n), (-2, 0.05 * n * (n - 1))):
            if rate:
                generator[n + step, n] += rate
                generator[n, n] -= rate
    exact = expm(2.0 * generator)[:, 12] @ numbers
    errors = {}
    for kind, order in itertools.product(KINDS, (1, 2, 3)):
        if (kind, order) == ("log-normal", 1) or (kind, order) == ("log-normal", 3):
            continue
        closure = well_mixed_closure(network, order, kind)
        initial = closure.estimate_initial(np.array([[12]]))
        predicted = closure.predict(initial, np.array([0.0, 2.0])).values[0, 1, 0]
        errors[kind, order] = abs(predicted / exact - 1)
    assert 0.02 < errors["normal", 1] < 0.06
    assert errors["poisson", 1] < 0.01
    for kind in ("normal", "poisson", "zero", "derivative-matching"):
        assert errors[kind, 2] < 4e-3
        assert errors[kind, 3] < 2e-3
    assert errors["normal", 3] < errors["normal", 2] / 5
    assert errors["log-normal", 2] == errors["derivative-matching", 2]


@pytest.mark.parametrize("kind", ["normal", "poisson", "derivative-matching"])
def test_dimers_beside_the_master_equation(kind):
    """A + A <-> B from 20 A: what is conserved, and the mean with its error."""
    network = ReactionNetwork.parse("A + A -> B ; k = 0.05\nB -> A + A ; k = 0.8")
    closure = well_mixed_closure(network, 2, kind)
    initial = closure.estimate_initial(np.array([[20, 0]]))
    times = np.linspace(0, 3, 4)
    values = closure.predict(initial, times).values[0]
    a, b = closure.names.index("A"), closure.names.index("B")
    np.testing.assert_allclose(values[:, a] + 2 * values[:, b], 20, rtol=SOLVER)
    generator = np.zeros((11, 11))
    for n_b in range(11):
        n_a = 20 - 2 * n_b
        for step, rate in ((1, 0.025 * n_a * (n_a - 1)), (-1, 0.8 * n_b)):
            if rate:
                generator[n_b + step, n_b] += rate
                generator[n_b, n_b] -= rate
    exact = [expm(t * generator)[:, 0] @ np.arange(11) for t in times]
    np.testing.assert_allclose(values[:, b], exact, rtol=5e-3, atol=1e-10)


def test_the_moments_are_those_of_the_equations():
    closure = well_mixed_closure(MEETING, 2, "normal")
    assert closure.moments == well_mixed_equations(MEETING, 2).moments
    row = dict(zip(closure.names, closure.estimate_initial(np.array([[3, 5]]))[0], strict=True))
    assert row == {"A": 3, "B": 5, "A^2": 9, "A B": 15, "B^2": 25}
    assert isinstance(closure.moments[0], RawMoment)


def test_what_is_not_defined_is_refused():
    with pytest.raises(ValueError, match="at least 2 for the closure 'log-normal', got 1"):
        well_mixed_closure(ANNIHILATION, 1, "log-normal")
    with pytest.raises(ValueError, match="at least 1 for the closure 'normal', got 0"):
        well_mixed_closure(ANNIHILATION, 0, "normal")
    closure = well_mixed_closure(ANNIHILATION, 2, "normal", {"k1": 2.0})
    assert closure.velocity(np.array([1.0, 2.0]))[0] == pytest.approx(-2.0)
    with pytest.raises(ValueError, match="no value of k1"):
        well_mixed_closure(ANNIHILATION, 2, "normal", {})
    with pytest.raises(ValueError, match="a column for each of A"):
        closure.estimate_initial(np.ones((3, 2)))
    with pytest.raises(ValueError, match=r"finite values of A, A\^2"):
        closure.predict(np.ones((1, 3)), np.array([0.0, 1.0]))
    with pytest.raises(ValueError, match="increasing times"):
        closure.predict(np.ones((1, 2)), np.array([1.0, 1.0]))
