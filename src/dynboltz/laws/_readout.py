"""Moments that a law does not follow, as functions of those that it does."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, final

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Float64

from dynboltz._arguments import checked
from dynboltz._numbers import check_finite
from dynboltz._typing import AnyArray
from dynboltz.lattices import Lattice, Term

from ._chart import MomentChart, moment_chart
from ._law import MomentLaw
from ._noise import RESOLUTION

ITERATIONS = 8
"""Gauss-Newton iterations; the logarithms of the factors are nearly linear in the coefficients."""

SIZE = 1.0
"""Standard deviation of the normal prior of each coefficient: factors of e are not surprising."""

SEEN = 3.0
"""Standard deviations of log densities within which they count as seen."""


@final
@checked
class Readout(eqx.Module):
    r"""All recorded moments as functions of the followed ones.

    Patterns that are not followed have the probability that their followed parts predict, times a
    factor that depends smoothly on the coordinates: $g_C = B_C \phi(x(z))$, with the standardised
    features $x$ and $\phi = (1, x, \tanh(W_1 x + b_1))$ of the law. Where a law is continued
    beyond its training, $x$ is kept within a standard deviation of what was seen.

    Attributes
    ----------
    chart
        Coordinates of all moments.
    law
        Law of the followed ones, whose features and steps are used.
    coefficients
        $B$, one row for each moment that is not followed.
    factor
        Matrices $F$ with $F F^T$ the covariance of each row.
    """

    chart: MomentChart
    law: MomentLaw
    coefficients: Float[AnyArray, "others functions"]
    factor: Float[AnyArray, "others functions functions"]

    @property
    def _axis_entries(self) -> dict[str, Any]:
        return self.law.chart._axis_entries

    @property
    def names(self) -> tuple[str, ...]:
        """Names of all moments."""
        return self.chart.names

    @property
    def others(self) -> tuple[int, ...]:
        """Places of the moments that are not followed, in the order of the coefficients."""
        return tuple(i for i in self.chart.factors if self.names[i] not in self.law.chart.names)

    def moments(self, z: Float[AnyArray, " coordinates"]) -> Float[Array, " moments"]:
        """All moments per site at one point of the followed coordinates."""
        return self.moments_with(jnp.asarray(z), jnp.asarray(self.coefficients))

    def variances(self, z: Float[AnyArray, " coordinates"]) -> Float[Array, " moments"]:
        """Variances of the moments at one point, as far as the coefficients are uncertain."""
        functions = _functions(self.law, jnp.asarray(z))
        spread = jnp.sum(jnp.einsum("cij,i->cj", jnp.asarray(self.factor), functions) ** 2, axis=1)
        at = jnp.asarray(self.others, dtype=int)
        moments = self.moments(z)
        return jnp.zeros_like(moments).at[at].set(moments[at] ** 2 * spread)

    def batch_moments(
        self, z: Float64[np.ndarray, "*batch coordinates"]
    ) -> Float64[np.ndarray, "*batch recorded"]:
        """The moments at many points."""
        return self.chart.batch_moments(self._all_coordinates(z))

    def batch_variances(
        self, z: Float64[np.ndarray, "*batch coordinates"]
    ) -> Float64[np.ndarray, "*batch recorded"]:
        """The variances at many points."""
        functions, _ = self._functions(z)
        moments = self.batch_moments(z)
        found = np.zeros(moments.shape)
        for place, factor in zip(self.others, np.asarray(self.factor), strict=True):
            spread = np.sum((functions @ factor) ** 2, axis=-1)
            found[..., place] = moments[..., place] ** 2 * spread
        return found

    def batch_derivatives(
        self, z: Float64[np.ndarray, "*batch coordinates"]
    ) -> Float64[np.ndarray, "*batch recorded coordinates"]:
        """Derivatives of the moments by the followed coordinates, at many points."""
        n = len(self.law.chart.densities)
        _, slopes = self._functions(z)
        rows, own = self._rows()
        by_followed = np.zeros((*z.shape[:-1], n + len(self.chart.factors), z.shape[-1]))
        by_followed[..., range(n), range(n)] = 1.0
        by_followed[..., [n + r for r in rows], [n + c for c in own]] = 1.0
        read_out = [n + f for f in range(len(self.chart.factors)) if f not in rows]
        by_followed[..., read_out, :] = np.asarray(self.coefficients) @ slopes
        return self.chart.batch_derivatives(self._all_coordinates(z)) @ by_followed

    def _rows(self) -> tuple[list[int], list[int]]:
        """Places of the followed factors among all factors, and among those of the law."""
        followed = [self.law.chart.names[i] for i in self.law.chart.factors]
        names = [self.chart.names[i] for i in self.chart.factors]
        rows = [f for f, name in enumerate(names) if name in followed]
        return rows, [followed.index(names[f]) for f in rows]

    def _all_coordinates(self, z: np.ndarray) -> np.ndarray:
        n = len(self.law.chart.densities)
        rows, own = self._rows()
        functions, _ = self._functions(z)
        found = np.empty((*z.shape[:-1], n + len(self.chart.factors)))
        found[..., :n] = z[..., :n]
        found[..., [n + r for r in rows]] = z[..., [n + c for c in own]]
        read_out = [n + f for f in range(len(self.chart.factors)) if f not in rows]
        found[..., read_out] = functions @ np.asarray(self.coefficients).T
        return found

    def _functions(self, z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The functions of the features at many points, and their derivatives by coordinates."""
        law, n = self.law, len(self.law.chart.densities)
        x = (law.chart.batch_features(z) - np.asarray(law.centre)) / np.asarray(law.width)
        low = np.concatenate([np.full(n, -SEEN), np.asarray(law.lower)])
        high = np.concatenate([np.full(n, SEEN), np.asarray(law.upper)])
        inside = np.clip(x, low, high)
        _, _, inner, offsets, _ = law.function.arrays(np.asarray(law.function.parameters))
        steps = np.tanh(inside @ inner.T + offsets)
        one = np.ones((*z.shape[:-1], 1))
        rate = np.where(inside == x, 1 / np.asarray(law.width), 0.0)
        floor = float(law.chart.floor)
        densities = z[..., :n]
        rate[..., :n] *= np.where(densities > floor, 1 / np.maximum(densities, floor), 0.0)
        by_x = np.zeros((*z.shape[:-1], 1 + x.shape[-1] + steps.shape[-1], x.shape[-1]))
        by_x[..., 1 : 1 + x.shape[-1], :] = np.eye(x.shape[-1])
        by_x[..., 1 + x.shape[-1] :, :] = (1 - steps**2)[..., None] * inner
        return np.concatenate([one, inside, steps], axis=-1), by_x * rate[..., None, :]

    def moments_with(self, z: Array, coefficients: Array) -> Array:
        """The same with other coefficients."""
        g = coefficients @ _functions(self.law, z)
        followed = self.law.chart
        assert isinstance(followed, MomentChart)
        return self.chart.moments(_all_coordinates(followed, self.chart, z, g))


