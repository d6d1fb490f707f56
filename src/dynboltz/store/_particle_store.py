"""Stores of particle trajectories, written block by block."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, final

import numpy as np
import xarray as xr
import zarr
from zarr.storage import LocalStore

from dynboltz._arguments import checked
from dynboltz.particles import Box, PointPatterns

from ._block_store import BlockStore
from ._create import create_data, create_label, merge_attributes, refuse_existing
from ._errors import StoreError
from ._files import new_directory
from ._header import open_array, read_header
from ._json import plain_json
from ._layout import AXES, check_initial_condition, check_times
from ._open import written_replicas
from ._particle_layout import load_patterns
from ._seal import seal

FORMAT = "dynboltz-particles"
VERSION = 2
ARRAYS = ("position", "label", "time", "axis", "initial_condition")


@final
@checked
class ParticleStore(BlockStore):
    """A store of particle trajectories that blocks of replicas are written to.

    On the disk it is one Zarr v3 group with the arrays `position`, `label`, `time`, `axis` and
    `initial_condition`; see `BlockStore` for what is kept when a writer is killed.

    Made by `create_particles` and `resume_particles`.
    """

    DATA = ("position", "label")

    @property
    def box(self) -> Box:
        """Where the particles are."""
        return Box(tuple(self.attrs["box_lengths"]), self.attrs["boundary"])

    def write_block(self, index: int, patterns: PointPatterns) -> None:
        """Write one block and commit it; a block that is there already is replaced.

        Parameters
        ----------
        index
            Number of the block.
        patterns
            Patterns of the block's replicas, of the batch (replicas, times), with as many slots as
            the store has.

        Raises
        ------
        StoreError
            If the shape, the species or the box is another one, or the disk refuses. Nothing is
            written in the first cases; the block is missing in the last.
        """
        if list(patterns.species) != self.attrs["species"] or patterns.box != self.box:
            raise StoreError(
                self.path,
                f"holds the species {', '.join(self.attrs['species'])} in {self.box}, got "
                f"{', '.join(patterns.species)} in {patterns.box}.",
            )
        self._check(index, "position", patterns.positions)
        self._check(index, "label", patterns.labels)
        self._write(index, {"position": patterns.positions, "label": patterns.labels})


@checked
def create_particles(
    path: Path | str,
    *,
    n_replicas: int,
    times: np.ndarray,
    n_slots: int,
    species: Sequence[str],
    box: Box,
    initial_condition: np.ndarray,
    attrs: Mapping[str, Any],
    block_replicas: int,
    time_units: str = "1",
) -> ParticleStore:
    """Create an empty store of particle trajectories; it appears under its name in one step.

    Parameters
    ----------
    path
        Directory to make; nothing may have this name yet.
    n_replicas
        Number of replicas.
    times
        Recorded times, increasing [`time_units`].
    n_slots
        Slots of each pattern.
    species
        Names of the species, which number them.
    box
        Where the particles are.
    initial_condition
        Number of the initial condition that each replica started from, one a replica.
    attrs
        What else to know: `network`, `diffusion`, `reaction_radius`, `dt`, `seed`, `version`,
        `fingerprint`. Anything that JSON can hold.
    block_replicas
        Replicas in a block.
    time_units
        Unit of the times.

    Raises
    ------
    StoreError
        If `path` exists, an argument does not fit the others, an attribute cannot be stored, or
        the directory cannot be written.
    """
    path = Path(path)
    times, initial_condition = np.asarray(times), np.asarray(initial_condition)
    if n_replicas < 1 or n_slots < 1:
        raise StoreError(
            path, f"needs at least one replica and one slot, got {n_replicas} and {n_slots}."
        )
    check_times(path, times)
    check_initial_condition(path, initial_condition, n_replicas)
    if not 1 <= block_replicas <= n_replicas:
        raise StoreError(
            path, f"`block_replicas` must be 1 to {n_replicas} (replicas), got {block_replicas}."
        )
    own = {
        "format": FORMAT,
        "format_version": VERSION,
        "block_replicas": block_replicas,
        "species": list(species),
        "box_lengths": [float(length) for length in box.lengths],
        "boundary": box.boundary,
    }
    attributes = merge_attributes(path, own, plain_json(dict(attrs), path))
    refuse_existing(path)
    axes = np.array(AXES[: box.dim], dtype=np.dtypes.StringDType())
    size = (n_replicas, times.size)
    with new_directory(path) as temporary:
        group = zarr.create_group(LocalStore(temporary), attributes=attributes, zarr_format=3)
        create_label(group, "time", "time", times.astype(np.float64), units=time_units)
        create_label(group, "axis", "axis", axes)
        create_label(group, "initial_condition", "replica", initial_condition.astype(np.int64))
        slots, everywhere = {"slot": n_slots}, {"slot": n_slots, "axis": box.dim}
        create_data(group, "position", size, everywhere, np.dtype(np.float64), np.nan)
        create_data(group, "label", size, slots, np.dtype(np.uint8), 0)
        seal(temporary)
    return ParticleStore(path, attributes)


@checked
def write_particles(
    trajectories: xr.Dataset, path: Path | str, *, block_replicas: int | None = None
) -> ParticleStore:
    """Write particle trajectories that are in memory, such as imported ones, as a complete store.

    Parameters
    ----------
    trajectories
        Dataset in the layout of `particles_dataset`.
    path
        Directory to make; nothing may have this name yet.
    block_replicas
        Replicas in a block; by default all of them.

    Raises
    ------
    StoreError
        As `create_particles` and `ParticleStore.write_block`.
    ValueError
        If the particles do not fit the box and the species of the dataset.
    """
    patterns = load_patterns(trajectories)
    n_replicas = trajectories.sizes["replica"]
    own = ("format", "format_version", "block_replicas")
    store = create_particles(
        path,
        n_replicas=n_replicas,
        times=trajectories.time.values,
        n_slots=patterns.n_slots,
        species=patterns.species,
        box=patterns.box,
        initial_condition=trajectories.initial_condition.values,
        attrs={str(k): v for k, v in trajectories.attrs.items() if k not in own},
        block_replicas=n_replicas if block_replicas is None else block_replicas,
        time_units=trajectories.time.attrs.get("units", "1"),
    )
    for index in range(store.n_blocks):
        replicas = store.block(index)
        store.write_block(index, patterns[replicas.start : replicas.stop])
    return store


@checked
def resume_particles(path: Path | str, *, expect: Mapping[str, Any] | None = None) -> ParticleStore:
    """Open a store of particle trajectories to write the blocks that are missing.

    Parameters
    ----------
    path
        Directory of the store.
    expect
        Attributes that the store must have, such as the `fingerprint` of the experiment.

    Raises
    ------
    StoreError
        If there is no store of particle trajectories, or it belongs to another experiment.
    """
    path = Path(path)
    attributes = read_header(path, FORMAT, VERSION, expect)
    for name in ARRAYS:
        open_array(path, name, "r")
    return ParticleStore(path, attributes)


@checked
def open_particles(
    path: Path | str,
    *,
    allow_incomplete: bool = False,
    expect: Mapping[str, Any] | None = None,
) -> xr.Dataset:
    """Open a store of particle trajectories; values are read and checked when they are used.

    Parameters
    ----------
    path
        Directory of the store.
    allow_incomplete
        Whether blocks may be missing. The dataset then holds the replicas of the blocks that are
        there.
    expect
        Attributes that the store must have, such as the `fingerprint` of the experiment.

    Returns
    -------
    trajectories
        Dataset with `position(replica, time, slot, axis)` and `label(replica, time, slot)`, 0 for
        an empty slot, `i + 1` for the species `i`, and the coordinates `time`, `axis` and
        `initial_condition(replica)`.

    Raises
    ------
    StoreError
        If there is no store, a foreign one, one of another kind, version or experiment; if blocks
        or chunks are missing or cut off. Reading a damaged chunk later raises it too.
    """
    return written_replicas(resume_particles(path, expect=expect), allow_incomplete)
