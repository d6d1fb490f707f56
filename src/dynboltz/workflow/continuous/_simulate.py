"""Trajectories of particles of all initial conditions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, final

import numpy as np
import xarray as xr

from dynboltz import store
from dynboltz.particles import PointPatterns
from dynboltz.simulation import simulate_particles
from dynboltz.store import ParticleStore

from .._directory import ResultDirectory
from .._ensemble import AbstractEnsemble
from .._seeds import Purpose, derive_seed
from .._version import version
from ._experiment import BoxExperiment
from ._fingerprint import trajectories_fingerprint
from ._initial_patterns import initial_patterns


@final
class BoxEnsemble(AbstractEnsemble):
    """Trajectories of particles of one part of an experiment."""

    def __init__(self, experiment: BoxExperiment, part: str) -> None:
        super().__init__(part, trajectories_fingerprint(experiment, part))
        self._experiment = experiment

    def create(self, path: Path) -> ParticleStore:
        """Create the store, without any block."""
        experiment, table = self._experiment, self._experiment.table.initial
        n_initial = getattr(table, self.part)
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
                "fingerprint": self.fingerprint,
                "experiment": experiment.to_toml(),
            },
            block_replicas=table.replicas,
        )

    def resume(self, path: Path, *, expect: Mapping[str, Any]) -> ParticleStore:
        """Open the store to go on with."""
        return store.resume_particles(path, expect=expect)

    def make(self, replicas: range) -> tuple[PointPatterns]:
        """Patterns of the replicas of a block, which is one initial condition."""
        experiment = self._experiment
        number = replicas.start // experiment.table.initial.replicas
        patterns = simulate_particles(
            experiment.network,
            experiment.box,
            initial_patterns(experiment, self.part, number),
            times=experiment.times,
            seed=derive_seed(experiment, self.part, Purpose.DYNAMICS),
            first_replica=replicas.start,
            **experiment.dynamics,
        )
        return (patterns,)


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
