"""Fits of coefficients that are free at each place."""

import numpy as np

from dynboltz.distributions import ClampedStatistics, Enumeration, LatticeModel, Layer
from dynboltz.lattices import Lattice
from dynboltz.learning import FitSettings, fit_initial, fit_initial_persistent

VISIBLE = LatticeModel.from_names(Lattice((3,), "closed"), ["A"], ["b.A", "J.A.A"]).with_free(
    ["b.A", "J.A.A"]
)
HIDDEN = LatticeModel.from_names(
    Lattice((3,), "closed"), ["A"], ["b.A", "W.A.X", "b.X"], [Layer(("X",), ((0,), (1,)))]
).with_free(["b.A", "W.A.X"])
START = {name: 0.3 for name in HIDDEN.coefficients if name.startswith("W")}
CHANCES = np.array([0.2, 0.5, 0.7])


def data(n_replicas: int) -> np.ndarray:
    """Sites that are occupied independently of each other, each with its own chance."""
    drawn = np.random.default_rng(4).random((n_replicas, 3)) < CHANCES
    return drawn.astype(np.uint8)


def test_exact_fits_match_all_moments_of_a_visible_model():
    summary = ClampedStatistics(VISIBLE).summarise(data(400)).mean(axis=0)
    solution = Enumeration(VISIBLE)
    (theta,) = fit_initial(VISIBLE, summary[None], FitSettings(steps=30), solution=solution)
    # The prior, of strength 1e-6, holds coefficients back that move by a few units.
    np.testing.assert_allclose(solution.moments(theta), summary, rtol=0, atol=5e-6)


def test_exact_fits_match_the_sites_below_hidden_units():
    clamped, solution = ClampedStatistics(HIDDEN), Enumeration(HIDDEN)
    summary = clamped.summarise(data(400)).mean(axis=0)
    settings = FitSettings(steps=30, start=START)
    (theta,) = fit_initial(HIDDEN, summary[None], settings, solution=solution)
    # Independent sites leave the weights open, so that the fit has not come to its end there.
    np.testing.assert_allclose(solution.moments(theta)[:3], summary[:3], rtol=0, atol=1e-4)


def test_chains_fit_each_site():
    states = data(400)
    settings = FitSettings(steps=30, chains=200, learning_rate=0.3)
    fits = fit_initial_persistent(VISIBLE, states[None], settings, seed=np.random.SeedSequence(1))
    (theta,) = fits.theta
    found = 3 * np.asarray(Enumeration(VISIBLE).moments(theta))[:3]
    # The fit is a mean over 75 steps of 200 chains. If only every third step counted:
    errors = np.sqrt(CHANCES * (1 - CHANCES) / (25 * 200))
    assert np.all(np.abs(found - states.mean(axis=0)) < 4 * errors)
