import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from dynboltz.distributions import (
    ClampedStatistics,
    Enumeration,
    LatticeModel,
    Layer,
    TransferMatrix,
    sample_chain,
)
from dynboltz.lattices import Boundary, Factor, Lattice, Term, neighbour_moments

PAIR = Layer(("X",), ((0,), (1,)))
TRIPLE = Layer(("X",), ((-1,), (0,), (1,)))
TWO = Layer(("X", "Y"), ((0,), (1,)))


def model_of(kind: str, n_sites: int, boundary: Boundary) -> tuple[LatticeModel, np.ndarray]:
    """One of the models under test, with coefficients that respect no symmetry."""
    lattice = Lattice((n_sites,), boundary)
    names, species, hidden = {
        "independent": (["b.A"], ["A"], []),
        "ising": (["b.A", "J.A.A", "K.A.A.A"], ["A"], []),
        "two species": (["b.A", "b.B", "J.A.B", "J.B.B"], ["A", "B"], []),
        "pair unit": (["b.A", "W.A.X", "b.X"], ["A"], [PAIR]),
        "triple unit": (["b.X", "W.A.X", "J.A.A", "b.A"], ["A"], [TRIPLE]),
        "two hidden species": (["b.A", "b.B", "W.A.X", "W.B.Y", "b.X", "b.Y"], ["A", "B"], [TWO]),
    }[kind]
    model = LatticeModel.from_names(lattice, species, names, hidden)
    theta = np.random.default_rng(len(kind)).uniform(-1.2, 1.2, len(names))
    return model, theta


KINDS = ["independent", "ising", "two species", "pair unit", "triple unit", "two hidden species"]
SIZES = {"ising": 9, "two hidden species": 4}


@pytest.mark.parametrize("boundary", ["closed", "periodic"])
@pytest.mark.parametrize("kind", KINDS)
def test_transfer_matrix_matches_enumeration(kind, boundary):
    model, theta = model_of(kind, SIZES.get(kind, 7), boundary)
    exact, chain = Enumeration(model), TransferMatrix(model)
    # Sums of at most 2^14 doubles in another order: rounding only.
    np.testing.assert_allclose(
        jax.jit(chain.log_partition)(theta), exact.log_partition(theta), rtol=1e-12, atol=1e-12
    )
    np.testing.assert_allclose(chain.moments(theta), exact.moments(theta), rtol=0, atol=1e-12)
    np.testing.assert_allclose(chain.fisher(theta), exact.fisher(theta), rtol=0, atol=1e-11)


@pytest.mark.parametrize("size", [200.0, 1e3, 3e5])
@pytest.mark.parametrize(
    ("kind", "boundary"),
    [("ising", "closed"), ("two species", "periodic"), ("two hidden species", "closed")],
)
def test_coefficients_of_any_size_agree_with_enumeration(kind, boundary, size):
    model, theta = model_of(kind, 5, boundary)
    theta = size * theta
    exact, chain = Enumeration(model), TransferMatrix(model)
    np.testing.assert_allclose(
        chain.log_partition(theta), exact.log_partition(theta), rtol=1e-12, atol=1e-12
    )
    # The logarithms have lost six of their sixteen digits at the largest size.
    np.testing.assert_allclose(chain.moments(theta), exact.moments(theta), rtol=0, atol=1e-9)
    if kind == "two species":  # the others would only compile for longer
        np.testing.assert_allclose(chain.fisher(theta), exact.fisher(theta), rtol=0, atol=1e-9)


