"""Snapshots fitted by chains, and moments as functions fitted to them, beside exact ones."""

import dataclasses

import numpy as np
import pytest

from dynboltz.distributions import (
    ClampedStatistics,
    LatticeModel,
    Layer,
    TransferMatrix,
    sample_chain,
)
from dynboltz.lattices import Lattice, Term, neighbour_moments
from dynboltz.laws import (
    coefficient_chart,
    emulate,
    fit_snapshots,
    fit_snapshots_sampled,
    law_dataset,
    learn_law,
    load_law,
    nothing_known,
    predict_coefficients,
)
from dynboltz.sampling import GibbsSampler

RING = Lattice((40,))
HIDDEN = LatticeModel.from_names(
    RING, ["A", "B"], ["b.A", "b.B", "W.A.X", "W.B.X", "b.X"], [Layer(("X",), ((0,), (1,)))]
)
CHART = coefficient_chart(HIDDEN, neighbour_moments(["A", "B"], 1, 3), n_replicas=1000)
PATH = np.linspace([0.3, -0.5, -0.6, -0.9, 0.1], [-0.4, 0.2, -1.4, -0.5, -0.1], 7)


@pytest.fixture(scope="module")
def emulated():
    solution = TransferMatrix(HIDDEN)
    visible = np.array([sample_chain(solution, t, 32, seed=i) for i, t in enumerate(PATH)])
    return emulate(CHART, PATH, visible, n_samples=100, seed=3)


def test_emulated_moments_and_biases_are_the_exact_ones(emulated):
    # Between the points, and a tenth away from them in the other coefficients.
    between = (PATH[1:] + PATH[:-1]) / 2 + [0.0, 0.1, 0.1, -0.1, 0.05]
    z = CHART.from_coefficients(between)
    exact, found = CHART.batch_moments(z), emulated.batch_moments(z)
    # 3200 samples of 40 sites at each point, and seven points share what they know: half a per
    # cent for pairs, and more for rare triples.
    order = np.array([sum(len(p) for p in term.products[:1]) for term in CHART.terms])
    np.testing.assert_allclose(found[:, order == 1], exact[:, order == 1], rtol=1e-5)
    np.testing.assert_allclose(found[:, order == 2], exact[:, order == 2], rtol=0.02)
    np.testing.assert_allclose(found[:, order == 3], exact[:, order == 3], rtol=0.05)
    biases = emulated.batch_coefficients(z)[:, :2]
    np.testing.assert_allclose(biases, between[:, :2], atol=0.02)
    assert np.abs(exact / CHART.batch_moments(CHART.from_coefficients(PATH[:6])) - 1).max() > 0.1


def test_emulated_slopes_are_the_exact_ones(emulated):
    z = CHART.from_coefficients(PATH[2:5])
    exact, found = CHART.batch_derivatives(z), emulated.batch_derivatives(z)
    # Slopes are covariances over the samples, of which seven points each have 3200.
    np.testing.assert_allclose(found, exact, atol=0.04 * np.abs(exact).max())


def test_sampled_fits_are_those_of_exact_moments():
    model = LatticeModel.from_names(RING, ["A"], ["b.A", "J.A.A"])
    chart = coefficient_chart(model, neighbour_moments(["A"], 1, 2), n_replicas=60)
    path = np.linspace([0.2, 0.8], [-0.5, -0.6], 6)
    solution, clamped = TransferMatrix(model), ClampedStatistics(model)
    states = np.array([sample_chain(solution, t, 60, seed=i) for i, t in enumerate(path)])
    states = states.swapaxes(0, 1)
    summaries = clamped.summarise(states.reshape(-1, 40)).reshape(60, 6, -1)
    (exact,) = fit_snapshots(chart, [summaries])
    (sampled,) = fit_snapshots_sampled(chart, [states], n_chains=64, seed=2)
    # Standard errors of the data are 0.06 for J; those of 64 chains over 80 steps a quarter.
    np.testing.assert_allclose(sampled.theta, exact.theta, atol=0.06)
    scatter = exact.coordinates.std(axis=0), sampled.coordinates.std(axis=0)
    np.testing.assert_allclose(scatter[1][:, 0], scatter[0][:, 0], rtol=1e-6)
    assert np.all(scatter[1][:, 1] > 0.7 * scatter[0][:, 1])  # plus the noise of the chains
    assert np.all(scatter[1][:, 1] < 2.0 * scatter[0][:, 1])


