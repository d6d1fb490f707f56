"""Reader of the text files of LatticeGillespieCpp."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from pathlib import Path
from typing import final

import numpy as np
import xarray as xr
from jaxtyping import UInt8

from dynboltz._arguments import checked
from dynboltz.lattices import Boundary

from ._decoding import check_memory, read_lines, within_memory
from ._errors import StoreError
from ._files import os_errors
from ._foreign import check_species, checked_lattice, foreign_trajectories

REPLICAS = r"lattice_v([0-9]+)"
STEPS = r"([0-9]+)\.txt"
MAX_DIGITS = 18


@checked
def read_lattice_gillespie(
    directory: Path | str,
    shape: tuple[int, ...],
    species: Sequence[str],
    *,
    dt: float,
    boundary: Boundary = "closed",
) -> xr.Dataset:
    """Read the trajectories that LatticeGillespieCpp wrote.

    The files are `lattice_vNNN/lattice/TTTT.txt`, one directory a replica and one file a time step,
    with one line a particle: `x A`, `x y A` or `x y z A`, coordinates counted from 1.

    Parameters
    ----------
    directory
        Directory that holds the directories `lattice_vNNN`.
    shape
        Number of sites along each axis.
    species
        Names of the species.
    dt
        Time between the file numbers `T` and `T + 1`.
    boundary
        Boundary of the lattice; closed in that program.

    Returns
    -------
    trajectories
        Dataset in the layout of `open_trajectories`, moments computed.

    Raises
    ------
    StoreError
        If there are no files, the replicas have different times, or a line is malformed, names an
        unknown species, a site outside the lattice or one that is taken; file and line are named.
    """
    directory = Path(directory)
    check_species(directory, species)
    if not (math.isfinite(dt) and dt > 0):
        raise StoreError(directory, f"`dt` must be positive, got {dt}.")
    lattice = checked_lattice(directory, shape, boundary)
    replicas = _numbered(directory, REPLICAS)
    steps = _common_steps(directory, replicas)
    check_memory(directory, len(replicas) * len(steps) * lattice.n_sites)
    with within_memory(directory):
        state = _read_states(replicas, len(steps), lattice.n_sites, _Lines(shape, species))
    return foreign_trajectories(
        directory,
        state.reshape(*state.shape[:2], *shape),
        times=np.array(steps) * dt,
        initial_condition=None,
        species=species,
        boundary=boundary,
        attrs={"dt": dt},
    )


def gillespie_times(directory: Path, dt: float) -> np.ndarray:
    """Times of the files of all replicas."""
    return np.array(_common_steps(directory, _numbered(directory, REPLICAS))) * dt


def _read_states(
    replicas: dict[int, Path], n_times: int, n_sites: int, line_parser: _Lines
) -> UInt8[np.ndarray, "replicas times sites"]:
    state = np.zeros((len(replicas), n_times, n_sites), dtype=np.uint8)
    for replica, folder in enumerate(replicas.values()):
        for time, file in enumerate(_numbered(folder / "lattice", STEPS).values()):
            _read_state(file, line_parser, state[replica, time])
    return state


def _numbered(directory: Path, pattern: str) -> dict[int, Path]:
    found: dict[int, Path] = {}
    with os_errors(directory, "read"):
        entries = sorted(directory.iterdir())
    for entry in entries:
        if match := re.fullmatch(pattern, entry.name):
            if len(match[1]) > MAX_DIGITS:
                raise StoreError(
                    directory, f"{entry.name} has a number of more than {MAX_DIGITS} digits."
                )
            number = int(match[1])
            if number in found:
                raise StoreError(
                    directory, f"{entry.name} and {found[number].name} have the same number."
                )
            found[number] = entry
    if not found:
        raise StoreError(directory, f"holds no names of the form {pattern}.")
    return dict(sorted(found.items()))


def _common_steps(directory: Path, replicas: dict[int, Path]) -> list[int]:
    steps = {folder: list(_numbered(folder / "lattice", STEPS)) for folder in replicas.values()}
    first, *others = steps
    for other in others:
        if steps[other] != steps[first]:
            step = min(set(steps[other]) ^ set(steps[first]))
            raise StoreError(
                directory,
                f"replicas have different times: step {step} is in only one of {first.name} and "
                f"{other.name}.",
            )
    return steps[first]


@final
class _Lines(dict[str, tuple[int, int]]):
    """Site and label of a line; lines repeat, so each is parsed once."""

    def __init__(self, shape: tuple[int, ...], species: Sequence[str]) -> None:
        super().__init__()
        self.shape = shape
        self.labels = {name: label for label, name in enumerate(species, start=1)}

    def __missing__(self, line: str) -> tuple[int, int]:
        *coordinates, name = line.split()
        if len(coordinates) != len(self.shape):
            raise ValueError(
                f"malformed line {line!r}; expected {len(self.shape)} coordinates and a species"
            )
        if name not in self.labels:
            raise ValueError(f"unknown species {name!r}; known are {', '.join(self.labels)}")
        self[line] = (self.site(coordinates), self.labels[name])
        return self[line]

    def site(self, coordinates: list[str]) -> int:
        """Index of the site with coordinates counted from 1."""
        site = 0
        for text, length in zip(coordinates, self.shape, strict=True):
            if not re.fullmatch(r"[+-]?[0-9]+", text):
                raise ValueError(f"coordinate {text!r} is no whole number")
            if len(text) > MAX_DIGITS or not 1 <= int(text) <= length:
                raise ValueError(f"coordinate {text} is outside the lattice, 1 to {length}")
            site = site * length + int(text) - 1
        return site


def _read_state(file: Path, line_parser: _Lines, state: UInt8[np.ndarray, " sites"]) -> None:
    for number, line in enumerate(read_lines(file), start=1):
        if not line.strip():
            continue
        try:
            site, label = line_parser[line]
        except ValueError as error:
            raise StoreError(file, f"{error}.", key=f"line {number}") from error
        if state[site]:
            raise StoreError(
                file, f"{line!r} puts a second particle on a site.", key=f"line {number}"
            )
        state[site] = label
