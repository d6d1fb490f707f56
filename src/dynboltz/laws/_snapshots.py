"""Coefficients of snapshots, and how they scatter over the replicas."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float64

from dynboltz._arguments import checked
from dynboltz._numbers import check_finite, check_precision
from dynboltz._typing import AnyArray
from dynboltz.distributions import ClampedStatistics, LatticeModel, TransferMatrix, in_batches

from ._coefficient_chart import CoefficientChart

REFERENCE = {"coupling": 0.0, "weight": -1.0, "deep weight": 0.5, "hidden bias": 0.0}
"""Coefficients that fits are pulled to. With the same distribution there are others with weights of
the other sign, or with larger weights and rarer hidden units: all snapshots must choose the same,
or coefficients would jump between them. Units that are as often empty as not can express most;
those that particles empty do not condense in space, as units do that particles fill."""

SPREAD = {"coupling": 1.0, "weight": 0.14, "deep weight": 0.04, "hidden bias": 0.14}
"""Standard deviations of that pull, for the replicas of a snapshot together. The data know some
combinations of the coefficients of hidden units much better and others not at all. Couplings of
visible units are pulled to 0, as little as matters where a pair was never seen."""

STEPS = 100
"""Most steps of the fit of a snapshot."""

LOOSE = 0.1
"""Standard deviation, from record to record, of coefficients along directions that the data do not
know, where fits are as much the reference as the data."""


class FittedSnapshots(NamedTuple):
    """Snapshots of one start as distributions of a model.

    Attributes
    ----------
    theta
        Coefficients fitted to the means over the replicas.
    coordinates
        Coordinates of each replica, linear in its statistics around them: their mean are those of
        the means, and their scatter says how uncertain these are.
    """

    theta: Float64[np.ndarray, "times coefficients"]
    coordinates: Float64[np.ndarray, "replicas times coordinates"]


@checked
def fit_snapshots(
    chart: CoefficientChart,
    summaries: Sequence[Float64[np.ndarray, "_ times features"]],
    *,
    reference: Mapping[str, float] | None = None,
    seed: int = 1,
) -> list[FittedSnapshots]:
    r"""Fit a model to the snapshots of each start, exactly.

    Each fit maximises $N R \, [A(\theta) - \ln Z(\theta) / N] - \tfrac12 \sum_k (\theta_k -
    \bar\theta_k)^2 / \sigma_k^2$ with a reference $\bar\theta$ of all coefficients but visible
    biases. A replica whose statistics differ from their mean by $\delta\mu$ has coefficients that
    differ by $\delta\theta = (H + \pi)^{-1} \delta\mu$, with the Hessian $H$ of the divergence and
    the precision of the prior per site $\pi$.

    Parameters
    ----------
    chart
        Coordinates, of a chain.
    summaries
        For each start, summaries of each replica over time (`ClampedStatistics.summarise`).
    reference
        Coefficients that fits are pulled to, by name, where they are not the usual ones: 0 for
        couplings of visible units, -1 for weights to them, 0.5 for weights between hidden units, 0
        for hidden biases.
    seed
        Of the scatter along directions that the data do not know.

    Raises
    ------
    ValueError
        If a summary is not possible, a reference names a visible bias or an unknown coefficient,
        the model has no exact solution, or JAX computes in single precision.
    """
    where = "fit_snapshots"
    check_precision(where)
    model = chart.model
    solution, clamped = TransferMatrix(model), ClampedStatistics(model)
    center, spread = reference_of(where, model, reference or {})
    rng = np.random.default_rng(seed)
    found = []
    for number, own in enumerate(summaries):
        check_finite(where, f"`summaries[{number}]`", own, ("replica", "time", "feature"))
        clamped.check_possible(where, own)
        precision = _per_site(spread, len(own) * model.lattice.n_sites)

        def fit(rows: np.ndarray, precision: np.ndarray = precision) -> Array:
            return _fit(solution, clamped, rows, jnp.asarray(center), jnp.asarray(precision))

        means = np.ascontiguousarray(own.mean(axis=0))
        theta = in_batches(fit, means)
        statistics, hessian = in_batches(
            functools.partial(_statistics, solution, clamped), theta, own.swapaxes(0, 1)
        )
        found.append(
            coordinates_of_replicas(chart, theta, statistics.swapaxes(0, 1), hessian, spread, rng)
        )
    return found


def reference_of(
    where: str, model: LatticeModel, given: Mapping[str, float]
) -> tuple[np.ndarray, np.ndarray]:
    """Reference of all coefficients and the spread of fits around it; infinite for biases."""
    center, spread = np.zeros(len(model.terms)), np.full(len(model.terms), np.inf)
    for place, term in enumerate(model.terms):
        layers = {factor.layer for product in term.products for factor in product}
        couples = any(len(product) > 1 for product in term.products)
        if layers == {0} and not couples:
            continue
        if layers == {0}:
            kind = "coupling"
        else:
            kind = "hidden bias" if not couples else "weight" if 0 in layers else "deep weight"
        center[place], spread[place] = REFERENCE[kind], SPREAD[kind]
    pulled = [name for name, s in zip(model.coefficients, spread, strict=True) if np.isfinite(s)]
    for name, value in given.items():
        if name not in pulled:
            raise ValueError(
                f"{where}: `reference` names {name!r}; it may name what is no visible bias: "
                f"{', '.join(pulled) or 'nothing here'}."
            )
        center[model.coefficients.index(name)] = value
    return center, spread


def _per_site(spread: np.ndarray, n_sites: int) -> np.ndarray:
    """Precision of the prior per site; a trace of one for coefficients without, at empty sites."""
    return 1 / (n_sites * spread**2) + 1e-9


def coordinates_of_replicas(
    chart: CoefficientChart,
    theta: Float64[np.ndarray, "times coefficients"],
    statistics: Float64[np.ndarray, "replicas times coefficients"],
    hessian: Float64[np.ndarray, "times coefficients coefficients"],
    spread: Float64[np.ndarray, " coefficients"],
    rng: np.random.Generator,
) -> FittedSnapshots:
    """Coordinates of the replicas from their statistics, hidden units averaged over."""
    n_replicas, n_sites = len(statistics), chart.model.lattice.n_sites
    prior = _per_site(spread, n_replicas * n_sites)
    inverse = np.linalg.inv((hessian + hessian.swapaxes(1, 2)) / 2 + np.diag(prior))
    change = np.einsum("tij,rtj->rti", inverse, statistics - statistics.mean(axis=0))
    loose = rng.normal(scale=LOOSE * np.sqrt(n_replicas), size=change.shape)
    loose = (loose - loose.mean(axis=0)) * np.isfinite(spread)
    # The share of the prior in each direction: 0 where the data know, 1 where they do not.
    change += np.einsum("tij,j,rtj->rti", inverse, prior, loose)
    densities = statistics[..., list(chart.biases)]
    return FittedSnapshots(theta, chart.place(densities, theta + change))


@functools.partial(jax.jit, static_argnums=(0, 1))
def _fit(
    solution: TransferMatrix,
    clamped: ClampedStatistics,
    summaries: AnyArray,
    center: Array,
    precision: Array,
) -> Array:
    from dynboltz.learning import natural_gradient_fit  # noqa: PLC0415 - seconds to import

    def fit(summary: Array) -> Array:
        return natural_gradient_fit(solution, clamped, summary, center, precision, STEPS).theta

    return jax.vmap(fit)(jnp.asarray(summaries))


@functools.partial(jax.jit, static_argnums=(0, 1))
def _statistics(
    solution: TransferMatrix, clamped: ClampedStatistics, thetas: AnyArray, summaries: AnyArray
) -> tuple[Array, Array]:
    """Statistics of each replica and the Hessian of the divergence at each time."""

    def at(theta: Array, replicas: Array) -> tuple[Array, Array]:
        of_data = jax.hessian(clamped.log_weight)(theta, replicas.mean(axis=0))
        moments = jax.vmap(lambda summary: clamped.moments(theta, summary))(replicas)
        return moments, solution.fisher(theta) - of_data

    return jax.vmap(at)(jnp.asarray(thetas), jnp.asarray(summaries))
