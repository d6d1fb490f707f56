"""Laws of moments of an experiment: what they follow, how they are learned, what they predict."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float64

from dynboltz import laws
from dynboltz._fit import BAND, KIND, FittedModel, fitted_dataset, load_fitted
from dynboltz._warnings import collected
from dynboltz.distributions import observed_moments
from dynboltz.evaluation._squared_errors import N_HALVES
from dynboltz.lattices import Term, TermCounter, pattern_images, pattern_term
from dynboltz.laws import (
    LearnedLaw,
    LearningStep,
    MomentChart,
    fit_readout,
    followed_terms,
    known_part,
    moment_chart,
    nothing_known,
    starting_coordinates,
)
from dynboltz.moments import Geometry
from dynboltz.reactions import ReactionNetwork, species_symmetries
from dynboltz.simulation import ContinuousTimeKernel

from ._directory import ResultDirectory
from ._errors import ExperimentError
from ._experiment import Experiment
from ._fingerprint import law_fingerprint
from ._fit import half_of, initial_states
from ._initial_states import initial_coefficients, initial_counts
from ._law_files import law_dataset_of
from ._lineage import lineage
from ._metrics import ByPart
from ._parts import PARTS, by_part
from ._progress import Progress
from ._schema import CountsInitial
from ._seeds import Purpose, derive_seed
from ._simulate import open_part
from ._some_times import at_all_times, some_times
from ._states import blocks_ahead
from ._stored import write_model

SIGNIFICANT = 3.0
"""Standard errors by which the mean squared residual of a law may be above 1; more is a misfit,
which larger laws may mend."""

MOST_COORDINATES = 10
"""Of a law that is tried: the time to learn it grows with the square of their number."""


class Recorded(NamedTuple):
    """Recorded moments of one part of the trajectories.

    Attributes
    ----------
    terms
        The moments that models are compared by, and more that laws may follow.
    moments
        For each initial condition, their values per site.
    """

    terms: tuple[Term, ...]
    moments: list[Float64[np.ndarray, "_ times moments"]]

    def columns(self, names: Sequence[str]) -> list[int]:
        """Places of moments."""
        known = [term.name for term in self.terms]
        return [known.index(name) for name in names]


def learn_law(
    experiment: Experiment, directory: ResultDirectory, name: str, progress: Progress
) -> None:
    """Learn a law of moments, and store it."""
    recorded = read_recorded(experiment, directory, "train")
    model, tried = _choose(experiment, recorded, name, progress)
    dataset = fitted_dataset(model).assign_attrs(tried=tried)
    origin = lineage(experiment, directory, directory.trajectories("train"))
    own = law_fingerprint(experiment, name)
    write_model(dataset, directory.law(name), KIND, name, own, origin)


def read_law(
    experiment: Experiment, directory: ResultDirectory, name: str
) -> tuple[FittedModel, list[dict[str, Any]]]:
    """A learned law, and what was tried for it."""
    dataset = law_dataset_of(experiment, directory, name)
    return load_fitted(dataset, directory.law(name)), list(dataset.attrs["tried"])


def read_recorded(experiment: Experiment, directory: ResultDirectory, part: str) -> Recorded:
    """Moments of one part of the trajectories; those that were not recorded are counted."""
    trajectories = open_part(experiment, directory, part)
    numbers = trajectories.initial_condition.values
    moments = trajectories.moments.values
    chosen = [moments[numbers == number] for number in np.unique(numbers)]
    more = _unrecorded(experiment)
    if more:
        counter = TermCounter(experiment.lattice, [experiment.network.species], more)
        n_sites, counted = experiment.lattice.n_sites, [[] for _ in chosen]
        for number, _, states in blocks_ahead(trajectories):
            counts = counter.count(states.reshape(1, -1, n_sites)) / n_sites
            counted[number].append(counts.reshape(*states.shape[:2], -1))
        chosen = [
            np.concatenate([own, np.concatenate(blocks)], axis=-1)
            for own, blocks in zip(chosen, counted, strict=True)
        ]
    return Recorded((*experiment.moments, *more), chosen)


def known_starts(
    experiment: Experiment, chart: MomentChart, part: str
) -> Float64[np.ndarray, "initial_conditions coordinates"] | None:
    """Coordinates of starts that are made here; `None` for those of given trajectories."""
    table = experiment.table.initial
    if isinstance(table, CountsInitial):
        species = [chart.names[i] for i in chart.densities]
        rows = [
            initial_counts(experiment, table, part, number)
            for number in range(getattr(table, part))
        ]
        counts = np.array([[row.get(name, 0) for name in species] for row in rows], dtype=float)
        n_sites = experiment.lattice.n_sites
        return chart.uncorrelated(counts / n_sites, n_sites)
    coefficients = initial_coefficients(experiment, part)
    if coefficients is None or experiment.generator is None:
        return None
    moments = observed_moments(experiment.generator.model, coefficients[:, None], chart.terms)
    return chart.from_moments(np.asarray(moments)[:, 0])


def _exact_network(experiment: Experiment) -> ReactionNetwork | None:
    """The reactions, if their moment equations are those of the process."""
    continuous = isinstance(experiment.kernel, ContinuousTimeKernel)
    return experiment.network if experiment.has_network and continuous else None


def _smallest(experiment: Experiment) -> tuple[Term, ...]:
    """Terms of the smallest law, under the names that they are recorded by."""
    geometry = Geometry(experiment.lattice.dim)
    names = {_pattern(term, geometry): term.name for term in experiment.moments}
    return tuple(
        pattern_term(
            names.get(_pattern(term, geometry), term.name),
            pattern_images(_pattern(term, geometry)),
        )
        for term in followed_terms(
            experiment.network.species, experiment.lattice.dim, _exact_network(experiment)
        )
    )


def _pattern(term: Term, geometry: Geometry) -> Any:
    return geometry.canonical((f.offset, f.species) for f in term.products[0])


def _unrecorded(experiment: Experiment) -> tuple[Term, ...]:
    recorded = {term.name for term in experiment.moments}
    return tuple(term for term in _smallest(experiment) if term.name not in recorded)


def _candidates(experiment: Experiment) -> list[tuple[Term, ...]]:
    """What laws may follow, from small to large.

    Densities, neighbours and what these leave open in the equations of densities; then recorded
    patterns of three sites, then of more, as long as they are few.
    """
    found = [_smallest(experiment)]
    orders = sorted({_order(term) for term in experiment.moments})
    for order in orders:
        names = {term.name for term in found[-1]}
        more = [t for t in experiment.moments if _order(t) == order and t.name not in names]
        if more and len(names) + len(more) <= MOST_COORDINATES:
            found.append((*found[-1], *more))
    return found


def _order(term: Term) -> int:
    return len(term.products[0])


def _choose(
    experiment: Experiment, recorded: Recorded, name: str, progress: Progress
) -> tuple[FittedModel, list[dict[str, Any]]]:
    """Learn laws from small to large, until one describes the trajectories within the noise.

    Of those, the one that errs least at starts that are left out; a larger one only if it errs
    significantly less.
    """
    _check_replicas(experiment, recorded, name)
    candidates, tried = _candidates(experiment), []
    best: tuple[LearnedLaw, np.ndarray] | None = None
    seed = derive_seed(experiment, "train", Purpose.LEARNING, name=name)
    for number, terms in enumerate(candidates):
        label = name if not number else f"{name}, more moments"
        report = training_report(progress, label)
        learned, starts = _learn(experiment, recorded, terms, seed, report)
        tried.append(
            {
                "moments": list(learned.chart.names),
                "training_error": finite(learned.training_error),
                "validation_error": finite(learned.validation_error),
            }
        )
        # Standard error of a mean of squares of independent standard normal numbers.
        scatter = np.sqrt(2 / (learned.n_residuals * learned.n_starts))
        if best is None or learned.validation_error**2 < best[0].validation_error ** 2 - scatter:
            best = learned, starts
        if learned.training_error**2 <= 1 + SIGNIFICANT * scatter:
            break
    assert best is not None
    learned, starts = best
    times = learned.times
    readout = fit_readout(
        learned.law,
        learned.coordinates(starts, times),
        recorded.terms,
        experiment.lattice,
        [own[:, np.searchsorted(experiment.times, times)] for own in recorded.moments],
    )
    model = FittedModel(
        learned.with_readout(readout), experiment.lattice, experiment.network.species
    )
    return model, tried


def _learn(
    experiment: Experiment,
    recorded: Recorded,
    terms: tuple[Term, ...],
    seed: np.random.SeedSequence,
    report: Callable[[LearningStep], None] | None,
) -> tuple[LearnedLaw, np.ndarray]:
    """One law, and the coordinates of its training starts."""
    columns = recorded.columns([term.name for term in terms])
    moments = [own[..., columns] for own in recorded.moments]
    chart = moment_chart(terms, experiment.lattice, n_replicas=min(map(len, moments)))
    network = _exact_network(experiment)
    known = (
        nothing_known(chart) if network is None else known_part(chart, experiment.lattice, network)
    )
    starts = known_starts(experiment, chart, "train")
    if starts is None:
        starts = starting_coordinates(chart, experiment.lattice, [own[:, 0] for own in moments])
    number = int(seed.generate_state(1)[0])
    with collected():  # `law_warnings` says it when the law is evaluated.
        learned = laws.learn_law(
            chart,
            known,
            experiment.times,
            moments,
            starts=starts,
            symmetries=_symmetries(experiment, chart),
            seed=number,
            report=report,
        )
    return learned, starts


def _symmetries(experiment: Experiment, chart: MomentChart) -> list[tuple[int, ...]]:
    """Permutations of the moments that follow from species which the process cannot tell apart."""
    if not experiment.has_network:
        return []
    kernel, network = experiment.kernel, experiment.network
    rates = kernel.hop_rate if isinstance(kernel, ContinuousTimeKernel) else None
    found = []
    for permutation in species_symmetries(network, rates if isinstance(rates, dict) else None):
        species = network.species
        names = {species[i]: species[j] for i, j in enumerate(permutation)}
        renamed = chart.renamed(names)
        if renamed is None:
            return []
        found.append(renamed)
    return found


def training_report(progress: Progress, label: str) -> Callable[[LearningStep], None]:
    """What `learn_law` calls after each step, to tell the progress of the stage."""

    def report(step: LearningStep) -> None:
        progress(
            {
                "stage": "train",
                "model": label,
                "step": step.step,
                "total": step.total,
                "unit": "trainings",
                "error in units of the noise": step.error,
            }
        )

    return report


def _check_replicas(experiment: Experiment, recorded: Recorded, name: str) -> None:
    single = [number for number, own in enumerate(recorded.moments) if len(own) < 2]
    if single:
        raise ExperimentError(
            f"{experiment.source}, `models.{name}`: the initial condition {single[0]} of the "
            "training set has one replica; a law needs two or more of each, whose scatter says "
            "how large the noise is. Give `initial_condition` in your data, or models with terms."
        )
    if len(experiment.times) < 3:
        raise ExperimentError(
            f"{experiment.source}, `models.{name}`: a law needs three times or more, got "
            f"{len(experiment.times)}."
        )


class PredictedByLaw(NamedTuple):
    """What a law, of moments or of a model with terms, predicts of both parts.

    Attributes
    ----------
    moments
        The moments that models are compared by, per site.
    halves
        Predictions from starts that were estimated from either half of the replicas; empty where
        starts are known.
    error
        Standard deviations of the expectations, as far as the law is uncertain.
    is_known
        Whether training trajectories passed nearby.
    seconds
        Time for predictions without bands.
    theta
        Coefficients, of models with terms.
    """

    moments: ByPart
    halves: ByPart
    error: ByPart
    is_known: dict[str, np.ndarray]
    seconds: float
    theta: ByPart | None = None


def predict_by_law(
    experiment: Experiment, directory: ResultDirectory, model: FittedModel
) -> PredictedByLaw:
    """Predict both parts with a law."""
    learned, times = model.learned, experiment.times
    names = [term.name for term in experiment.moments]
    shown = [learned.moments.index(name) for name in names]
    chart, lattice = learned.chart, experiment.lattice
    assert isinstance(chart, MomentChart)
    starts, halves = {}, {}
    for part in PARTS:
        found = known_starts(experiment, chart, part)
        if found is None:
            first = _first_moments(experiment, directory, chart, part)
            found = starting_coordinates(chart, lattice, first)
            of_halves = [
                starting_coordinates(chart, lattice, [half_of(own, h) for own in first])
                for h in range(N_HALVES)
            ]
            halves[part] = np.array(
                [learned.predict(rows, times).moments[..., shown] for rows in of_halves]
            )
        starts[part] = found
    joined, ends = np.concatenate(list(starts.values())), [len(starts[PARTS[0]])]
    begun = time.perf_counter()
    everywhere = learned.predict(joined, times)
    seconds = time.perf_counter() - begun
    moments = by_part(everywhere.moments[..., shown], ends)
    known = by_part(everywhere.is_known, ends)
    some = some_times(times)
    error = learned.predict(joined, some, bands=True).error[..., shown]
    # Splines may pass below zero where errors begin at zero.
    errors = by_part(np.maximum(at_all_times(some, error, times), 0.0), ends)
    if isinstance(experiment.table.initial, CountsInitial):
        # All moments of random placements are known, whether a law follows them or not.
        full = model.chart
        for part in PARTS:
            exact = known_starts(experiment, full, part)
            assert exact is not None
            moments[part][:, 0] = full.batch_moments(exact)[:, shown]
            errors[part][:, 0] = 0.0
    return PredictedByLaw(moments, halves, errors, known, seconds)


def _first_moments(
    experiment: Experiment, directory: ResultDirectory, chart: MomentChart, part: str
) -> list[Float64[np.ndarray, "_ moments"]]:
    """Moments of each replica of each initial condition at the first time."""
    lattice = experiment.lattice
    counter = TermCounter(lattice, [experiment.network.species], chart.terms)
    return [
        counter.count(states[None]) / lattice.n_sites
        for states in initial_states(experiment, directory, part)
    ]


def finite(value: float) -> float | None:
    """The number, or `None` for infinity, which JSON cannot hold."""
    return value if np.isfinite(value) else None


def coverage(
    moments: Float64[np.ndarray, "initial_conditions times moments"],
    error: Float64[np.ndarray, "initial_conditions times moments"],
    mean: Float64[np.ndarray, "initial_conditions times moments"],
    standard_error: Float64[np.ndarray, "initial_conditions times moments"],
) -> float | None:
    """Part of the simulated means within bands of 90 %, of law and noise together.

    The first time is left out, as numbers of particles are often fixed there. `None` if no noise
    is known.
    """
    spread = np.sqrt(error**2 + standard_error**2)[:, 1:]
    known = np.isfinite(spread) & (spread > 0)
    if not known.any():
        return None
    return float(np.mean((np.abs(moments - mean)[:, 1:] <= BAND * spread)[known]))
