"""Coefficients of snapshots of models without an exact solution, by persistent chains."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float64, Shaped

from dynboltz._arguments import check_name, check_range, checked
from dynboltz._typing import AnyArray
from dynboltz.distributions import LatticeModel
from dynboltz.lattices import check_states
from dynboltz.sampling import Chains, GibbsSampler, advance, record, start_from_data

from ._coefficient_chart import CoefficientChart
from ._snapshots import FittedSnapshots, coordinates_of_replicas, reference_of

STRENGTH = {"coupling": 1e-4, "weight": 0.01, "deep weight": 0.1, "hidden bias": 0.1}
"""Precisions per site of the pull to the reference, at least. What the metric of the chains hardly
sees moves in time with their noise: stronger than in exact fits, the pull keeps that small."""

STEPS = 160
"""Steps of a fit; the mean over the second half is the result."""

RATE = 0.5
"""Share of a natural step that is taken; it shrinks over the second half."""

LARGEST_STEP = 0.15
"""Of any coefficient: a longer one could carry the chains into another phase."""

DAMPING = 1e-3
"""Added to the metric, relative to its diagonal."""

MEMORY = 0.85
"""Share of the metric that is kept from the estimates before."""

SWEEPS = 3
"""Of the chains in a step."""

HIDDEN_SWEEPS = 2
"""Of hidden layers that are coupled with each other, given the data, in a step."""

RIDGE = 1e-6
"""Added to the metric of a species that is nearly absent."""

MOST_UNITS = 2**27
"""Units of chains and data that are fitted side by side, a byte each."""


class _Fit(NamedTuple):
    """Coefficients of snapshots, their metric, and the statistics of each replica."""

    theta: np.ndarray
    metric: np.ndarray
    statistics: np.ndarray


@checked
def fit_snapshots_sampled(
    chart: CoefficientChart,
    states: Sequence[Shaped[AnyArray, "_ times sites"]],
    *,
    reference: Mapping[str, float] | None = None,
    strength: Mapping[str, float] | None = None,
    n_chains: int = 32,
    seed: int = 1,
) -> list[FittedSnapshots]:
    r"""Fit a model to the snapshots of each start with the moments of persistent chains.

    As `fit_snapshots`, with the metric of the chains as Hessian. A step changes the coefficients
    by $\eta (G + \pi)^{-1} [\mu - \tilde\mu - \pi (\theta - \bar\theta)]$ with the moments $\mu$
    of the data, those of the chains $\tilde\mu$, and the reference $\bar\theta$. Chains start from
    the data. How fits scatter from record to record because chains are short is seen in the third
    differences over time of the coefficients, and added to the scatter of the replicas.

    Parameters
    ----------
    chart
        Coordinates.
    states
        For each start, visible states of each replica over time.
    reference
        Coefficients that fits are pulled to, by name, see `fit_snapshots`.
    strength
        Precisions per site of that pull, by name, where they are not the usual ones: 0.01 for
        weights to visible units, 0.1 for hidden biases and weights between hidden units. Where
        chains of fitted models mix slowly, a larger one keeps weights smaller.
    n_chains
        Chains of each snapshot.
    seed
        Of the chains and of the scatter.

    Raises
    ------
    ValueError
        If states do not fit the model, or a reference or strength names what has none.
    """
    where, model = "fit_snapshots_sampled", chart.model
    check_range(where, "n_chains", n_chains, 2)
    check_range(where, "seed", seed, 0)
    center, _ = reference_of(where, model, reference or {})
    precision = _precisions(where, chart.model, strength or {})
    sampler, rng = GibbsSampler(model), np.random.default_rng(seed)
    seeds = np.random.SeedSequence(seed).spawn(len(states))
    fits = []
    shape = ("replicas", "times", model.lattice.n_sites)
    for given, child in zip(states, seeds, strict=True):
        own = check_states(where, given, model.species[0], shape).swapaxes(0, 1)
        units = len(model.layers) * own.shape[2] * (own.shape[1] + n_chains)
        n_parts = min(len(own), -(-len(own) * units // MOST_UNITS))
        parts = np.array_split(np.arange(len(own)), n_parts)
        fitted = [
            _fit(sampler, own[part], center, precision, n_chains, one)
            for part, one in zip(parts, child.spawn(n_parts), strict=True)
        ]
        fits.append(_Fit(*map(np.concatenate, zip(*fitted, strict=True))))
    root = _noise_root([fit.theta for fit in fits])
    return [_scattered(chart, fit, precision, root, rng) for fit in fits]


def _precisions(
    where: str, model: LatticeModel, given: Mapping[str, float]
) -> Float64[np.ndarray, " coefficients"]:
    """Precisions per site of the pull to the reference."""
    found = np.zeros(len(model.terms))
    for place, term in enumerate(model.terms):
        layers = {factor.layer for product in term.products for factor in product}
        couples = any(len(product) > 1 for product in term.products)
        if layers == {0}:
            found[place] = STRENGTH["coupling"] if couples else 0.0
        elif couples:
            found[place] = STRENGTH["weight" if 0 in layers else "deep weight"]
        else:
            found[place] = STRENGTH["hidden bias"]
    for name, value in given.items():
        check_name(where, "strength", name, model.coefficients)
        check_range(where, f"strength[{name!r}]", value, 0.0)
        found[model.coefficients.index(name)] = value
    return found


def _scattered(
    chart: CoefficientChart,
    fit: _Fit,
    strength: np.ndarray,
    root: np.ndarray,
    rng: np.random.Generator,
) -> FittedSnapshots:
    n_replicas = fit.statistics.shape[1]
    n_sites = n_replicas * chart.model.lattice.n_sites
    with np.errstate(divide="ignore"):
        spread = 1 / np.sqrt(strength * n_sites)
    statistics = fit.statistics.swapaxes(0, 1)
    found = coordinates_of_replicas(chart, fit.theta, statistics, fit.metric, spread, rng)
    noise = rng.normal(scale=np.sqrt(n_replicas), size=statistics.shape) @ root.T
    noise = (noise - noise.mean(axis=0))[..., list(chart.others)]
    coordinates = found.coordinates.copy()
    coordinates[..., len(chart.densities) :] += noise
    return FittedSnapshots(found.theta, coordinates)


def _noise_root(thetas: Sequence[np.ndarray]) -> np.ndarray:
    r"""Root of the covariance of what is independent from record to record.

    The third difference of white noise has $1 + 9 + 9 + 1 = 20$ times its covariance, that of a
    smooth path next to nothing. The first record, after which correlations build up, is left out.
    """
    differences = np.concatenate([np.diff(theta[1:], 3, axis=0) for theta in thetas])
    n = thetas[0].shape[1]
    if not len(differences):
        return np.zeros((n, n))
    covariance = differences.T @ differences / (20 * len(differences))
    return np.linalg.cholesky(covariance + 1e-8 * np.eye(n))


def _fit(
    sampler: GibbsSampler,
    states: Shaped[np.ndarray, "snapshots replicas sites"],
    center: np.ndarray,
    strength: np.ndarray,
    n_chains: int,
    seed: np.random.SeedSequence,
) -> _Fit:
    """Fit all snapshots side by side."""
    n_snapshots, _, n_sites = states.shape
    for_chains, for_data = seed.spawn(2)
    chosen = np.resize(np.arange(states.shape[1]), n_chains)
    first = np.ascontiguousarray(states[:, chosen]).reshape(-1, n_sites)
    chains = start_from_data(sampler.model, first, seed=for_chains)
    data = _Data(sampler, states, center, for_data)
    from dynboltz.learning import HiddenAverage  # noqa: PLC0415 - seconds to import

    average = HiddenAverage(sampler)
    theta = np.tile(center, (n_snapshots, 1))
    half, metric, mean_metric, total = STEPS // 2, None, 0.0, np.zeros_like(theta)
    for step in range(STEPS):
        rows = np.repeat(theta, n_chains, axis=0)
        chains = advance(sampler, chains, rows, SWEEPS)
        values = average.of_chains(rows, chains).reshape(n_snapshots, n_chains, -1)
        seen = _covariances(values) * n_sites + RIDGE * np.eye(theta.shape[1])
        metric = seen if metric is None else MEMORY * metric + (1 - MEMORY) * seen
        gradient = data.moments(theta) - values.mean(axis=1) - strength * (theta - center)
        damped = metric + _diagonal(DAMPING * np.einsum("kii->ki", metric) + strength)
        change = np.linalg.solve(damped, gradient[..., None])[..., 0]
        longest = np.abs(change).max(axis=1, keepdims=True)
        change *= np.minimum(1.0, LARGEST_STEP / np.maximum(longest, LARGEST_STEP))
        if step >= half:
            total += theta
            mean_metric = mean_metric + seen
            data.keep()
        theta = theta + RATE * min(1.0, (STEPS - step) / (STEPS - half)) * change
    theta = total / (STEPS - half)
    return _Fit(theta, np.asarray(mean_metric) / (STEPS - half), data.statistics(theta))


def _diagonal(values: np.ndarray) -> np.ndarray:
    return values[..., None] * np.eye(values.shape[-1])


def _covariances(
    values: Float64[np.ndarray, "points samples coefficients"],
) -> Float64[np.ndarray, "points coefficients coefficients"]:
    """Covariances of samples at each point."""
    deviations = values - values.mean(axis=1, keepdims=True)
    return np.einsum("ksi,ksj->kij", deviations, deviations) / (values.shape[1] - 1)


class _Data:
    """Statistics of the replicas, hidden units averaged over: exactly, or by chains of them."""

    def __init__(
        self,
        sampler: GibbsSampler,
        states: np.ndarray,
        center: np.ndarray,
        seed: np.random.SeedSequence,
    ) -> None:
        self._sampler, self._shape = sampler, states.shape[:2]
        from dynboltz.learning import HiddenAverage  # noqa: PLC0415 - seconds to import

        self._clamped = HiddenAverage(sampler).clamped
        flat = np.ascontiguousarray(states).reshape(-1, states.shape[2])
        self._kept, self._n_kept = np.zeros((*self._shape, len(center))), 0
        self._last = self._kept
        if self._clamped is not None:
            self._summaries = self._clamped.summarise(flat).reshape(*self._shape, -1)
            self._means = self._summaries.mean(axis=1)
            return
        self._chains: Chains = start_from_data(sampler.model, flat, seed=seed)

    def moments(self, theta: np.ndarray) -> np.ndarray:
        """Means over the replicas of each snapshot."""
        if self._clamped is not None:
            return self._clamped.batch_moments(theta, self._means)
        rows = np.repeat(theta, self._shape[1], axis=0)
        _, self._chains = record(
            self._sampler, self._chains, rows, HIDDEN_SWEEPS, 1, hidden_only=True
        )
        drawn = self._sampler.model.statistics(self._chains.states)
        self._last = drawn.reshape(*self._shape, -1)
        return self._last.mean(axis=1)

    def keep(self) -> None:
        """Add what was drawn last to the means of each replica."""
        if self._clamped is None:
            self._kept = self._kept + self._last
            self._n_kept += 1

    def statistics(self, theta: np.ndarray) -> np.ndarray:
        """Statistics of each replica of each snapshot."""
        if self._clamped is None:
            return self._kept / self._n_kept
        rows = np.repeat(theta, self._shape[1], axis=0)
        summaries = self._summaries.reshape(len(rows), -1)
        return self._clamped.batch_moments(rows, summaries).reshape(*self._shape, -1)
