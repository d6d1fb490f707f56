"""What the equations leave open, and the terms of models that carry it."""

import pytest

from dynboltz.distributions import LatticeModel, Layer
from dynboltz.lattices import Lattice
from dynboltz.moments import (
    Moment,
    cluster_moments,
    hidden_stencil,
    model_terms,
    moment_equations,
    unclosed_moments,
)
from dynboltz.reactions import ReactionNetwork

ANNIHILATION = ReactionNetwork.parse("A + A -> 0 ; k = 1")


def texts(moments):
    return [str(moment) for moment in moments]


@pytest.mark.parametrize(
    ("dim", "counts"), [(1, [1, 1, 1, 1, 1]), (2, [1, 1, 2, 5, 12]), (3, [1, 1, 2, 7])]
)
def test_clusters_are_the_free_polyominoes(dim, counts):
    """OEIS A000105, and A038119 in three dimensions."""
    orders = [moment.order for moment in cluster_moments(["A"], len(counts), dim)]
    assert [orders.count(n) for n in range(1, len(counts) + 1)] == counts


def test_labels_that_read_the_same_backwards_are_one():
    found = texts(cluster_moments(["A", "B"], 2))
    assert found == ["A(0)", "B(0)", "A(0) A(1)", "A(0) B(1)", "B(0) B(1)"]


def test_unclosed_moments_of_annihilation():
    assert texts(unclosed_moments(ANNIHILATION, 1)) == ["A(0) A(1)"]
    assert texts(unclosed_moments(ANNIHILATION, 2)) == ["A(0) A(2)", "A(0) A(1) A(2)"]
    assert texts(unclosed_moments(ANNIHILATION, 2, dim=2)) == [
        "A(0,0) A(0,2)",
        "A(0,0) A(1,1)",
        "A(0,0) A(0,1) A(0,2)",
        "A(0,0) A(0,1) A(1,0)",
    ]
    decay = ReactionNetwork.parse("A -> 0 ; k = 1")
    assert unclosed_moments(decay, 1) == ()
    with pytest.raises(ValueError, match="at least 1"):
        unclosed_moments(ANNIHILATION, 0)
    with pytest.raises(ValueError, match="`dim`"):
        unclosed_moments(ANNIHILATION, 1, dim=4)


def test_terms_have_the_names_of_experiment_files():
    equations = moment_equations(ANNIHILATION, cluster_moments(["A"], 2))
    assert model_terms(equations.known) == ("b.A", "J.A.A", "A(0) A(2)", "K.A.A.A")
    moments = [Moment.parse(t) for t in ("B(0) B(1) A(2)", "A(0) B(1) B(2)", "B(0) A(1)")]
    assert model_terms(moments) == ("K.A.B.B", "J.A.B")
    assert model_terms([Moment.parse("A(1,0) B(0,0)")]) == ("J.A.B",)


@pytest.mark.parametrize("dim", [1, 2])
def test_models_take_the_names_and_count_the_moments(dim):
    network = ReactionNetwork.parse("A + B -> 0 ; k = 1")
    equations = moment_equations(network, cluster_moments(["A", "B"], 2, dim))
    lattice = Lattice((5,) * dim)
    model = LatticeModel.from_names(lattice, network.species, model_terms(equations.known))
    for term, moment in zip(model.terms, equations.known, strict=True):
        placed = {frozenset((f.offset, f.species) for f in p) for p in term.products}
        expected = {frozenset(image) for image in equations.geometry.images(moment.places)}
        assert placed == expected


def test_hidden_units_see_the_moments():
    assert hidden_stencil(unclosed_moments(ANNIHILATION, 1)) == ((0,), (1,))
    stencil = hidden_stencil(unclosed_moments(ANNIHILATION, 1, dim=2))
    assert stencil == ((0, 0), (0, 1), (1, 0), (1, 1))
    hidden = [Layer(("X",), stencil)]
    LatticeModel.from_names(Lattice((4, 4)), ["A"], ["b.A", "W.A.X", "b.X"], hidden)
    with pytest.raises(ValueError, match="at least one moment"):
        hidden_stencil([])


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("A(0) Q(1)", "names the species 'Q'"),
        ("A(0) X(1)", "is not understood"),
        ("A(0) A(0)", "one site twice"),
        ("A(0,0) A(0,1)", "has 1 axes"),
    ],
)
def test_names_of_impossible_terms_are_refused(name, message):
    hidden = [Layer(("X",), ((0,), (1,)))]
    with pytest.raises(ValueError, match=message):
        LatticeModel.from_names(Lattice((6,)), ["A"], [name], hidden)