@pytest.mark.parametrize("bias", [230.0, 236.0, 240.0, 800.0, -800.0, 1e6])
def test_strong_biases_fill_or_empty_a_closed_chain(bias):
    names = ["b.A", "A(0) A(3)"]
    model = LatticeModel.from_names(Lattice((12,), "closed"), ["A"], names)
    solution = TransferMatrix(model)
    theta = np.array([bias, 0.0])
    full = float(bias > 0)
    expected = np.array([full, full * 9 / 12])
    np.testing.assert_allclose(solution.moments(theta), expected, rtol=1e-12)
    np.testing.assert_allclose(jax.jit(solution.moments)(theta), expected, rtol=1e-12)
    np.testing.assert_allclose(solution.batch_moments(theta[None])[0], expected, rtol=1e-12)
    np.testing.assert_allclose(solution.fisher(theta), np.zeros((2, 2)), atol=1e-12)
    np.testing.assert_allclose(solution.log_partition(theta), 12 * max(bias, 0.0), rtol=1e-12)
    assert np.all(sample_chain(solution, theta, 5, seed=1) == full)


def test_an_odd_ring_of_strong_repulsion_keeps_one_gap():
    """Half of the sites would be filled; one pair of empty neighbours costs a bias of 2000."""
    model = LatticeModel.from_names(Lattice((7,)), ["A"], ["b.A", "J.A.A"])
    solution, theta = TransferMatrix(model), np.array([2000.0, -5000.0])
    np.testing.assert_allclose(solution.moments(theta), [3 / 7, 0.0], atol=1e-12)
    np.testing.assert_allclose(solution.log_partition(theta), 6000 + np.log(7), rtol=1e-14)
    samples = sample_chain(solution, theta, 700, seed=1)
    assert np.all(samples.sum(axis=1) == 3)
    places = np.flatnonzero((samples == 0) & (np.roll(samples, -1, axis=1) == 0)) % 7
    # 100 are expected at each place; by chance one seed in a thousand would fail.
    assert stats.chisquare(np.bincount(places, minlength=7)).pvalue > 1e-3


def test_coefficients_beyond_all_digits_are_refused():
    model = LatticeModel.from_names(Lattice((7,)), ["A"], ["b.A", "J.A.A"])
    with pytest.raises(ValueError, match="too large to tell the weights"):
        TransferMatrix(model).moments(np.array([1e300, 0.0]))


def test_moments_are_averages_over_the_enumerated_states():
    model, theta = model_of("pair unit", 6, "closed")
    exact = Enumeration(model)
    assert exact.states.shape == (2, 2**11, 6)
    average = exact.probabilities(theta) @ model.statistics(exact.states)
    np.testing.assert_allclose(exact.moments(theta), average, rtol=0, atol=1e-13)


def test_independent_sites_in_closed_form():
    model, theta = model_of("independent", 1000, "closed")
    expected = 1000 * np.log1p(np.exp(theta[0]))
    np.testing.assert_allclose(TransferMatrix(model).log_partition(theta), expected, rtol=1e-13)


def test_long_ising_ring_in_closed_form():
    model = LatticeModel.from_names(Lattice((1000,)), ["A"], ["b.A", "J.A.A"])
    b, coupling = 0.4, -0.9
    matrix = np.array([[1, np.exp(b / 2)], [np.exp(b / 2), np.exp(b + coupling)]])
    expected = np.log(np.sum((np.linalg.eigvalsh(matrix) / 2) ** 1000)) + 1000 * np.log(2)
    solution = TransferMatrix(model)
    # 1000 accumulated factors, each with the rounding of a double.
    np.testing.assert_allclose(
        solution.log_partition(jnp.array([b, coupling])), expected, rtol=1e-12
    )


def test_further_moments_are_observed_with_coefficient_zero():
    model, theta = model_of("pair unit", 8, "closed")
    moments = neighbour_moments(["A"], 1)
    wide = model.with_terms(moments)
    padded = np.concatenate([theta, np.zeros(4)])
    exact = Enumeration(model)
    average = (
        np.asarray(exact.probabilities(theta)) @ (wide.statistics(exact.states)[:, len(theta) :])
    )
    np.testing.assert_allclose(
        TransferMatrix(wide).moments(padded)[len(theta) :], average, rtol=0, atol=1e-12
    )


