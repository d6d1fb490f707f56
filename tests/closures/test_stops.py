"""Closures that become unphysical stop, say when and why, and leave the others alone."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from dynboltz.closures import lattice_closure, well_mixed_closure
from dynboltz.closures._solve import solve_closed
from dynboltz.dynamics import AbstractVectorField, integrate
from dynboltz.lattices import Lattice
from dynboltz.reactions import ReactionNetwork

ANNIHILATION = ReactionNetwork.parse("A + A -> 0 ; k = 1")
RING = Lattice((40,))


class Never:
    """Nothing is required."""

    names = ()

    def __call__(self, values):
        return np.zeros((len(values), 0))


class Positive(Never):
    names = ("first", "second")

    def __call__(self, values):
        return values


def test_a_negative_mean_of_the_normal_closure():
    """Annihilation from many particles; beside it one particle, which stays one."""
    closure = well_mixed_closure(ANNIHILATION, 2, "normal")
    times = np.linspace(0, 4, 41)
    prediction = closure.predict(closure.estimate_initial(np.array([[20], [1]])), times)
    stop = prediction.stopped_at[0]
    assert prediction.reasons == ("the moment A is negative", "")
    assert prediction.message == (
        f"initial condition 0 stopped at time {stop:.6g}: the moment A is negative"
    )
    assert np.isinf(prediction.stopped_at[1])
    seen = np.isfinite(prediction.values[0]).all(axis=1)
    np.testing.assert_array_equal(seen, times <= stop)
    np.testing.assert_allclose(prediction.values[1], 1, rtol=1e-9)
    # The mean falls to zero within the tolerance there, and not below it.
    again = closure.predict(closure.estimate_initial(np.array([[20]])), np.array([0.0, stop]))
    assert again.values[0, -1, 0] == pytest.approx(0, abs=1e-7)


def test_a_negative_variance():
    closure = well_mixed_closure(ANNIHILATION, 2, "poisson")
    prediction = closure.predict(np.array([[20.0, 400.0]]), np.linspace(0, 1, 5))
    assert prediction.reasons == ("the variance of A is negative",)
    assert 0 < prediction.stopped_at[0] < 1


def test_a_negative_probability_in_the_superposition():
    """d(P(A) - P(A A))/dt = -k P(A A) + 2 k P(A A A): few pairs two apart make it negative."""
    closure = lattice_closure(ANNIHILATION, RING, "kirkwood", hop_rate=0.0, reach=2)
    initial = np.array([[0.24, 0.21, 0.01], [0.5, 0.25, 0.25]])
    prediction = closure.predict(initial, np.linspace(0, 1, 5))
    assert prediction.reasons == ("the probability empty(0) A(1) is negative", "")
    slope = -0.21 + 2 * 0.21**2 * 0.01 / 0.24**3
    # Along the first slope, from 0.24 - 0.21; the curvature changes it by a few hundredths.
    assert prediction.stopped_at[0] == pytest.approx(0.03 / -slope, rel=0.05)


def test_a_negative_probability_of_an_empty_site_at_the_start():
    """A pair is more likely than one of its sites: stopped at once, its start is kept."""
    closure = lattice_closure(ANNIHILATION, RING, "pair", hop_rate=1.0)
    prediction = closure.predict(np.array([[0.2, 0.3]]), np.array([1.0, 2.0]))
    assert prediction.reasons == ("the probability empty(0) A(1) is negative",)
    assert prediction.stopped_at == [1.0]
    np.testing.assert_array_equal(prediction.values[0], [[0.2, 0.3], [np.nan, np.nan]])


def test_growth_without_bounds_in_finite_time():
    """dy/dt = y^2 from y0 is infinite at 1 / y0; the solver gets close and goes on with others."""
    times = np.linspace(0, 3, 7)
    initial = np.array([[1.0], [0.1], [0.5]])
    prediction = solve_closed(lambda y: y**2, Never(), initial, times)
    np.testing.assert_allclose(prediction.stopped_at, [1, np.inf, 2], rtol=1e-4)
    assert prediction.reasons == (
        "the moments grow without bounds",
        "",
        "the moments grow without bounds",
    )
    np.testing.assert_allclose(prediction.values[1, :, 0], 1 / (10 - times), rtol=1e-7)
    np.testing.assert_allclose(prediction.values[2, :4, 0], 1 / (2 - times[:4]), rtol=1e-6)


def test_the_time_of_a_crossing():
    """Two straight lines and one that stays: crossings by hand, all values up to them exact."""
    initial = np.array([[1.0, 2.0], [0.5, 2.0], [9.0, 9.0]])
    times = np.linspace(0, 2, 21)
    prediction = solve_closed(lambda y: np.full_like(y, -1.0), Positive(), initial, times)
    np.testing.assert_allclose(prediction.stopped_at, [1, 0.5, np.inf], rtol=1e-6)
    assert prediction.reasons == ("the first is negative", "the first is negative", "")
    for values, start, stop in zip(prediction.values, initial, (1, 0.5, 2), strict=True):
        seen = times < stop
        np.testing.assert_allclose(values[seen], start - times[seen, None], rtol=1e-9, atol=1e-9)
        assert np.all(np.isnan(values[times > stop + 1e-6]))


def test_single_times_and_later_starts():
    closure = lattice_closure(ANNIHILATION, RING, "mean-field", hop_rate=1.0)
    alone = closure.predict(np.array([[0.5]]), np.array([3.0]))
    np.testing.assert_array_equal(alone.values, [[[0.5]]])
    later = closure.predict(np.array([[0.5]]), np.array([3.0, 4.0]))
    assert later.values[0, 1, 0] == pytest.approx(1 / (2 + 2), rel=1e-8)


CLOSURES = {
    "pair": lambda: lattice_closure(
        ReactionNetwork.parse("A + B -> 0 ; k = 1\nA -> A + A ; k = 0.5"),
        RING,
        "pair",
        hop_rate=0.4,
    ),
    "kirkwood": lambda: lattice_closure(ANNIHILATION, RING, "kirkwood", hop_rate=1.0, reach=4),
    "mean-field": lambda: lattice_closure(ANNIHILATION, RING, "mean-field", hop_rate=1.0),
    "normal": lambda: well_mixed_closure(ANNIHILATION, 3, "normal"),
    "log-normal": lambda: well_mixed_closure(ANNIHILATION, 2, "log-normal"),
}


@pytest.mark.parametrize("kind", CLOSURES)
def test_the_field_is_the_same_right_hand_side(kind):
    closure = CLOSURES[kind]()
    field = closure.field
    assert isinstance(field, AbstractVectorField)
    assert field.coefficients == closure.names
    point = 0.3 ** np.arange(1, len(closure.moments) + 1)
    nothing = np.zeros(len(closure.moments))
    values = jax.jit(jax.vmap(field))(jnp.asarray(np.stack([point, nothing])))
    np.testing.assert_allclose(values[0], closure.velocity(point), rtol=1e-12, atol=1e-15)
    np.testing.assert_array_equal(values[1], nothing)
    np.testing.assert_array_equal(closure.velocity(nothing), nothing)


def test_the_field_has_slopes_where_densities_vanish_and_keeps_its_precision():
    field = CLOSURES["log-normal"]().field
    slopes = jax.jit(jax.jacfwd(field))(jnp.zeros(2))
    np.testing.assert_allclose(slopes, [[1, -1], [-2, 4]])  # but for the third moment
    assert jax.eval_shape(field, jax.ShapeDtypeStruct((2,), jnp.float32)).dtype == jnp.float32


def test_the_field_integrates_to_the_prediction():
    closure = CLOSURES["kirkwood"]()
    initial = np.array([[0.6**m.order for m in closure.moments]])
    times = np.linspace(0, 1, 11)
    theta = integrate(closure.field, initial, times, method="rk4", substeps=20)
    np.testing.assert_allclose(theta, closure.predict(initial, times).values, rtol=1e-6)


def test_densities_that_vanish_stay_numbers():
    closure = CLOSURES["pair"]()
    names = closure.names
    initial = np.zeros((1, len(names)))
    initial[0, names.index("B(0)")] = 1.0
    initial[0, names.index("B(0) B(1)")] = 1.0
    prediction = closure.predict(initial, np.linspace(0, 5, 6))
    np.testing.assert_allclose(prediction.values[0], np.tile(initial, (6, 1)), atol=1e-10)
