"""What `dynboltz doctor` says about the installation."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Callable, Iterator
from importlib import metadata

import jax
import numba
import numpy as np

from dynboltz.experiments import shipped_experiments
from dynboltz.sampling import GibbsSampler, start_random
from dynboltz.simulation import simulate
from dynboltz.workflow import Experiment, load_experiment

PACKAGES = ("dynboltz", "numpy", "scipy", "numba", "jax", "equinox", "xarray", "zarr", "h5netcdf")
OPTIONAL = ("distributed", "readdy", "python-libsbml", "antimony")
PROCESSORS = os.cpu_count() or 1
SECONDS = 5.0
"""Of measuring one speed."""
REFERENCE = "rossler"
"""Shipped experiment whose simulation and sampling are measured."""


def describe_machine() -> Iterator[tuple[str, str]]:
    """Versions, devices, threads, kernels and speeds, as names and values."""
    yield "Python", f"{platform.python_version()} on {platform.platform()}"
    for name in PACKAGES:
        yield name, metadata.version(name)
    for name in OPTIONAL:
        yield f"{name} (optional)", _version(name)
    yield "Devices of JAX", ", ".join(str(device) for device in jax.devices())
    yield "Processors", str(PROCESSORS)
    yield "Threads of numba", str(numba.get_num_threads())
    for name in shipped_experiments():
        experiment = load_experiment(name)
        if isinstance(experiment, Experiment):
            yield f"Moments in {name}", _kernels(experiment)
    reference = load_experiment(REFERENCE)
    assert isinstance(reference, Experiment)
    yield "Speed of simulation", f"{_hops_per_second(reference):.3g} hop attempts a second"
    yield "Speed of sampling", f"{_updates_per_second(reference):.3g} unit updates a second"


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "not installed"


def _kernels(experiment: Experiment) -> str:
    """Where the moments of each model come from on this machine."""
    return ", ".join(
        f"{name}: {'exact' if plan.is_solvable else GibbsSampler(plan.model).kernel}"
        for name, plan in experiment.plans.items()
    )


def _hops_per_second(experiment: Experiment) -> float:
    lattice, n_species = experiment.lattice, len(experiment.network.species)
    initial = np.random.default_rng(0).integers(0, n_species + 1, (PROCESSORS, lattice.n_sites))

    def hops(n_steps: int) -> float:
        result = simulate(
            experiment.network,
            lattice,
            initial.astype(np.uint8),
            kernel=experiment.kernel,
            n_steps=n_steps,
            seed=0,
            moments=experiment.moments[:n_species],
        )
        return float(result.moments[:, :-1].sum()) * lattice.n_sites

    hops(1)
    return _rate(hops)


def _updates_per_second(experiment: Experiment) -> float:
    plan = next(plan for plan in experiment.plans.values() if not plan.is_solvable)
    sampler, n_chains = GibbsSampler(plan.model), 8 * PROCESSORS
    theta = np.zeros(len(plan.model.coefficients))
    states = start_random(plan.model, n_chains, seed=0).states

    def updates(n_sweeps: int) -> float:
        sampler.sweep(states, theta, seed=0, n_sweeps=n_sweeps)
        return float(n_sweeps * n_chains * sum(sampler.block_sizes))

    updates(1)
    return _rate(updates)


def _rate(work: Callable[[int], float]) -> float:
    """Events a second, of runs that double in length until one takes half of the time."""
    start, size = time.perf_counter(), 1
    while True:
        begun = time.perf_counter()
        done = work(size)
        now = time.perf_counter()
        if now - start > SECONDS / 2:
            return done / (now - begun)
        size *= 2
