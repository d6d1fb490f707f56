"""Coefficients that are free at each place, against tied ones, sums over states and differences."""

import itertools

import jax
import numpy as np
import pytest

from dynboltz.distributions import (
    ClampedStatistics,
    Enumeration,
    LatticeModel,
    Layer,
    TransferMatrix,
    hidden_probabilities,
)
from dynboltz.lattices import Boundary, Factor, Lattice, Term

PAIR = Layer(("X",), ((0,), (1,)))


def ring(boundary: Boundary = "periodic") -> LatticeModel:
    names = ["b.A", "J.A.A", "W.A.X", "b.X"]
    return LatticeModel.from_names(Lattice((4,), boundary), ["A"], names, [PAIR])


def square() -> LatticeModel:
    names = ["b.A", "b.B", "J.A.B", "W.A.X", "W.B.X", "b.X"]
    layer = Layer(("X",), tuple(itertools.product((0, 1), repeat=2)))
    return LatticeModel.from_names(Lattice((2, 2), "closed"), ["A", "B"], names, [layer])


MODELS = {"ring": ring(), "closed chain": ring("closed"), "square": square()}


def free(model: LatticeModel) -> LatticeModel:
    return model.with_free(model.coefficients)


def tied_places(model: LatticeModel) -> np.ndarray:
    """Which of the tied coefficients each free one comes from."""
    bases = [name.split("[")[0] for name in free(model).coefficients]
    return np.array([model.coefficients.index(base) for base in bases])


def random_theta(model: LatticeModel, seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, 0.7, len(model.terms))


def energy_by_hand(model: LatticeModel, theta: dict[str, float], state: np.ndarray) -> float:
    """Exponent of a state of the closed chain with the pair units, eq. (25) and a coupling."""
    n = model.lattice.n_sites
    v, h = state
    total = sum(theta[f"b.A[{i}]"] * v[i] for i in range(n))
    total += sum(theta[f"J.A.A[{i};{i + 1}]"] * v[i] * v[i + 1] for i in range(n - 1))
    for j in range(n - 1):
        total += theta[f"b.X[{j}]"] * h[j]
        total += sum(theta[f"W.A.X[{i};{j}]"] * v[i] * h[j] for i in (j, j + 1))
    return total


def test_names_are_the_places_of_the_units():
    assert free(ring("closed")).coefficients == (
        *(f"b.A[{i}]" for i in range(4)),
        *("J.A.A[0;1]", "J.A.A[1;2]", "J.A.A[2;3]"),
        *("W.A.X[0;0]", "W.A.X[1;0]", "W.A.X[1;1]", "W.A.X[2;1]", "W.A.X[2;2]", "W.A.X[3;2]"),
        *(f"b.X[{j}]" for j in range(3)),
    )
    names = set(free(square()).coefficients)
    assert {"J.A.B[0,0;1,0]", "J.A.B[1,0;0,0]", "W.B.X[1,1;0,0]", "b.X[0,0]"} <= names
    assert ring().with_free(["b.A"]).coefficients[4:] == ("J.A.A", "W.A.X", "b.X")


def test_exponents_are_those_of_the_energy_of_the_paper():
    model = free(ring("closed"))
    solution, theta = Enumeration(model), random_theta(model)
    named = dict(zip(model.coefficients, theta, strict=True))
    expected = [
        energy_by_hand(model, named, solution.states[:, s].astype(int))
        for s in range(solution.states.shape[1])
    ]
    np.testing.assert_allclose(solution.log_weights(theta), expected, rtol=0, atol=1e-13)


@pytest.mark.parametrize("name", MODELS)
def test_equal_coefficients_make_the_tied_model(name):
    model = MODELS[name]
    theta, places = random_theta(model), tied_places(model)
    tied, untied = Enumeration(model), Enumeration(free(model))
    same = theta[places]
    np.testing.assert_allclose(untied.log_partition(same), tied.log_partition(theta), rtol=1e-13)
    summed = np.bincount(places, weights=np.asarray(untied.moments(same)))
    np.testing.assert_allclose(summed, tied.moments(theta), rtol=1e-12)


@pytest.mark.parametrize("name", MODELS)
def test_moments_are_differences_of_the_log_partition_function(name):
    model = free(MODELS[name])
    solution, theta = Enumeration(model), random_theta(model)
    step = 1e-5
    found = [
        (solution.free_energy(theta + shift) - solution.free_energy(theta - shift)) / (2 * step)
        for shift in step * np.eye(len(theta))
    ]
    # The error of the differences is about step^2, and rounding 1e-16 / step.
    np.testing.assert_allclose(solution.moments(theta), found, rtol=0, atol=1e-9)


@pytest.mark.parametrize("name", MODELS)
def test_clamped_log_weights_are_sums_over_hidden_states(name):
    model = free(MODELS[name])
    solution, theta, clamped = Enumeration(model), random_theta(model), ClampedStatistics(model)
    visible = np.unique(solution.states[0], axis=0)
    log_weights = np.asarray(solution.log_weights(theta))
    for state, summary in zip(visible, clamped.summarise(visible), strict=True):
        chosen = np.all(solution.states[0] == state, axis=1)
        expected = np.logaddexp.reduce(log_weights[chosen]) / model.lattice.n_sites
        np.testing.assert_allclose(clamped.log_weight(theta, summary), expected, atol=1e-12)
        weights = np.exp(log_weights[chosen] - log_weights[chosen].max())
        averages = weights @ model.statistics(solution.states[:, chosen]) / weights.sum()
        moments = clamped.batch_moments(theta[None], summary[None])[0]
        np.testing.assert_allclose(moments, averages, rtol=0, atol=1e-13)


