"""Time of a unit update.

`test_gibbs_sweeps`: 50 chains of 1000 sites, each with its own coefficients, one thread. Divide
the time of a round by 50 chains, 10 sweeps and the number of units of the model.

`test_samplers_side_by_side`: CPU time, summed over all threads, of the compiled kernel on one
thread, of its twin in JAX and of thrml, in turns, for the same model, chains and sweeps. Shown
with `-s`.
"""

import itertools
import time

import jax
import jax.numpy as jnp
import numba
import numpy as np
import pytest

from dynboltz.distributions import LatticeModel, Layer
from dynboltz.lattices import Lattice
from dynboltz.sampling import GibbsSampler, JaxGibbsSampler, advance, start_random

CHAIN, CUBE = Lattice((1000,)), Lattice((10, 10, 10))
CORNERS = tuple(itertools.product((0, 1), repeat=3))
MODELS = {
    "visible chain": LatticeModel.from_names(CHAIN, ["A"], ["b.A", "J.A.A", "K.A.A.A"]),
    "pair units": LatticeModel.from_names(
        CHAIN, ["A"], ["b.A", "W.A.X", "b.X"], [Layer(("X",), ((0,), (1,)))]
    ),
    "two species, three dimensions": LatticeModel.from_names(
        CUBE,
        ["A", "B"],
        ["b.A", "b.B", "J.A.A", "J.A.B", "J.B.B", "W.A.X", "W.B.Y", "b.X", "b.Y"],
        [Layer(("X", "Y"), CORNERS)],
    ),
    "no tables": LatticeModel.from_names(
        CUBE, ["A", "B"], ["b.A", "b.B", "J.A.B", "K.A.A.A", "K.B.B.B"]
    ),
}


@pytest.mark.parametrize("name", MODELS)
def test_gibbs_sweeps(benchmark, name):
    model = MODELS[name]
    sampler = GibbsSampler(model)
    theta = np.random.default_rng(0).normal(0, 0.3, (50, len(model.terms)))
    chains = advance(sampler, start_random(model, 50, seed=1), theta, 1)
    before = numba.get_num_threads()
    numba.set_num_threads(1)
    try:
        after = benchmark(advance, sampler, chains, theta, 10)
    finally:
        numba.set_num_threads(before)
    benchmark.extra_info["unit updates"] = 500 * sum(sampler.block_sizes)
    assert not np.array_equal(after.states, chains.states)


THREE_SPECIES = LatticeModel.from_names(
    CUBE,
    ["A", "B", "C"],
    ["b.A", "b.B", "b.C", "W.A.X", "W.B.Y", "W.C.Z", "b.X", "b.Y", "b.Z"],
    [Layer(("X", "Y", "Z"), CORNERS)],
)
THETA = np.array([-1.0, -1.1, -0.9, 0.8, 0.85, 0.75, -1.0, -0.9, -1.1])
N_CHAINS, N_SWEEPS, N_ROUNDS = 64, 50, 5


def thrml_sampler():
    """A function that sweeps the three species as thrml does, whose categories are our labels."""
    thrml = pytest.importorskip("thrml")
    models = pytest.importorskip("thrml.models")
    biases = np.insert(THETA[[0, 1, 2, 6, 7, 8]].reshape(2, 3), 0, 0.0, axis=1)
    weights = np.diag(np.insert(THETA[3:6], 0, 0.0))
    visible, hidden = ([thrml.CategoricalNode() for _ in range(CUBE.n_sites)] for _ in range(2))
    below = [visible[site] for corner in CORNERS for site in CUBE.translate(corner)]
    blocks = [thrml.Block(hidden), thrml.Block(visible)]
    pairs = [thrml.Block(below), thrml.Block(hidden * len(CORNERS))]
    spread = np.repeat(biases, CUBE.n_sites, axis=0)
    factors = [
        models.CategoricalEBMFactor([thrml.Block(visible + hidden)], jnp.asarray(spread, "f4")),
        models.SquareCategoricalEBMFactor(
            pairs, jnp.tile(jnp.asarray(weights, "f4"), (len(below), 1, 1))
        ),
    ]
    spec = thrml.BlockGibbsSpec(blocks, [])
    draw = models.CategoricalGibbsConditional(4)
    program = thrml.FactorSamplingProgram(spec, [draw, draw], factors, [])
    schedule = thrml.SamplingSchedule(n_warmup=N_SWEEPS, n_samples=1, steps_per_sample=1)

    @jax.jit
    @jax.vmap
    def sweep(key, states):
        start = [states[1], states[0]]
        return thrml.sample_states(key, program, schedule, start, [], blocks[::-1])

    def sample(states, seed):
        keys = jax.random.split(jax.random.key(seed), states.shape[1])
        layers = sweep(keys, jnp.asarray(np.swapaxes(states, 0, 1)))
        return np.stack([np.asarray(layer)[:, 0] for layer in layers])

    return sample


def test_samplers_side_by_side():
    compiled, twin = GibbsSampler(THREE_SPECIES), JaxGibbsSampler(THREE_SPECIES)

    def by_kernel(states, seed):
        return compiled.sweep(states, THETA, seed=seed, n_sweeps=N_SWEEPS)

    def by_jax(states, seed):
        return np.asarray(twin.sweep(states, THETA, key=jax.random.key(seed), n_sweeps=N_SWEEPS))

    samplers = {"kernel": by_kernel, "JAX": by_jax, "thrml": thrml_sampler()}
    states = dict.fromkeys(samplers, start_random(THREE_SPECIES, N_CHAINS, seed=1).states)
    seconds = {name: [] for name in samplers}
    moments = {name: [] for name in samplers}
    before = numba.get_num_threads()
    numba.set_num_threads(1)
    try:
        for seed, (name, sample) in itertools.product(range(N_ROUNDS + 1), samplers.items()):
            start = time.process_time()
            states[name] = sample(states[name], seed)
            seconds[name].append(time.process_time() - start)
            moments[name].append(THREE_SPECIES.statistics(states[name]))
    finally:
        numba.set_num_threads(before)
    n_updates = 2 * CUBE.n_sites * N_CHAINS * N_SWEEPS
    nanoseconds = {name: 1e9 * min(s[1:]) / n_updates for name, s in seconds.items()}
    for name, value in nanoseconds.items():
        ratio = value / nanoseconds["kernel"]
        print(f"{name}: {value:.2f} ns of CPU time a unit update, {ratio:.1f} times the kernel's")
    last = {name: m[-1] for name, m in moments.items()}
    for name in ("JAX", "thrml"):
        error = np.sqrt((last[name].var(axis=0) + last["kernel"].var(axis=0)) / N_CHAINS)
        # Independent chains: 5 standard errors of a difference.
        assert np.all(abs(last[name].mean(axis=0) - last["kernel"].mean(axis=0)) < 5 * error)
