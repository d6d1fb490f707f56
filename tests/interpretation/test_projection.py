"""Projections of fields whose equations are known."""

import json

import jax.numpy as jnp
import numpy as np
import pytest

from dynboltz.dynamics import FunctionField, integrate
from dynboltz.interpretation import (
    Candidate,
    constant,
    exponentials,
    linear,
    monomials,
    project,
    trajectory_errors,
)
from dynboltz.interpretation import _selection as selection
from dynboltz.interpretation._factors import Factors
from dynboltz.interpretation._selection import folds, select

NAMES = ("x", "y")
CANDIDATES = (constant(), *monomials(NAMES, 2), *exponentials(NAMES))
TIMES = np.linspace(0.0, 2.0, 21)
KNOWN = {"x": {"x": -0.5, "exp(y)": 0.25}, "y": {"1": 0.3, "x": 1.5, "x y": -0.75}}


def known(theta, _):
    x, y = theta
    return jnp.array([-0.5 * x + 0.25 * jnp.exp(y), 0.3 + 1.5 * x - 0.75 * x * y])


FIELD = FunctionField(NAMES, known)


@pytest.fixture(scope="module")
def trajectories():
    starts = np.random.default_rng(0).uniform(-1, 1, (8, 2))
    import jax  # noqa: PLC0415

    with jax.enable_x64(True):
        return np.asarray(integrate(FIELD, starts, TIMES, method="rk4"))


def weights(equation):
    return {term.candidate.name: term.weight for term in equation.terms}


def test_known_coefficients_are_recovered(trajectories):
    projection = project(FIELD, trajectories, CANDIDATES)
    for equation in projection.equations:
        found, expected = weights(equation), KNOWN[equation.coefficient]
        assert set(found) == set(expected)
        for name, weight in expected.items():
            assert found[name] == pytest.approx(weight, abs=1e-8)
        assert equation.residual is not None
        assert equation.residual < 1e-10
        assert equation.notes == ()
    assert projection.n_points == 8 * 21


def test_values_of_candidates():
    theta = jnp.array([0.5, -2.0])
    found = {c.name: c(theta).tolist() for c in CANDIDATES}
    expected = {
        "1": 1,
        "x": 0.5,
        "y": -2,
        "x^2": 0.25,
        "x y": -1,
        "y^2": 4,
        "exp(x)": np.exp(0.5),
        "exp(y)": np.exp(-2),
    }
    assert found == {name: pytest.approx([value] * 2) for name, value in expected.items()}
    assert linear(NAMES) == monomials(NAMES, 1)


def noisy(seed, n_trajectories=30, size=0.2):
    """Points at random, and a field whose noise is common to all points of a trajectory.

    The noise is w_i x_1 with independent normal w_i: least squares with independent points would
    take it for much smaller than it is.
    """
    random = np.random.default_rng(seed)
    points = random.normal(size=(n_trajectories, 10, 2))
    shift = size * random.normal(size=n_trajectories)
    table = {tuple(p): s for path, s in zip(points, shift, strict=True) for p in path}
    keys, shifts = np.array(list(table)), np.array(list(table.values()))

    def function(theta, _):
        own = jnp.argmin(jnp.sum((jnp.asarray(keys) - theta[None]) ** 2, axis=1))
        x, y = theta
        return jnp.array([x * (1.5 + jnp.asarray(shifts)[own]), -y])

    return points, FunctionField(NAMES, function)


def test_noisy_weights_are_within_four_standard_errors_which_have_their_size():
    # 30 independent shifts of standard deviation 0.2; every trajectory has about the same sum of
    # squares, so that the weight has the standard error 0.2 / sqrt(30) times a factor between 1 and
    # 1.1 for sums of 10 squares. The jackknife of 30 is off by a factor beyond [0.5, 1.7] less than
    # once in 10^4, and the weight by 4 of its errors about as seldom. Points taken for independent
    # would give 0.2 / sqrt(300).
    points, field = noisy(seed=1)
    equation = project(field, points, [constant(), *linear(NAMES)]).equations[0]
    (term,) = equation.terms
    assert term.candidate.name == "x"
    assert abs(term.weight - 1.5) < 4 * term.standard_error
    assert 0.5 < term.standard_error / (0.2 / np.sqrt(30)) < 1.7


