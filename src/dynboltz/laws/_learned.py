"""A learned law, and what it predicts."""

from __future__ import annotations

import concurrent.futures
import functools
from typing import Any, NamedTuple, final

import numpy as np
from jaxtyping import Bool, Float64

from dynboltz._arguments import check_range, checked
from dynboltz._numbers import check_finite

from ._chart import MomentChart
from ._charts import Chart
from ._kernels import KernelLaw, nearness_kernel
from ._law import MomentLaw
from ._readout import Readout
from ._training import Member
from ._trajectories import changes_at, kernel_law, solve_at

MANY = 100
"""Starts from which on two halves of them are predicted side by side."""

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
    grid
        Times after the start, from 0, between which predictions take one Runge-Kutta step each and
        are interpolated; later ones are as far apart as the last two.
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
        grid: Float64[np.ndarray, " _"],
        features: Float64[np.ndarray, "points _"],
        n_starts: int,
        n_residuals: int,
        readout: Readout | None = None,
    ) -> None:
        check_range("LearnedLaw", "n_starts", n_starts, 1)
        if len(grid) < 2 or grid[0] != 0 or not np.all(np.diff(grid) > 0):
            raise ValueError(
                f"LearnedLaw: `grid` must hold two increasing times or more, from 0; got {grid}."
            )
        coordinates = members[0].law.chart.coordinates if members else ()
        if not members or features.shape[1] != len(coordinates) or len(features) % n_starts:
            raise ValueError(
                "LearnedLaw: `members` must be one law or more, and `features` hold as many points "
                f"for each of {n_starts} starts and {len(coordinates)} coordinates; got "
                f"{len(members)} laws and features of shape {features.shape}."
            )
        self.members = members
        self.times = times
        self.grid = grid
        self.features = features
        self.n_starts = n_starts
        self.n_residuals = n_residuals
        self.readout = readout

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
            self.grid,
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
        after = times - times[0]
        # JAX, which solves for moments of Boltzmann machines, has threads of its own.
        if len(starts) < MANY or not isinstance(self.chart, MomentChart):
            return self._predict(starts, after, bands)
        # Two at a time: one core each.
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            parts = pool.map(
                lambda some: self._predict(some, after, bands), np.array_split(starts, 2)
            )
            return LawPrediction(*map(np.concatenate, zip(*parts, strict=True)))

    @np.errstate(over="ignore", invalid="ignore")  # where a law runs away
    def _predict(self, starts: np.ndarray, after: np.ndarray, bands: bool) -> LawPrediction:
        grid = self._grid_to(after[-1])
        paths = [solve_at(law, starts, grid, after) for law in self._arrays]
        readout = self.chart if self.readout is None else self.readout
        moments = [readout.batch_moments(path) for path in paths]
        z, mean = _mean(paths), _mean(moments)
        error = np.full(mean.shape, np.nan)
        if bands:
            variance = np.var(moments, axis=0) + self._variances(readout, starts, after, paths)
            if self.readout is not None:
                variance += self.readout.batch_variances(z)
            error = np.sqrt(variance)
        if isinstance(readout, MomentChart | Readout):
            chart = readout if isinstance(readout, MomentChart) else readout.chart
            # Far from all training a law may leave what is possible.
            mean = np.clip(mean, 0.0, np.asarray(chart.places))
        return LawPrediction(mean, error, self.knows(z))

    def coordinates(
        self, starts: Float64[np.ndarray, "starts coordinates"], times: Float64[np.ndarray, " _"]
    ) -> Float64[np.ndarray, "starts _ coordinates"]:
        """Coordinates over increasing times, the mean of the laws."""
        after = times - times[0]
        grid = self._grid_to(after[-1])
        return _mean([solve_at(law, starts, grid, after) for law in self._arrays])

    def _variances(
        self,
        readout: Chart | Readout,
        starts: np.ndarray,
        after: np.ndarray,
        paths: list[np.ndarray],
    ) -> np.ndarray:
        """Variances of the moments as far as the parameters are uncertain, mean of the members."""
        grid, total = self._grid_to(after[-1]), 0.0
        for member, law, path in zip(self.members, self._arrays, paths, strict=True):
            changes = changes_at(law, np.asarray(member.factor), starts, grid, after)
            by_coordinates = readout.batch_derivatives(path)
            parts = [
                np.sum((rows @ change) ** 2, axis=-1)
                for rows, change in zip(by_coordinates, changes, strict=True)
            ]
            total = total + np.array(parts) / len(self.members)
        return np.asarray(total)

    def _grid_to(self, end: float) -> np.ndarray:
        """Times of the integration from the start to the end, as in the training."""
        last = self.grid[-1] - self.grid[-2]
        beyond = np.arange(self.grid[-1] + last, end + last, last)
        grid = np.concatenate([self.grid, beyond])
        n = max(2, int(np.searchsorted(grid, end * (1 - 1e-9))) + 1)
        return grid[:n]

    def knows(
        self, coordinates: Float64[np.ndarray, "*batch coordinates"]
    ) -> Bool[np.ndarray, "*batch"]:
        """Whether training trajectories passed near the coordinates.

        Nearer than the start that is furthest from all other training starts is to them, in
        standard deviations of the features.
        """
        shape = coordinates.shape
        paths = coordinates if len(shape) == 3 else coordinates.reshape(1, -1, shape[-1])
        found = np.empty(paths.shape[:-1], dtype=bool)
        x = self._standardised(self.chart.batch_features(paths))
        nearness_kernel(x, self._seen, self._radius, found)
        return found.reshape(shape[:-1])

    @functools.cached_property
    def _arrays(self) -> list[KernelLaw]:
        return [kernel_law(member.law) for member in self.members]

    @functools.cached_property
    def _seen(self) -> np.ndarray:
        return np.ascontiguousarray(self._standardised(self.features))

    def _standardised(self, features: np.ndarray) -> np.ndarray:
        return (features - np.asarray(self.law.centre)) / np.asarray(self.law.width)

    @functools.cached_property
    def _radius(self) -> float:
        """Largest distance of a point of a training trajectory to all those of other starts."""
        x = self._seen.reshape(self.n_starts, -1, self.features.shape[1])
        if self.n_starts == 1:
            return float(np.linalg.norm(np.diff(x[0], axis=0), axis=1).max())
        thin = x[:, :: max(1, self.n_starts * x.shape[1] // NEIGHBOURS)]
        gaps = []
        for i, own in enumerate(thin):
            others = np.delete(thin, i, axis=0).reshape(-1, x.shape[2])
            squares = np.sum(own**2, axis=1)[:, None] + np.sum(others**2, axis=1)
            nearest = np.min(squares - 2 * own @ others.T, axis=1)
            gaps.append(np.sqrt(max(nearest.max(), 0.0)))
        return float(np.max(gaps))


def _mean(parts: list[np.ndarray]) -> np.ndarray:
    """Mean without an array of all of them, which would cost more than the sums."""
    total = parts[0].copy()
    for part in parts[1:]:
        total += part
    total /= len(parts)
    return total