def test_the_gradient_of_the_divergence_is_the_difference_of_moments():
    model = free(ring())
    solution, theta, clamped = Enumeration(model), random_theta(model), ClampedStatistics(model)
    random = np.random.default_rng(3)
    data = random.dirichlet(np.ones(16))
    visible = np.indices((2, 2, 2, 2)).reshape(4, -1).T.astype(np.uint8)
    summary = data @ clamped.summarise(visible)

    def marginals(theta):
        places = solution.states[0] @ np.array([8, 4, 2, 1])
        return np.bincount(places, weights=np.asarray(solution.probabilities(theta)))

    def divergence(theta):
        return float(data @ np.log(data / marginals(theta))) / model.lattice.n_sites

    step = 1e-5
    found = [
        (divergence(theta + shift) - divergence(theta - shift)) / (2 * step)
        for shift in step * np.eye(len(theta))
    ]
    expected = solution.moments(theta) - clamped.moments(theta, summary)
    np.testing.assert_allclose(expected, found, rtol=0, atol=1e-9)


def test_probabilities_of_hidden_units_are_those_of_the_enumeration():
    model = free(ring("closed"))
    solution, theta = Enumeration(model), random_theta(model)
    states = solution.states[:, [5, 60, 101]]
    (found,) = hidden_probabilities(model, theta, states)
    for place, unit in itertools.product(range(3), range(3)):
        empty, full = (states[:, [place]].copy() for _ in range(2))
        empty[1, 0, unit], full[1, 0, unit] = 0, 1
        field = (model.counter.count(full) - model.counter.count(empty))[0] @ theta
        np.testing.assert_allclose(found[0, place, unit], 1 / (1 + np.exp(-field)), rtol=1e-12)
    assert not found[0, :, 3].any()


def test_a_unit_without_coefficients_is_full_or_empty_alike():
    bias = Term("b.X[1]", ((Factor("X", (0,), 1),),), (1,))
    visible = Term("b.A", ((Factor("A", (0,)),),))
    model = LatticeModel(Lattice((2,)), (Layer(("A",)), PAIR), (visible, bias))
    clamped = ClampedStatistics(model)
    summary = clamped.summarise(np.zeros((1, 2), np.uint8))[0]
    found = clamped.log_weight(np.array([0.3, 0.8]), summary)
    np.testing.assert_allclose(found, (np.log(2) + np.log(1 + np.exp(0.8))) / 2, rtol=1e-14)


@pytest.mark.parametrize(
    ("terms", "message"),
    [
        ([Term("bad", ((Factor("A", (0,)),),), (4,))], "coordinates of a site"),
        ([Term("bad", ((Factor("A", (0,)),),), (0, 0))], "coordinates of a site"),
        ([Term("bad", ((Factor("A", (0,)), Factor("A", (1,))),), (3,))], "closed edge"),
        ([Term("bad", ((Factor("X", (0,), 1),),), (3,))], "does not exist"),
    ],
)
def test_places_that_are_not_there_are_refused(terms, message):
    with pytest.raises(ValueError, match=message):
        ring("closed").with_terms(terms)


def test_what_cannot_be_done_is_explained():
    with pytest.raises(ValueError, match=r"b\.B is no coefficient of the model"):
        ring().with_free(["b.B"])
    with pytest.raises(ValueError, match=r"'b\.A\[0\]' belongs to one place; use Enumeration"):
        TransferMatrix(ring().with_free(["b.A"]))
    long = LatticeModel.from_names(Lattice((40,)), ["A"], ["b.A", "W.A.X"], [PAIR])
    with pytest.raises(ValueError, match="40 units have coefficients of their own"):
        ClampedStatistics(long.with_free(["W.A.X"]))


def test_free_and_tied_counts_of_large_lattices_agree():
    """More words than a block, whose bits the placed terms read."""
    n = 2200
    model = LatticeModel.from_names(Lattice((n,)), ["A", "B"], ["b.A", "J.B.B"])
    states = np.random.default_rng(2).integers(0, 3, (1, 3, n)).astype(np.uint8)
    counts = free(model).counter.count(states)
    np.testing.assert_array_equal(counts[:, :n], states[0] == 1)
    both = (states[0] == 2) & (np.roll(states[0], -1, axis=1) == 2)
    np.testing.assert_array_equal(counts[:, n:], both)


def test_compiled_moments_of_a_free_model():
    model = free(ring())
    theta, clamped = random_theta(model), ClampedStatistics(model)
    summary = clamped.summarise(np.array([[0, 1, 1, 0]], np.uint8))[0]
    found = jax.jit(clamped.moments)(theta, summary)
    np.testing.assert_allclose(found, clamped.batch_moments(theta[None], summary[None])[0])
