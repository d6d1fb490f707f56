import itertools

import numpy as np
import pytest

from dynboltz.lattices import Factor, Lattice, Term, TermCounter, neighbour_moments, run_term

SPECIES = (("A", "B"), ("X",))


def naive_count(term: Term, lattice: Lattice, states: np.ndarray) -> int:
    """Count by the definition: visit every product at every site."""
    total = 0
    for product, site in itertools.product(term.products, np.ndindex(*lattice.shape)):
        holds = True
        for factor in product:
            place = tuple(np.add(site, factor.offset))
            if lattice.boundary == "periodic":
                place = tuple(np.mod(place, lattice.shape))
            elif any(not 0 <= p < n for p, n in zip(place, lattice.shape, strict=True)):
                holds = False
                break
            label = SPECIES[factor.layer].index(factor.species) + 1
            holds &= states[factor.layer].reshape(lattice.shape)[place] == label
        total += holds
    return total


def example_terms(dim: int) -> tuple[Term, ...]:
    diagonal = tuple([1] * dim)
    back = tuple([-2] + [0] * (dim - 1))
    origin = tuple([0] * dim)
    return (
        *neighbour_moments(SPECIES[0], dim),
        Term("W", ((Factor("A", diagonal), Factor("X", origin, 1)),)),
        Term("mixed", ((Factor("B", back), Factor("A", diagonal)), (Factor("X", back, 1),))),
    )


@pytest.mark.parametrize("boundary", ["periodic", "closed"])
@pytest.mark.parametrize("shape", [(4,), (9,), (64,), (130,), (4, 5), (5, 17), (4, 4, 6)])
def test_counts_match_the_definition(shape, boundary):
    lattice = Lattice(shape, boundary)
    terms = example_terms(lattice.dim)
    rng = np.random.default_rng(1)
    states = np.stack(
        [rng.integers(0, 3, (6, lattice.n_sites)), rng.integers(0, 2, (6, lattice.n_sites))]
    ).astype(np.uint8)
    counts = TermCounter(lattice, SPECIES, terms).count(states)
    expected = [[naive_count(term, lattice, states[:, s]) for term in terms] for s in range(6)]
    np.testing.assert_array_equal(counts, expected)


def test_neighbours_of_a_closed_chain():
    np.testing.assert_array_equal(Lattice((3,), "closed").neighbours(), [[-1, 1], [0, 2], [1, -1]])


def test_periodic_axis_of_length_two_counts_its_neighbour_twice():
    np.testing.assert_array_equal(Lattice((2,)).neighbours(), [[1, 1], [0, 0]])
    pair = run_term("A.A", ("A", "A"), 1)
    full = np.ones((1, 1, 2), np.uint8)
    assert TermCounter(Lattice((2,)), (("A",),), [pair]).count(full) == 2


def test_unlike_pairs_are_counted_in_both_orders():
    moments = neighbour_moments(["A", "B"], 1, 2)
    assert [term.name for term in moments] == ["A", "B", "A.A", "A.B", "B.B"]
    states = np.array([[[1, 2, 1, 1]]], np.uint8)
    counts = TermCounter(Lattice((4,), "closed"), (("A", "B"),), moments).count(states)
    np.testing.assert_array_equal(counts, [[3, 1, 1, 2, 0]])


@pytest.mark.parametrize(
    ("shape", "boundary", "message"),
    [
        ((), "periodic", "one to three positive entries"),
        ((3, 0), "closed", "one to three positive entries"),
        ((2, 2, 2, 2), "closed", "one to three positive entries"),
        ((5, 1), "periodic", "at least 2 sites"),
        ((5,), "open", "must be one of"),
    ],
)
def test_bad_lattices_are_refused(shape, boundary, message):
    # Whichever speaks first, the annotation check of the tests or the class itself.
    with pytest.raises(Exception, match=message if boundary != "open" else "boundary|open"):
        Lattice(shape, boundary)  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize(
    ("term", "message"),
    [
        (run_term("J", ("A", "C"), 1), "'C'; layer 0 has A, B"),
        (run_term("K", ("A",) * 5, 1), r"spans \(5,\) sites; the lattice of shape \(4,\)"),
        (run_term("J", ("A", "A"), 2), "the lattice has 1 axes"),
        (Term("W", ((Factor("X", (0,), 2),),)), "layer 2; there are 2"),
    ],
)
def test_terms_that_do_not_fit_are_refused(term, message):
    with pytest.raises(ValueError, match=message):
        TermCounter(Lattice((4,)), SPECIES, [term])


def test_states_of_the_wrong_shape_are_refused():
    counter = TermCounter(Lattice((4,)), SPECIES, neighbour_moments(["A"], 1))
    with pytest.raises(ValueError, match=r"must have shape \(2, states, 4\)"):
        counter.count(np.zeros((1, 3, 4), np.uint8))