def _functions(law: MomentLaw, z: Array) -> Array:
    x = (law.chart.features(z) - law.centre) / law.width
    n = len(law.chart.densities)
    low = jnp.concatenate([jnp.full(n, -SEEN), jnp.asarray(law.lower)])
    high = jnp.concatenate([jnp.full(n, SEEN), jnp.asarray(law.upper)])
    x = jnp.clip(x, low, high)
    return jnp.concatenate([jnp.ones(1), x, law.function.steps(x)])


def _all_coordinates(followed: MomentChart, full: MomentChart, z: Array, g: Array) -> Array:
    """Coordinates of the full chart, in its order, from followed ones and the other factors."""
    n = len(followed.densities)
    names = [followed.names[i] for i in followed.factors]
    values, others = [], iter(range(len(full.factors) - len(names)))
    for i in full.factors:
        name = full.names[i]
        values.append(z[n + names.index(name)] if name in names else g[next(others)])
    return jnp.concatenate([jnp.asarray(z[:n]), *[v[None] for v in values]])


@checked
def fit_readout(
    law: MomentLaw,
    path: Float64[np.ndarray, "starts times coordinates"],
    terms: Sequence[Term],
    lattice: Lattice,
    replicas: Sequence[Float64[np.ndarray, "_ times _"]],
) -> Readout:
    """Fit the moments that a law does not follow along the trajectories that it predicts.

    Squares of the errors in units of the noise of the means are minimised, with a weak prior.

    Parameters
    ----------
    law
        The law.
    path
        Coordinates that it predicts for the training starts.
    terms
        All recorded moments; the followed ones are among them under the same names.
    lattice
        The lattice.
    replicas
        For each training start, all recorded moments per site of each replica and training time.

    Raises
    ------
    ValueError
        If a followed moment is not recorded, or numbers are not finite.
    """
    where = "fit_readout"
    names = [term.name for term in terms]
    lacking = [name for name in law.chart.names if name not in names]
    if lacking:
        raise ValueError(
            f"{where}: `terms` must hold all followed moments; {lacking[0]!r} is missing among "
            f"{', '.join(names)}."
        )
    for number, moments in enumerate(replicas):
        check_finite(where, f"`replicas[{number}]`", moments, ("replica", "time", "moment"))
    full = moment_chart(terms, lattice, n_replicas=min(map(len, replicas)))
    means = np.array([moments.mean(axis=0) for moments in replicas])
    errors = np.array([m.std(axis=0, ddof=1) / np.sqrt(len(m)) for m in replicas])
    errors = np.maximum(errors, RESOLUTION * errors.mean(axis=(0, 1)))
    errors = np.maximum(errors, float(full.floor) * np.asarray(full.places))
    others = [i for i in full.factors if full.names[i] not in law.chart.names]
    n_functions = 1 + law.function.n_inputs + law.function.n_units
    blank = Readout(
        full,
        law,
        jnp.zeros((len(others), n_functions)),
        jnp.zeros((len(others), n_functions, n_functions)),
    )
    if not others:
        return blank
    at = jnp.asarray(others)
    target, scale = (values.reshape(-1, len(names))[:, others] for values in (means, errors))
    coefficients, factor = _fit(
        blank,
        at,
        jnp.asarray(path.reshape(-1, path.shape[-1])),
        jnp.asarray(target),
        jnp.asarray(scale),
    )
    check_finite(where, "the fitted coefficients", np.asarray(coefficients), ("moment", "function"))
    return eqx.tree_at(lambda r: (r.coefficients, r.factor), blank, (coefficients, factor))


