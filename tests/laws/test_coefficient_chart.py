"""Boltzmann machines in coordinates of densities and coefficients, and laws of their motion."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from dynboltz.distributions import (
    ClampedStatistics,
    Enumeration,
    LatticeModel,
    Layer,
    TransferMatrix,
    sample_chain,
)
from dynboltz.lattices import Lattice, neighbour_moments
from dynboltz.laws import (
    coefficient_chart,
    fit_snapshots,
    law_dataset,
    learn_law,
    load_law,
    moment_chart,
    nothing_known,
    predict_coefficients,
)
from dynboltz.learning import natural_gradient_fit

PAIR = Layer(("X",), ((0,), (1,)))
TWO = Layer(("X", "Y"), ((0,), (1,)))
MODELS = {
    "visible": (("A",), ["J.A.A", "b.A", "K.A.A.A"], [], 8),
    "two species": (("A", "B"), ["b.A", "J.A.B", "b.B", "J.A.A"], [], 6),
    "hidden": (("A",), ["b.A", "J.A.A", "W.A.X", "b.X"], [PAIR], 7),
    "two hidden": (("A", "B"), ["b.X", "b.A", "W.A.X", "W.B.Y", "b.B", "b.Y"], [TWO], 4),
}


def model_of(kind, boundary):
    species, names, hidden, n_sites = MODELS[kind]
    model = LatticeModel.from_names(Lattice((n_sites,), boundary), species, names, hidden)
    theta = np.random.default_rng(len(kind)).uniform(-1.2, 1.2, (2, len(names)))
    return model, theta


@pytest.mark.parametrize(
    ("kind", "boundary"),
    [
        ("visible", "closed"),
        ("two species", "periodic"),
        ("hidden", "periodic"),
        ("two hidden", "closed"),
    ],
)
def test_coordinates_lead_back_to_coefficients_and_to_the_moments_of_enumeration(kind, boundary):
    model, theta = model_of(kind, boundary)
    terms = neighbour_moments(model.species[0], 1, 3)
    chart = coefficient_chart(model, terms)
    z = chart.from_coefficients(theta)
    assert z.shape == theta.shape
    # Newton's method ends at rounding errors, divided by the slope of densities, at least 0.02.
    np.testing.assert_allclose(chart.batch_coefficients(z), theta, rtol=0, atol=1e-10)
    observed = model.with_terms([t.__class__("m" + t.name, t.products) for t in terms])
    wide = np.concatenate([theta, np.zeros((2, len(terms)))], axis=1)
    exact = jax.jit(jax.vmap(Enumeration(observed).moments))(wide)[:, theta.shape[1] :]
    np.testing.assert_allclose(chart.batch_moments(z), exact, rtol=0, atol=1e-11)
    assert chart.coordinates[: len(model.species[0])] == model.species[0]


def test_derivatives_are_those_of_finite_differences():
    model, theta = model_of("hidden", "closed")
    chart = coefficient_chart(model, neighbour_moments(model.species[0], 1, 2))
    z = chart.from_coefficients(theta)[0]
    h = 1e-5
    steps = h * np.eye(len(z))
    for function, derivative in (
        (chart.batch_moments, chart.batch_derivatives(z[None])[0]),
        (chart.batch_coefficients, np.asarray(jax.jit(jax.jacfwd(chart.coefficients))(z))),
    ):
        expected = (function(z + steps) - function(z - steps)) / (2 * h)
        # Second differences of smooth functions: errors of order h^2, and 1e-16 / h of rounding.
        np.testing.assert_allclose(derivative, expected.T, atol=1e-7)


def test_strong_couplings_and_rare_particles_are_solved():
    lattice = Lattice((300,), "periodic")
    model = LatticeModel.from_names(lattice, ["A"], ["b.A", "J.A.A"])
    chart = coefficient_chart(model, neighbour_moments(["A"], 1, 2), n_replicas=10)
    z = np.array([[1e-3, 3.0], [0.5, 4.0], [0.999, -2.0], [0.3, -8.0], [0.0, 0.5]])
    theta = chart.batch_coefficients(z)
    densities = TransferMatrix(model).batch_moments(theta)[:, 0]
    # What is absent counts as half a particle in all replicas.
    np.testing.assert_allclose(densities, [*z[:4, 0], 0.5 / 3000], rtol=1e-9)


def test_replicas_scatter_as_fits_to_data_that_lean_towards_them(monkeypatch):
    monkeypatch.setattr("dynboltz.laws._snapshots.LOOSE", 0.0)
    lattice = Lattice((60,), "closed")
    model = LatticeModel.from_names(
        lattice, ["A"], ["b.A", "J.A.A", "W.A.X", "b.X"], [Layer(("X",), ((0,), (1,), (2,)))]
    )
    solution, clamped = TransferMatrix(model), ClampedStatistics(model)
    states = sample_chain(solution, np.array([0.2, -0.5, 1.0, -1.0]), 12, seed=3)
    summaries = clamped.summarise(states)
    chart = coefficient_chart(model, neighbour_moments(["A"], 1, 2), n_replicas=12)
    (found,) = fit_snapshots(chart, [summaries[:, None]])
    np.testing.assert_allclose(
        found.coordinates.mean(axis=0)[:, 1:], found.theta[:, 1:], atol=1e-12
    )
    np.testing.assert_allclose(found.coordinates[:, 0, 0], (states > 0).mean(axis=1), atol=1e-12)
    # The prior of the fit, as total precision over 720 sites.
    prior = np.array([0.0, 1.0, 0.14**-2, 0.14**-2]) / 720 + 1e-9
    center, mean, share = np.array([0.0, 0.0, -1.0, 0.0]), summaries.mean(axis=0), 1e-3

    @jax.jit
    @jax.vmap
    def fit(summary):
        prior_strength = jnp.asarray(prior)
        return natural_gradient_fit(solution, clamped, summary, center, prior_strength, 200).theta

    lean = share * (summaries[4] - mean)
    one, two = np.asarray(fit(jnp.asarray([mean + lean, mean - lean])))
    slope = (one - two) / (2 * share)
    scatter = found.coordinates[4, 0] - found.coordinates[:, 0].mean(axis=0)
    # The fits end where a step promises 1e-11, which moves loose coefficients by some 1e-4 of what
    # is compared.
    np.testing.assert_allclose(scatter[1:], slope[1:], rtol=5e-3, atol=1e-4)


TIMES = np.linspace(0, 1.2, 13)
DECAY = LatticeModel.from_names(Lattice((100,)), ["A"], ["b.A", "J.A.A"])
CHART = coefficient_chart(DECAY, neighbour_moments(["A"], 1, 2), n_replicas=40)
STARTS = (0.9, 0.75, 0.6, 0.45, 0.3)


def decaying_states(density, seed):
    """Particles at independent sites that vanish at rate 1, each by itself."""
    rng = np.random.default_rng(seed)
    lifetimes = rng.exponential(size=(40, 1, 100))
    occupied = rng.random((40, 1, 100)) < density
    return (occupied & (lifetimes > TIMES[:, None])).astype(np.uint8)


@pytest.fixture(scope="module")
def learned():
    clamped = ClampedStatistics(DECAY)
    summaries = [
        clamped.summarise(decaying_states(d, i).reshape(-1, 100)).reshape(40, len(TIMES), -1)
        for i, d in enumerate(STARTS)
    ]
    fitted = fit_snapshots(CHART, summaries)
    starts = np.array([[density, 0.0] for density in STARTS])
    replicas = [one.coordinates for one in fitted]
    return learn_law(CHART, nothing_known(CHART), TIMES, replicas, starts=starts)


def test_independent_decay_is_found_at_starts_that_were_not_shown(learned):
    new = np.array([0.8, 0.5, 0.35])
    start = np.stack([new, np.zeros(3)], axis=1)
    density = new[:, None] * np.exp(-TIMES)
    found = learned.predict(start, bands=True)
    noise = np.sqrt(density * (1 - density) / 4000)
    error = found.moments[..., 0] - density
    # Errors of a law are shared by all times; five starts determine it better than one start is
    # known.
    assert np.sqrt(np.mean((error / noise) ** 2)) < 1
    pairs = found.moments[..., 1] - density**2
    assert np.sqrt(np.mean(pairs**2)) < 2 * np.sqrt(np.mean((2 * density * noise) ** 2))
    theta = predict_coefficients(learned, start)
    assert theta.shape == (3, len(TIMES), 2)
    np.testing.assert_allclose(theta[..., 0], np.log(density / (1 - density)), atol=0.12)
    np.testing.assert_allclose(theta[..., 1], 0, atol=0.12)
    assert np.all(found.is_known)
    assert 0.85 < learned.training_error < 1.15
    z = error[:, 1:] / found.error[:, 1:, 0]
    # Errors at all times are one or two independent ones, and may happen to be far smaller.
    assert np.sqrt(np.mean(z**2)) < 2.5
    assert np.all(found.error[:, 1:, 0] < 3 * noise[:, 1:])


def test_stored_laws_predict_the_same(learned):
    again = load_law(law_dataset(learned))
    start = np.array([[0.6, 0.1]])
    one, two = (law.predict(start, bands=True) for law in (learned, again))
    np.testing.assert_array_equal(one.moments, two.moments)
    np.testing.assert_array_equal(one.error, two.error)
    assert again.chart.model == DECAY
    assert again.chart.coordinates == ("A", "J.A.A")


def test_what_cannot_be_is_refused(learned):
    terms = neighbour_moments(["A"], 1, 2)
    without = LatticeModel.from_names(Lattice((9,)), ["A"], ["J.A.A"])
    with pytest.raises(ValueError, match=r"must have a bias of 'A'.*add `b\.A` to J\.A\.A"):
        coefficient_chart(without, terms)
    with pytest.raises(ValueError, match="one moment or more, got none"):
        coefficient_chart(DECAY, [])
    plane = LatticeModel.from_names(Lattice((4, 4)), ["A"], ["b.A", "J.A.A"])
    chart = coefficient_chart(plane, neighbour_moments(["A"], 2, 2))
    with pytest.raises(ValueError, match=r"no exact solution.*must be a chain"):
        chart.moments(np.array([0.5, 0.1]))
    summaries = [np.full((2, 3, 2), 0.2)]
    with pytest.raises(ValueError, match=r"`reference` names 'b\.A'.*no visible bias: J\.A\.A"):
        fit_snapshots(CHART, summaries, reference={"b.A": 1.0})
    with pytest.raises(ValueError, match=r"must hold moments per site, of b\.A from 0"):
        fit_snapshots(CHART, [np.full((2, 3, 2), 1.2)])
    with pytest.raises(ValueError, match=r"`replicas\[0\]` must have shape .*A, J\.A\.A"):
        learn_law(CHART, nothing_known(CHART), TIMES, [np.full((3, len(TIMES), 4), 0.2)])
    of_moments = moment_chart(terms, DECAY.lattice)
    rng = np.random.default_rng(0)
    moments = [0.3 + 0.01 * rng.normal(size=(3, 4, 2)) for _ in range(2)]
    law = learn_law(of_moments, nothing_known(of_moments), TIMES[:4], moments)
    with pytest.raises(ValueError, match="must be a law of a Boltzmann machine"):
        predict_coefficients(law, np.array([[0.3, 0.1]]))


def test_biases_are_found_where_sites_of_two_species_are_strongly_coupled():
    model = LatticeModel.from_names(
        Lattice((300,), "periodic"), ["A", "B"], ["b.A", "b.B", "J.A.A", "J.A.B", "J.B.B"]
    )
    chart = coefficient_chart(model, neighbour_moments(("A", "B"), 1, 2), n_replicas=40)
    rng = np.random.default_rng(0)
    low, high = np.array([[0.05, 0.01, -1, -2, -1], [0.6, 0.35, 3, 2, 3]])
    z = rng.uniform(low, high, (50, 5))
    theta = chart.batch_coefficients(z)
    densities = TransferMatrix(model).batch_moments(theta)[:, :2]
    np.testing.assert_allclose(densities, z[:, :2], rtol=1e-9)
