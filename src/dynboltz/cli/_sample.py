"""Samples of a learned model."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import jax
import numpy as np
import typer

from dynboltz import store
from dynboltz.distributions import LatticeModel, TransferMatrix, sample_chain
from dynboltz.lattices import Term, TermCounter
from dynboltz.laws import CoefficientChart, predict_coefficients
from dynboltz.sampling import GibbsSampler, draw_states
from dynboltz.store._files import replacing_file
from dynboltz.workflow._seeds import Purpose, derive_seed

from ._predict import (
    OpenedLaw,
    coefficient_law,
    open_coefficient_law,
    open_model,
    predict_theta,
    starting_coefficients,
    tell_of_extrapolation,
)

LONG_SWEEPS = 500
"""Of chains that draw states of laws without an exact solution, as `evaluation.long_sweeps`."""


def write_samples(
    source: Path,
    name: str | None,
    *,
    initial: str | None,
    time: float,
    n_samples: int,
    seed: int,
    out: Path,
) -> None:
    """Write visible states that a model draws at one time, as `read_npz` or `read_netcdf` take.

    The name of the file ends in `.npz` or `.nc`.
    """
    law = coefficient_law(source, name)
    if law is not None:
        opened_law = open_coefficient_law(source, law, initial)
        _write_law_samples(opened_law, time, n_samples, seed, out)
        return
    opened = open_model(source, name)
    experiment, learned, name = opened.experiment, opened.learned, opened.name
    first = float(experiment.times[0])
    _check_time(time, first)
    steps = [first] if time == first else _steps(experiment.kernel.time_step, first, time)
    start = starting_coefficients(opened, initial)
    theta = predict_theta(experiment, learned, name, start, np.array(steps))[-1]
    own = derive_seed(experiment, "test", Purpose.SAMPLES, name=name, seed=seed)
    if experiment.plans[name].is_solvable:
        with jax.enable_x64(True):
            states = np.asarray(learned.sample(theta, n_samples, seed=own))
    else:
        model, n_sweeps = experiment.plans[name].model, experiment.table.evaluation.long_sweeps
        states = _gibbs_samples(model, theta, n_samples, n_sweeps, own)
    _write(states, time, opened.learned.model, experiment.moments, name, seed, out)


def _check_time(time: float, first: float) -> None:
    if time < first:
        raise ValueError(
            f"`--time`: must not be before the first time of the model, {first:g}, got {time:g}."
        )


def _write_law_samples(
    opened: OpenedLaw, time: float, n_samples: int, seed: int, out: Path
) -> None:
    """Samples of a Boltzmann machine whose coefficients move by a smooth law."""
    first = float(opened.times[0])
    _check_time(time, first)
    times = np.array([first] if time == first else [first, time])
    chart = opened.learned.chart
    assert isinstance(chart, CoefficientChart)
    with jax.enable_x64(True):
        found = opened.learned.predict(opened.start, times)
        theta = predict_coefficients(opened.learned, opened.start, times)[0, -1]
        if chart.emulator is None:
            states = sample_chain(TransferMatrix(opened.model), theta, n_samples, seed=seed)
    if chart.emulator is not None:
        own = np.random.SeedSequence(seed)
        states = _gibbs_samples(opened.model, theta, n_samples, LONG_SWEEPS, own)
    tell_of_extrapolation(opened.name, opened.learned, times, found.is_known[0])
    _write(np.asarray(states), time, opened.model, chart.terms, opened.name, seed, out)


def _write(
    states: np.ndarray,
    time: float,
    model: LatticeModel,
    terms: Sequence[Term],
    name: str,
    seed: int,
    out: Path,
) -> None:
    """Write visible states with the moments of each."""
    lattice, species = model.lattice, model.species[0]
    state = states.reshape(len(states), 1, *lattice.shape)
    if out.suffix == ".npz":
        with replacing_file(out) as temporary, temporary.open("wb") as file:
            np.savez_compressed(file, state=state, time=[time], species=list(species))
        return
    counts = TermCounter(lattice, [species], terms).count(state.reshape(1, -1, lattice.n_sites))
    dataset = store.trajectories_dataset(
        state,
        counts[:, None] / lattice.n_sites,
        np.array([time]),
        [term.name for term in terms],
        np.zeros(len(states), dtype=np.int64),
        attrs={
            "species": list(species),
            "boundary": lattice.boundary,
            "lattice_shape": list(lattice.shape),
            "model": name,
            "seed": seed,
        },
    )
    store.export_netcdf(dataset, out)


def _gibbs_samples(
    model: LatticeModel,
    theta: np.ndarray,
    n_samples: int,
    n_sweeps: int,
    seed: np.random.SeedSequence,
) -> np.ndarray:
    """States of independent chains; says so if chains have not converged by then."""
    states, estimate = draw_states(
        GibbsSampler(model), theta, n_samples, n_sweeps=n_sweeps, seed=seed
    )
    if not estimate.converged:
        typer.echo(
            f"Warning: chains of {n_sweeps} sweeps have not converged: {estimate.diagnosis}. Raise "
            "`evaluation.long_sweeps` in the `experiment.toml` of the results; if R-hat stays "
            "large, the model has several modes, and the samples show those that chains from "
            "random units reach.",
            err=True,
        )
    return states


def _steps(time_step: float, first: float, time: float) -> list[float]:
    """Times on the way, no further apart than the records the model was trained on."""
    return list(np.linspace(first, time, max(1, round((time - first) / time_step)) + 1))
