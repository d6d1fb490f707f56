"""Turning particles of other programs into trajectories."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

import numpy as np
import xarray as xr

from dynboltz.particles import Box

from ._decoding import check_memory, within_memory
from ._errors import StoreError
from ._layout import check_times
from ._particle_layout import checked_patterns, particles_dataset


@final
@dataclass(frozen=True)
class Replica:
    """What one file says.

    Attributes
    ----------
    path
        The file.
    times
        Times of the frames.
    counts
        Numbers of particles of the frames.
    labels, points
        Labels [particles] and positions [particles, dim], frame after frame.
    """

    path: Path
    times: np.ndarray
    counts: np.ndarray
    labels: np.ndarray
    points: np.ndarray


def as_paths(paths: Path | str | Sequence[Path | str]) -> list[Path]:
    """Paths of one or several files."""
    listed = [Path(paths)] if isinstance(paths, Path | str) else [Path(path) for path in paths]
    if not listed:
        raise ValueError("There is no file; give at least one path.")
    return listed


def check_interval(path: Path, name: str, value: float) -> None:
    """Raise `StoreError` unless a length of time is positive and finite."""
    if not 0 < value < np.inf:
        raise StoreError(path, f"`{name}` must be positive and finite, got {value}.")


def replicas_dataset(
    replicas: Sequence[Replica],
    species: tuple[str, ...],
    box: Box,
    *,
    attrs: Mapping[str, Any],
    time_units: str,
) -> xr.Dataset:
    """Trajectories of several files with the same times; particles may be anywhere in the box."""
    first = replicas[0]
    check_times(first.path, first.times)
    for other in replicas[1:]:
        if not np.array_equal(other.times, first.times):
            raise StoreError(
                other.path,
                f"has other times than {first.path.name}: {other.times.size} from "
                f"{other.times[:1]} to {other.times[-1:]}, not {first.times.size} from "
                f"{first.times[:1]} to {first.times[-1:]}.",
            )
    slots = max(1, *(int(replica.counts.max()) for replica in replicas))
    shape = (len(replicas), len(first.times), slots)
    check_memory(first.path, math.prod(shape) * (8 * box.dim + 1))
    with within_memory(first.path):
        positions, labels = np.zeros((*shape, box.dim)), np.zeros(shape, dtype=np.uint8)
        for row, replica in enumerate(replicas):
            _fill(positions[row], labels[row], replica, box)
            checked_patterns(
                replica.path, positions[row], labels[row], species, box, "(frame, slot)"
            )
        return _dataset(first, positions, labels, species, box, attrs, time_units)


def _fill(positions: np.ndarray, labels: np.ndarray, replica: Replica, box: Box) -> None:
    """Put the particles of each frame into its first slots."""
    frame = np.repeat(np.arange(len(replica.counts)), replica.counts)
    first = np.cumsum(replica.counts) - replica.counts
    slot = np.arange(len(frame)) - first[frame]
    labels[frame, slot] = replica.labels
    with np.errstate(all="ignore"):  # what is not finite is found outside the box
        points = box.fold(replica.points) if box.is_periodic else replica.points
    positions[frame, slot] = points


def _dataset(
    first: Replica,
    positions: np.ndarray,
    labels: np.ndarray,
    species: tuple[str, ...],
    box: Box,
    attrs: Mapping[str, Any],
    time_units: str,
) -> xr.Dataset:
    patterns = checked_patterns(first.path, positions, labels, species, box)
    return particles_dataset(
        patterns, first.times.astype(np.float64), attrs=attrs, time_units=time_units
    )
