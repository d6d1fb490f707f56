"""States that users give: whole numbers from 0 to the number of species, or a clear message."""

from __future__ import annotations

import re

import jax
import numpy as np
import pytest

from dynboltz.closures import lattice_closure
from dynboltz.distributions import (
    ClampedStatistics,
    LatticeModel,
    Layer,
    hidden_probabilities,
)
from dynboltz.evaluation import equilibrium_moments
from dynboltz.lattices import Lattice, TermCounter, check_layers, check_states, neighbour_moments
from dynboltz.learning import (
    FitSettings,
    TrainingData,
    fit_initial_contrastive,
    fit_initial_persistent,
    fit_trajectories_sampled,
    summarise,
)
from dynboltz.moments import moment_equations
from dynboltz.reactions import ReactionNetwork
from dynboltz.sampling import (
    Chains,
    GibbsSampler,
    JaxGibbsSampler,
    advance,
    contrastive_divergence,
    estimate_moments,
    persistent_moments,
    short_run_moments,
    start_from_data,
    start_random,
)
from dynboltz.simulation import CollisionKernel, from_states, simulate

LATTICE = Lattice((6,))
MODEL = LatticeModel.from_names(LATTICE, ["A"], ["b.A", "J.A.A"])
HIDDEN = LatticeModel.from_names(
    LATTICE, ["A"], ["b.A", "W.A.X", "b.X"], [Layer(("X",), ((0,), (1,)))]
)
NETWORK = ReactionNetwork.parse("A + A -> 0 ; k = 1")
COLLIDING = ReactionNetwork.parse("A + A -> 0 ; p = 0.1")
THETA = np.zeros(2)
SAMPLER = GibbsSampler(MODEL)
CHAINS = start_random(MODEL, 2, seed=0)
SETTINGS = FitSettings(steps=1, optimiser="sgd")
SEED = np.random.SeedSequence(0)


def training_data(states):
    def read(i, times, replicas):
        return np.asarray(states)[None].repeat(len(times), axis=0)

    return TrainingData(np.arange(2.0), np.zeros((1, 2)), None, read, len(states))


ENTRIES = {
    "TermCounter.count": lambda s: TermCounter(
        LATTICE, [("A",)], neighbour_moments(["A"], 1)
    ).count(s[None]),
    "LatticeModel.statistics": lambda s: MODEL.statistics(s[None]),
    "ClampedStatistics.summarise": lambda s: ClampedStatistics(MODEL).summarise(s),
    "hidden units": lambda s: ClampedStatistics(HIDDEN).summarise(s),
    "hidden_probabilities": lambda s: hidden_probabilities(
        HIDDEN, np.zeros(3), np.stack([s, np.zeros_like(s)])
    ),
    "summarise": lambda s: summarise(ClampedStatistics(MODEL), s[:, None]),
    "from_states": lambda s: from_states(s, LATTICE, ["A"]),
    "simulate": lambda s: (
        simulate(COLLIDING, LATTICE, s, kernel=CollisionKernel(), n_steps=1, seed=0)
    ).state,
    "GibbsSampler.sweep": lambda s: SAMPLER.sweep(s[None], THETA, seed=0),
    "GibbsSampler.sample_hidden": lambda s: GibbsSampler(HIDDEN).sample_hidden(
        s, np.zeros(3), seed=0
    ),
    "GibbsSampler.record": lambda s: SAMPLER.record(s[None], THETA, CHAINS.random, n_sweeps=1)[0],
    "JaxGibbsSampler.sweep": lambda s: np.asarray(
        JaxGibbsSampler(MODEL).sweep(s[None], THETA, key=jax.random.key(0))
    ),
    "start_from_data": lambda s: start_from_data(MODEL, s, seed=0).states,
    "advance": lambda s: advance(
        SAMPLER, Chains(np.asarray(s, np.uint8)[None], CHAINS.random), THETA, 1
    ).states,
    "contrastive_divergence": lambda s: contrastive_divergence(SAMPLER, THETA, s, 1, seed=0)[0],
    "short_run_moments": lambda s: short_run_moments(SAMPLER, THETA, s, 1, seed=0)[0],
    "persistent_moments": lambda s: persistent_moments(SAMPLER, THETA, s, CHAINS, 1, seed=0)[0][0],
    "estimate_moments": lambda s: estimate_moments(
        SAMPLER, THETA, n_chains=2, n_samples=400, burn_in=0, thin=3, start=s, seed=0
    ).mean,
    "equilibrium_moments": lambda s: equilibrium_moments(
        MODEL, THETA[None], s[None], neighbour_moments(["A"], 1), counted_on=LATTICE, n_sweeps=200,
        seed=SEED,
    ).mean,
    "LatticeMomentEquations.estimate": lambda s: moment_equations(NETWORK, ["A(0)"]).estimate(
        s, LATTICE
    ),
    "LatticeClosure.estimate_initial": lambda s: lattice_closure(
        NETWORK, Lattice((12,)), "mean-field", hop_rate=1.0
    ).estimate_initial(s, LATTICE),
    "fit_initial_contrastive": lambda s: fit_initial_contrastive(MODEL, s[None], SETTINGS, seed=0),
    "fit_initial_persistent": lambda s: (
        fit_initial_persistent(MODEL, s[None], SETTINGS, seed=np.random.SeedSequence(0))
    ).theta,
    "fit_trajectories_sampled": lambda s: (
        fit_trajectories_sampled(
            MODEL, training_data(s), SETTINGS, seed=np.random.SeedSequence(0)
        )
    ).theta,
}  # fmt: skip
GOOD = np.array([[0, 1, 0, 0, 1, 1], [1, 0, 0, 1, 0, 0]])
BYTES_ONLY = ("advance",)
LONG = ("estimate_moments", "equilibrium_moments")