def test_standard_errors_are_those_of_the_jackknife_over_trajectories():
    # One column: the weight is a ratio of sums over trajectories, which can be left out by hand.
    points, field = noisy(seed=2, n_trajectories=5)
    (term,) = project(field, points, linear(NAMES[:1])).equations[0].terms
    values = np.array([[float(field(jnp.asarray(p))[0]) for p in path] for path in points])
    above, below = (points[..., 0] * values).sum(axis=1), (points[..., 0] ** 2).sum(axis=1)
    parts = (above.sum() - above) / (below.sum() - below)
    expected = np.sqrt(4 / 5 * np.sum((parts - parts.mean()) ** 2))
    assert term.standard_error == pytest.approx(expected, rel=1e-10)
    assert term.weight == pytest.approx(above.sum() / below.sum(), rel=1e-10)


def test_trajectories_of_any_length_count_alike():
    # F = 1 on one trajectory and 3 on a longer one: the mean over trajectories is 2.
    field = FunctionField(("x",), lambda theta, _: jnp.where(theta > 0, 3.0, 1.0))
    paths = [np.full((2, 1), -1.0), np.full((50, 1), 1.0)]
    equation = project(field, paths, [constant()]).equations[0]
    assert weights(equation) == {"1": pytest.approx(2)}
    # Each is predicted by the value of the other: the error is 2, F is sqrt((1 + 9) / 2).
    assert equation.residual == pytest.approx(2 / np.sqrt(5))
    assert equation.magnitude == pytest.approx(np.sqrt(5))


def test_no_fold_has_a_trajectory_on_both_sides():
    for n in (2, 7, 25):
        left_out = []
        for kept, held_out in folds(n):
            assert not set(kept) & set(held_out)
            assert sorted(kept + held_out) == list(range(n))
            left_out += held_out
        assert sorted(left_out) == list(range(n))


def test_terms_that_only_tell_trajectories_apart_are_not_chosen():
    # Columns that are 1 on one trajectory each explain its own level perfectly. If points of a
    # trajectory were on both sides of a split they would be chosen; left out as a whole, they
    # predict nothing about others.
    random = np.random.default_rng(3)
    n, length = 12, 20
    numbers = np.repeat(np.arange(n), length)
    x = random.normal(size=n * length)
    target = x + 0.3 * random.normal(size=n)[numbers]
    columns = np.column_stack([x, numbers[:, None] == np.arange(n)]).astype(float)
    equal = np.full(n * length, 1 / (n * length))
    factors = Factors.of(columns, target, equal, [length] * n)
    assert select(factors, n + 1).support == (0,)


def test_cross_validation_learns_nothing_from_what_it_leaves_out(monkeypatch):
    seen = []
    wrapped = selection.best_supports

    def spy(factors, max_terms):
        seen.append({float(triangle[0, 0]) for triangle in factors.triangles})
        return wrapped(factors, max_terms)

    monkeypatch.setattr(selection, "best_supports", spy)
    random = np.random.default_rng(4)
    factors = Factors(tuple(random.normal(size=(3, 3)) for _ in range(6)))
    select(factors, 2)
    everything = {float(triangle[0, 0]) for triangle in factors.triangles}
    assert seen[-1] == everything
    left_out = [everything - part for part in seen[:-1]]
    assert [len(part) for part in left_out] == [1] * 6
    assert set.union(*left_out) == everything