@pytest.fixture(scope="module")
def deep():
    """A plane of decaying particles in a model with two hidden layers."""
    corner = ((0, 0), (0, 1), (1, 0), (1, 1))
    layers = [Layer(("X",), corner), Layer(("U",), corner)]
    names = ["b.A", "W.A.X", "b.X", "W.X.U", "b.U"]
    model = LatticeModel.from_names(Lattice((6, 6)), ["A"], names, layers)
    times, rng = np.linspace(0, 1, 6), np.random.default_rng(4)
    states = []
    for density in (0.8, 0.5):
        lifetimes = rng.exponential(size=(30, 1, 36))
        states.append(((rng.random((30, 1, 36)) < density) & (lifetimes > times[:, None])) * 1)
    chart = coefficient_chart(model, neighbour_moments(["A"], 2, 2), n_replicas=30)
    return chart, times, states, fit_snapshots_sampled(chart, states, n_chains=16)


def test_laws_of_deep_models_predict_and_are_stored(deep):
    chart, times, states, fitted = deep
    theta = np.concatenate([one.theta[::2] for one in fitted])
    visible = np.concatenate([s[:16, ::2].swapaxes(0, 1) for s in states])
    chart = emulate(chart, theta, visible, n_samples=20)
    replicas = [one.coordinates for one in fitted]
    learned = learn_law(chart, nothing_known(chart), times, replicas)
    start = np.array([r.mean(axis=0)[0] for r in replicas])
    start[:, 0] = 0.65, 0.55
    found = learned.predict(start, bands=True)
    density = start[:, :1] * np.exp(-times)
    # Two starts of 30 states of 36 sites: standard errors of 0.015.
    np.testing.assert_allclose(found.moments[..., 0], density, atol=0.05)
    again = load_law(law_dataset(learned))
    np.testing.assert_array_equal(again.predict(start, bands=True).error, found.error)
    coefficients = predict_coefficients(again, start)
    sampler = GibbsSampler(chart.model)
    assert coefficients.shape == (2, 6, 5)
    assert sampler.model.coefficients == chart.model.coefficients


def test_what_cannot_be_emulated_or_fitted_is_refused():
    visible = np.zeros((7, 8, 40), dtype=np.uint8)
    two = Term("A.A and B", (*CHART.terms[0].products, *CHART.terms[2].products))
    odd = dataclasses.replace(CHART, terms=(two,))
    with pytest.raises(ValueError, match=r"'A\.A and B' must count one combination"):
        emulate(odd, PATH, visible)
    with pytest.raises(ValueError, match=r"`visible\.shape\[1\]` must be at least 8, got 4"):
        emulate(CHART, PATH, visible[:, :4])
    with pytest.raises(ValueError, match=r"`len\(theta\)` must be at least 2, got 1"):
        emulate(CHART, PATH[:1], visible[:1])
    with pytest.raises(ValueError, match="`n_chains` must be at least 2, got 1"):
        fit_snapshots_sampled(CHART, [visible], n_chains=1)
    with pytest.raises(ValueError, match=r"`reference` names 'b\.A'"):
        fit_snapshots_sampled(CHART, [visible], reference={"b.A": 0.0})
    with pytest.raises(ValueError, match=r"`strength` must be one of .*got 'W\.A\.Z'"):
        fit_snapshots_sampled(CHART, [visible], strength={"W.A.Z": 0.1})
