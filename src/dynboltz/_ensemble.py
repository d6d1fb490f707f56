"""Trajectories that users give, as models see them: checked, and counted start by start."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import xarray as xr
from jaxtyping import Float64, Shaped

from dynboltz._numbers import check_finite
from dynboltz._typing import AnyArray
from dynboltz._warnings import LearningWarning, warn
from dynboltz.lattices import Lattice, Term, TermCounter, check_states
from dynboltz.reactions import ReactionNetwork
from dynboltz.reactions._reaction import check_name

MOST_ONE_HOT = 6
"""Longest axis of states, beside longer ones, that may count species instead of sites."""

Given = xr.Dataset | xr.DataArray | Shaped[AnyArray, " ..."]


class Ensemble(NamedTuple):
    """Moments per site of the replicas of each start."""

    lattice: Lattice
    species: tuple[str, ...]
    terms: tuple[Term, ...]
    times: Float64[np.ndarray, " times"]
    moments: list[Float64[np.ndarray, "_ times moments"]]


class _Labelled(NamedTuple):
    """An array with the axes replica, time and those of the lattice, and what belongs to it."""

    states: np.ndarray
    times: AnyArray | None
    starts: Any
    boundary: Any


def ensemble(
    where: str,
    given: tuple[Given, AnyArray | None, Any],
    species: Sequence[str] | None,
    network: ReactionNetwork | None,
    lattice: Lattice | None,
    followed: Callable[[tuple[str, ...], int], tuple[Term, ...]],
) -> Ensemble:
    """Count moments of states, start by start; see `dynboltz.fit`."""
    data = _labelled(where, given)
    if data.times is None or data.starts is None:
        raise ValueError(
            f"{where}: `times` and `initial_condition` are needed beside an array of states: one "
            "time for each record, and one number or name for each replica."
        )
    times, starts = _times(where, data.times), _numbers(where, data.starts)
    _check_axes(where, data.states, len(starts), len(times))
    _check_values(where, data.states)
    names = _species(where, given[0], species, network, data.states)
    if lattice is None:
        _hint_one_hot(where, data.states)
        lattice = Lattice(tuple(data.states.shape[2:]), data.boundary)
    if data.states.shape[2:] not in (lattice.shape, (lattice.n_sites,)):
        raise ValueError(
            f"{where}: `states` must have the axes replica, time and {lattice.shape} of {lattice}, "
            f"or all {lattice.n_sites} sites on one axis; got shape {data.states.shape}."
        )
    terms = followed(names, lattice.dim)
    moments = count(where, data.states, lattice, names, terms)
    return Ensemble(lattice, names, terms, times, [moments[starts == n] for n in np.unique(starts)])


def count(
    where: str,
    states: np.ndarray,
    lattice: Lattice,
    species: tuple[str, ...],
    terms: Sequence[Term],
) -> Float64[np.ndarray, "replicas times moments"]:
    """Moments per site of states (replicas, times, sites along each axis)."""
    flat = states.reshape(*states.shape[:2], -1)
    flat = check_states(where, flat, species, ("replicas", "times", lattice.n_sites))
    counts = TermCounter(lattice, [species], terms).count(flat.reshape(1, -1, lattice.n_sites))
    return counts.reshape(*flat.shape[:2], -1) / lattice.n_sites


def states_of_one_time(
    where: str, states: AnyArray, lattice: Lattice
) -> Shaped[np.ndarray, "replicas ..."]:
    """States that are one start, with the axis of replicas also where there is one state only."""
    array = np.asarray(states)
    if array.shape in (lattice.shape, (lattice.n_sites,)):
        return array[None]
    if not array.size or array.shape[1:] not in (lattice.shape, (lattice.n_sites,)):
        flat = "" if lattice.dim == 1 else f", or all {lattice.n_sites} sites on one"
        raise ValueError(
            f"{where}: `states` must have the axes replica and {lattice.shape} of {lattice}{flat}, "
            f"or those of one state without replicas; got shape {array.shape}."
        )
    return array


def check_seen(where: str, data: Ensemble) -> None:
    """Raise where nothing can be learned, and warn of what looks like a mistake.

    Raises
    ------
    ValueError
        If a species occurs nowhere, a start has one replica, or copies of one.
    """
    found = np.max([moments.max(axis=(0, 1)) for moments in data.moments], axis=0)
    for name, most in zip(data.species, found, strict=False):
        if most == 0:
            raise ValueError(
                f"{where}: the species {name!r} occurs in none of the states, so that nothing can "
                "be learned about it. Leave it out of `species` and the network, or add starts "
                "with it."
            )
    for number, moments in enumerate(data.moments):
        if len(moments) < 2:
            raise ValueError(
                f"{where}: the start {number} (counted from 0) has one replica; two or more are "
                "needed to know the noise. Group replicas that begin alike under one number."
            )
        if not np.ptp(moments, axis=0).any() and np.ptp(moments, axis=1).any():
            raise ValueError(
                f"{where}: all {len(moments)} replicas of the start {number} (counted from 0) have "
                "the same moments at all times, so that the noise is not known. Give simulations "
                "with different random numbers, each once."
            )
    if len(data.moments) == 1:
        warn(
            f"{where}: there is one start only, so that the law is known along one trajectory. "
            "Give several starts, in `initial_condition` one number for each.",
            LearningWarning,
        )
    n_species = len(data.species)
    occupied = [moments[..., :n_species].sum(axis=-1).min() for moments in data.moments]
    if min(occupied) > 1 - 1e-12:
        warn(
            f"{where}: no site of any state is empty (0). If 1 is an empty site and species are "
            "numbered from 2, give `states - 1`.",
            LearningWarning,
        )


def _labelled(where: str, given: tuple[Given, AnyArray | None, Any]) -> _Labelled:
    states, times, starts = given
    if not isinstance(states, xr.Dataset | xr.DataArray):
        return _Labelled(np.asarray(states), times, starts, "periodic")
    names = set(map(str, states.variables if isinstance(states, xr.Dataset) else states.coords))
    if isinstance(states, xr.Dataset):
        missing = [name for name in ("state", "time", "initial_condition") if name not in names]
        if missing:
            raise ValueError(
                f"{where}: the dataset has no `{missing[0]}`; trajectories have `state(replica, "
                "time, x[, y, z])`, `time` and `initial_condition(replica)`."
            )
    array = states.state if isinstance(states, xr.Dataset) else states
    lacking = [axis for axis in ("replica", "time") if axis not in array.dims]
    if lacking:
        raise ValueError(
            f"{where}: labelled states must have the axes `replica`, `time` and one to three of "
            f"the lattice; `{lacking[0]}` is missing among {', '.join(map(str, array.dims))}. "
            "Rename it, `states.rename(OLD='replica')`, or give the values alone."
        )
    if times is None and "time" in names:
        times = states["time"].values
    if starts is None and "initial_condition" in names:
        starts = states["initial_condition"].values
    sites = [axis for axis in array.dims if axis not in ("replica", "time")]
    boundary = states.attrs.get("boundary", "periodic")
    return _Labelled(array.transpose("replica", "time", *sites).values, times, starts, boundary)


def _times(where: str, times: AnyArray) -> Float64[np.ndarray, " times"]:
    array = np.asarray(times)
    if array.dtype.kind not in "biuf":
        raise TypeError(f"{where}: `times` must be numbers, got {array.dtype}.")
    check_finite(where, "`times`", array, ("time",))
    return array.astype(np.float64)


def _numbers(where: str, starts: Any) -> np.ndarray:
    """Numbers or names of starts, of which none is missing."""
    array = np.asarray(starts)
    if array.ndim != 1 or array.dtype.kind not in "biufUS":
        raise TypeError(
            f"{where}: `initial_condition` must hold one number or name for each replica, got an "
            f"array of {array.dtype} with shape {array.shape}."
        )
    if array.dtype.kind == "f":
        check_finite(where, "`initial_condition`", array, ("replica",))
    return array


def _check_axes(where: str, states: np.ndarray, n_starts: int, n_times: int) -> None:
    if 3 <= states.ndim <= 5 and states.shape[:2] == (n_starts, n_times) and states.size:
        return
    hint = ""
    if states.ndim >= 3 and states.shape[:2] == (n_times, n_starts) and n_times != n_starts:
        hint = " The first two axes seem to be swapped: give `np.swapaxes(states, 0, 1)`."
    raise ValueError(
        f"{where}: `states` must have the axes replica, time and one to three of the lattice, "
        f"here {n_starts} replicas (of `initial_condition`) and {n_times} times; got "
        f"shape {states.shape}.{hint}"
    )


def _check_values(where: str, states: np.ndarray) -> None:
    if states.dtype.kind not in "biuf":
        raise TypeError(
            f"{where}: `states` must hold whole numbers, 0 for an empty site and `i + 1` for "
            f"species `i`; got an array of {states.dtype}."
        )
    if states.dtype.kind == "f":
        axes = ("replica", "time", *(f"axis {i} of the lattice" for i in range(states.ndim - 2)))
        advice = "Leave out replicas or records that were not measured."
        check_finite(where, "`states`", states, axes, advice=advice)


def _species(
    where: str,
    given: Given,
    species: Sequence[str] | None,
    network: ReactionNetwork | None,
    states: np.ndarray,
) -> tuple[str, ...]:
    """Names of the species: as given, of the dataset, of the reactions, or A, B, ..."""
    if species is None and isinstance(given, xr.Dataset | xr.DataArray):
        species = given.attrs.get("species")
    if species is None and network is not None:
        species = network.species
    if species is None:
        return tuple(chr(ord("A") + i) for i in range(max(1, min(int(states.max()), 26))))
    names = tuple(species)
    twice = [name for name in names if names.count(name) > 1]
    if twice or not names:
        raise ValueError(
            f"{where}: `species` must hold each name once, at least one; got "
            f"{', '.join(names) or 'none'}."
        )
    for name in names:
        try:
            check_name(name)
        except ValueError as error:
            raise ValueError(f"{where}: `species`: {error}") from None
    return names


def _hint_one_hot(where: str, states: np.ndarray) -> None:
    """Warn of states with an axis of species."""
    length = states.shape[-1]
    if states.ndim < 4 or not 1 < length <= MOST_ONE_HOT or max(states.shape[2:]) <= length:
        return
    if states.min() >= 0 and states.max() == 1 and states.sum(axis=-1).max() == 1:
        warn(
            f"{where}: the last axis of `states`, of {length}, is taken for one of the lattice, "
            "but never has more than one particle. If it counts species, give "
            "`(states * np.arange(1, states.shape[-1] + 1)).sum(axis=-1)`.",
            LearningWarning,
        )
