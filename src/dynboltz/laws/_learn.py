"""Learn a law of moments from trajectories, without settings."""

from __future__ import annotations

import concurrent.futures
import itertools
import threading
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float64
from threadpoolctl import threadpool_limits

from dynboltz._arguments import check_range, checked
from dynboltz._numbers import check_finite, check_precision
from dynboltz._warnings import LearningWarning, warn

from ._chart import MomentChart
from ._charts import Chart
from ._data import ShootingData
from ._exact import KnownPart
from ._law import MomentLaw, SmoothFunction
from ._learned import LearnedLaw
from ._noise import estimate_innovations
from ._training import (
    Member,
    Training,
    begin_training,
    finish,
    horizons,
    train_to,
)
from ._trajectories import kernel_law, solve, solve_at, step_counts

N_UNITS = 16
"""Steps of the smooth function. More are not worse, since the evidence turns off what the data do
not ask for, but cost time; fewer than 8 miss the bends of two-species laws."""

N_MEMBERS = 4
"""Laws begun from different random functions. The posterior has several optima, and the evidence
says which ones are good."""

N_KEPT = 2
"""Laws that are followed to the end, those of the largest evidence at the horizon before: their
mean is better than either."""

MOST_IMAGES = 100
"""Starts and their images under symmetries; of more starts than that, images tell nothing new."""

MOST_INTERVALS = 100
"""Intervals between records that are learned from. More of them cost time and hold hardly more:
the noise of neighbouring records is nearly the same."""

STEP_ERROR = 0.2
"""Largest difference that half the integrator's step may make, of residuals whose noise is 1; else
the step is halved. A law absorbs smaller ones, since predictions take steps of the same length."""


class LearningStep(NamedTuple):
    """How far learning has come.

    Attributes
    ----------
    step, total
        Trainings that are complete, of how many, unless steps must be halved.
    law
        Number of the law, from 1.
    horizon
        Records of the trajectories that it was trained on.
    error
        Root mean square of the residuals in units of the noise.
    """

    step: int
    total: int
    law: int
    horizon: int
    error: float

    def __str__(self) -> str:
        return (
            f"law {self.law}, {self.horizon} records at a time: {self.error:.2f} of the noise "
            f"({self.step} of {self.total})"
        )


COARSER, COARSE_FROM = (4, 3, 2), (16, 8, 4, 2)
"""Steps of the training that predictions may take at once, and after which part of the time:
correlations of particles that were placed at random change quickly at first."""

COARSE_ERROR = 0.01
"""Largest difference that this may make, of residuals whose noise is 1: not to be seen."""

FEW_STEPS = 60
"""Steps that cost too little to save any."""

HALVINGS = 10
"""Most times that the step is halved; a law that then still errs is no smooth one."""

Report = Callable[[LearningStep], None]


@checked
def learn_law(
    chart: Chart,
    known: KnownPart,
    times: Float64[np.ndarray, " times"],
    replicas: Sequence[Float64[np.ndarray, "_ times compared"]],
    *,
    starts: Float64[np.ndarray, "initial_conditions coordinates"] | None = None,
    symmetries: Sequence[tuple[int, ...]] = (),
    seed: int = 1,
    report: Report | None = None,
) -> LearnedLaw:
    r"""Learn the law of motion of moments, or of the coefficients of a Boltzmann machine.

    The known part is kept as it is. The rest is a smooth function of the coordinates whose
    parameters maximise the posterior given whole trajectories of all training starts, in units of
    their fluctuations (`train_to`). Nothing has to be chosen: the sizes of the parameters are
    set by the evidence, the integrator's steps by their error.

    Parameters
    ----------
    chart
        Coordinates of moments, or of a Boltzmann machine.
    known
        Known part of the equations of the densities.
    times
        Increasing times of the records [time].
    replicas
        For each training start, moments per site of each replica over time, or coordinates of a
        Boltzmann machine (`fit_snapshots`). Two replicas or more: how they differ says how large
        the noise is.
    starts
        Coordinates at the first time, where they are known; by default those of the means over the
        replicas.
    symmetries
        Permutations of moments that turn trajectories into others that are as likely, such as
        those of species that a network does not tell apart; a group, the identity first. The law
        is learned from all images of the data, which count as much as the data alone.
    seed
        Of the random functions that the members begin with.
    report
        Called after each step of the training.

    Returns
    -------
    learned
        The laws of the largest evidence, and how they did.

    Raises
    ------
    ValueError
        If there are fewer than three times, no start, one replica of a start only, times do not
        increase, numbers are not finite or JAX computes in single precision.
    """
    where = "learn_law"
    check_precision(where)
    check_finite(where, "`times`", times, ("time",))
    if len(times) < 3 or not np.all(np.diff(times) > 0):
        raise ValueError(f"{where}: `times` must hold three increasing times or more, got {times}.")
    check_range(where, "len(replicas)", len(replicas), 1)
    check_range(where, "seed", seed, 0)
    for number, moments in enumerate(replicas):
        if len(moments) < 2:
            raise ValueError(
                f"{where}: `replicas[{number}]` has {len(moments)} replica; two or more are needed "
                "to know the noise. Group replicas whose starts are alike."
            )
        check_finite(where, f"`replicas[{number}]`", moments, ("replica", "time", "moment"))
    if starts is not None:
        check_finite(where, "`starts`", starts, ("initial condition", "coordinate"))
        if len(starts) != len(replicas):
            raise ValueError(
                f"{where}: `starts` must hold coordinates for each of the {len(replicas)} starts "
                f"of `replicas`, got {len(starts)}."
            )
    chosen = learned_records(len(times))
    times, replicas = times[chosen], [moments[:, chosen] for moments in replicas]
    data = _shooting_data(chart, times, replicas, starts)
    if len(symmetries) > 1 and len(symmetries) * len(replicas) <= MOST_IMAGES:
        data = _with_images(chart, data, symmetries, replicas)
    features = chart.batch_features(data.coordinates.reshape(-1, data.coordinates.shape[-1]))
    scales = _velocity_scales(chart, known, data)
    places, rate_scales = _rates(chart, known, replicas, data)
    interval = float(np.median(np.diff(times)))
    generators = [np.random.default_rng([seed, member]) for member in range(N_MEMBERS)]

    def begin(member: int) -> MomentLaw:
        function = SmoothFunction.draw(features.shape[1], len(scales), N_UNITS, generators[member])
        return MomentLaw.untrained(
            chart, known, scales, features, interval, function, places, rate_scales
        )

    members, step = _train([begin(member) for member in range(N_MEMBERS)], data, report)
    grid = _coarsest_grid([member.law for member in members], data, step)
    return LearnedLaw(
        tuple(members), np.asarray(times), grid, features, len(replicas), data.n_residuals
    )


