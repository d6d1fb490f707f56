"""Entropic matching against the generator and the exact master equation of small lattices."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.integrate import solve_ivp
from scipy.linalg import expm

from dynboltz.closures import entropic_matching, sampled_entropic_matching
from dynboltz.distributions import Enumeration, LatticeModel, Layer, TransferMatrix
from dynboltz.dynamics import integrate
from dynboltz.lattices import Factor, Lattice, Term
from dynboltz.reactions import ReactionNetwork
from dynboltz.simulation import continuous_time_generator

ANNIHILATION = ReactionNetwork.parse("A + A -> 0 ; k = 1")
EVERYTHING = ReactionNetwork.parse(
    "0 -> A ; k = 0.3\nA -> B + A ; k = 2\nB -> 0 ; k = 3\nA + B -> B ; k = 5\nB + B -> A ; k = 2"
)
CHAIN = ("b.A", "J.A.A", "K.A.A.A")


@pytest.fixture(autouse=True)
def _double_precision():
    with jax.enable_x64(True):
        yield


def generator_of(model, network, hop_rate):
    """Generator in the order of the enumerated states, columns to rows."""
    states = Enumeration(model).states[0]
    n_labels = len(network.species) + 1
    powers = n_labels ** np.arange(states.shape[1])[::-1]
    codes = states @ powers
    matrix = np.asarray(continuous_time_generator(network, model.lattice, hop_rate).todense())
    return matrix[np.ix_(codes, codes)]


def by_enumeration(model, network, hop_rate, theta):
    """Field from the covariance and the drift of the statistics in all states."""
    solution = Enumeration(model)
    p = np.asarray(solution.probabilities(jnp.asarray(theta)))
    centred = solution.counts - p @ solution.counts
    fisher = (centred * p[:, None]).T @ centred
    drift = generator_of(model, network, hop_rate) @ p @ solution.counts
    return np.linalg.solve(fisher, drift)


def oriented(lattice):
    """A model that tells left from right."""
    steps = [("A(0) B(1)", ("A", "B")), ("B(0) A(1)", ("B", "A"))]
    terms = [
        Term(name, (tuple(Factor(s, (o,)) for o, s in enumerate(pair)),)) for name, pair in steps
    ]
    plain = LatticeModel.from_names(lattice, ("A", "B"), ["b.A", "b.B"])
    return plain.with_terms(terms)


@pytest.mark.parametrize(
    ("model", "network", "solution"),
    [
        (LatticeModel.from_names(Lattice((8,)), ("A",), CHAIN), ANNIHILATION, TransferMatrix),
        (LatticeModel.from_names(Lattice((3,)), ("A",), CHAIN), ANNIHILATION, TransferMatrix),
        (
            LatticeModel.from_names(Lattice((4,)), ("A",), ["b.A", "A(0) A(2)"]),
            ANNIHILATION,
            TransferMatrix,
        ),
        (
            LatticeModel.from_names(
                Lattice((6,)), ("A", "B"), ["b.A", "b.B", "J.A.B", "B(0) B(2)"]
            ),
            EVERYTHING,
            TransferMatrix,
        ),
        (
            LatticeModel.from_names(Lattice((2, 3)), ("A", "B"), ["b.A", "b.B", "J.A.B"]),
            EVERYTHING,
            Enumeration,
        ),
        (oriented(Lattice((6,))), EVERYTHING, TransferMatrix),
    ],
    ids=["ring", "ring of 3", "ring of 4", "two species", "torus", "without symmetry"],
)
def test_field_is_that_of_the_generator(model, network, solution):
    theta = np.random.default_rng(1).uniform(-1, 1, len(model.terms))
    field = entropic_matching(model, network, hop_rate=0.7)
    assert isinstance(field.solution, solution)
    expected = by_enumeration(model, network, 0.7, theta)
    np.testing.assert_allclose(
        eqx.filter_jit(field)(jnp.asarray(theta)), expected, rtol=1e-9, atol=1e-9
    )


def test_hop_rates_by_species():
    model = LatticeModel.from_names(Lattice((6,)), ("A", "B"), ["b.A", "b.B", "J.A.A", "J.B.B"])
    rates = {"A": 0.3, "B": 2.0}
    field = entropic_matching(model, EVERYTHING, hop_rate=rates)
    theta = np.array([0.3, -0.5, 0.8, -0.4])
    expected = by_enumeration(model, EVERYTHING, rates, theta)
    np.testing.assert_allclose(eqx.filter_jit(field)(jnp.asarray(theta)), expected, rtol=1e-9)


def evolved(model, network, thetas, times):
    """Distributions [start, time, state] of the exact process that starts in the model."""
    step = expm(generator_of(model, network, 1.0) * (times[1] - times[0]))
    found = [np.asarray(jax.vmap(Enumeration(model).probabilities)(jnp.asarray(thetas)))]
    for _ in times[1:]:
        found.append(found[-1] @ step.T)
    return np.array(found).swapaxes(0, 1)


def solved(field, theta, times, tolerance=1e-11):
    solution = solve_ivp(
        lambda _, y: np.asarray(field(y)),
        times[[0, -1]],
        theta,
        method="LSODA",
        t_eval=times,
        rtol=tolerance,
        atol=tolerance,
    )
    return solution.y.T


def test_family_of_all_interactions_follows_the_master_equation():
    names = ["b.A", "J.A.A", "A(0) A(2)", "K.A.A.A", "A(0) A(1) A(3)", "A(0) A(1) A(2) A(3)"]
    more = [
        "A(0) A(3)", "A(0) A(2) A(4)", "A(0) A(1) A(2) A(4)", "A(0) A(1) A(3) A(4)",
        "A(0) A(1) A(2) A(3) A(4)", "A(0) A(1) A(2) A(3) A(4) A(5)",
    ]  # fmt: skip
    model = LatticeModel.from_names(Lattice((6,)), ("A",), [*names, *more])
    theta = np.random.default_rng(2).uniform(-1, 1, len(model.terms))
    times = np.linspace(0, 3, 7)
    field = entropic_matching(model, ANNIHILATION, hop_rate=1.0)
    path = solved(jax.jit(field.__call__), theta, times)
    found = jax.vmap(Enumeration(model).probabilities)(jnp.asarray(path))
    (exact,) = evolved(model, ANNIHILATION, theta[None], times)
    np.testing.assert_allclose(found, exact, atol=1e-8)


def test_larger_families_on_a_ring_are_nearer_to_the_master_equation():
    """Root mean square error of the density, mean over the times, of 50 initial conditions."""
    lattice, times = Lattice((8,)), np.linspace(0, 3, 31)
    start = np.random.default_rng(0).uniform(-1, 1, (50, 3))
    full = LatticeModel.from_names(lattice, ("A",), CHAIN)
    exact = evolved(full, ANNIHILATION, start, times)
    density = exact @ np.mean(Enumeration(full).states[0], axis=1)
    limits = {CHAIN[:1]: 0.018, CHAIN: 0.0035, (*CHAIN, "A(0) A(2)"): 0.0008}
    errors = []
    for names, limit in limits.items():
        model = LatticeModel.from_names(lattice, ("A",), names)
        first = np.log(density[:, :1] / (1 - density[:, :1]))
        if len(names) > 1:
            first = np.pad(start, ((0, 0), (0, len(names) - 3)))
        field = jax.jit(entropic_matching(model, ANNIHILATION, hop_rate=1.0).__call__)
        path = np.array([solved(field, theta, times, 1e-6) for theta in first])
        found = TransferMatrix(model).batch_moments(path.reshape(-1, len(names)))
        off = found[:, 0].reshape(density.shape) - density
        errors.append(np.sqrt(np.mean(off**2, axis=0)).mean())
        assert errors[-1] <= limit
    assert errors == sorted(errors, reverse=True)


def test_derivative_by_the_rate_constants():
    model = LatticeModel.from_names(Lattice((8,)), ("A",), CHAIN)
    field = entropic_matching(model, ANNIHILATION, hop_rate=0.7)
    assert field.drift.rate_names == ("D", "k1")
    theta = jnp.array([0.2, 0.4, -0.3])
    slow = entropic_matching(model, ReactionNetwork.parse("A + A -> 0 ; k = 1e-30"), hop_rate=0.7)
    reaction = np.asarray(eqx.filter_jit(field)(theta)) - np.asarray(eqx.filter_jit(slow)(theta))
    by_rates = jax.jit(jax.jacrev(lambda rates: _with_rates(field, rates)(theta)))(field.rates)
    np.testing.assert_allclose(by_rates[:, 1], reaction, rtol=1e-9)


def _with_rates(field, rates):
    return type(field)(field.coefficients, field.drift, field.solution, rates)


def test_sampled_field_agrees_with_the_exact_one():
    """Mean over 40 seeds within 4.5 standard errors: 1 in 10^4 for 3 entries of Student's t.

    The bias of a quotient of means over 1000 chains is of order 1 / 1000, below one of them.
    """
    model = LatticeModel.from_names(Lattice((30,)), ("A",), CHAIN)
    theta = jnp.array([-0.4, 0.3, -0.2])
    exact = eqx.filter_jit(entropic_matching(model, ANNIHILATION, hop_rate=0.7))(theta)
    options = {"hop_rate": 0.7, "n_chains": 1000, "n_records": 1}
    found = np.array(
        [
            sampled_entropic_matching(model, ANNIHILATION, seed=seed, **options)(theta)
            for seed in range(40)
        ]
    )
    error = found.std(axis=0, ddof=1) / np.sqrt(len(found))
    assert np.all(np.abs(found.mean(axis=0) - exact) < 4.5 * error)


def test_sampled_field_is_the_same_in_every_call_and_in_batches():
    model = LatticeModel.from_names(Lattice((4, 4)), ("A", "B"), ["b.A", "b.B", "J.A.B"])
    field = sampled_entropic_matching(model, EVERYTHING, hop_rate=1.0, n_chains=20, n_records=2)
    theta = jnp.array([[0.1, -0.2, 0.3], [-0.5, 0.0, 0.2]])
    together = jax.jit(jax.vmap(field))(theta)
    np.testing.assert_allclose(together, [field(row) for row in theta], rtol=1e-12)
    path = integrate(field, theta, np.array([0.0, 0.05, 0.1]), method="heun")
    assert np.all(np.isfinite(path))


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (LatticeModel.from_names(Lattice((6,), "closed"), ("A",), CHAIN), "periodic lattice"),
        (LatticeModel.from_names(Lattice((6,)), ("B",), ["b.B"]), "species of the network, A"),
        (
            LatticeModel.from_names(
                Lattice((6,)), ("A",), ["b.A", "W.A.X"], [Layer(("X",), ((0,), (1,)))]
            ),
            "no hidden layers",
        ),
        (LatticeModel.from_names(Lattice((6,)), ("A",), ["b.A"]).with_free(["b.A"]), "one place"),
        (LatticeModel.from_names(Lattice((6, 6)), ("A",), ["b.A"]), "use sampled moments"),
    ],
)
def test_models_without_an_exact_field_are_refused(model, message):
    with pytest.raises(ValueError, match=message):
        entropic_matching(model, ANNIHILATION, hop_rate=1.0)


@pytest.mark.parametrize("numbers", [{"n_chains": 0}, {"n_chains": 2, "n_records": 2}])
def test_too_few_samples_are_refused(numbers):
    model = LatticeModel.from_names(Lattice((6,)), ("A",), CHAIN)
    with pytest.raises(ValueError, match="sampled_entropic_matching"):
        sampled_entropic_matching(model, ANNIHILATION, hop_rate=1.0, **numbers)
