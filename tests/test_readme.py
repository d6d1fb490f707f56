"""The code of the README runs and does what the text says."""

import re
from pathlib import Path

import jax
import numpy as np

from dynboltz.distributions import TransferMatrix, sample_chain
from dynboltz.simulation import random_counts, simulate

README = Path(__file__).parents[1] / "README.md"


def python_blocks():
    return re.findall(r"^```python\n(.*?)^```", README.read_text(encoding="utf-8"), re.M | re.S)


def run_block(number):
    names: dict = {}
    # Types are promoted as JAX does by default, which is what a reader has.
    with jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"):
        exec(compile(python_blocks()[number], str(README), "exec"), names)
    return names


def test_one_call_predicts_what_is_simulated():
    names = run_block(0)
    lattice, network, kernel = names["lattice"], names["network"], names["kernel"]
    fresh = simulate(
        network,
        lattice,
        random_counts(lattice, network.species, {"A": 60}, 200, seed=7),
        kernel=kernel,
        n_steps=30,
        seed=8,
    )
    # Standard errors of 200 lattices are below 0.004, as is the error of a law of 120 lattices.
    error = names["prediction"].moment_mean.values[1] - fresh.moments[:, :, :2].mean(axis=0)
    assert np.abs(error).max() < 0.02


def test_steps_predict_what_is_simulated():
    assert len(python_blocks()) == 2
    names = run_block(1)
    exact = TransferMatrix(names["model"])
    starts = sample_chain(exact, np.array([0.5, -0.5]), 400, seed=100)
    fresh = simulate(
        names["network"], names["lattice"], starts, kernel=names["kernel"], n_steps=20, seed=100
    )
    # Standard errors are below 0.003; the rest is the error of a model learned from 10 initial
    # conditions with 40 lattices each. Without any dynamics the first moment would be off by 0.32.
    error = names["moments"][0, -1, :2] - fresh.moments[:, -1, :2].mean(axis=0)
    np.testing.assert_allclose(error, 0, atol=0.02)
    assert names["samples"].shape == (10, 100)


def test_first_screen_has_both_commands():
    first = README.read_text(encoding="utf-8")[:2000]
    assert (
        "python3 -m venv .venv && .venv/bin/pip install . && .venv/bin/dynboltz run annihilation\n"
        in first
    )
    assert "python3 -m venv .venv && .venv/bin/pip install '.[test]' && .venv/bin/pytest\n" in first
