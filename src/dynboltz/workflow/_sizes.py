"""Sizes that settings imply, compared with the memory before anything runs.

What is counted is the least that a stage holds at a time, so that what would run is not refused.
Only the cells that a warm start needs are estimated, from the initial conditions where they are
known; it counts them again before it allocates anything.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float64

from dynboltz._memory import check_size
from dynboltz.distributions import TransferMatrix
from dynboltz.distributions._batches import LARGEST_BATCH
from dynboltz.dynamics import HermiteGrid
from dynboltz.learning._learn import PRIOR_REACH, prior_points
from dynboltz.learning._roughness import check_cell_energy
from dynboltz.learning._warm_start import check_least_squares

from ._errors import in_field
from ._experiment import Experiment, ReducedModelPlan
from ._initial_states import known_coefficients
from ._load import AnyExperiment
from ._schema import StoreInitial
from ._toml import dotted
from .continuous import BoxExperiment

STAGES = ("simulate", "fit", "train", "evaluate")
MOST_SCATTERED = 6
"""Arguments up to which the corners of the cells of prior points are counted, 64 each."""
PATTERN = 8
"""Bytes of a coordinate; the label of a particle takes one more."""


class Need(NamedTuple):
    """What a setting makes a stage hold in memory.

    Attributes
    ----------
    stage
        Which stage.
    field
        The setting.
    what
        What is held.
    n_bytes
        How large it is at least.
    advice
        What to change.
    """

    stage: str
    field: str
    what: str
    n_bytes: float
    advice: str


def check_sizes(experiment: AnyExperiment, stages: Sequence[str] = STAGES) -> None:
    """Raise `ExperimentError` if a stage needs more memory than there is.

    Parameters
    ----------
    experiment
        The experiment.
    stages
        Which stages are to run.
    """
    box = isinstance(experiment, BoxExperiment)
    for need in _box_needs(experiment) if box else _lattice_needs(experiment):
        if need.stage in stages:
            with in_field(experiment.source, need.field):
                check_size(need.what, need.n_bytes, need.advice)
    if isinstance(experiment, Experiment) and "train" in stages:
        for plan in experiment.plans.values():
            with in_field(experiment.source, dotted(("models", plan.name, "grid"))):
                _check_warm_start(experiment, plan)


def _lattice_needs(experiment: Experiment) -> Iterator[Need]:
    table, initial, n = experiment.table, experiment.table.initial, experiment.lattice.n_sites
    n_times, evaluation = len(experiment.times), table.evaluation
    if not isinstance(initial, StoreInitial):
        n_starts, replicas = initial.train + initial.test, initial.replicas_of("train")
        replicas = max(replicas, initial.replicas_of("test"))
        yield Need(
            "simulate",
            "lattice.shape",
            f"one simulation of {n} sites at {n_times} times",
            float(n) * n_times,
            "choose a smaller lattice, or fewer records (`kernel.n_steps`)",
        )
        yield Need(
            "simulate",
            "initial.replicas",
            f"the initial states of {replicas} replicas of {n} sites",
            2.0 * replicas * n,
            "choose fewer replicas or a smaller lattice",
        )
        moments = 8.0 * n_times * len(experiment.moments)
        yield Need(
            "fit",
            "initial.replicas",
            f"the initial states of {n_starts} initial conditions with {replicas} replicas each",
            float(n_starts) * replicas * n,
            "choose fewer replicas, fewer initial conditions (`initial.train`, `initial.test`) or "
            "a smaller lattice",
        )
        yield Need(
            "evaluate",
            "initial.replicas",
            f"{len(experiment.moments)} moments of {n_starts} initial conditions with {replicas} "
            f"replicas each at {n_times} times",
            moments * max(initial.train, initial.test) * replicas,
            "choose fewer replicas, initial conditions or records (`kernel.n_steps`)",
        )
        for plan in experiment.plans.values():
            yield from _model_needs(experiment, plan, initial.train)
    sampled = [plan for plan in experiment.plans.values() if not plan.is_solvable]
    for plan in sampled:
        states = float(n * len(plan.model.layers))
        for key, count in (("samples", evaluation.samples), ("chains", evaluation.chains)):
            yield Need(
                "evaluate",
                f"evaluation.{key}",
                f"{count} states of the {n} sites of {plan.name!r} in {len(plan.model.layers)} "
                "layers",
                count * states,
                f"choose fewer {key} or a smaller lattice",
            )
    if evaluation.transfer is not None and sampled:
        there = math.prod(evaluation.transfer.shape)
        yield Need(
            "evaluate",
            "evaluation.transfer",
            f"{evaluation.transfer.replicas} replicas of {there} sites",
            2.0 * evaluation.transfer.replicas * there,
            "choose fewer replicas or a smaller lattice",
        )


def _model_needs(experiment: Experiment, plan: ReducedModelPlan, n_train: int) -> Iterator[Need]:
    field = dotted(("models", plan.name))
    n = float(experiment.lattice.n_sites * len(plan.model.layers))
    n_times, n_coefficients = len(plan.learned_times(experiment.times)), len(plan.model.terms)
    if plan.follows_snapshots:
        yield Need(
            "train",
            f"{field}.learning.warm_start",
            f"the metric of {n_coefficients} coefficients at {n_train * n_times} snapshots",
            8.0 * n_train * n_times * n_coefficients**2,
            "choose fewer records, a shorter training (`learning.until`) or `warm_start = false`",
        )
    if plan.fit.moments == "persistent":
        yield Need(
            "fit",
            f"{field}.fit.chains",
            f"{plan.fit.chains} chains of {experiment.lattice.n_sites} sites",
            plan.fit.chains * n,
            "choose fewer chains",
        )
    if plan.learning.moments == "persistent":
        yield Need(
            "train",
            f"{field}.learning.chains",
            f"{plan.learning.chains} persistent chains of {experiment.lattice.n_sites} sites for "
            f"each of {n_train * n_times} snapshots",
            n_train * n_times * plan.learning.chains * n,
            "choose fewer chains, a shorter training (`learning.until`), or "
            '`moments = "short-run"`',
        )
    if plan.exact_settings and plan.is_solvable:
        window = TransferMatrix(plan.model).window
        n_labels = len(experiment.network.species) + 1
        n_rows = min(LARGEST_BATCH, n_train)
        yield Need(
            "fit",
            f"{field}.terms",
            f"{n_rows} transfer matrices between {n_labels}^{window - 1} states of "
            f"{window - 1} sites, their powers and their derivatives",
            3 * 8.0 * n_rows * float(n_labels) ** (2 * (window - 1)),
            "choose terms of shorter range, or sampled moments (`fit.moments`, `learning.moments`)",
        )


def _check_warm_start(experiment: Experiment, plan: ReducedModelPlan) -> None:
    """Raise `ValueError` if the least-squares problem of a warm start is beyond the memory."""
    learning = plan.learning
    if learning.warm_start or (learning.steps and learning.smoothness):
        for grid in dict.fromkeys(plan.grids.values()):
            check_cell_energy(grid)
    if not learning.warm_start:
        return
    starts = _likely_starts(experiment, plan)
    n_train = getattr(experiment.table.initial, "train", 1)
    n_train = n_train if isinstance(n_train, int) else 1
    exact = learning.moments == "exact" and plan.is_solvable
    scattered = exact and learning.velocity_prior == "moment-regression"
    names, n_times = plan.model.coefficients, len(plan.learned_times(experiment.times))
    for grid in dict.fromkeys(plan.grids.values()):
        n_vertices = math.prod(min(2 if exact else 4, n + 1) for n in grid.n_cells)
        if grid.dim <= MOST_SCATTERED and scattered:
            # Around a vertex there are fewer cells than around any other place.
            chosen = np.array([grid.box[0]]) + (np.array(grid.n_cells) // 2) * np.array(grid.cell)
            if starts is not None:
                chosen = starts[:, [names.index(name) for name in grid.arguments]]
            n_points = prior_points(max(n_train, len(chosen)), n_times) // 3
            n_vertices = _n_vertices(grid, _around(grid, chosen, n_points))
        check_least_squares(grid, 1 << (n_vertices - 1).bit_length())


def _likely_starts(
    experiment: Experiment, plan: ReducedModelPlan
) -> Float64[np.ndarray, "starts coefficients"] | None:
    """Coefficients at time 0, also where they are fitted to states that are made here.

    The fits come near the coefficients that states are made with, where the model has these.
    `None` if nothing is known.
    """
    if plan.given_initial is not None:
        return plan.given_initial[None]
    if plan.initial != "known" and experiment.why_unknown(plan.model):
        return None
    return known_coefficients(experiment, plan, "train")


def _around(
    grid: HermiteGrid, starts: Float64[np.ndarray, "starts arguments"], n_points: int
) -> Float64[np.ndarray, "points arguments"]:
    """Points where velocities are expected at the beginning of the trajectories.

    These are about a third of all. Learning draws its own; which ones makes little difference for
    the number of their cells.
    """
    random = np.random.Generator(np.random.PCG64(0))
    near = starts[random.integers(0, len(starts), n_points)]
    reach = PRIOR_REACH * np.array(grid.cell)
    return np.concatenate([starts, near + reach * random.uniform(-1, 1, near.shape)])


def _n_vertices(grid: HermiteGrid, points: Float64[np.ndarray, "points arguments"]) -> int:
    """Number of vertices of the cells of some points."""
    low, high = grid.box
    inside = np.clip(points, low, high)
    cells = np.floor((inside - low) / np.array(grid.cell)).astype(np.int64)
    cells = np.unique(np.minimum(cells, np.array(grid.n_cells) - 1), axis=0)
    corners = np.array(list(itertools.product((0, 1), repeat=grid.dim)))
    return len(np.unique((cells[:, None] + corners).reshape(-1, grid.dim), axis=0))


def _box_needs(experiment: BoxExperiment) -> Iterator[Need]:
    table, initial, dim = experiment.table, experiment.table.initial, experiment.box.dim
    n_times, replicas, n_slots = len(experiment.times), initial.replicas, experiment.n_slots
    slots = "initial" if table.kernel.max_particles is None else "kernel.max_particles"
    particle = PATTERN * dim + 1.0
    yield Need(
        "simulate",
        slots,
        f"{replicas} replicas of up to {n_slots} particles at {n_times} times",
        replicas * n_times * n_slots * particle,
        "choose fewer particles, replicas (`initial.replicas`) or records (`kernel.n_steps`)",
    )
    n_bins = float(table.evaluation.profile_bins) ** dim * len(experiment.species)
    yield Need(
        "evaluate",
        "evaluation.profile_bins",
        f"densities in {table.evaluation.profile_bins}^{dim} cells of {replicas} replicas at "
        f"{n_times} times",
        8.0 * replicas * n_times * n_bins,
        "choose fewer bins, replicas or records",
    )
    n_pairs = len(experiment.species) * (len(experiment.species) + 1) // 2
    yield Need(
        "evaluate",
        "evaluation.distance_bins",
        f"pairs in {table.evaluation.distance_bins} bins of {replicas} replicas at {n_times} times",
        8.0 * replicas * n_times * n_pairs * table.evaluation.distance_bins,
        "choose fewer bins, replicas or records",
    )
    for name, plan in experiment.plans.items():
        field = dotted(("models", name))
        n = len(plan.model.coefficients)
        yield Need(
            "train",
            f"{field}.elements",
            f"the metric of {n} coefficients of the elements",
            2 * 8.0 * float(n) ** 2,
            "choose fewer cells",
        )
        if not plan.has_pairs:
            continue
        settings = plan.sampled_settings
        yield Need(
            "train",
            f"{field}.learning.chains",
            f"{settings.chains} chains of up to {n_slots} particles for each of "
            f"{initial.train * n_times} snapshots",
            settings.chains * initial.train * n_times * n_slots * particle,
            "choose fewer chains, initial conditions or records",
        )
        yield Need(
            "evaluate",
            "evaluation.samples",
            f"{table.evaluation.samples} patterns of up to {2 * n_slots} particles at {n_times} "
            "times",
            table.evaluation.samples * n_times * 2 * n_slots * particle,
            "choose fewer samples or records",
        )
