"""What arguments become, and the messages for those that do not fit."""

from __future__ import annotations

import importlib
import inspect

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from dynboltz._arguments import _hints, checked
from dynboltz.distributions import Enumeration, LatticeModel, TransferMatrix
from dynboltz.elements import ElementSpace
from dynboltz.lattices import Lattice, streams
from dynboltz.particles import Box
from dynboltz.reactions import Reaction, ReactionNetwork
from dynboltz.sampling import GibbsSampler, start_random

PACKAGES = (
    *("closures", "distributions", "dynamics", "elements", "evaluation", "interpretation"),
    *(
        "lattices",
        "learning",
        "moments",
        "particles",
        "reactions",
        "sampling",
        "simulation",
        "store",
    ),
)
MODEL = LatticeModel.from_names(Lattice((4,)), ("A",), ("b.A", "J.A.A", "K.A.A.A"))
THETA = np.array([0.1, -0.2, 0.3])
ONE_ROW = (
    r"moments: `theta` must have shape \(3,\), one entry per coefficient \(b.A, J.A.A, K.A.A.A\), "
    r"got \(2, 3\)"
)


def refused(kind, message, function, *args, **kwargs):
    with pytest.raises(kind, match=message) as found:
        function(*args, **kwargs)
    assert found.value.__cause__ is None
    assert found.value.__context__ is None


def test_several_rows_are_referred_to_the_method_for_them():
    rows = np.stack([THETA, THETA])
    message = f"^TransferMatrix.{ONE_ROW}. For several rows use `batch_moments`.$"
    refused(ValueError, message, TransferMatrix(MODEL).moments, rows)
    refused(ValueError, f"^Enumeration.{ONE_ROW}.$", Enumeration(MODEL).moments, rows)
    message = r"^TransferMatrix.batch_moments: `thetas` must have shape \(rows, 3\).*`moments`.$"
    refused(ValueError, message, TransferMatrix(MODEL).batch_moments, THETA)


def test_lists_and_integers_are_arrays_of_numbers():
    solution = TransferMatrix(MODEL)
    right = solution.moments(THETA)
    np.testing.assert_array_equal(solution.moments(THETA.tolist()), right)
    np.testing.assert_array_equal(solution.moments(THETA.astype(">f8")), right)
    zeros = solution.moments(np.zeros(3))
    np.testing.assert_array_equal(solution.moments([0, 0, 0]), zeros)
    np.testing.assert_array_equal(solution.moments(np.zeros(3, int)), zeros)
    states = [[[1, 0, 1, 1]]]
    np.testing.assert_array_equal(MODEL.statistics(states), [[0.75, 0.5, 0.25]])
    assert Lattice([4, 4]) == Lattice(np.array([4, 4])) == Lattice((4, 4))
    assert Reaction(["A"], ["B"], rate=2) == Reaction(("A",), ("B",), rate=2.0)


@pytest.mark.parametrize(
    ("theta", "message"),
    [
        (["a", "b", "c"], "`theta` must hold real numbers, got texts"),
        ([[1.0, 2.0], [1.0]], "`theta` must be an array of real numbers, with rows of one length"),
        (None, "`theta` must be an array of real numbers, got None"),
        (1j * THETA, "`theta` must hold real numbers, got complex numbers"),
        (np.ma.masked_array(THETA, [True, False, False]), "must have all of its values"),
    ],
)
def test_other_elements_are_refused(theta, message):
    refused(
        TypeError, f"^TransferMatrix.moments: .*{message}", TransferMatrix(MODEL).moments, theta
    )


def test_traced_coefficients_are_compared_by_shape_only():
    solution = TransferMatrix(MODEL)
    gradient = jax.grad(solution.log_partition)(jnp.asarray(THETA))
    moments = solution.moments(THETA)
    # Derivatives of one function, per lattice and per site: equal up to rounding.
    np.testing.assert_allclose(gradient / 4, moments, rtol=1e-12)
    rows = jnp.stack([jnp.asarray(THETA)] * 2)
    np.testing.assert_allclose(jax.vmap(solution.moments)(rows)[1], moments, rtol=1e-12)
    with pytest.raises(ValueError, match=ONE_ROW):
        jax.jit(solution.moments)(rows)


def test_axes_of_one_name_have_one_size():
    space = ElementSpace(Box((1.0, 1.0)), (3, 3))
    message = r"^ElementSpace.sums: `weights` must have shape \(2,\), got \(3,\)"
    refused(ValueError, message, space.sums, np.zeros((2, 2)), np.ones(3))
    message = r"^ElementSpace.evaluate: `points` must have shape \(points, 2\), got \(4, 3\)"
    refused(ValueError, message, space.evaluate, np.zeros((4, 3)))
    sampler = GibbsSampler(MODEL)
    states = start_random(MODEL, 2, seed=1).states
    message = r"`states` must have shape \(1, chains, 4\), got \(1, 2, 3\)"
    refused(ValueError, message, sampler.sweep, states[..., :3], THETA, seed=1)


def test_numbers_texts_and_objects_of_other_kinds_are_refused():
    message = "^Lattice: `shape` must be a tuple of integers, got 50; one alone is written "
    refused(TypeError, message + r"\(50,\).$", Lattice, 50)
    message = r"^Lattice: `shape\[1\]` must be an integer, got 4.0.$"
    refused(TypeError, message, Lattice, (4, 4.0))
    message = r"^Lattice: `boundary` must be .*, got 'periodik'. Did you mean `periodic`"
    refused(ValueError, message, Lattice, (4,), "periodik")
    message = r"^ReactionNetwork.parse: `species` must be a list or tuple of texts or None, got"
    refused(TypeError, message, ReactionNetwork.parse, "A -> B ; k = 1", "AB")
    message = "^TransferMatrix: `model` must be a LatticeModel, got a Lattice.$"
    refused(TypeError, message, TransferMatrix, Lattice((4,)))
    refused(TypeError, "^streams: `n` must be an integer, got True.$", streams, 1, True)
    refused(ValueError, r"^streams: `n` must be an integer below 2\*\*63", streams, 1, 10**30)
    refused(ValueError, "^streams: `seed` must not be negative, got -1.$", streams, -1, 2)
    message = "`n` = 1099511627776 would need at least 3.28e.04 GiB of memory, more than the"
    refused(ValueError, message, streams, 1, 2**40)


def test_missing_memory_is_named():
    @checked
    def fill(n: int) -> None:
        raise MemoryError

    with pytest.raises(MemoryError, match=r"^fill: needs more memory than the .* GiB there are"):
        fill(3)


def test_missing_and_unknown_arguments_are_those_of_python():
    with pytest.raises(TypeError, match="missing 1 required positional argument"):
        Lattice()
    with pytest.raises(TypeError, match="unexpected keyword argument"):
        Lattice((4,), sides=3)
    with pytest.raises(TypeError, match="takes from 2 to 3 positional arguments"):
        Lattice((4,), "closed", 3)


def test_all_annotations_of_public_names_can_be_read():
    """`checked` reads them at the first call, which would raise otherwise."""
    unread = []
    for package in PACKAGES:
        module = importlib.import_module(f"dynboltz.{package}")
        for name, value in vars(module).items():
            owner = value if inspect.isclass(value) else None
            members = vars(value).values() if owner else (value,)
            for member in members:
                function = inspect.unwrap(getattr(member, "__func__", member))
                if inspect.isfunction(function) and function.__module__.startswith("dynboltz"):
                    try:
                        _hints(function, owner)
                    except (NameError, TypeError, SyntaxError, AttributeError) as error:
                        unread.append(f"{package}.{name}: {error}")
    assert not unread