def test_triangles_keep_sums_of_squares():
    random = np.random.default_rng(5)
    columns, target = random.normal(size=(30, 4)), random.normal(size=30)
    share = random.uniform(size=30)
    factors = Factors.of(columns, target, share, [10, 20])
    w = random.normal(size=2)
    squares = share * (columns[:, [1, 3]] @ w - target) ** 2
    np.testing.assert_allclose(
        factors.square_errors((1, 3), w), [squares[:10].sum(), squares[10:].sum()]
    )


def test_columns_that_say_the_same_are_named(trajectories):
    twin = Candidate("twin", lambda theta: 2 * theta[0] - 3 * theta[1])
    nothing = Candidate("nothing", lambda theta: 0 * theta)
    offered = [*CANDIDATES, twin, nothing]
    for equation in project(FIELD, trajectories, offered).equations:
        assert equation.notes == (
            "twin is collinear with x, y and left out",
            "nothing is zero here",
        )
        assert set(weights(equation)) == set(KNOWN[equation.coefficient])


def test_terms_that_nearly_say_the_same_are_reported(trajectories):
    near = Candidate("near", lambda theta: theta[0] + 1e-5 * theta[1])
    field = FunctionField(NAMES, lambda theta, _: jnp.array([theta[0] + theta[1], theta[1]]))
    equation, _ = project(field, trajectories, [Candidate("x", lambda t: t[0]), near]).equations
    assert equation.condition is not None
    assert equation.condition > 1e4
    assert "nearly collinear" in equation.notes[0]


def test_right_hand_sides_that_are_zero_have_no_terms(trajectories):
    field = FunctionField(NAMES, lambda theta, _: jnp.array([0 * theta[0], theta[1]]))
    projection = project(field, trajectories, CANDIDATES, reference=Candidate("same", field))
    zero, other = projection.equations
    assert (zero.terms, zero.residual, zero.difference, zero.condition) == ((), None, None, None)
    assert "is zero on these points" in zero.notes[0]
    assert other.difference == pytest.approx(0, abs=1e-12)
    assert zero.to_text() == "d/dt x = 0"
    assert "nan" not in projection.to_text().lower()
    json.dumps(projection.to_records(), allow_nan=False)


def test_candidates_that_do_not_help_are_not_used():
    points = np.random.default_rng(6).uniform(-1, 1, (10, 5, 1))
    field = FunctionField(("x",), lambda theta, _: jnp.where(theta > 0, 1.0, -1.0))
    square = Candidate("square", lambda theta: theta[0] ** 2)
    (equation,) = project(field, points, [square]).equations
    assert equation.terms == ()
    assert equation.residual == pytest.approx(1)
    assert "no candidate helps" in equation.notes[0]


def test_at_most_so_many_terms(trajectories):
    for equation in project(FIELD, trajectories, CANDIDATES, max_terms=1).equations:
        assert len(equation.terms) <= 1


def test_the_difference_from_a_reference_is_relative(trajectories):
    other = Candidate("half", FunctionField(NAMES, lambda t, _: 0.5 * known(t, None)))
    projection = project(FIELD, trajectories, CANDIDATES, reference=other)
    assert [e.difference for e in projection.equations] == pytest.approx([0.5, 0.5])
    assert "half differs by 50.00%" in projection.to_text()


def test_the_projected_field_has_the_same_solutions(trajectories):
    field = project(FIELD, trajectories, CANDIDATES).field()
    np.testing.assert_allclose(
        field(jnp.array([0.3, -0.4])), FIELD(jnp.array([0.3, -0.4])), rtol=1e-9
    )
    errors = trajectory_errors(field, trajectories, TIMES, method="rk4")
    assert errors.absolute.max() < 1e-8


