"""Reader of the text that the command `listmols2` of Smoldyn writes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import xarray as xr

from dynboltz._arguments import checked
from dynboltz.particles import Box

from ._decoding import read_lines, within_memory
from ._errors import StoreError
from ._foreign import check_species
from ._foreign_particles import Replica, as_paths, check_interval, replicas_dataset

MAX_CALLS = 1_000_000
MAX_DIGITS = 18
_Line = tuple[int, int, tuple[float, ...], str]


@checked
def read_smoldyn(
    paths: Path | str | Sequence[Path | str],
    box: Box,
    species: Sequence[str],
    *,
    interval: float,
    first_time: float = 0.0,
    lower: Sequence[float] | None = None,
    n_times: int | None = None,
    time_units: str = "1",
) -> xr.Dataset:
    """Read particle trajectories from the output of the Smoldyn command `listmols2`.

    A file holds one replica, with one line a molecule: the number of the call of the command
    counted from 1, the number of the species counted from 1, the state (0 in solution), the
    coordinates, the serial number; blanks or commas between them. A call without molecules writes
    no line.

    Parameters
    ----------
    paths
        The file, or one file a replica.
    box
        Where the molecules are, in the dimension of the simulation.
    species
        Names of the species in Smoldyn's order.
    interval
        Time between two calls of the command [time].
    first_time
        Time of the first call.
    lower
        Lower corner of the box in the file, which becomes the origin; the origin by default.
    n_times
        Number of calls; by default that of the last line in any of the files.
    time_units
        Unit of the times.

    Returns
    -------
    trajectories
        Dataset in the layout of `open_particles`.

    Raises
    ------
    StoreError
        If a file is missing or no text, there is no molecule and no `n_times`, or a line is
        malformed, names an unknown species, a molecule on a surface, one outside the box or one
        that was there already; file and line are named.
    """
    files = as_paths(paths)
    check_species(files[0], species)
    check_interval(files[0], "interval", interval)
    corner = np.zeros(box.dim) if lower is None else np.array(lower, dtype=np.float64)
    if corner.shape != (box.dim,):
        raise StoreError(files[0], f"`lower` must have {box.dim} entries, got {lower}.")
    with within_memory(files[0]):
        molecules = [_molecules(path, box, corner, len(species)) for path in files]
    last = max((call for found in molecules for call, _ in found), default=0)
    total = last if n_times is None else n_times
    if total < max(last, 1):
        raise StoreError(
            files[0], f"`n_times` must be at least {max(last, 1)}, the last call, got {n_times}."
        )
    times = first_time + interval * np.arange(total)
    replicas = [
        _replica(path, times, found, box.dim) for path, found in zip(files, molecules, strict=True)
    ]
    return replicas_dataset(
        replicas, tuple(species), box, attrs={"interval": interval}, time_units=time_units
    )


def _molecules(
    path: Path, box: Box, corner: np.ndarray, n_species: int
) -> dict[tuple[int, str], tuple[int, np.ndarray]]:
    """Label and position of each molecule by call and serial number."""
    found: dict[tuple[int, str], tuple[int, np.ndarray]] = {}
    for number, line in enumerate(read_lines(path), start=1):
        if not line.strip():
            continue
        try:
            call, label, coordinates, serial = _parse(line, box.dim, n_species)
            position = _position(np.array(coordinates) - corner, box)
            if (call, serial) in found:
                raise ValueError(
                    f"the molecule {serial} is there twice in call {call}; let one command only "
                    "write to the file"
                )
        except ValueError as error:
            raise StoreError(path, f"{error}.", key=f"line {number}") from error
        found[call, serial] = (label, position)
    return found


def _parse(line: str, dim: int, n_species: int) -> _Line:
    fields = line.replace(",", " ").split()
    if len(fields) != dim + 4:
        raise ValueError(
            f"malformed line {line!r}; expected a call, a species, a state, {dim} coordinates and "
            "a serial number"
        )
    call, label, state = (_whole(text) for text in fields[:3])
    if not 1 <= call <= MAX_CALLS:
        raise ValueError(f"calls are counted from 1 to {MAX_CALLS}, got {call}")
    if not 1 <= label <= n_species:
        raise ValueError(f"species {label} is not one of 1 to {n_species}")
    if state != 0:
        raise ValueError(f"state {state} is on a surface; only 0, in solution, can be read")
    return call, label, tuple(_real(text) for text in fields[3:-1]), fields[-1]


def _whole(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= MAX_DIGITS):
        raise ValueError(f"{text!r} is no whole number of at most {MAX_DIGITS} digits")
    return int(text)


def _real(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = np.nan
    if not np.isfinite(value) or "_" in text:
        raise ValueError(f"coordinate {text!r} is no finite number")
    return value


def _position(point: np.ndarray, box: Box) -> np.ndarray:
    """Position in the box; a coordinate rounded to the end of a periodic axis is its start."""
    if not np.all((point >= 0) & (point <= np.array(box.lengths))):
        raise ValueError(f"position {point.tolist()} is outside the box of sides {box.lengths}")
    return box.fold(point) if box.is_periodic else point


def _replica(
    path: Path,
    times: np.ndarray,
    found: dict[tuple[int, str], tuple[int, np.ndarray]],
    dim: int,
) -> Replica:
    calls = np.array([call for call, _ in found], dtype=np.int64)
    order = np.argsort(calls, kind="stable")
    labels = np.array([label for label, _ in found.values()], dtype=np.uint8)
    points = np.array([point for _, point in found.values()]).reshape(-1, dim)
    counts = np.bincount(calls, minlength=times.size + 1)[1:]
    return Replica(path, times, counts, labels[order], points[order])
