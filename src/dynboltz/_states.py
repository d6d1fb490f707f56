"""From predicted moments back to states: coefficients, moments of coefficients, samples.

Apart from `_fit`, as predictions of followed moments need none of what is imported here.
"""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr
from jaxtyping import Float64, UInt8

from dynboltz._hints import did_you_mean
from dynboltz._numbers import check_finite
from dynboltz._warnings import LearningWarning, warn
from dynboltz.distributions import (
    LatticeModel,
    TransferMatrix,
    observed_moments,
    sample_chain,
)
from dynboltz.lattices import (
    Lattice,
    Term,
    TermCounter,
    child_seeds,
    neighbour_moments,
    parse_pattern,
    pattern_images,
    pattern_term,
)
from dynboltz.laws import MomentChart, coefficient_names, pair_coefficients, possible_moments
from dynboltz.learning import MomentFits, fit_moments
from dynboltz.sampling import (
    ConvergenceWarning,
    GibbsSampler,
    MomentEstimate,
    draw_states,
    estimate_moments,
)
from dynboltz.store import trajectories_dataset

SWEEPS = (1000, 8000)
"""Sweeps of chains from random units: the second number if chains of the first do not converge."""

RECORDS_OF_SWEEPS = 200
"""Records of a chain of the check over as many sweeps as chains burn in."""

START_CHAINS, START_RECORDS = 64, 50
"""Of the moments of given coefficients on lattices without an exact solution: some thousand
independent states, more than the replicas of a start."""

DIFFERENCE, STANDARD_ERRORS = 1e-6, 5.0
"""Largest difference of the moments of a fit from the predicted ones, per site; larger ones may be
the noise of chains up to so many standard errors. Exact fits end at 1e-9."""


def chart_model(chart: MomentChart, lattice: Lattice, species: Sequence[str]) -> LatticeModel:
    """The visible Boltzmann model whose statistics are the moments of a chart, in their order."""
    return LatticeModel.from_names(lattice, species, coefficient_names(chart))


def theta_dataset(
    where: str,
    chart: MomentChart,
    model: LatticeModel,
    moments: Float64[np.ndarray, "starts times moments"],
    times: Float64[np.ndarray, " times"],
    seed: int,
) -> xr.Dataset:
    """Coefficients for predicted moments, see `FittedModel.theta`."""
    fits, is_at_edge = _fit(where, chart, model, moments, seed)
    axes = ("start", "time", "coefficient")
    return xr.Dataset(
        {
            "theta": (axes, fits.theta),
            "error": (axes, fits.error),
            "difference": (("start", "time", "moment"), fits.difference, {"units": "1/site"}),
            "is_at_edge": (("start", "time"), is_at_edge),
        },
        coords={
            "time": times,
            "coefficient": list(model.coefficients),
            "moment": list(chart.names),
        },
        attrs={"species": list(model.species[0])},
    )


def _fit(
    where: str, chart: MomentChart, model: LatticeModel, moments: np.ndarray, seed: int
) -> tuple[MomentFits, np.ndarray]:
    check_finite(
        where,
        "predicted moments",
        moments,
        ("start", "time", "moment"),
        advice="The law ran away there, far from all training; predict other starts or times.",
    )
    possible, is_at_edge = possible_moments(chart, moments)
    fits = fit_moments(model, possible, pair_coefficients(chart, possible), seed=seed)
    away = np.abs(fits.difference).max(axis=-1)
    allowed = np.maximum(DIFFERENCE, STANDARD_ERRORS * fits.noise)
    wrong = np.any(np.abs(fits.difference) > allowed, axis=-1)
    if wrong.any():
        start, place = np.argwhere(wrong)[0]
        warn(
            f"{where}: {wrong.sum()} of {wrong.size} fits end with moments that differ from the "
            f"predicted ones, first by {away[start, place]:.2g} per site at start {start}, time "
            f"{place} (counted from 0): no distribution with these coefficients has them, or "
            "chains have not come that far. See `difference`.",
            LearningWarning,
        )
    return fits, is_at_edge


