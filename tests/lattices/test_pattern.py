"""Patterns of species at offsets, their images, and the terms that count them."""

import numpy as np
import pytest

from dynboltz.lattices import (
    Lattice,
    TermCounter,
    anchored,
    parse_pattern,
    pattern_images,
    pattern_term,
    pattern_text,
    run_term,
)


def texts(pattern, periods=None):
    return [pattern_text(image) for image in pattern_images(parse_pattern(pattern), periods)]


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("A(0)", "A(0)"),
        (" B(1)A( 0 ) ", "A(0) B(1)"),
        ("X_1(2,-1)  Y(0,+3)", "Y(0,3) X_1(2,-1)"),
        ("A(0, 1, 2)", "A(0,1,2)"),
    ],
)
def test_text_is_read_in_any_order(text, canonical):
    pattern = parse_pattern(text)
    assert pattern_text(pattern) == canonical
    assert parse_pattern(canonical) == pattern


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no pattern"),
        ("A", "no pattern"),
        ("A(0) B", "at 'B'"),
        ("A(0.5)", "no pattern"),
        ("2A(0)", "no pattern"),
        ("A()", "no pattern"),
        ("A(0) B(0)", "names one site twice"),
        ("A(1) A(1)", "names one site twice"),
        ("A(0) B(0,1)", "same number of entries"),
        ("A(0,0,0,0)", "one to three axes"),
    ],
)
def test_text_that_is_no_pattern_is_refused(text, message):
    with pytest.raises(ValueError, match=message):
        parse_pattern(text)


def test_images_are_reflections_and_permutations_of_axes():
    assert texts("B(3) A(5)") == ["A(0) B(2)", "B(0) A(2)"]
    assert texts("A(0,0) A(0,1)") == ["A(0,0) A(0,1)", "A(0,0) A(1,0)"]
    assert texts("A(0,0) A(1,1)") == ["A(0,0) A(1,1)", "A(0,1) A(1,0)"]
    assert len(texts("A(0,0) A(1,0) A(0,1)")) == 4
    assert len(texts("A(0,0,0) B(1,2,3)")) == 48
    assert pattern_images(()) == ((),)


def test_images_meet_on_periodic_lattices():
    assert texts("A(0) A(3)", (4,)) == ["A(0) A(1)"]
    assert texts("A(0) B(1)", (2,)) == ["A(0) B(1)"]
    assert texts("A(0,0) A(0,1)", (2, 3)) == ["A(0,0) A(0,1)"]
    assert pattern_text(anchored(parse_pattern("A(7)"), (4,))) == "A(0)"


@pytest.mark.parametrize("run", ["A", "AB", "AA", "ABB", "BAB"])
def test_terms_of_runs_are_those_with_short_names(run):
    for dim in (1, 2, 3):
        places = [(*(0,) * (dim - 1), place) for place in range(len(run))]
        images = pattern_images(tuple(sorted(zip(places, run, strict=True))))
        counted = {
            tuple(sorted((f.offset, f.species) for f in product))
            for product in run_term(run, tuple(run), dim).products
        }
        assert {anchored(pattern) for pattern in counted} == set(images)


def test_a_term_counts_all_images():
    """Diagonal neighbours of a 3 x 3 lattice, closed: counted by hand."""
    state = np.array([[1, 0, 1], [0, 1, 0], [0, 0, 2]], np.uint8)
    term = pattern_term("d", pattern_images(parse_pattern("A(0,0) A(1,1)")))
    mixed = pattern_term("m", pattern_images(parse_pattern("A(0,0) B(1,1)")))
    counter = TermCounter(Lattice((3, 3), "closed"), [["A", "B"]], [term, mixed])
    assert counter.count(state.reshape(1, 1, 9)).tolist() == [[2, 1]]
