"""The first stage: trajectories of particles of all initial conditions."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import xarray as xr

from dynboltz import store
from dynboltz.particles import PointPatterns
from dynboltz.simulation import simulate_particles
from dynboltz.store import ParticleStore

from .._blocks import is_complete, is_ours, write_missing
from .._directory import ResultDirectory, remove_store
from .._parts import PARTS
from .._progress import Progress, silent
from .._seeds import DYNAMICS, seed_for
from .._timings import timed
from .._version import version
from ._experiment import BoxExperiment
from ._fingerprint import trajectories_fingerprint
from ._initial_patterns import initial_patterns


def simulate(
    experiment: BoxExperiment,
    directory: ResultDirectory,
    *,
    overwrite: bool = False,
    progress: Progress = silent,
) -> None:
    """Simulate the training and the test trajectories of particles."""
    if all(_is(is_complete, experiment, directory, part) for part in PARTS):
        return
    resumed = any(_is(is_ours, experiment, directory, part) for part in PARTS)
    with timed(directory, "simulate", resumed=resumed):
        for part in PARTS:
            path = directory.trajectories(part)
            if overwrite and path.exists() and not _is(is_ours, experiment, directory, part):
                remove_store(path)
            _simulate_part(experiment, part, path, progress)


def open_part(experiment: BoxExperiment, directory: ResultDirectory, part: str) -> xr.Dataset:
    """Open the trajectories of one part, complete and of this experiment."""
    expect = {"fingerprint": trajectories_fingerprint(experiment, part)}
    return store.open_particles(directory.trajectories(part), expect=expect)


def patterns_of(
    experiment: BoxExperiment, trajectories: xr.Dataset
) -> Iterator[tuple[int, PointPatterns]]:
    """Patterns [replicas, times] of one initial condition after the other, and its number."""
    replicas = experiment.table.initial.replicas
    for number in range(trajectories.sizes["replica"] // replicas):
        own = trajectories.isel(replica=slice(number * replicas, (number + 1) * replicas))
        yield number, store.load_patterns(own)


def _is(question, experiment: BoxExperiment, directory: ResultDirectory, part: str) -> bool:
    fingerprint = trajectories_fingerprint(experiment, part)
    return question(store.resume_particles, directory.trajectories(part), fingerprint)


def _simulate_part(experiment: BoxExperiment, part: str, path: Path, progress: Progress) -> None:
    def report(done: int, total: int) -> None:
        progress({"stage": "simulate", "part": part, "step": done, "total": total})

    def produce(missing: list[int]) -> Iterator[tuple[int, tuple[PointPatterns]]]:
        for number in missing:
            yield number, (_simulated(experiment, part, number),)

    write_missing(_open_or_create(experiment, part, path), produce, report)


def _simulated(experiment: BoxExperiment, part: str, number: int) -> PointPatterns:
    initial = initial_patterns(experiment, part, number)
    return simulate_particles(
        experiment.network,
        experiment.box,
        initial,
        times=experiment.times,
        seed=seed_for(experiment, part, DYNAMICS),
        first_replica=number * len(initial.labels),
        **experiment.dynamics,
    )


def _open_or_create(experiment: BoxExperiment, part: str, path: Path) -> ParticleStore:
    fingerprint = trajectories_fingerprint(experiment, part)
    if path.exists():
        return store.resume_particles(path, expect={"fingerprint": fingerprint})
    table = experiment.table.initial
    n_initial = getattr(table, part)
    return store.create_particles(
        path,
        n_replicas=n_initial * table.replicas,
        times=experiment.times,
        n_slots=experiment.n_slots,
        species=experiment.species,
        box=experiment.box,
        initial_condition=np.repeat(np.arange(n_initial), table.replicas),
        attrs={
            "network": experiment.network.to_text(),
            "kernel": experiment.table.kernel.kind,
            "diffusion": experiment.diffusion,
            "dt": experiment.dynamics["dt"],
            "seed": experiment.seed,
            "version": version(),
            "fingerprint": fingerprint,
        },
        block_replicas=table.replicas,
    )
