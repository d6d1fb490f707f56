"""Fits by chains that end worse than they start say so."""

import numpy as np
import pytest

from dynboltz.distributions import LatticeModel, TransferMatrix, sample_chain
from dynboltz.lattices import Lattice
from dynboltz.learning import (
    FitSettings,
    LearningWarning,
    fit_initial_contrastive,
    fit_initial_persistent,
)
from dynboltz.learning._static import warn_of_worse_fits

MODEL = LatticeModel.from_names(Lattice((20,)), ["A"], ["b.A", "J.A.A"])
TRUTH = np.array([-0.5, 0.3])


@pytest.fixture(scope="module")
def states():
    return sample_chain(TransferMatrix(MODEL), TRUTH, 40, seed=1)[None]


def test_contrastive_divergence_that_runs_away_warns(states):
    settings = {"moments": "contrastive-divergence", "optimiser": "sgd", "steps": 20}
    start = {"b.A": -0.5, "J.A.A": 0.3}
    wild = FitSettings(**settings, learning_rate=200.0, start=start)
    with pytest.warns(
        LearningWarning, match="fit_initial_contrastive: 1 of 1 fits end worse than they start"
    ):
        fit_initial_contrastive(MODEL, states, wild, seed=2)
    calm = FitSettings(**settings, learning_rate=0.5)
    fit_initial_contrastive(MODEL, states, calm, seed=2)


def test_persistent_chains_are_compared_with_their_start(states):
    seed = np.random.SeedSequence(1)
    enough = FitSettings(moments="persistent", steps=4)
    fit_initial_persistent(MODEL, states, enough, seed=seed)
    # Two chains know little of the moments, so that a fit that starts from the truth leaves it.
    few = FitSettings(
        moments="persistent",
        steps=1,
        chains=2,
        sweeps=1,
        learning_rate=5.0,
        start={"b.A": -0.5, "J.A.A": 0.3},
    )
    with pytest.warns(
        LearningWarning, match="fit_initial_persistent: 1 of 1 fits end worse than they start"
    ):
        fit_initial_persistent(MODEL, states, few, seed=seed)


def test_likelihoods_are_those_of_the_bernoulli_distribution():
    # Of independent sites with half of them occupied, -ln p per site is ln(1 + e^b) - b / 2.
    alone = LatticeModel.from_names(Lattice((20,)), ["A"], ["b.A"])
    half = np.tile(np.array([0, 1], np.uint8), 10)[None, None]
    b = 1.5
    found = np.log1p(np.exp(b)) - b / 2
    with pytest.warns(LearningWarning, match=f"rose from {np.log(2):.6g} to {found:.6g}"):
        warn_of_worse_fits("here", alone, half, np.array([0.0]), np.array([[b]]))
    warn_of_worse_fits("here", alone, half, np.array([b]), np.array([[0.0]]))
    # Less likely by a factor below e: 20 (ln(1 + e^0.3) - 0.15 - ln 2) = 0.22.
    warn_of_worse_fits("here", alone, half, np.array([0.0]), np.array([[0.3]]))
    # A decay of the coefficients counts as a prior does.
    with pytest.warns(LearningWarning, match="rose from 0.693147 to"):
        warn_of_worse_fits("here", alone, half, np.array([0.0]), np.array([[0.3]]), decay=2.0)