def test_pair_units_are_a_nearest_neighbour_chain():
    """Summed out, model (39) couples neighbours only, with J >= 0 (two of three directions)."""
    lattice = Lattice((9,), "periodic")
    hidden = LatticeModel.from_names(lattice, ["A"], ["b.A", "W.A.X", "b.X"], [PAIR])
    visible = LatticeModel.from_names(lattice, ["A"], ["b.A", "J.A.A"])
    b, weight, bias = 0.3, -0.8, 0.5
    f0, f1, f2 = (np.log1p(np.exp(bias + n * weight)) for n in range(3))
    coupling = f0 + f2 - 2 * f1
    assert coupling > 0
    effective = np.array([b + 2 * (f1 - f0), coupling])
    np.testing.assert_allclose(
        TransferMatrix(hidden).log_partition(np.array([b, weight, bias])),
        TransferMatrix(visible).log_partition(effective) + 9 * f0,
        rtol=1e-12,
    )


@pytest.mark.parametrize("boundary", ["closed", "periodic"])
@pytest.mark.parametrize("kind", ["pair unit", "triple unit", "two hidden species"])
def test_clamped_log_weight_matches_a_sum_over_hidden_states(kind, boundary):
    model, theta = model_of(kind, 4, boundary)
    exact = Enumeration(model)
    visible = exact.states[0]
    keys = visible @ (10 ** np.arange(visible.shape[1]))
    log_weights = np.asarray(exact.log_weights(theta))
    clamped = ClampedStatistics(model)
    for key in np.unique(keys)[::3]:
        rows = keys == key
        expected = np.log(np.sum(np.exp(log_weights[rows]))) / 4
        summary = clamped.summarise(visible[rows][:1])[0]
        np.testing.assert_allclose(clamped.log_weight(theta, summary), expected, atol=1e-13)


def test_clamped_moments_are_conditional_averages():
    model, theta = model_of("pair unit", 6, "closed")
    exact = Enumeration(model)
    data = np.random.default_rng(2).integers(0, 2, (5, 6)).astype(np.uint8)
    statistics = model.statistics(exact.states)
    probabilities = np.asarray(exact.probabilities(theta))
    expected = np.zeros(3)
    for state in data:
        rows = np.all(exact.states[0] == state, axis=1)
        weights = probabilities[rows] / probabilities[rows].sum()
        expected += weights @ statistics[rows] / len(data)
    clamped = ClampedStatistics(model)
    summary = clamped.summarise(data).mean(axis=0)
    np.testing.assert_allclose(clamped.moments(theta, summary), expected, atol=1e-13)


def test_clamped_statistics_work_in_three_dimensions():
    cube = Layer(("X",), tuple(itertools.product((0, 1), repeat=3)))
    model = LatticeModel.from_names(
        Lattice((2, 3, 2), "closed"), ["A"], ["b.A", "W.A.X", "b.X"], [cube]
    )
    state = np.ones((1, 12), np.uint8)
    clamped = ClampedStatistics(model)
    b, weight, bias = 0.1, 0.2, -0.3
    expected = (12 * b + 2 * np.log1p(np.exp(bias + 8 * weight))) / 12
    summary = clamped.summarise(state)[0]
    theta = jnp.array([b, weight, bias])
    np.testing.assert_allclose(clamped.log_weight(theta, summary), expected, atol=1e-14)


@pytest.mark.parametrize("boundary", ["closed", "periodic"])
@pytest.mark.parametrize("kind", ["ising", "pair unit", "two species"])
def test_exact_samples_follow_the_enumerated_distribution(kind, boundary):
    model, theta = model_of(kind, 10 if kind == "ising" else 6, boundary)
    exact = Enumeration(model)
    n_labels = len(model.species[0]) + 1
    place = n_labels ** np.arange(model.lattice.n_sites)
    expected = np.bincount(exact.states[0] @ place, weights=exact.probabilities(theta))
    samples = sample_chain(TransferMatrix(model), theta, 200_000, seed=7)
    observed = np.bincount(samples @ place, minlength=len(expected))
    frequent = expected * len(samples) >= 5
    pooled_expected = np.append(expected[frequent], expected[~frequent].sum()) * len(samples)
    pooled_observed = np.append(observed[frequent], observed[~frequent].sum())
    kept = pooled_expected > 0
    # Fixed seed; by chance one seed in a thousand would fail.
    assert stats.chisquare(pooled_observed[kept], pooled_expected[kept]).pvalue > 1e-3