def learned_records(n_times: int) -> np.ndarray:
    """Places of the records that are learned from: all, or every second, third, ... of many.

    The last one is always among them, so that a law is known as long as there are data.
    """
    stride = -(-(n_times - 1) // MOST_INTERVALS)
    # A divisor nearby, if there is one, leaves no shorter interval at the end.
    divisors = (s for s in range(stride, 2 * stride) if (n_times - 1) % s == 0)
    places = np.arange(0, n_times, next(divisors, stride))
    return places if places[-1] == n_times - 1 else np.append(places, n_times - 1)


def _shooting_data(
    chart: Chart,
    times: np.ndarray,
    replicas: Sequence[np.ndarray],
    starts: np.ndarray | None,
) -> ShootingData:
    coordinates, compared = chart.compared(replicas)
    innovations = estimate_innovations(compared)
    return ShootingData(
        np.asarray(times),
        coordinates[:, 0] if starts is None else starts,
        coordinates,
        np.array([own.mean(axis=0) for own in compared]),
        innovations.memory,
        innovations.whitening,
    )


def _with_images(
    chart: Chart,
    data: ShootingData,
    symmetries: Sequence[tuple[int, ...]],
    replicas: Sequence[np.ndarray],
) -> ShootingData:
    """The data and their images, those of one start in a row."""
    if not isinstance(chart, MomentChart):
        raise ValueError("learn_law: `symmetries` are for laws of moments; leave them out.")
    order = [*chart.densities, *chart.factors]
    starts, moments = [], []
    for start, own in zip(data.starts, replicas, strict=True):
        for permutation in symmetries:
            starts.append(start[[order.index(permutation[i]) for i in order]])
            moments.append(own[..., list(permutation)])
    images = _shooting_data(chart, data.times, moments, np.array(starts))
    return images._replace(n_images=len(symmetries))


def _velocity_scales(chart: Chart, known: KnownPart, data: ShootingData) -> np.ndarray:
    """Sizes of the velocities to learn, from differences over a twentieth of the time."""
    z, times, n = data.coordinates, data.times, len(chart.densities)
    lag = max(1, len(times) // 20)
    velocity = (z[:, lag:] - z[:, :-lag]) / (times[lag:] - times[:-lag])[:, None]
    middle = (z[:, lag:, :n] + z[:, :-lag, :n]) / 2
    relative = velocity[..., :n] / np.maximum(middle, chart.floor)
    parts = [relative[..., i] for i, is_open in enumerate(known.open) if is_open]
    parts += [velocity[..., j] for j in range(n, z.shape[-1])]
    # Quantiles: where moments are rare, single differences are large and mean nothing.
    sizes = np.array([np.quantile(np.abs(part), 0.7) for part in parts])
    return np.where(sizes > 0, sizes, 1.0 / (times[-1] - times[0]))


def _rates(
    chart: Chart, known: KnownPart, replicas: Sequence[np.ndarray], data: ShootingData
) -> tuple[list[tuple[int, int]], np.ndarray]:
    """Which rates are learned, and their units.

    Where nothing is known of a density, reactions add terms that are linear in moments with this
    species, as rates of decay and of collisions are. Terms without it, a birth for example, make
    particles from nothing: they are possible where a replica without this species had some later.
    """
    if not isinstance(chart, MomentChart):
        return [], np.empty(0)
    n = len(chart.names)
    size = np.append(np.sqrt(np.mean(data.probabilities**2, axis=(0, 1))), 1.0)
    lag = max(1, len(data.times) // 20)
    z = data.coordinates[..., : len(chart.densities)]
    velocity = (z[:, lag:] - z[:, :-lag]) / (data.times[lag:] - data.times[:-lag])[:, None]
    typical = np.sqrt(np.mean(velocity**2, axis=(0, 1)))
    places = []
    for a, own in enumerate(chart.densities):
        if not known.open[a] or np.any(known.matrix[a]) or known.constant[a]:
            continue
        species = chart.patterns[own][0][1]
        is_born = any(
            np.any((moments[:, :-1, own] == 0) & (moments[:, 1:, own] > 0)) for moments in replicas
        )
        for column in range(n + 1):
            has_it = column < n and species in [label for _, label in chart.patterns[column]]
            if (has_it or is_born) and size[column] > 0:
                places.append((a, column))
    return places, np.array([typical[a] / size[column] for a, column in places])


def _train(
    laws: Sequence[MomentLaw], data: ShootingData, report: Report | None
) -> tuple[list[Member], float]:
    """The best members, and a step of the integrator that is short enough for them."""
    *before, last = horizons(len(data.times) - 1)
    stop = threading.Event()
    total = len(laws) * len(before) + N_KEPT
    done = itertools.count(1)

    def lengthen(number: int, training: Training, to: Sequence[int], step: float) -> Training:
        for horizon in to:
            training = train_to(training, data, horizon, step, stop.is_set)
            if report is not None:
                number_done, error = next(done), float(np.sqrt(training.error))
                report(
                    LearningStep(number_done, max(number_done, total), number + 1, horizon, error)
                )
        return training

    # Two at a time, with one core each: threads of BLAS would wait for one another.
    with (
        threadpool_limits(1, user_api="blas"),
        concurrent.futures.ThreadPoolExecutor(max_workers=2) as pool,
    ):
        begun = list(enumerate(map(begin_training, laws)))
        step = float(np.median(np.diff(data.times)))
        short = _results(stop, [pool.submit(lengthen, *one, before, step) for one in begun])
        order = sorted(enumerate(short), key=lambda one: -one[1].log_evidence)[:N_KEPT]
        for _ in range(HALVINGS):
            tasks = [pool.submit(lengthen, *one, [last], step) for one in order]
            order = list(zip((one[0] for one in order), _results(stop, tasks), strict=True))
            error = max(_step_error(one.law, data, step) for _, one in order)
            if error <= STEP_ERROR or stop.is_set():
                break
            step /= 2
        members = list(pool.map(lambda one: finish(one[1], data, step), order))
    return sorted(members, key=lambda member: -member.log_evidence), step


def _results(
    stop: threading.Event, tasks: Sequence[concurrent.futures.Future[Training]]
) -> list[Training]:
    """Results of trainings. Ctrl-C ends them all after their current iteration."""
    try:
        return [task.result() for task in tasks]
    except KeyboardInterrupt:
        stop.set()
        warn(
            "learn_law: interrupted. The laws are those of the iteration before; train again for "
            "better ones.",
            LearningWarning,
        )
        return [task.result() for task in tasks]


def _coarsest_grid(laws: Sequence[MomentLaw], data: ShootingData, step: float) -> np.ndarray:
    """Times between which one step each is enough for predictions, from the start to the end."""
    intervals = np.diff(data.times)
    counts = step_counts(intervals, step)
    fine = np.concatenate([[0.0], np.cumsum(np.repeat(intervals / counts, counts))])
    if len(fine) <= FEW_STEPS:
        return fine
    times, chart = data.times - data.times[0], laws[0].chart
    arrays = [kernel_law(law) for law in laws]
    exact = [solve_at(law, data.starts, fine, times) for law in arrays]
    grids = [
        np.concatenate(
            [fine[: len(fine) // part], fine[len(fine) // part : -1 : coarser], fine[-1:]]
        )
        for coarser in COARSER
        for part in COARSE_FROM
    ]
    for grid in sorted(grids, key=len):
        paths = [solve_at(law, data.starts, grid, times) for law in arrays]
        if all(
            _difference(chart, data, *pair) <= COARSE_ERROR
            for pair in zip(paths, exact, strict=True)
        ):
            return grid
    return fine


def _step_error(law: MomentLaw, data: ShootingData, step: float) -> float:
    """What half the step changes in the whitened residuals."""
    arrays, intervals = kernel_law(law), np.diff(data.times)
    coarse, fine = (solve(arrays, data.starts, intervals, one)[0] for one in (step, step / 2))
    return _difference(law.chart, data, coarse, fine)


@np.errstate(over="ignore", invalid="ignore")  # where a law runs away
def _difference(chart: Chart, data: ShootingData, one: np.ndarray, two: np.ndarray) -> float:
    """Root mean square of the difference of two paths in the whitened residuals."""
    change = chart.batch_probabilities(one) - chart.batch_probabilities(two)
    innovation = change[:, 1:] - (data.memory @ change[:, :-1, :, None])[..., 0]
    whitened = data.whitening @ innovation[..., None]
    return float(np.sqrt(np.mean(whitened**2))) if np.all(np.isfinite(whitened)) else np.inf
