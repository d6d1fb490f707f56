"""Random streams for compiled kernels."""

from __future__ import annotations

import math

import numba
import numpy as np
import pytest
from scipy import stats

from dynboltz.lattices import bounded, exponential, next_uint64, normal, streams, uniform
from dynboltz.lattices._normal import AREA, EDGES, HEIGHTS, N_LAYERS, TAIL


@numba.njit
def draw_many(draw, state, n):
    return np.array([draw(state) for _ in range(n)])


@numba.njit
def draw_bounded(state, width, n):
    return np.array([bounded(state, width) for _ in range(n)])


def test_generator_gives_its_published_sequence():
    state = np.array([1, 2, 3, 4], dtype=np.uint64)
    expected = [
        41943041,
        58720359,
        3588806011781223,
        3591011842654386,
        9228616714210784205,
        9973669472204895162,
        14011001112246962877,
        12406186145184390807,
        15849039046786891736,
        10450023813501588000,
    ]
    assert [next_uint64(state) for _ in expected] == expected


def test_streams_are_the_same_in_blocks():
    whole = streams(5, 100)
    np.testing.assert_array_equal(whole[30:50], streams(5, 20, first=30))


def test_streams_differ_from_each_other_and_between_seeds():
    words = np.concatenate(
        [streams(seed, 1000).ravel() for seed in (0, 1, np.random.SeedSequence(0, spawn_key=(1,)))]
    )
    # Chance of an accidental repeat among 12 000 words of 64 bits: 4e-12.
    assert np.unique(words).size == words.size


def test_seed_sequence_and_its_integer_agree():
    np.testing.assert_array_equal(streams(7, 3), streams(np.random.SeedSequence(7), 3))


def test_first_draws_of_consecutive_streams_are_uniform_and_independent():
    states = streams(11, 100_000)
    first = np.array([uniform(state) for state in states])
    assert stats.kstest(first, "uniform").pvalue > 1e-3
    # The correlation of n independent pairs has the standard deviation 1 / sqrt(n).
    assert abs(np.corrcoef(first[:-1], first[1:])[0, 1]) < 4 / np.sqrt(first.size)


def test_uniform_distribution():
    values = draw_many(uniform, streams(1, 1)[0], 1_000_000)
    assert values.min() >= 0
    assert values.max() < 1
    assert stats.kstest(values, "uniform").pvalue > 1e-3


def test_exponential_distribution():
    values = draw_many(exponential, streams(2, 1)[0], 1_000_000)
    assert stats.kstest(values, "expon").pvalue > 1e-3


@pytest.mark.parametrize("width", [1, 2, 3, 7, 1000])
def test_bounded_distribution(width):
    values = draw_bounded(streams(3, 1)[0], width, 1_000_000)
    counts = np.bincount(values, minlength=width)
    assert counts.size == width
    if width > 1:
        assert stats.chisquare(counts).pvalue > 1e-3


def test_bounded_rejects_the_surplus_of_a_wide_range():
    """Without rejection a width of 3 * 2^30 gives every third of its values twice as often."""
    width = 3 << 30
    values = draw_bounded(streams(4, 1)[0], width, 300_000)
    assert stats.chisquare(np.bincount(values % 3, minlength=3)).pvalue > 1e-3


@pytest.mark.parametrize("seed", [None, 1.5, True, "seed"])
def test_seed_must_be_an_integer(seed):
    with pytest.raises(TypeError, match="seed"):
        streams(seed, 1)


def test_negative_arguments_are_rejected():
    with pytest.raises(ValueError, match="`seed` must not be negative"):
        streams(-1, 1)
    with pytest.raises(ValueError, match="must not be negative, got -1"):
        streams(1, -1)


def test_normal_distribution():
    values = draw_many(normal, streams(4, 1)[0], 1_000_000)
    assert stats.kstest(values, "norm").pvalue > 1e-3
    far = np.abs(values[np.abs(values) > TAIL])
    assert stats.binomtest(far.size, values.size, 2 * float(stats.norm.sf(TAIL))).pvalue > 1e-3
    assert stats.kstest(stats.norm.sf(far) / stats.norm.sf(TAIL), "uniform").pvalue > 1e-3


def test_layers_below_the_normal_density_have_one_area():
    tail = math.sqrt(2 * math.pi) * stats.norm.sf(TAIL)
    assert EDGES[1] * HEIGHTS[1] + tail == pytest.approx(AREA, rel=1e-9)
    np.testing.assert_allclose(EDGES[1:-1] * np.diff(HEIGHTS[1:]), AREA, rtol=1e-6)
    assert EDGES.size == N_LAYERS + 1