def test_samples_do_not_depend_on_how_many_are_drawn():
    model, theta = model_of("ising", 12, "closed")
    solution = TransferMatrix(model)
    few, many = (sample_chain(solution, theta, n, seed=3) for n in (4, 9))
    np.testing.assert_array_equal(few, many[:4])


def test_solutions_compile_and_batch():
    model, theta = model_of("ising", 50, "closed")
    solution = TransferMatrix(model)
    batch = jnp.stack([jnp.asarray(theta), jnp.zeros(3)])
    moments = jax.jit(jax.vmap(solution.moments))(batch)
    np.testing.assert_allclose(moments[0], solution.moments(theta), atol=1e-14)
    np.testing.assert_allclose(moments[1, 0], 0.5, atol=1e-14)


def test_single_precision_stays_single():
    model, theta = model_of("pair unit", 20, "closed")
    assert TransferMatrix(model).moments(jnp.asarray(theta, jnp.float32)).dtype == jnp.float32


@pytest.mark.parametrize(
    ("shape", "names", "hidden", "message"),
    [
        ((5,), ["b.C"], [], "names the species 'C'"),
        ((5,), ["Q.A"], [], "is not understood"),
        ((5,), ["b.A", "b.A"], [], "coefficient b.A is named twice"),
        ((2,), ["K.A.A.A"], [], "too small"),
        ((2,), ["b.A", "b.X"], [TRIPLE], "does not fit"),
        ((5,), ["b.A", "b.X"], [Layer(("X",), ((1,), (2,)))], "must lie between"),
        ((5,), ["b.A", "b.X"], [Layer(("X",))], "needs a stencil"),
        ((5,), ["b.A"], [Layer(("A",), ((0,),))], "species A is named twice"),
    ],
)
def test_models_that_make_no_sense_are_refused(shape, names, hidden, message):
    with pytest.raises(ValueError, match=message):
        LatticeModel.from_names(Lattice(shape, "closed"), ["A"], names, hidden)


def test_transfer_matrix_refuses_what_it_cannot_solve():
    plane = LatticeModel.from_names(Lattice((4, 4)), ["A"], ["b.A"])
    with pytest.raises(ValueError, match="must be a chain"):
        TransferMatrix(plane)
    lateral = Term("L", ((Factor("X", (0,), 1), Factor("X", (1,), 1)),))
    chain = LatticeModel.from_names(Lattice((8,)), ["A"], ["b.A", "b.X"], [PAIR])
    with pytest.raises(ValueError, match="couples hidden units"):
        TransferMatrix(chain.with_terms([lateral]))
    with pytest.raises(ValueError, match="more than 4194304"):
        Enumeration(LatticeModel.from_names(Lattice((30,)), ["A"], ["b.A"]))


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("boundary", ["periodic", "closed"])
def test_coefficients_in_half_precision_are_computed_in_single(boundary):
    model = LatticeModel.from_names(Lattice((5,), boundary), ["A"], ["b.A", "J.A.A"])
    solution, half = TransferMatrix(model), np.array([0.5, -0.25], np.float16)  # both exact
    theta = half.astype(np.float32)
    for method in ("log_partition", "free_energy", "moments", "fisher", "window_log_weights"):
        found, expected = getattr(solution, method)(half), getattr(solution, method)(theta)
        np.testing.assert_array_equal(found, expected)
    np.testing.assert_array_equal(
        solution.batch_fisher(half[None]), solution.batch_fisher(theta[None])
    )


def test_no_coefficients_have_no_moments():
    solution = TransferMatrix(LatticeModel.from_names(Lattice((5,)), ["A"], ["b.A", "J.A.A"]))
    assert solution.batch_moments(np.zeros((0, 2))).shape == (0, 2)
    assert solution.batch_fisher(np.zeros((0, 2))).shape == (0, 2, 2)