def with_entry(value):
    """Two states, the third site of the second of which holds something else."""
    states = GOOD.astype(np.result_type(GOOD.dtype, np.asarray(value).dtype))
    states[1, 2] = value
    return states


@pytest.mark.parametrize("entry", ENTRIES)
def test_a_species_that_is_not_there_is_refused_by_every_function(entry):
    with pytest.raises(ValueError, match=r"must hold 0 \(empty\) to 1 \(A\).*, got 3 at \[.*2\]"):
        ENTRIES[entry](with_entry(3).astype(np.uint8))


@pytest.mark.parametrize("entry", [name for name in ENTRIES if name not in BYTES_ONLY])
@pytest.mark.parametrize(
    ("states", "message"),
    [
        (2 * GOOD - 1, r"got -1 at .*\(states \+ 1\) // 2"),
        (with_entry(256), "got 256 at .*Name all species"),  # 0 as a byte
        (with_entry(0.5), "got 0.5 at .*whole numbers"),
        (with_entry(np.nan), "got nan at .*not measured"),
    ],
)
def test_what_is_no_label_is_refused_by_every_function(entry, states, message):
    with pytest.raises(ValueError, match=message):
        ENTRIES[entry](states)


@pytest.mark.parametrize("entry", [name for name in ENTRIES if name not in LONG])
@pytest.mark.parametrize("dtype", [bool, np.int64, np.uint16, np.float64])
def test_whole_numbers_of_any_type_are_states(entry, dtype):
    expected = ENTRIES[entry](GOOD.astype(np.uint8))
    found = ENTRIES[entry](GOOD.astype(dtype))
    jax.tree.map(np.testing.assert_array_equal, found, expected)


def test_the_first_wrong_entry_is_named():
    with pytest.raises(ValueError, match=re.escape("got 2 at [1, 1, 5]")) as error:
        check_layers("here", two_layers(), NAMES, 6)
    assert str(error.value) == (
        "here: `states` must hold 0 (empty) to 1 (X) in layer 1, got 2 at [1, 1, 5]. Name all "
        "species, in the order that numbers them, or number them anew from 1."
    )


NAMES = (("A", "B"), ("X",))


def two_layers():
    states = np.zeros((2, 3, 6), np.int64)
    states[0, 0, 0] = 2  # B of the visible layer
    states[1, 1, 5] = 2
    return states


def test_what_is_no_number_is_a_type_error():
    with pytest.raises(TypeError, match=r"`states` must hold .* got texts"):
        check_states("here", np.array([["A", "A"]]), ["A"], ("states", 2))


def test_bytes_are_passed_on_without_a_copy():
    states = GOOD.astype(np.uint8)
    assert check_states("here", states, ["A"], ("states", 6)) is states
    assert np.shares_memory(check_layers("here", states[None], [["A"]], 6), states)