def given_coefficients(
    where: str, lattice: Lattice, species: Sequence[str], theta: Mapping[str, Any]
) -> tuple[LatticeModel, Float64[np.ndarray, "starts coefficients"]]:
    """The model that named coefficients belong to, and their values for each start."""
    lacking = [f"b.{name}" for name in species if f"b.{name}" not in theta]
    if lacking:
        known = [f"b.{name}" for name in species]
        strange = [name for name in theta if str(name).startswith("b.") and name not in known]
        hint = did_you_mean(strange[0], known) if strange else ""
        raise ValueError(
            f"{where}: `theta` must hold the bias of each species, {', '.join(known)}, and further "
            f"coefficients as they are needed, such as J.{species[0]}.{species[0]}; "
            f"{lacking[0]} is missing.{hint}"
        )
    model = LatticeModel.from_names(lattice, species, list(theta))
    try:
        columns = [np.atleast_1d(np.asarray(value, dtype=float)) for value in theta.values()]
        rows = np.stack(np.broadcast_arrays(*columns), axis=-1)
    except (TypeError, ValueError):
        raise ValueError(
            f"{where}: `theta` must hold one number for each coefficient, or one for each of "
            f"several starts; got {dict(theta)}."
        ) from None
    if rows.ndim != 2:
        raise ValueError(
            f"{where}: `theta` must hold one number for each coefficient, or a list with one for "
            f"each start; got arrays of {rows.ndim - 1} axes."
        )
    check_finite(where, "`theta`", rows, ("start", "coefficient"))
    return model, rows


def moments_of_coefficients(
    where: str, model: LatticeModel, theta: np.ndarray, terms: Sequence[Term], seed: int
) -> Float64[np.ndarray, "starts moments"]:
    """Moments of a distribution: exact ones on chains, means over long chains elsewhere."""
    if is_solvable(model):
        return np.asarray(observed_moments(model, theta, terms))
    sampler = GibbsSampler(model)
    renamed = [dataclasses.replace(term, name=f"moment {term.name}") for term in terms]
    found, diagnoses = [], []
    for row, own in zip(theta, child_seeds(seed, len(theta)), strict=True):
        estimate = _estimate(sampler, row, renamed, own)
        found.append(estimate.mean[len(row) :])
        if not estimate.converged:
            diagnoses.append(estimate.diagnosis)
    _warn_of_chains(where, diagnoses, len(theta))
    return np.array(found)


def _estimate(
    sampler: GibbsSampler, theta: np.ndarray, terms: Sequence[Term], seed: np.random.SeedSequence
) -> MomentEstimate:
    """Moments by chains that are as long as it takes, or as is allowed."""
    for n_sweeps in SWEEPS:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            estimate = estimate_moments(
                sampler,
                theta,
                n_chains=START_CHAINS,
                n_samples=START_RECORDS,
                burn_in=n_sweeps,
                thin=n_sweeps // START_RECORDS,
                seed=seed,
                observables=terms,
            )
        if estimate.converged:
            break
    return estimate


def draw(
    where: str,
    model: LatticeModel,
    theta: Float64[np.ndarray, "starts coefficients"],
    n_samples: int,
    seed: int,
) -> UInt8[np.ndarray, "starts samples sites"]:
    """Independent states of each start: exact ones of chains, by Gibbs sampling elsewhere."""
    seeds = child_seeds(seed, len(theta))
    if is_solvable(model):
        solution = TransferMatrix(model)
        drawn = [
            sample_chain(solution, row, n_samples, seed=own)
            for row, own in zip(theta, seeds, strict=True)
        ]
        return np.array(drawn)
    sampler = GibbsSampler(model)
    found, diagnoses = [], []
    for row, own in zip(theta, seeds, strict=True):
        for n_sweeps in SWEEPS:
            thin = n_sweeps // RECORDS_OF_SWEEPS
            states, estimate = draw_states(
                sampler, row, n_samples, n_sweeps=n_sweeps, thin=thin, seed=own
            )
            if estimate.converged:
                break
        found.append(states)
        if not estimate.converged:
            diagnoses.append(estimate.diagnosis)
    _warn_of_chains(where, diagnoses, len(theta))
    return np.array(found)


