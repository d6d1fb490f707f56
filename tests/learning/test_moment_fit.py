"""Coefficients of given moments: closed forms, exact chains, Onsager's plane."""

import numpy as np
import pytest
from scipy.special import ellipk

from dynboltz.distributions import LatticeModel, Layer, TransferMatrix
from dynboltz.lattices import Lattice
from dynboltz.learning import fit_moments


def test_independent_sites_have_the_logit_of_their_density():
    model = LatticeModel.from_names(Lattice((50,)), ["A"], ["b.A"])
    density = np.array([0.02, 0.3, 0.5, 0.97])
    fits = fit_moments(model, density[None, :, None], np.zeros((1, 4, 1)))
    # Newton ends where a step promises less than 1e-11 of the likelihood.
    np.testing.assert_allclose(
        fits.theta[0, :, 0], np.log(density / (1 - density)), rtol=1e-7, atol=1e-7
    )
    assert not fits.error.any()


@pytest.mark.parametrize(
    ("lattice", "species", "names"),
    [
        (Lattice((60,)), ["A"], ["b.A", "J.A.A"]),
        (Lattice((30,), "closed"), ["A"], ["b.A", "J.A.A", "K.A.A.A"]),
        (Lattice((40,)), ["A", "B"], ["b.A", "b.B", "J.A.A", "J.A.B", "J.B.B"]),
    ],
)
def test_moments_of_chains_come_back(lattice, species, names):
    """Coefficients, their moments by the transfer matrix, coefficients again."""
    model = LatticeModel.from_names(lattice, species, names)
    solution = TransferMatrix(model)
    theta = np.random.default_rng(3).normal(size=(2, 5, len(names)))
    moments = solution.batch_moments(theta.reshape(-1, len(names))).reshape(theta.shape)
    fits = fit_moments(model, moments, np.zeros_like(theta))
    again = solution.batch_moments(fits.theta.reshape(-1, len(names))).reshape(theta.shape)
    np.testing.assert_allclose(again, moments, atol=1e-8)
    # Coefficients that moments hardly depend on are known less well.
    np.testing.assert_allclose(fits.theta, theta, atol=1e-4)
    np.testing.assert_allclose(fits.difference, again - moments, atol=1e-9)


def onsager_pairs(coupling):
    """Mean product of neighbouring spins of the infinite square lattice (Onsager 1944)."""
    k = 2 * np.sinh(2 * coupling) / np.cosh(2 * coupling) ** 2
    bracket = 1 + 2 / np.pi * (2 * np.tanh(2 * coupling) ** 2 - 1) * ellipk(k**2)
    return bracket / np.tanh(2 * coupling) / 2


def test_planes_are_fitted_by_chains():
    """Independent sites, then couplings that grow: K = 0.15, far below the critical 0.44.

    Spins s = 2 n - 1 with the energy -K s s' have the coefficients b = -8 K and J = 4 K. Bounds are
    4.5 standard errors, as often exceeded as 7 in a million for each of eight numbers; standard
    errors come from 64 chains, which adds less than 1 in 10000.
    """
    couplings = np.array([0.0, 0.15])
    pairs = [0.0, *map(onsager_pairs, couplings[1:])]
    dilute = [0.2, 2 * 0.2**2]
    moments = np.array([[0.5, 2 * (1 + pair) / 4] for pair in pairs])
    paths = np.array([moments, np.tile(dilute, (2, 1))])
    expected = np.array(
        [np.stack([-8 * couplings, 4 * couplings], axis=1), [[np.log(0.25), 0.0]] * 2]
    )
    model = LatticeModel.from_names(Lattice((16, 16)), ["A"], ["b.A", "J.A.A"])
    fits = fit_moments(model, paths, np.zeros_like(paths), seed=5)
    assert np.all(np.abs(fits.theta - expected) < 4.5 * fits.error)
    assert np.all(np.abs(fits.difference) < 4.5 * fits.noise)
    assert np.all(fits.error < 0.03)
    # The metric of independent sites: the density has the variance 0.16, and a bond alone 0.2^2
    # 0.8^2; half of 125 steps of 64 chains of 256 sites, if they were independent.
    assert np.all(fits.error[1, 0] > 0.5 * np.sqrt(1 / (2 * 0.16**2) / (64 * 63 * 256)))


def test_what_is_not_possible_stays():
    """More pairs than particles: nothing infinite, and the difference tells."""
    model = LatticeModel.from_names(Lattice((20,)), ["A"], ["b.A", "J.A.A"])
    fits = fit_moments(model, np.array([[[0.3, 0.4]]]), np.zeros((1, 1, 2)))
    assert np.isfinite(fits.theta).all()
    assert np.abs(fits.difference).max() > 0.05


def test_fits_of_moments_refuse():
    hidden = LatticeModel.from_names(
        Lattice((10,)), ["A"], ["b.A", "W.A.X"], hidden=[Layer(("X",), ((0,),))]
    )
    with pytest.raises(ValueError, match="`model` must be visible"):
        fit_moments(hidden, np.ones((1, 1, 2)), np.ones((1, 1, 2)))
    model = LatticeModel.from_names(Lattice((10,)), ["A"], ["b.A"])
    with pytest.raises(ValueError, match="`moments` must be finite, got nan at path 0, time 1"):
        fit_moments(model, np.array([[[0.1], [np.nan]]]), np.zeros((1, 2, 1)))
