"""Moment estimates against enumeration and another sampler; diagnostics against closed forms."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from thrml import Block, SamplingSchedule, SpinNode, sample_states
from thrml.block_sampling import SuperBlock
from thrml.models import IsingEBM, IsingSamplingProgram
from thrml.pgm import AbstractNode

from dynboltz.distributions import Enumeration, LatticeModel, Layer
from dynboltz.lattices import Lattice, run_term
from dynboltz.sampling import ConvergenceWarning, GibbsSampler, estimate_moments
from dynboltz.sampling._diagnostics import effective_sample_size, split_r_hat

LATTICE = Lattice((3, 4), "closed")
ISING = LatticeModel.from_names(LATTICE, ["A"], ["b.A", "J.A.A"])
THETA = np.array([-0.9, 0.8])
HIDDEN = LatticeModel.from_names(
    Lattice((6,)), ["A"], ["b.A", "W.A.X", "b.X"], [Layer(("X",), ((0,), (1,)))]
)


def within_four_errors(mean, error, expected) -> bool:
    return bool(np.all(np.abs(np.asarray(mean) - np.asarray(expected)) < 4 * np.asarray(error)))


def test_estimates_match_enumeration_with_observables():
    theta = np.array([-0.5, 1.0, -0.7])
    triple = run_term("A.A.A", ["A"] * 3, 1)
    estimate = estimate_moments(
        GibbsSampler(HIDDEN), theta, n_chains=8, n_samples=2000, burn_in=50, seed=3,
        observables=[triple],
    )  # fmt: skip
    assert estimate.names == ("b.A", "W.A.X", "b.X", "A.A.A")
    assert estimate.converged
    exact = Enumeration(HIDDEN.with_terms([triple])).moments(np.append(theta, 0.0))
    # Errors from the effective sample size; 4 of them fail for one moment and seed in 16 000.
    assert within_four_errors(estimate.mean, estimate.standard_error, exact)


def test_standard_errors_are_as_large_as_the_errors():
    exact = np.asarray(Enumeration(ISING).moments(THETA))
    sampler = GibbsSampler(ISING)
    z_scores = []
    for seed in range(40):
        estimate = estimate_moments(
            sampler, THETA, n_chains=4, n_samples=1000, burn_in=50, seed=seed
        )
        z_scores.append((estimate.mean[0] - exact[0]) / estimate.standard_error[0])
    # 40 standard normals: their mean square has the standard error 0.22; four of these.
    assert abs(np.mean(np.square(z_scores)) - 1) < 4 * np.sqrt(2 / 40)


def thrml_states(n_chains: int, n_samples: int) -> np.ndarray:
    """States of the Ising model from thrml, which holds spins s = 2 n - 1 with exp(b s + J s s)."""
    neighbours = LATTICE.neighbours()
    nodes: list[AbstractNode] = [SpinNode() for _ in range(LATTICE.n_sites)]
    bonds = [(a, b) for a in range(LATTICE.n_sites) for b in neighbours[a] if b > a]
    degree = (neighbours >= 0).sum(axis=1)
    biases = THETA[0] / 2 + degree * THETA[1] / 4
    colour = np.indices(LATTICE.shape).sum(axis=0).ravel() % 2
    blocks: list[SuperBlock] = [
        Block([nodes[i] for i in np.flatnonzero(colour == c)]) for c in (0, 1)
    ]
    energy = IsingEBM(
        nodes,
        [(nodes[a], nodes[b]) for a, b in bonds],
        jnp.asarray(biases),
        jnp.full(len(bonds), THETA[1] / 4),
        jnp.asarray(1.0),
    )
    program = IsingSamplingProgram(energy, blocks, [])
    schedule = SamplingSchedule(n_warmup=50, n_samples=n_samples, steps_per_sample=2)
    start = [jnp.zeros(np.sum(colour == c), dtype=bool) for c in (0, 1)]

    def one_chain(key):
        return sample_states(key, program, schedule, start, [], [Block(nodes)])[0]

    keys = jax.random.split(jax.random.key(17), n_chains)
    return np.asarray(jax.jit(jax.vmap(one_chain))(keys)).astype(np.uint8)


def test_estimates_match_thrml():
    with jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"):
        states = thrml_states(n_chains=64, n_samples=200)
    per_chain = ISING.statistics(states.reshape(1, -1, LATTICE.n_sites)).reshape(64, 200, 2).mean(1)
    error = per_chain.std(axis=0, ddof=1) / np.sqrt(64)
    estimate = estimate_moments(
        GibbsSampler(ISING), THETA, n_chains=8, n_samples=2000, burn_in=50, seed=4
    )
    # Both are sampled; 4 standard errors of the difference.
    both = np.hypot(error, estimate.standard_error)
    assert within_four_errors(estimate.mean, both, per_chain.mean(axis=0))
    assert np.all(both < 0.01)


def test_chains_stuck_in_different_modes_are_reported():
    # Without a field the full and the empty lattice are equally likely, and far apart.
    model = LatticeModel.from_names(Lattice((8, 8)), ["A"], ["b.A", "J.A.A"])
    with pytest.warns(ConvergenceWarning, match=r"not converged in b\.A.*largest R-hat is"):
        estimate = estimate_moments(
            GibbsSampler(model),
            np.array([-6.0, 3.0]),
            n_chains=8,
            n_samples=300,
            burn_in=50,
            seed=0,
        )
    assert not estimate.converged
    assert estimate.r_hat[0] > 1.5


def test_too_few_samples_are_reported():
    with pytest.warns(ConvergenceWarning, match="smallest effective sample size"):
        estimate = estimate_moments(
            GibbsSampler(ISING), THETA, n_chains=4, n_samples=20, burn_in=50, seed=0
        )
    assert not estimate.converged


def test_chains_start_from_given_states():
    start = np.ones((4, 12), dtype=np.uint8)
    frozen = np.array([500.0, 0.0])
    estimate = estimate_moments(
        GibbsSampler(ISING), frozen, n_chains=4, n_samples=200, burn_in=0, seed=0, start=start
    )
    # A moment that never changes has no error; rounding of a mean of 800 values.
    np.testing.assert_allclose(estimate.mean, [1.0, 17 / 12], rtol=1e-13)
    np.testing.assert_allclose(estimate.standard_error, 0, atol=1e-14)
    np.testing.assert_array_equal(estimate.r_hat, 1)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"n_chains": 1}, "`n_chains` must be at least 2, got 1"),
        ({"n_samples": 3}, "`n_samples` must be at least 4, got 3"),
        ({"thin": 0}, "`thin` must be at least 1, got 0"),
        ({"burn_in": -1}, "`n_sweeps` must not be negative"),
        ({"start": np.zeros((3, 12), np.uint8)}, "one visible state for each of 4 chains, got 3"),
        ({"theta": np.zeros(3)}, r"`theta` must have shape \(2,\)"),
        ({"observables": ISING.terms[:1]}, "coefficient b.A is named twice"),
    ],
)
def test_bad_input_is_explained(change, message):
    good = {"theta": THETA, "n_chains": 4, "n_samples": 10, "burn_in": 1, "seed": 0}
    with pytest.raises(ValueError, match=message):
        estimate_moments(GibbsSampler(ISING), **(good | change))


def autoregressive(correlation: float, shape: tuple[int, int]) -> np.ndarray:
    noise = np.random.default_rng(9).normal(size=shape)
    values = np.empty(shape)
    values[:, 0] = noise[:, 0] / np.sqrt(1 - correlation**2)
    for t in range(1, shape[1]):
        values[:, t] = correlation * values[:, t - 1] + noise[:, t]
    return values[:, :, None]


@pytest.mark.parametrize("correlation", [0.0, 0.5, 0.9])
def test_effective_sample_size_of_an_autoregressive_process(correlation):
    size = effective_sample_size(autoregressive(correlation, (8, 5000)))[0]
    expected = 40_000 * (1 - correlation) / (1 + correlation)
    # The integrated autocorrelation time is known to about 6 % from 40 000 values; three of these.
    assert abs(size / expected - 1) < 0.18


def test_r_hat_of_chains_that_agree_and_that_do_not():
    values = autoregressive(0.5, (4, 2000))
    assert split_r_hat(values)[0] < 1.01
    # Shifts far beyond the spread: ranks of four separate groups, which is far above 1.
    assert split_r_hat(values + 50.0 * np.arange(4)[:, None, None])[0] > 2
    # A trend is found because chains are split.
    assert split_r_hat(values + np.linspace(0, 20, 2000)[:, None])[0] > 1.5


def test_moments_that_do_not_move_within_a_chain():
    values = np.zeros((4, 10, 3))
    values[:, :, 1] = np.arange(4)[:, None]
    values[:, :, 2] = np.arange(10) % 2
    np.testing.assert_array_equal(split_r_hat(values)[:2], [1.0, np.inf])
    np.testing.assert_array_equal(effective_sample_size(values)[:2], [40.0, 1.0])
    # Two values, equally frequent: constant once folded, so only the bulk value counts.
    assert np.isfinite(split_r_hat(values)[2])