def is_solvable(model: LatticeModel) -> bool:
    """Whether the model has an exact solution."""
    try:
        TransferMatrix(model)
    except ValueError:
        return False
    return True


def _warn_of_chains(where: str, diagnoses: Sequence[str], n_starts: int) -> None:
    if diagnoses:
        warn(
            f"{where}: chains of {SWEEPS[-1]} sweeps have not converged for {len(diagnoses)} of "
            f"{n_starts} starts: {diagnoses[0]}. If R-hat is large, the distribution has several "
            "modes, and the states are those that chains from random units reach.",
            ConvergenceWarning,
        )


def observed_terms(
    where: str,
    lattice: Lattice,
    species: Sequence[str],
    predicted: Sequence[Term],
    names: Sequence[str],
) -> tuple[Term, ...]:
    """Terms that samples are described by: neighbours, all predicted moments, and others asked for.

    Others are patterns such as `A(0) A(2)`, or names of moments.
    """
    terms = {term.name: term for term in predicted}
    order = min(4, *lattice.shape)
    for term in neighbour_moments(tuple(species), lattice.dim, order):
        terms.setdefault(term.name, term)
    for name in names:
        if name in terms:
            continue
        if "(" not in name:
            raise ValueError(
                f"{where}: `moments` names {name!r}; write a pattern of species at offsets, such "
                f"as {_example(species[0], lattice.dim)}, or one of {', '.join(terms)}."
                f"{did_you_mean(name, terms)}"
            )
        _check_pattern(where, name, lattice, species)
        terms[name] = pattern_term(name, pattern_images(parse_pattern(name)))
    return tuple(terms.values())


def _check_pattern(where: str, name: str, lattice: Lattice, species: Sequence[str]) -> None:
    """Raise `ValueError` for a pattern of other species or axes."""
    pattern = parse_pattern(name)
    unknown = [label for _, label in pattern if label not in species]
    if unknown:
        raise ValueError(
            f"{where}: the moment {name!r} has the species {unknown[0]!r}; the model has "
            f"{', '.join(species)}.{did_you_mean(unknown[0], species)}"
        )
    if len(pattern[0][0]) != lattice.dim:
        raise ValueError(
            f"{where}: the offsets of the moment {name!r} have {len(pattern[0][0])} entries, the "
            f"lattice {lattice.dim} axes; write for example {_example(species[0], lattice.dim)}."
        )


def _example(species: str, dim: int) -> str:
    origin, far = ",".join("0" * dim), ",".join([*"0" * (dim - 1), "2"])
    return f"{species}({origin}) {species}({far})"


def states_dataset(
    states: UInt8[np.ndarray, "starts samples sites"],
    lattice: Lattice,
    species: Sequence[str],
    terms: Sequence[Term],
    time: float,
    attrs: Mapping[str, Any],
) -> xr.Dataset:
    """States in the layout of trajectories with one time, the start as initial condition."""
    n_starts, n_samples, n_sites = states.shape
    flat = states.reshape(-1, n_sites)
    counts = TermCounter(lattice, [tuple(species)], terms).count(flat[None]) / n_sites
    return trajectories_dataset(
        flat.reshape(-1, 1, *lattice.shape),
        counts[:, None],
        np.array([time]),
        [term.name for term in terms],
        np.repeat(np.arange(n_starts), n_samples),
        attrs={
            "species": list(species),
            "boundary": lattice.boundary,
            "lattice_shape": list(lattice.shape),
            **attrs,
        },
    )
