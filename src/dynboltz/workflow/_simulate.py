"""Trajectories on a lattice: simulated, or taken from given files."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, final

import jax
import numpy as np
import xarray as xr
from jaxtyping import Float64, UInt8

from dynboltz import simulation, store
from dynboltz.store import TrajectoryStore

from ._directory import ResultDirectory, remove_learned, remove_store
from ._ensemble import AbstractEnsemble, block_replicas
from ._errors import ExperimentError
from ._experiment import Experiment
from ._fingerprint import trajectories_fingerprint
from ._import import read_trajectories, source_has_changed
from ._initial_states import initial_coefficients, initial_states
from ._parts import PARTS
from ._schema import StoreInitial
from ._seeds import Purpose, derive_seed
from ._timings import timed
from ._version import version


@final
class LatticeEnsemble(AbstractEnsemble):
    """Trajectories of one part of an experiment on a lattice."""

    def __init__(self, experiment: Experiment, part: str) -> None:
        super().__init__(part, trajectories_fingerprint(experiment, part))
        self._experiment = experiment
        self._states: tuple[int, np.ndarray] | None = None

    def create(self, path: Path) -> TrajectoryStore:
        """Create the store, without any block."""
        experiment, table = self._experiment, self._experiment.table.initial
        assert not isinstance(table, StoreInitial)
        n_initial = getattr(table, self.part)
        replicas = table.replicas_of(self.part)
        replica_bytes = len(experiment.times) * experiment.lattice.n_sites
        return store.create_trajectories(
            path,
            n_replicas=n_initial * replicas,
            times=experiment.times,
            lattice_shape=experiment.lattice.shape,
            moment_names=[term.name for term in experiment.moments],
            initial_condition=np.repeat(np.arange(n_initial), replicas),
            attrs=_attributes(experiment, self.part),
            block_replicas=block_replicas(replicas, replica_bytes),
        )

    def resume(self, path: Path, *, expect: Mapping[str, Any]) -> TrajectoryStore:
        """Open the store to go on with."""
        return store.resume_trajectories(path, expect=expect)

    def make(
        self, replicas: range
    ) -> tuple[
        UInt8[np.ndarray, "replicas times ..."], Float64[np.ndarray, "replicas times moments"]
    ]:
        """States and moments of the replicas of a block."""
        experiment = self._experiment
        result = simulation.simulate(
            experiment.network,
            experiment.lattice,
            self._initial(replicas),
            kernel=experiment.kernel,
            n_steps=experiment.table.kernel.n_steps,
            seed=derive_seed(experiment, self.part, Purpose.DYNAMICS),
            moments=experiment.moments,
            first_replica=replicas.start,
        )
        shape = (*result.state.shape[:2], *experiment.lattice.shape)
        return result.state.reshape(shape), result.moments

    def _initial(self, replicas: range) -> UInt8[np.ndarray, "replicas sites"]:
        """Initial states; those of one initial condition are kept for its other blocks."""
        table = self._experiment.table.initial
        assert not isinstance(table, StoreInitial)
        number, first = divmod(replicas.start, table.replicas_of(self.part))
        if self._states is None or self._states[0] != number:
            with jax.enable_x64(True):
                states = initial_states(self._experiment, self.part, number)
            self._states = number, states
        return self._states[1][first : first + len(replicas)]


def import_trajectories(
    experiment: Experiment, directory: ResultDirectory, *, overwrite: bool
) -> None:
    """Take the trajectories from the files that the experiment names."""
    ensembles = [LatticeEnsemble(experiment, part) for part in PARTS]
    _check_sources(experiment, directory, ensembles, overwrite=overwrite)
    found = [ensemble.find(directory.trajectories(ensemble.part)) for ensemble in ensembles]
    if all(there is not None and there.is_complete for there in found):
        return
    resumed = any(there is not None for there in found)
    with timed(directory, "simulate", resumed=resumed):
        for ensemble, there in zip(ensembles, found, strict=True):
            path = directory.trajectories(ensemble.part)
            if overwrite and there is None and path.exists():
                remove_store(path)
            _import(experiment, ensemble, path)


def open_part(experiment: Experiment, directory: ResultDirectory, part: str) -> xr.Dataset:
    """Open the trajectories of one part, complete and of this experiment."""
    expect = {"fingerprint": trajectories_fingerprint(experiment, part)}
    return store.open_trajectories(directory.trajectories(part), expect=expect)


def _check_sources(
    experiment: Experiment,
    directory: ResultDirectory,
    ensembles: list[LatticeEnsemble],
    *,
    overwrite: bool,
) -> None:
    """Refuse to go on with trajectories whose files have changed since; or forget them."""
    for ensemble in ensembles:
        part = ensemble.part
        there = ensemble.find(directory.trajectories(part))
        if there is None or not there.is_complete:
            continue
        if source_has_changed(experiment, part, open_part(experiment, directory, part)):
            if not overwrite:
                raise ExperimentError(
                    f"{getattr(experiment.table.initial, part)}: has changed since it was read "
                    f"into {directory.path}. Choose another directory with --out, or read it again "
                    "with --overwrite."
                )
            remove_learned(directory)  # first: nothing else tells that it is outdated
            remove_store(directory.trajectories(part))


def _import(experiment: Experiment, ensemble: LatticeEnsemble, path: Path) -> None:
    if path.exists():
        if ensemble.open(path).is_complete:
            return
        remove_store(path)
    given = read_trajectories(experiment, ensemble.part)
    own = {"version": version(), "experiment": experiment.to_toml()}
    given.attrs |= own | {"fingerprint": ensemble.fingerprint}
    replicas = int(np.unique(given.initial_condition, return_counts=True)[1].max())
    store.write_trajectories(given, path, block_replicas=replicas)


def _attributes(experiment: Experiment, part: str) -> dict[str, Any]:
    coefficients = initial_coefficients(experiment, part)
    attrs: dict[str, Any] = {
        "species": list(experiment.network.species),
        "network": experiment.network.to_text(),
        "boundary": experiment.lattice.boundary,
        "kernel": experiment.table.kernel.kind,
        "dt": experiment.kernel.time_step,
        "seed": experiment.seed,
        "version": version(),
        "fingerprint": trajectories_fingerprint(experiment, part),
        "experiment": experiment.to_toml(),
    }
    if coefficients is not None and experiment.generator is not None:
        attrs["initial_coefficients"] = {
            "names": list(experiment.generator.model.coefficients),
            "values": coefficients.tolist(),
        }
    return attrs