@eqx.filter_jit
def _fit(
    readout: Readout, at: Array, points: Array, target: Array, scale: Array
) -> tuple[Array, Array]:
    """Gauss-Newton from zero: each factor has its own coefficients, smaller patterns first.

    A larger pattern contains smaller ones, whose factors enter its probability; sweeping over all
    of them a few times finds the joint optimum of what is nearly triangular.
    """
    functions = jax.vmap(lambda z: _functions(readout.law, z))(points)
    prior = jnp.eye(functions.shape[1]) / SIZE**2

    def iterate(state: tuple[Array, Array], _: None) -> tuple[tuple[Array, Array], None]:
        coefficients = state[0]
        moments = jax.vmap(lambda z: readout.moments_with(z, coefficients))(points)[:, at]

        def one(row: Array, value: Array, seen: Array, noise: Array) -> tuple[Array, Array]:
            # The derivative of a probability by its own log factor is the probability.
            slope = (value / noise)[:, None] * functions
            gram = slope.T @ slope + prior
            step = jnp.linalg.solve(gram, slope.T @ ((seen - value) / noise) - prior @ row)
            return row + jnp.clip(step, -1, 1), gram

        new, grams = jax.vmap(one)(coefficients, moments.T, target.T, scale.T)
        return (new, grams), None

    start = jnp.asarray(readout.coefficients), jnp.broadcast_to(prior, readout.factor.shape)
    (coefficients, grams), _ = jax.lax.scan(iterate, start, length=ITERATIONS)
    roots = jnp.linalg.cholesky(grams)
    return coefficients, jnp.swapaxes(jnp.linalg.inv(roots), 1, 2)
