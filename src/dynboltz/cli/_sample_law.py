"""Samples of laws of moments."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import typer

from dynboltz._warnings import collected
from dynboltz.store import export_netcdf
from dynboltz.store._files import replacing_file

from ._predict_law import law_start, open_law, without_function


def write_law_samples(
    source: Path,
    name: str | None,
    *,
    density: Sequence[str],
    state: Path | None,
    initial: str | None,
    time: float,
    n_samples: int,
    seed: int,
    out: Path,
) -> None:
    """Write states that a law draws at one time, as `read_npz` or `read_netcdf` take.

    The name of the file ends in `.npz` or `.nc`.
    """
    model = open_law(source, name)
    start = law_start(model, density, state, None, initial)
    with collected() as notes:
        found = model.sample(**start, time=time, n_samples=n_samples, seed=seed)
    for note in notes:
        typer.echo(f"Warning: {without_function(note)}", err=True)
    if out.suffix == ".nc":
        export_netcdf(found.assign_attrs(model=name or source.stem), out)
        return
    with replacing_file(out) as temporary, temporary.open("wb") as file:
        np.savez_compressed(
            file,
            state=found.state.values,
            time=found.time.values,
            species=list(model.species),
            initial_condition=found.initial_condition.values,
        )
