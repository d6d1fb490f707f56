"""Chains spread over devices, in a process of its own in which the CPU counts as four of them."""

import os
import subprocess
import sys

import jax
import numpy as np
import pytest

from dynboltz.distributions import Enumeration, LatticeModel, Layer
from dynboltz.lattices import Lattice
from dynboltz.sampling import JaxGibbsSampler, start_random

N_CHAINS, N_SWEEPS, N_DEVICES = 20_000, 15, 4
MODEL = LatticeModel.from_names(
    Lattice((4,)), ["A", "B"], ["b.A", "J.A.B", "W.B.X"], [Layer(("X",), ((0,), (1,)))]
)
THETA = np.array([0.4, -0.6, 0.7])


def sampled(devices=()):
    states = start_random(MODEL, N_CHAINS, seed=1).states
    sampler = JaxGibbsSampler(MODEL, devices=devices)
    return sampler.sweep(states, THETA, key=jax.random.key(7), n_sweeps=N_SWEEPS)


@pytest.fixture(scope="module")
def spread(tmp_path_factory):
    """States that four devices drew."""
    path = tmp_path_factory.mktemp("sharded") / "states.npy"
    flags = f"--xla_force_host_platform_device_count={N_DEVICES}"
    environment = os.environ | {"XLA_FLAGS": flags, "JAX_PLATFORMS": "cpu"}
    subprocess.run([sys.executable, __file__, path], env=environment, check=True)
    return np.load(path)


def test_the_states_are_those_of_one_device(spread):
    np.testing.assert_array_equal(spread, np.asarray(sampled()))


def test_moments_are_the_enumerated_ones(spread):
    # 3 means of independent chains, each within 4 standard errors: fails once in 5000 seeds.
    exact = np.asarray(Enumeration(MODEL).moments(THETA))
    values = MODEL.statistics(spread)
    errors = values.std(axis=0) / np.sqrt(N_CHAINS)
    np.testing.assert_array_less(np.abs(values.mean(axis=0) - exact), 4 * errors)


def test_chains_must_be_a_multiple_of_the_devices():
    sampler = JaxGibbsSampler(MODEL, devices=jax.devices()[:1] * 3)
    states = start_random(MODEL, 4, seed=1).states
    with pytest.raises(ValueError, match="4 chains cannot be spread evenly over 3 devices"):
        sampler.sweep(states, THETA, key=jax.random.key(7))


if __name__ == "__main__":
    assert jax.device_count() == N_DEVICES
    states = sampled(jax.devices())
    assert len(states.sharding.device_set) == N_DEVICES
    assert {shard.data.shape[1] for shard in states.addressable_shards} == {N_CHAINS // N_DEVICES}
    np.save(sys.argv[1], np.asarray(states))
