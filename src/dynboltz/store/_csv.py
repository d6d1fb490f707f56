"""CSV files of moments and numbers of particles, one value a line, as R and pandas take them."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import xarray as xr
from jaxtyping import Int64

from dynboltz._arguments import checked

from ._files import replacing_file
from ._json import write_json
from ._particle_layout import exported_replicas

COLUMNS = ("initial_condition", "replica", "time", "quantity", "name", "value")
UNITS = {"moment": "per site", "count": "particles"}


def lineage_path(path: Path) -> Path:
    """The file beside a CSV file that says what it was made from."""
    return path.with_name(f"{path.name}.json")


@checked
def export_csv(trajectories: xr.Dataset, path: Path | str, *, replica: int | None = None) -> None:
    """Write moments and numbers of particles as CSV in long format, without states.

    The columns are `initial_condition` and `replica`, numbers from 0 as in the store; `time`;
    `quantity`, `"moment"` (per site, lattices only) or `"count"` (particles); `name`, that of the
    moment or the species; `value`. Numbers have as many digits as give the same bits when they are
    read. A file of the same name with `.json` behind it holds the units and the attribute
    `lineage`, if there is one.

    Parameters
    ----------
    trajectories
        Dataset of `open_trajectories` or `open_particles`.
    path
        The file; one that is there is replaced.
    replica
        Which replica; all if left out.

    Raises
    ------
    StoreError
        If there is no such replica, or a file cannot be written.
    """
    path = Path(path)
    chosen = exported_replicas("export_csv", path, trajectories, replica)
    times = trajectories.time.values.tolist()
    starts = trajectories.initial_condition.values.tolist()
    on_lattice = "moments" in trajectories
    if on_lattice:  # small beside the states; read once, as chunks hold several replicas
        trajectories = trajectories.assign(moments=trajectories.moments.load())
    units = UNITS if on_lattice else {"count": UNITS["count"]}
    with replacing_file(path) as temporary:
        with temporary.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(COLUMNS)
            for number in chosen:
                one = trajectories.isel(replica=number)
                rows = _on_lattice(one) if on_lattice else _in_box(one)
                for place, *rest in rows:
                    writer.writerow((starts[number], number, times[place], *rest))
        write_json(
            lineage_path(path),
            {
                "columns": list(COLUMNS),
                "units": {**units, "time": str(trajectories.time.attrs.get("units", "1"))},
                "lineage": trajectories.attrs.get("lineage"),
            },
        )


def _on_lattice(one: xr.Dataset) -> Iterator[tuple[int, str, str, float | int]]:
    """Moments and numbers of particles of one replica, time by time."""
    moments, names = one.moments.values, one.moment.values.tolist()
    species = list(one.attrs["species"])
    counts = _counts(one, species)
    for place, (values, numbers) in enumerate(zip(moments.tolist(), counts.tolist(), strict=True)):
        yield from ((place, "moment", *pair) for pair in zip(names, values, strict=True))
        yield from ((place, "count", *pair) for pair in zip(species, numbers, strict=True))


def _counts(one: xr.Dataset, species: list[str]) -> Int64[np.ndarray, "times species"]:
    """Numbers of particles, from the moments that are densities, or else from the states."""
    sizes = [size for name, size in one.state.sizes.items() if name != "time"]
    if set(species) <= set(one.moment.values.tolist()):
        densities = one.moments.sel(moment=species).values
        return np.rint(densities * np.prod(sizes)).astype(np.int64)
    return _labelled(one.state.values.reshape(one.sizes["time"], -1), len(species))


def _in_box(one: xr.Dataset) -> Iterator[tuple[int, str, str, int]]:
    """Numbers of particles of one replica, time by time."""
    species = list(one.attrs["species"])
    for place, numbers in enumerate(_labelled(one.label.values, len(species)).tolist()):
        yield from ((place, "count", *pair) for pair in zip(species, numbers, strict=True))


def _labelled(labels: np.ndarray, n_species: int) -> Int64[np.ndarray, "times species"]:
    """Numbers of sites or slots that hold each species."""
    return np.stack([np.sum(labels == i + 1, axis=1) for i in range(n_species)], axis=1)
