"""Statistics of point patterns against plain loops; the Poisson case against finite differences."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.integrate

from dynboltz.distributions import PointProcessModel, PoissonSolution
from dynboltz.elements import ElementSpace, RadialSpace, UniformSpace
from dynboltz.particles import Box, PointPatterns

LENGTHS = (1.0, 2.0, 1.5)
SPECIES = ("A", "B")


def two_species(dim, walls):
    box = Box(LENGTHS[:dim], walls)
    single = {"A": ElementSpace(box, (4, 3, 3)[:dim], "Hermite"), "B": UniformSpace(box)}
    pair = {("A", "A"): RadialSpace(0.3, 4, "P1"), ("B", "A"): RadialSpace(0.5, 3, "Hermite")}
    return PointProcessModel(box, SPECIES, single, pair)


def random_patterns(box, seed):
    rng = np.random.default_rng(seed)
    lists = [
        {
            name: rng.uniform(0, box.lengths, (n, box.dim))
            for name, n in zip(SPECIES, counts, strict=True)
        }
        for counts in ((3, 4), (0, 0), (9, 6), (0, 2))
    ]
    return PointPatterns.from_lists(lists, SPECIES, box, n_slots=18)


def by_loops(model, points):
    """Statistics of the positions of each species."""
    found = []
    for name in model.species:
        found.append(np.zeros(model.single[name].size))
        for point in points[name]:
            found[-1] += model.single[name].evaluate(point[None])[0]
    for (a, b), space in model.pair.items():
        found.append(np.zeros(space.size))
        same = a == b
        both = (
            itertools.combinations(points[a], 2) if same
            else itertools.product(points[a], points[b])
        )  # fmt: skip
        for first, second in both:
            gap = np.abs(first - second)
            if model.box.is_periodic:
                gap = np.minimum(gap, np.array(model.box.lengths) - gap)
            found[-1] += space.evaluate(np.array([[np.linalg.norm(gap)]]))[0]
    return np.concatenate(found)


@pytest.mark.parametrize(("dim", "walls"), [
    (1, "periodic"), (1, "reflecting"), (2, "periodic"), (2, "reflecting"), (3, "periodic"),
])  # fmt: skip
def test_statistics_and_insertions_match_loops(dim, walls):
    model = two_species(dim, walls)
    patterns = random_patterns(model.box, seed=dim)
    lists = [{name: patterns.points(name, i) for name in SPECIES} for i in range(4)]
    expected = np.array([by_loops(model, points) for points in lists])
    assert np.allclose(model.statistics(patterns), expected, atol=1e-11, rtol=0)
    points = np.random.default_rng(5).uniform(0, model.box.lengths, (4, 2, dim))
    for name in SPECIES:
        added = model.insertions(patterns, name, points)
        for i, j in itertools.product(range(4), range(2)):
            more = lists[i] | {name: np.concatenate([lists[i][name], points[i, j : j + 1]])}
            assert np.allclose(added[i, j], by_loops(model, more) - expected[i], atol=1e-11)


def test_batches_of_patterns_keep_their_axes():
    model = two_species(2, "periodic")
    patterns = random_patterns(model.box, seed=0)
    shape = (2, 2)
    batch = PointPatterns(
        patterns.positions.reshape(*shape, 18, 2), patterns.labels.reshape(*shape, 18),
        SPECIES, model.box,
    )  # fmt: skip
    statistics = model.statistics(batch)
    assert np.array_equal(statistics.reshape(4, -1), model.statistics(patterns))


def test_names_and_values():
    model = two_species(1, "reflecting")
    assert model.sign == -1
    assert model.coefficients[:2] == ("nu.A[0]", "nu.A[1]")
    assert model.coefficients[10:12] == ("nu.B[0]", "nu.A.A[0]")
    assert model.coefficients[-1] == "nu.B.A[5]"
    assert model.slices["nu.A.A"] == slice(11, 15)
    theta = np.arange(len(model.coefficients), dtype=float)
    assert np.allclose(model.values(theta, "nu.A.A", np.array([[0.075], [0.3]])), [12.0, 0.0])
    assert np.allclose(model.values(theta, "nu.B", np.array([[0.2]])), [10.0])


POISSON_BOX = Box((2.0, 1.0), "reflecting")
POISSON = PointProcessModel(
    POISSON_BOX,
    SPECIES,
    {"A": ElementSpace(POISSON_BOX, (3, 2), "Hermite"), "B": UniformSpace(POISSON_BOX)},
)
N_POINTS = len(POISSON.single["A"].quadrature()[1])
LEVEL = np.append(POISSON.single["A"].project(np.full(N_POINTS, -1.0)), -1.0)
THETA = LEVEL + np.random.default_rng(1).normal(0.0, 0.04, len(LEVEL))


def divergence(true, theta):
    """Divergence of two Poisson processes, int rho ln(rho / rho~) - rho + rho~, by scipy."""
    x, w = np.polynomial.legendre.leggauss(12)
    total = 0.0
    for name, elements in (("A", (3, 2)), ("B", (1, 1))):
        axes = []
        for length, n in zip(POISSON_BOX.lengths, elements, strict=True):
            side = length / n
            points = (side * (np.arange(n)[:, None] + (x + 1) / 2)).ravel()
            axes.append((points, np.tile(w * side / 2, n)))
        points = np.array(list(itertools.product(axes[0][0], axes[1][0])))
        weights = np.multiply.outer(axes[0][1], axes[1][1]).ravel()
        nu, nu_model = (POISSON.values(t, f"nu.{name}", points) for t in (true, theta))
        rho, rho_model = np.exp(-nu), np.exp(-nu_model)
        total += np.dot(weights, rho * (nu_model - nu) - rho + rho_model)
    return total


def test_gradient_of_the_divergence_is_data_minus_model():
    """The minus sign of the exponent turns the printed eq. (7) around."""
    true = THETA + np.random.default_rng(2).normal(0, 0.04, len(THETA))
    solution = PoissonSolution(POISSON)
    data = np.asarray(solution.moments(true))
    gradient = np.asarray(solution.divergence_gradient(THETA, data))
    differences = []
    for unit in np.eye(len(THETA)):
        near = [divergence(true, THETA + c * 1e-3 * unit) for c in (-2, -1, 1, 2)]
        differences.append(np.dot([1, -8, 8, -1], near) / 12e-3)
    expected = np.array(differences)
    assert np.allclose(gradient, expected, rtol=0, atol=1e-8)
    printed = np.asarray(solution.moments(THETA)) - data
    lengths = np.linalg.norm(printed) * np.linalg.norm(expected)
    assert np.dot(printed, expected) / lengths < -0.999


def test_log_partition_is_the_sum_over_all_numbers():
    box = Box((2.0,))
    model = PointProcessModel(box, ("A",), {"A": ElementSpace(box, (3,), "P1")})
    theta = np.array([0.3, -0.4, 0.9])
    solution = PoissonSolution(model)
    weight = sum(
        scipy.integrate.quad(
            lambda x: float(solution.intensity(theta, "A", np.array([[x]]))[0]), low, low + 2 / 3
        )[0]
        for low in (0.0, 2 / 3, 4 / 3)
    )
    terms = np.cumprod([1.0, *(weight / n for n in range(1, 40))])
    # The rule has four points an element.
    assert float(solution.log_partition(theta)) == pytest.approx(np.log(terms.sum()), rel=1e-7)


def test_moments_and_metric_are_derivatives_of_the_log_partition_function():
    solution = PoissonSolution(POISSON)
    gradient = -jax.grad(solution.log_partition)(jnp.asarray(THETA))
    assert np.allclose(solution.moments(THETA), gradient, rtol=0, atol=1e-12)
    metric = np.asarray(solution.fisher(THETA))
    step = 1e-4
    for row, unit in zip(metric, np.eye(len(THETA)), strict=True):
        above, below = (np.asarray(solution.moments(THETA + c * step * unit)) for c in (1, -1))
        assert np.allclose(row, (below - above) / (2 * step), rtol=0, atol=1e-8)


BOX = Box((1.0,))
UNIFORM = {"A": UniformSpace(BOX)}


@pytest.mark.parametrize(("species", "pair", "message"), [
    (("A", "A"), {}, "different names"),
    (("A", "B"), {}, "one space for each"),
    (("A",), {("A", "B"): RadialSpace(0.1, 2)}, "two of the species"),
    (("A",), {("A", "A"): RadialSpace(0.6, 2)}, "cutoff of the pair.*at most 0.5"),
])  # fmt: skip
def test_impossible_models_are_refused(species, pair, message):
    with pytest.raises(ValueError, match=message):
        PointProcessModel(BOX, species, UNIFORM, pair)


def test_a_pair_has_one_function():
    single = {name: UniformSpace(BOX) for name in SPECIES}
    pair = {names: RadialSpace(0.1, 2) for names in (("A", "B"), ("B", "A"))}
    with pytest.raises(ValueError, match="two functions"):
        PointProcessModel(BOX, SPECIES, single, pair)


class Quartic:
    """Not a cubic."""

    size = 1

    def evaluate(self, points):
        return points**4

    def quadrature(self):
        return np.array([[0.5]]), np.ones(1)


def test_what_is_not_piecewise_cubic_is_refused():
    model = PointProcessModel(BOX, ("A",), {"A": Quartic()})
    with pytest.raises(ValueError, match="Quartic: its functions must be polynomials"):
        _ = model.matrix


def test_patterns_and_pairs_that_do_not_fit_are_refused():
    model = two_species(1, "periodic")
    with pytest.raises(ValueError, match="patterns must lie in"):
        model.statistics(random_patterns(Box((1.0,), "reflecting"), seed=0))
    with pytest.raises(ValueError, match="must not interact"):
        PoissonSolution(model)


def test_no_points_to_insert_give_no_statistics():
    model = two_species(1, "periodic")
    patterns = random_patterns(model.box, seed=0)
    found = model.insertions(patterns, "A", np.zeros((len(patterns.labels), 0, 1)))
    assert found.shape == (len(patterns.labels), 0, len(model.coefficients))
