"""Turning foreign arrays into trajectories."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from jaxtyping import Float64, UInt8

from dynboltz.lattices import Boundary, Lattice, Term, TermCounter, neighbour_moments

from ._decoding import within_memory
from ._errors import StoreError
from ._layout import as_doubles, check_initial_condition, check_times, trajectories_dataset

MAX_SPECIES = 254


def foreign_trajectories(
    path: Path,
    state: np.ndarray,
    *,
    times: np.ndarray | None,
    initial_condition: np.ndarray | None,
    species: Sequence[str],
    boundary: Boundary,
    attrs: Mapping[str, Any],
    time_units: str = "1",
) -> xr.Dataset:
    """Check foreign arrays and complete them with moments and labels."""
    check_species(path, species)
    if state.dtype.kind not in "buif":
        raise StoreError(
            path, f"must hold whole numbers, got the type {state.dtype}.", key="`state`"
        )
    if not 3 <= state.ndim <= 5 or 0 in state.shape:
        raise StoreError(
            path,
            f"must have the axes replica, time, x[, y, z], none empty, got shape {state.shape}.",
            key="`state`",
        )
    n_replicas, n_times = state.shape[:2]
    times = np.arange(n_times, dtype=np.float64) if times is None else times
    check_times(path, times)
    if times.size != n_times:
        raise StoreError(
            path, f"has {times.size} entries; `state` has {n_times} times.", key="`time`"
        )
    starts = np.zeros(n_replicas, np.int64) if initial_condition is None else initial_condition
    check_initial_condition(path, starts, n_replicas)
    with within_memory(path):
        states = checked_states(path, state, len(species))
        lattice = checked_lattice(path, state.shape[2:], boundary)
        terms = _moments_that_fit(path, species, lattice)
        moments = moments_per_site(states, lattice, species, terms)
    own = {"species": list(species), "lattice_shape": list(lattice.shape), "boundary": boundary}
    return trajectories_dataset(
        states,
        moments,
        as_doubles(times),
        [term.name for term in terms],
        starts,
        attrs={**attrs, **own},
        time_units=time_units,
    )


def check_species(path: Path, species: Sequence[str]) -> None:
    """Raise `StoreError` unless species are 1 to 254 different names."""
    if (
        isinstance(species, str)
        or not 1 <= len(species) <= MAX_SPECIES
        or len(set(species)) < len(species)
        or not all(isinstance(name, str) and name for name in species)
    ):
        raise StoreError(
            path, f"must be a sequence of 1 to {MAX_SPECIES} different names, got {species!r}.",
            key="`species`",
        )  # fmt: skip


def checked_lattice(path: Path, shape: tuple[int, ...], boundary: Boundary) -> Lattice:
    """Lattice, or a `StoreError` that says why there is none."""
    try:
        return Lattice(shape, boundary)
    except ValueError as error:
        raise StoreError(path, str(error)) from error


def _moments_that_fit(path: Path, species: Sequence[str], lattice: Lattice) -> tuple[Term, ...]:
    terms = neighbour_moments(species, lattice.dim, max_order=min(4, *lattice.shape))
    if len({term.name for term in terms}) < len(terms):
        raise StoreError(
            path, f"give two moments the same name: {', '.join(species)}. Use names without dots.",
            key="`species`",
        )  # fmt: skip
    return terms


def moments_per_site(
    states: UInt8[np.ndarray, "replicas times ..."],
    lattice: Lattice,
    species: Sequence[str],
    terms: Sequence[Term],
) -> Float64[np.ndarray, "replicas times moments"]:
    """Moments of every state, per site."""
    flat = states.reshape(1, -1, lattice.n_sites)
    counts = TermCounter(lattice, [species], terms).count(flat)
    return (counts / lattice.n_sites).reshape(*states.shape[:2], len(terms))


def checked_states(
    path: Path, state: np.ndarray, n_species: int
) -> UInt8[np.ndarray, "replicas times ..."]:
    """Foreign states as uint8, if they are whole numbers from 0 to the number of species."""
    if state.dtype.kind == "f":
        for name, wrong in (
            ("NaN", np.isnan(state)),
            ("infinite", np.isinf(state)),
            ("no whole number", state != np.floor(state)),
        ):
            _refuse(path, state, wrong, name, n_species)
    _refuse(path, state, state < 0, "negative", n_species)
    _refuse(path, state, state > n_species, "larger than the number of species", n_species)
    return np.ascontiguousarray(state, dtype=np.uint8)


def _refuse(path: Path, state: np.ndarray, wrong: np.ndarray, reason: str, n_species: int) -> None:
    if not wrong.any():
        return
    place = tuple(int(i) for i in np.unravel_index(int(wrong.argmax()), wrong.shape))
    raise StoreError(
        path,
        f"{state[place]} is {reason}; allowed are 0 (empty) to {n_species} (the last species).",
        key=f"`state`{list(place)}",
    )
