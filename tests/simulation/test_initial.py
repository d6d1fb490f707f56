"""Initial states."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from dynboltz.lattices import Lattice
from dynboltz.simulation import from_states, random_counts

LATTICE = Lattice((3, 4))


def test_random_counts_are_exact():
    states = random_counts(LATTICE, ("A", "B", "C"), {"C": 3, "A": 5}, 100, seed=1)
    assert states.shape == (100, 12)
    for byte, count in ((1, 5), (2, 0), (3, 3)):
        assert np.all((states == byte).sum(axis=1) == count)


def test_every_placement_is_equally_likely():
    states = random_counts(Lattice((5,)), ("A", "B"), {"A": 1, "B": 1}, 20_000, seed=2)
    counts = np.bincount(states @ 3 ** np.arange(5))
    counts = counts[counts > 0]
    assert counts.size == 20
    assert stats.chisquare(counts).pvalue > 1e-3


def test_states_do_not_depend_on_the_number_of_replicas():
    few = random_counts(LATTICE, ("A",), {"A": 5}, 3, seed=5)
    many = random_counts(LATTICE, ("A",), {"A": 5}, 30, seed=5)
    np.testing.assert_array_equal(few, many[:3])


def test_lattice_can_be_filled_and_left_empty():
    assert np.all(random_counts(LATTICE, ("A",), {"A": 12}, 2, seed=1) == 1)
    assert np.all(random_counts(LATTICE, ("A",), {}, 2, seed=1) == 0)


@pytest.mark.parametrize(
    ("counts", "message"),
    [
        ({"A": 13}, "13 particles do not fit on 12 sites"),
        ({"Z": 1}, "species A; got {'Z': 1}"),
        ({"A": -1}, "not negative"),
    ],
)
def test_impossible_counts_are_rejected(counts, message):
    with pytest.raises(ValueError, match=message):
        random_counts(LATTICE, ("A",), counts, 2, seed=1)


@pytest.mark.parametrize(("n_replicas", "message"), [(-1, "at least 0, got -1"), (2**62, "memory")])
def test_impossible_numbers_of_replicas_are_refused(n_replicas, message):
    with pytest.raises(ValueError, match=f"random_counts: `n_replicas` .*{message}"):
        random_counts(LATTICE, ("A",), {"A": 1}, n_replicas, seed=1)


def test_given_states_are_flattened_over_the_sites():
    states = np.arange(24).reshape(2, 3, 4) % 3
    flat = from_states(states, LATTICE, ("A", "B"))
    assert flat.dtype == np.uint8
    np.testing.assert_array_equal(flat, states.reshape(2, 12))
    np.testing.assert_array_equal(from_states(flat, LATTICE, ("A", "B")), flat)


@pytest.mark.parametrize(
    ("states", "message"),
    [
        (np.zeros((2, 4, 3), dtype=np.int64), r"shape \(replicas, 3, 4\).*got \(2, 4, 3\)"),
        (np.zeros((0, 12), dtype=np.int64), "at least one replica"),
        (np.full((2, 12), -1), r"must hold 0 \(empty\) to 1 \(A\), got -1 at \[0, 0\]"),
        (np.full((2, 12), 2), r"to 1 \(A\), got 2 at \[0, 0\]"),
    ],
)
def test_states_that_do_not_fit_are_rejected(states, message):
    with pytest.raises(ValueError, match=message):
        from_states(states, LATTICE, ("A",))