def test_errors_of_solutions():
    # dx/dt = 1 beside solutions x = 2 t: the error is t, the displacement twice as much; y rests.
    field = FunctionField(NAMES, lambda theta, _: jnp.array([1.0, 0.0]))
    times = np.linspace(0, 1, 11)
    path = np.column_stack([2 * times, np.ones(11)])
    errors = trajectory_errors(field, np.array([path, path + 1]), times)
    size = np.sqrt(np.mean(times**2))
    np.testing.assert_allclose(errors.absolute, [size, 0], atol=1e-12)
    np.testing.assert_allclose(errors.displacement, [2 * size, 0], atol=1e-12)
    assert errors.to_text() == "x 0.59 (50.0%), y 0"
    assert errors.to_records()[1]["relative"] is None


def test_solutions_that_grow_without_bound_are_refused():
    # e^(5 t): 1e217 at the end, whose square is not a number of double precision.
    field = FunctionField(NAMES, lambda theta, _: 5.0 * theta)
    with pytest.raises(FloatingPointError, match="grows without bound"):
        trajectory_errors(
            field, np.ones((2, 11, 2)), np.linspace(0, 100, 11), method="rk4", substeps=40
        )


def test_progress_is_told_equation_by_equation(trajectories):
    told = []
    project(FIELD, trajectories, CANDIDATES, max_terms=2, progress=told.append)
    assert told == [{"step": step, "total": 2} for step in range(3)]


def test_text_latex_and_records(trajectories):
    projection = project(FIELD, trajectories, CANDIDATES)
    assert projection.to_text().startswith("d/dt x = -0.5 x + 0.25 exp(y)\n  x")
    assert "\nd/dt y = 0.3 + 1.5 x - 0.75 x y\n" in projection.to_text()
    latex = projection.to_latex()
    assert latex.startswith("\\begin{aligned}\n\\frac{d}{dt} \\theta_{\\text{x}} &= -0.5 \\theta_")
    assert r"0.25 e^{\theta_{\text{y}}} \\" in latex
    assert r"0.3 + 1.5 \theta_{\text{x}} - 0.75 \theta_{\text{x}}\, \theta_{\text{y}}" in latex
    record = projection.to_records()[0]
    assert record["coefficient"] == "x"
    assert [term["name"] for term in record["terms"]] == ["x", "exp(y)"]
    json.dumps(record, allow_nan=False)
    small = Candidate("f", lambda theta: 1e6 * theta[0], latex="f")
    found = project(FIELD, trajectories, [small], max_terms=1).to_latex()
    assert r"\cdot 10^{-7} f" in found


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"candidates": []}, "`candidates` is empty"),
        ({"candidates": [constant(), constant()]}, "several candidates are named 1"),
        ({"candidates": [Candidate("f", lambda t: t[:1])]}, r"'f': .* got shape \(1,\)"),
        ({"candidates": [Candidate("f", lambda t: jnp.log(t[0]))]}, "'f' is not finite at"),
        ({"candidates": [Candidate("f", lambda t: 1e200 + t[0])]}, "'f' is larger than 1e"),
        ({"field": FunctionField(NAMES, lambda t, _: t / 0)}, "the field is not finite"),
        ({"reference": Candidate("r", lambda t: t / 0)}, "reference 'r' is not finite"),
        ({"trajectories": np.zeros((1, 3, 2))}, "two or more initial conditions.* got 1"),
        ({"trajectories": [np.zeros((3, 2)), np.zeros((0, 2))]}, r"trajectory 1 .* \(0, 2\)"),
        ({"trajectories": np.full((2, 3, 2), np.nan)}, "trajectory 0 is not finite"),
        ({"max_terms": 0}, "`max_terms` must be at least 1, got 0"),
    ],
)
def test_errors_say_what_to_do(change, message):
    points = np.random.default_rng(0).normal(size=(3, 4, 2))
    given = {"field": FIELD, "trajectories": points, "candidates": CANDIDATES} | change
    with pytest.raises(ValueError, match=message):
        project(**given)


def test_monomials_refuse_an_order():
    with pytest.raises(ValueError, match="`order` must be at least 1, got 0"):
        monomials(NAMES, 0)
