"""Extended XYZ files, which OVITO reads, and ASE if species are named as chemical elements."""

from __future__ import annotations

import json
import urllib.parse
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TextIO

import numpy as np
import xarray as xr

from dynboltz._arguments import checked

from ._files import replacing_file
from ._particle_layout import exported_replicas, load_patterns

AXIS_COUNT = 3


@checked
def export_extended_xyz(trajectories: xr.Dataset, path: Path | str, *, replica: int) -> None:
    """Write one replica of trajectories as an extended XYZ file, a frame a recorded time.

    Positions of particles on a lattice are the coordinates of their sites, in lattice constants;
    axes that a lattice or a box does not have are 0, with a cell of 1. The comment line of a frame
    holds the cell (`Lattice`), the columns (`Properties`), which axes are periodic (`pbc`), the
    time (`Time`) and the number of the replica; that of the first frame also the attribute
    `lineage`, if there is one, as JSON in percent-encoding (`urllib.parse.unquote`).

    Parameters
    ----------
    trajectories
        Dataset of `open_trajectories` or `open_particles`.
    path
        The file; one that is there is replaced.
    replica
        Which replica.

    Raises
    ------
    StoreError
        If there is no such replica, or the file cannot be written.
    """
    path = Path(path)
    numbers = exported_replicas("export_extended_xyz", path, trajectories, replica)
    chosen = trajectories.isel(replica=list(numbers))
    frames = _sites(chosen) if "state" in chosen else _particles(chosen)
    lengths = chosen.state.shape[2:] if "state" in chosen else chosen.attrs["box_lengths"]
    is_periodic = chosen.attrs["boundary"] == "periodic"
    comment = _comment(tuple(map(float, lengths)), is_periodic)
    origin = _origin(chosen.attrs.get("lineage"))
    with replacing_file(path) as temporary, temporary.open("w", encoding="utf-8") as file:
        for time, (names, positions) in zip(chosen.time.values, frames, strict=True):
            line = f"{comment} Time={time:.17g} replica={replica}{origin}"
            _write_frame(file, line, names, positions)
            origin = ""


def _comment(lengths: tuple[float, ...], is_periodic: bool) -> str:
    missing = AXIS_COUNT - len(lengths)
    cell = np.diag([*lengths, *[1.0] * missing]).ravel()
    periodic = ["FT"[is_periodic]] * len(lengths) + ["F"] * missing
    return (
        f'Lattice="{" ".join(f"{side:.17g}" for side in cell)}" '
        f'Properties=species:S:1:pos:R:3 pbc="{" ".join(periodic)}"'
    )


def _origin(lineage: Any) -> str:
    """Lineage without blanks, quotes and line breaks, which programs read in different ways."""
    return "" if lineage is None else f" lineage={urllib.parse.quote(json.dumps(lineage))}"


def _sites(chosen: xr.Dataset) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    names = np.array(chosen.attrs["species"])
    for state in chosen.state.values[0]:
        places = np.argwhere(state)
        yield names[state[tuple(places.T)] - 1], places.astype(np.float64)


def _particles(chosen: xr.Dataset) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    patterns = load_patterns(chosen)
    names = np.array(patterns.species)
    for labels, positions in zip(patterns.labels[0], patterns.positions[0], strict=True):
        there = labels > 0
        yield names[labels[there] - 1], positions[there]


def _write_frame(file: TextIO, comment: str, names: np.ndarray, positions: np.ndarray) -> None:
    padded = np.pad(positions, ((0, 0), (0, AXIS_COUNT - positions.shape[1])))
    file.write(f"{len(names)}\n{comment}\n")
    file.writelines(
        f"{name} {x:.17g} {y:.17g} {z:.17g}\n"
        for name, (x, y, z) in zip(names.tolist(), padded.tolist(), strict=True)
    )
