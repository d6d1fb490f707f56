"""Point patterns: counts, construction, what is refused."""

from __future__ import annotations

import numpy as np
import pytest

from dynboltz.particles import Box, PointPatterns

BOX = Box((1.0, 2.0))
SPECIES = ("A", "B")


def two_patterns() -> PointPatterns:
    return PointPatterns.from_lists(
        [{"B": [[0.5, 1.5]], "A": [[0.1, 0.2], [0.3, 0.4]]}, {"B": [[0.9, 1.9]]}], SPECIES, BOX
    )


def test_lists_are_padded():
    patterns = two_patterns()
    assert patterns.batch == (2,)
    assert patterns.n_slots == 3
    np.testing.assert_array_equal(patterns.labels, [[1, 1, 2], [2, 0, 0]])
    np.testing.assert_array_equal(patterns.positions[1], [[0.9, 1.9], [0, 0], [0, 0]])
    np.testing.assert_array_equal(patterns.counts(), [[2, 1], [0, 1]])
    assert patterns.counts().dtype == np.int64
    np.testing.assert_array_equal(patterns.points("A", 0), [[0.1, 0.2], [0.3, 0.4]])
    assert patterns.points("A", 1).shape == (0, 2)


def test_more_slots_and_no_particles():
    patterns = PointPatterns.from_lists([{}, {}], SPECIES, BOX, n_slots=4)
    assert patterns.positions.shape == (2, 4, 2)
    np.testing.assert_array_equal(patterns.counts(), 0)


def test_parts_of_the_batch():
    patterns = two_patterns()
    np.testing.assert_array_equal(patterns[1].labels, [2, 0, 0])
    np.testing.assert_array_equal(patterns[1:].positions, patterns.positions[1:])
    with pytest.raises(ValueError, match=r"selects from the batch of shape \(2,\), not from the"):
        patterns[0, :2]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"box": Box((1.0,))}, r"must have shape \(.*, 1\), got \(2, 3, 2\)"),
        ({"labels": np.full((2, 3), 3, np.uint8)}, r"must be 0 \(empty\) to 2 \(A, B\), got 3"),
        (
            {"labels": np.array([[1, 0, 1], [0, 0, 0]], np.uint8)},
            r"slot \(0, 2\) follows an empty one",
        ),
        (
            {"labels": np.array([[1, 1, 0], [0, 0, 0]], np.uint8)},
            r"empty slots must be 0; slot \(0, 2\) is not",
        ),
        ({"species": ("A", "A")}, "1 to 254 different names"),
        ({"box": Box((1.0, 1.0))}, r"particle at \(0, 2\) has the position \[0.5, 1.5\], outside"),
    ],
)
def test_what_does_not_fit_is_refused(change, message):
    patterns = two_patterns()
    parts = {
        "positions": patterns.positions,
        "labels": patterns.labels,
        "species": SPECIES,
        "box": BOX,
    }
    with pytest.raises(ValueError, match=message):
        PointPatterns(**(parts | change))


@pytest.mark.parametrize(
    ("pattern", "slots", "message"),
    [
        ({"C": [[0.1, 0.1]]}, None, "pattern 0 names 'C'; the species are A, B"),
        ({"A": [[0.1]]}, None, r"of A in pattern 0 must have the shape \(particles, 2\)"),
        ({"A": [[0.1, 0.1]]}, 0, "`n_slots` must be at least 1, the largest number"),
        ({"A": [[0.1, 2.0]]}, None, "outside the periodic box"),
        ({"A": [[0.1, np.nan]]}, None, "outside the periodic box"),
    ],
)
def test_wrong_lists_are_refused(pattern, slots, message):
    with pytest.raises(ValueError, match=message):
        PointPatterns.from_lists([pattern], SPECIES, BOX, n_slots=slots)


def test_points_are_asked_for_by_name_and_place():
    with pytest.raises(ValueError, match="one of the species A, B and 1 indices, got 'C'"):
        two_patterns().points("C", 0)
    with pytest.raises(ValueError, match="1 indices"):
        two_patterns().points("A")
