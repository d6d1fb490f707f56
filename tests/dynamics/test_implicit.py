"""Linearly implicit steps between times that are not equidistant."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from dynboltz.dynamics import FunctionField, solve_implicit

STIFFNESS = 20.0
TIMES = np.concatenate([[0.0], np.cumsum([0.01, 0.04, 0.04, 0.02, 0.09, 0.005, 0.075, 0.12, 0.1])])
"""Intervals that differ by a factor of 24, in no order, two of them equal."""
ORDER = 3


def kaps(theta, stiffness):
    """Right-hand side of Kaps' problem, stiff and not linear."""
    first, second = theta
    return jnp.stack([-(2 + stiffness) * first + stiffness * second**2, first - second - second**2])


def exact(times):
    """Return the solution $(e^{-2t}, e^{-t})$ for any stiffness: Hairer and Wanner (1996), IV.9."""
    return np.stack([np.exp(-2 * times), np.exp(-times)], axis=1)


FIELD = FunctionField(("a", "b"), kaps, jnp.asarray(STIFFNESS))
JACOBIAN = jax.jacfwd(kaps)(jnp.ones(2), STIFFNESS)


def check_order(errors):
    """The order that three or more steps show, each half the one before."""
    # These steps are not the limit yet: the observed orders approach 3 from 2.84 and 2.91.
    np.testing.assert_allclose(np.log2(np.divide(errors[:-1], errors[1:])), ORDER, atol=0.2)


@pytest.mark.parametrize("operator", [JACOBIAN, 0.8 * JACOBIAN], ids=["jacobian", "less"])
@pytest.mark.parametrize("times", ["known", "traced"])
def test_uneven_times_keep_the_order_of_the_scheme(operator, times):
    def solve(times, substeps):
        return solve_implicit(FIELD, jnp.ones(2), times, operator=operator, substeps=substeps)

    traced = jax.jit(solve, static_argnums=1)
    found = [solve(TIMES, n) if times == "known" else traced(TIMES, n) for n in (4, 8, 16)]
    check_order([np.abs(np.asarray(theta) - exact(TIMES)).max() for theta in found])


def test_a_grid_that_is_refined_has_the_same_order():
    def refined(n):
        parts = [np.linspace(*ends, n, endpoint=False) for ends in itertools.pairwise(TIMES)]
        return np.append(np.concatenate(parts), TIMES[-1])

    found = [solve_implicit(FIELD, jnp.ones(2), refined(n), operator=JACOBIAN) for n in (4, 8, 16)]
    check_order([np.abs(np.asarray(t[:: len(t) // 9]) - exact(TIMES)).max() for t in found])
