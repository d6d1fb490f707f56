"""The first stage: trajectories of all initial conditions."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jax
import numpy as np
import xarray as xr

from dynboltz import simulation, store
from dynboltz.store import TrajectoryStore

from ._blocks import is_complete, is_ours, write_missing
from ._directory import ResultDirectory, remove_learned, remove_store
from ._errors import ExperimentError
from ._experiment import Experiment
from ._fingerprint import trajectories_fingerprint
from ._import import read_trajectories, source_has_changed
from ._initial_states import initial_coefficients, initial_states
from ._parts import PARTS
from ._progress import Progress, silent
from ._schema import StoreInitial
from ._seeds import DYNAMICS, seed_for
from ._timings import timed
from ._version import version


def simulate(
    experiment: Experiment,
    directory: ResultDirectory,
    *,
    overwrite: bool = False,
    progress: Progress = silent,
) -> None:
    """Simulate the training and the test trajectories of a lattice, or take them from files."""
    if isinstance(experiment.table.initial, StoreInitial):
        _check_sources(experiment, directory, overwrite=overwrite)
    if all(_is_complete(experiment, directory, part) for part in PARTS):
        return
    resumed = any(_is_ours(experiment, directory, part) for part in PARTS)
    with timed(directory, "simulate", resumed=resumed), jax.enable_x64(True):
        for part in PARTS:
            path = directory.trajectories(part)
            if overwrite and path.exists() and not _is_ours(experiment, directory, part):
                remove_store(path)
            if isinstance(experiment.table.initial, StoreInitial):
                _import(experiment, part, path)
            else:
                _simulate_part(experiment, part, path, progress)


def open_part(experiment: Experiment, directory: ResultDirectory, part: str) -> xr.Dataset:
    """Open the trajectories of one part, complete and of this experiment."""
    expect = {"fingerprint": trajectories_fingerprint(experiment, part)}
    return store.open_trajectories(directory.trajectories(part), expect=expect)


def _is_ours(experiment: Experiment, directory: ResultDirectory, part: str) -> bool:
    fingerprint = trajectories_fingerprint(experiment, part)
    return is_ours(store.resume_trajectories, directory.trajectories(part), fingerprint)


def _is_complete(experiment: Experiment, directory: ResultDirectory, part: str) -> bool:
    fingerprint = trajectories_fingerprint(experiment, part)
    return is_complete(store.resume_trajectories, directory.trajectories(part), fingerprint)


def _check_sources(experiment: Experiment, directory: ResultDirectory, *, overwrite: bool) -> None:
    """Refuse to go on with trajectories whose files have changed since; or forget them."""
    for part in PARTS:
        if not _is_complete(experiment, directory, part):
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


def _import(experiment: Experiment, part: str, path: Path) -> None:
    fingerprint = trajectories_fingerprint(experiment, part)
    if path.exists():
        trajectories = store.resume_trajectories(path, expect={"fingerprint": fingerprint})
        if trajectories.is_complete:
            return
        remove_store(path)
    given = read_trajectories(experiment, part)
    given.attrs["fingerprint"] = fingerprint
    replicas = given.sizes["replica"] // len(np.unique(given.initial_condition))
    store.write_trajectories(given, path, block_replicas=replicas)


def _simulate_part(experiment: Experiment, part: str, path: Path, progress: Progress) -> None:
    def report(done: int, total: int) -> None:
        progress({"stage": "simulate", "part": part, "step": done, "total": total})

    target = _open_or_create(experiment, part, path)
    write_missing(target, lambda missing: _simulated(experiment, part, missing), report)


def _simulated(
    experiment: Experiment, part: str, numbers: list[int]
) -> Iterator[tuple[int, tuple[np.ndarray, np.ndarray]]]:
    for number in numbers:
        initial = initial_states(experiment, part, number)
        result = simulation.simulate(
            experiment.network,
            experiment.lattice,
            initial,
            kernel=experiment.kernel,
            n_steps=experiment.table.kernel.n_steps,
            seed=seed_for(experiment, part, DYNAMICS),
            moments=experiment.moments,
            first_replica=number * len(initial),
        )
        shape = (*result.state.shape[:2], *experiment.lattice.shape)
        yield number, (result.state.reshape(shape), result.moments)


def _open_or_create(experiment: Experiment, part: str, path: Path) -> TrajectoryStore:
    attrs = _attributes(experiment, part)
    if path.exists():
        return store.resume_trajectories(path, expect={"fingerprint": attrs["fingerprint"]})
    table = experiment.table.initial
    assert not isinstance(table, StoreInitial)
    n_initial = getattr(table, part)
    return store.create_trajectories(
        path,
        n_replicas=n_initial * table.replicas,
        times=experiment.times,
        lattice_shape=experiment.lattice.shape,
        moment_names=[term.name for term in experiment.moments],
        initial_condition=np.repeat(np.arange(n_initial), table.replicas),
        attrs=attrs,
        block_replicas=table.replicas,
    )


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
    }
    if coefficients is not None and experiment.generator is not None:
        attrs["initial_coefficients"] = {
            "names": list(experiment.generator.model.coefficients),
            "values": coefficients.tolist(),
        }
    return attrs
