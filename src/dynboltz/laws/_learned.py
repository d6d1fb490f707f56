"""A learned law, and what it predicts."""

from __future__ import annotations

from typing import Any, NamedTuple, final

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float64
from scipy.spatial import cKDTree

from dynboltz._arguments import check_range, checked
from dynboltz._numbers import check_finite

from ._charts import Chart
from ._law import MomentLaw
from ._readout import Readout
from ._training import Member, step_derivatives

NEIGHBOURS = 2000
"""Points of the training trajectories that new ones are compared with."""


class LawPrediction(NamedTuple):
    """What a learned law predicts.

    Attributes
    ----------
    moments
        Expected moments per site.
    error
        Standard deviation of the expectations, as far as the law is uncertain; NaN where no bands
        were asked for.
    is_known
        Whether training trajectories passed nearby.
    """

    moments: Float64[np.ndarray, "starts times moments"]
    error: Float64[np.ndarray, "starts times moments"]
    is_known: Bool[np.ndarray, "starts times"]


@final
@checked
class LearnedLaw:
    """Laws of moments learned by `learn_law`; predictions are their mean.

    Attributes
    ----------
    members
        The laws, that of the largest evidence first.
    times
        Training times [time].
    n_steps
        Runge-Kutta steps between two of them.
    features
        Features of the training trajectories.
    n_starts
        Number of training starts.
    n_residuals
        Number of independent residuals of each.
    readout
        Moments that are not followed, as functions of those that are; none by default.
    """

    def __init__(
        self,
        members: tuple[Member, ...],
        times: Float64[np.ndarray, " times"],
        n_steps: int,
        features: Float64[np.ndarray, "points _"],
        n_starts: int,
        n_residuals: int,
        readout: Readout | None = None,
    ) -> None:
        check_range("LearnedLaw", "n_starts", n_starts, 1)
        check_range("LearnedLaw", "n_steps", n_steps, 1)
        coordinates = members[0].law.chart.coordinates if members else ()
        if not members or features.shape[1] != len(coordinates) or len(features) % n_starts:
            raise ValueError(
                "LearnedLaw: `members` must be one law or more, and `features` hold as many points "
                f"for each of {n_starts} starts and {len(coordinates)} coordinates; got "
                f"{len(members)} laws and features of shape {features.shape}."
            )
        self.members = members
        self.times = times
        self.n_steps = n_steps
        self.features = features
        self.n_starts = n_starts
        self.n_residuals = n_residuals
        self.readout = readout
        self._tree = cKDTree(self._standardised(features))
        self._radius = self._largest_gap()

    @property
    def _axis_entries(self) -> dict[str, Any]:
        return self.chart._axis_entries

    def __repr__(self) -> str:
        return (
            f"LearnedLaw({', '.join(self.chart.names)}; {len(self.members)} members, training "
            f"{self.training_error:.2f} and validation {self.validation_error:.2f} of the noise)"
        )

    @property
    def chart(self) -> Chart:
        """Coordinates of the moments."""
        return self.law.chart

    @property
    def law(self) -> MomentLaw:
        """The law of the largest evidence."""
        return self.members[0].law

    @property
    def moments(self) -> tuple[str, ...]:
        """Names of the predicted moments, followed or read out."""
        return self.chart.names if self.readout is None else self.readout.names

    def with_readout(self, readout: Readout) -> LearnedLaw:
        """The same laws, which predict all moments of a readout."""
        return LearnedLaw(
            self.members,
            self.times,
            self.n_steps,
            self.features,
            self.n_starts,
            self.n_residuals,
            readout,
        )

    @property
    def training_error(self) -> float:
        """Root mean square of the whitened residuals of the best law; 1 is the noise."""
        return float(np.sqrt(self.members[0].error))

    @property
    def validation_error(self) -> float:
        """The same for starts that the law was not shown, the median over them.

        Each start is predicted by the law as it would be without it, to first order.
        """
        return float(np.sqrt(np.median(self.members[0].validation)))

    def predict(
        self,
        starts: Float64[np.ndarray, "starts coordinates"],
        times: Float64[np.ndarray, " times"] | None = None,
        *,
        bands: bool = False,
    ) -> LawPrediction:
        """Expected moments over time.

        Parameters
        ----------
        starts
            Coordinates at the first time; see `MomentChart.from_moments` and
            `MomentChart.uncorrelated`.
        times
            Increasing times [time]; those of the training by default.
        bands
            Whether to compute how uncertain the law is: the posterior of its parameters, carried
            along the trajectories to first order, and the disagreement of the members.

        Raises
        ------
        ValueError
            If times do not increase.
        """
        check_finite("LearnedLaw.predict", "`starts`", starts, ("start", "coordinate"))
        times = self.times if times is None else np.asarray(times, dtype=np.float64)
        if not len(times) or np.any(np.diff(times) <= 0):
            raise ValueError(f"LearnedLaw.predict: `times` must increase, got {times}.")
        n_steps = self._steps(times)
        paths = self._paths(starts, times)
        readout = self.chart if self.readout is None else self.readout
        moments = np.array([_all_moments(readout, path) for path in paths])
        error = np.full(moments.shape[1:], np.nan)
        if bands:
            inside = [
                _variance(
                    member.law,
                    readout,
                    jnp.asarray(member.factor),
                    jnp.asarray(starts),
                    jnp.diff(times),
                    n_steps,
                )
                for member in self.members
            ]
            variance = np.mean(inside, axis=0) + moments.var(axis=0)
            if self.readout is not None:
                variance += np.asarray(_readout_variances(self.readout, paths.mean(axis=0)))
            error = np.sqrt(variance)
        return LawPrediction(moments.mean(axis=0), error, self.knows(paths.mean(axis=0)))

    def coordinates(
        self, starts: Float64[np.ndarray, "starts coordinates"], times: Float64[np.ndarray, " _"]
    ) -> Float64[np.ndarray, "starts _ coordinates"]:
        """Coordinates over increasing times, the mean of the laws."""
        return self._paths(starts, times).mean(axis=0)

    def _paths(self, starts: np.ndarray, times: np.ndarray) -> np.ndarray:
        n_steps = self._steps(times)
        laws = [member.law for member in self.members]
        return np.array([np.asarray(law.solve(starts, times, n_steps)) for law in laws])

    def knows(
        self, coordinates: Float64[np.ndarray, "*batch coordinates"]
    ) -> Bool[np.ndarray, "*batch"]:
        """Whether training trajectories passed near the coordinates.

        Nearer than the start that is furthest from all other training starts is to them, in
        standard deviations of the features.
        """
        flat = coordinates.reshape(-1, coordinates.shape[-1])
        x = self._standardised(np.asarray(jax.vmap(self.chart.features)(jnp.asarray(flat))))
        near = self._nearest(x) <= self._radius
        return near.reshape(coordinates.shape[:-1])

    def _steps(self, times: np.ndarray) -> int:
        """Steps between two times, no longer than those of the training."""
        if len(times) == 1:
            return 1
        longest = np.max(np.diff(self.times)) / self.n_steps
        return max(1, int(np.ceil(np.max(np.diff(times)) / longest - 1e-3)))

    def _standardised(self, features: np.ndarray) -> np.ndarray:
        return (features - np.asarray(self.law.centre)) / np.asarray(self.law.width)

    def _nearest(self, x: np.ndarray) -> np.ndarray:
        found = np.full(len(x), np.inf)
        finite = np.all(np.isfinite(x), axis=1)  # where a law runs away, nothing is known
        found[finite] = self._tree.query(x[finite])[0]
        return found

    def _largest_gap(self) -> float:
        x = self._standardised(self.features).reshape(self.n_starts, -1, self.features.shape[1])
        if self.n_starts == 1:
            return float(np.linalg.norm(np.diff(x[0], axis=0), axis=1).max())
        thin = x[:, :: max(1, self.n_starts * x.shape[1] // NEIGHBOURS)]
        gaps = [
            cKDTree(np.delete(thin, i, axis=0).reshape(-1, x.shape[2])).query(thin[i])[0].max()
            for i in range(self.n_starts)
        ]
        return float(np.max(gaps))


@eqx.filter_jit
def _all_moments(readout: MomentChart | Readout, path: Array) -> Array:
    return jax.vmap(jax.vmap(readout.moments))(path)


@eqx.filter_jit
def _readout_variances(readout: Readout, path: Array) -> Array:
    return jax.vmap(jax.vmap(readout.variances))(path)


@eqx.filter_jit
def _variance(
    law: MomentLaw,
    readout: MomentChart | Readout,
    factor: Array,
    starts: Array,
    intervals: Array,
    n_steps: int,
) -> Array:
    r"""Variances of the moments if the parameters have the covariance $F F^T$.

    Columns of $F$ are carried along the trajectories as perturbations.
    """
    by_z, by_parameters = step_derivatives(law, n_steps)
    by_coordinates = jax.vmap(jax.jacfwd(readout.moments))

    def advance(carry: tuple[Array, Array], interval: Array) -> tuple:
        z, change = carry
        change = (
            jnp.einsum("sij,sjp->sip", by_z(z, interval), change)
            + by_parameters(z, interval) @ factor
        )
        z = jax.vmap(lambda one: law.step(one, interval, n_steps))(z)
        moments = jnp.einsum("sij,sjp->sip", by_coordinates(z), change)
        return (z, change), jnp.sum(moments**2, axis=2)

    change = jnp.zeros((*starts.shape, factor.shape[1]))
    _, variances = jax.lax.scan(advance, (starts, change), intervals)
    nothing = jnp.zeros((1, starts.shape[0], len(readout.names)))
    return jnp.concatenate([nothing, variances]).swapaxes(0, 1)
