"""Predictions with laws of moments, from densities or states.

Nothing of experiments is imported unless it is needed, so that an answer comes at once.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import typer

from dynboltz._hints import did_you_mean
from dynboltz._warnings import collected
from dynboltz.store._files import replacing_file

from ._checks import model_tables
from ._times import named_values, parse_times

if TYPE_CHECKING:
    import xarray as xr

    from dynboltz._fit import FittedModel

LAWS = "laws"
"""Folder of a result directory that holds its laws."""


def law_path(source: Path, name: str | None) -> Path:
    """Where a result directory keeps a law."""
    return source / LAWS / f"{name}.zarr"


def find_law(source: Path, name: str | None) -> tuple[bool, str | None]:
    """Whether a model of a result directory, or a file, is a law of moments, and its name.

    A law that is the only model of a result directory needs no name.
    """
    if source.is_file():
        return _is_law_file(source), name
    tables = model_tables(source)
    chosen = next(iter(tables), None) if name is None and len(tables) == 1 else name
    table = {} if chosen is None else tables.get(chosen)
    is_law = isinstance(table, dict) and table.get("family") == "auto"
    return is_law, chosen if is_law else name


def _is_law_file(source: Path) -> bool:
    from dynboltz._fit import KIND  # noqa: PLC0415
    from dynboltz.store import StoreError, import_netcdf  # noqa: PLC0415

    try:
        import_netcdf(source, KIND)
    except (StoreError, ValueError):
        return False
    return True


def law_prediction(
    source: Path,
    name: str | None,
    density: Sequence[str],
    state: Path | None,
    starts: Path | None,
    initial: str | None,
    times: str | None,
    *,
    theta: bool,
) -> xr.Dataset:
    """Predict with the law of a result directory or a file, and fit coefficients if asked for."""
    model = open_law(source, name)
    first = float(model.learned.times[0])
    chosen = None if times is None else parse_times(times, first)
    start = law_start(model, density, state, starts, initial)
    with collected() as notes:
        found = model.predict(**start, times=chosen)
        if theta:
            fits = model.theta(found)
            found = found.assign(
                theta=fits.theta, theta_error=fits.error, is_at_edge=fits.is_at_edge
            )
    for note in notes:
        typer.echo(f"Warning: {without_function(note)}", err=True)
    return found


def without_function(note: str) -> str:
    """A warning without the name of the method that gave it."""
    return note.partition(": ")[2] if note.startswith("FittedModel.") else note


def law_start(
    model: FittedModel,
    density: Sequence[str],
    state: Path | None,
    starts: Path | None,
    initial: str | None,
) -> dict[str, Any]:
    """Start as an argument of `FittedModel.predict`; that of the training if none is given."""
    if (len(density) > 0) + sum(given is not None for given in (state, starts, initial)) > 1:
        raise ValueError("Give one of --density, --state, --starts and --initial.")
    if state is not None:
        return {"states": _states(state, model)}
    if initial is not None:
        return {"theta": named_values("--initial", initial, "b.A=-1,J.A.A=0.5")}
    given = _table(starts, model) if starts is not None else _densities(density, model)
    return {"densities": _first_start(model) if given is None else given}


def open_law(source: Path, name: str | None) -> FittedModel:
    """Open the law of a result directory or a file."""
    from dynboltz._fit import KIND, load, load_fitted  # noqa: PLC0415
    from dynboltz.store import read_dataset  # noqa: PLC0415

    if source.is_file():
        return load(source)
    path = law_path(source, name)
    if not path.exists():
        raise ValueError(f"{path}: is not there yet; run `dynboltz train {source}` first.")
    return load_fitted(read_dataset(path, KIND), path)


def write_law_prediction(found: xr.Dataset, out: Path | None) -> None:
    """Print a prediction, or write it as `.csv` or `.nc`, by the name of the file."""
    from dynboltz.store import export_netcdf  # noqa: PLC0415

    if out is None:
        typer.echo(prediction_csv(found), nl=False)
        return
    if out.suffix == ".csv":
        with replacing_file(out) as temporary:
            temporary.write_text(prediction_csv(found), encoding="utf-8")
    else:
        export_netcdf(found, out)
    typer.echo(f"Prediction: {out}")


def prediction_csv(found: xr.Dataset) -> str:
    """Comma-separated columns: start, time, moments with bands, factors, coefficients, known."""
    n_starts, n_times = found.sizes["start"], found.sizes["time"]
    columns = {
        "start": np.repeat(np.arange(n_starts), n_times),
        "time": np.tile(found.time.values, n_starts),
    }
    for name in found.moment.values:
        one = found.sel(moment=name)
        columns[str(name)] = one.moment_mean.values.reshape(-1)
        columns[f"low({name})"] = one.low.values.reshape(-1)
        columns[f"high({name})"] = one.high.values.reshape(-1)
    for name in found.pair.values:
        columns[f"g({name})"] = found.g.sel(pair=name).values.reshape(-1)
    if "theta" in found:
        for name in found.coefficient.values:
            one = found.sel(coefficient=name)
            columns[str(name)] = one.theta.values.reshape(-1)
            if found.theta_error.values.any():
                columns[f"error({name})"] = one.theta_error.values.reshape(-1)
    columns["known"] = found.is_known.values.reshape(-1).astype(int)
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow(columns)
    whole = ("start", "known")
    formats = ["%d" if name in whole else "%.6g" for name in columns]
    np.savetxt(text, np.column_stack(list(columns.values())), fmt=formats, delimiter=",")
    return text.getvalue()


def _densities(texts: Sequence[str], model: FittedModel) -> dict[str, list[float]] | None:
    """Densities by species, from text such as `S=0.5,I=0.1`, one for each start."""
    if not texts:
        return None
    rows = [_one_start(text, model.species) for text in texts]
    return {species: [row[species] for row in rows] for species in model.species}


def _one_start(text: str, species: Sequence[str]) -> dict[str, float]:
    example = ",".join(f"{name}=0.1" for name in species)
    found = named_values("--density", text, example)
    for label in found:
        if label not in species:
            raise ValueError(
                f"--density: there is no species {label!r}; the model has {', '.join(species)}."
                f"{did_you_mean(label, species)}"
            )
    lacking = [name for name in species if name not in found]
    if lacking:
        raise ValueError(
            f"--density: needs a density of each of {', '.join(species)}; {lacking[0]} is missing "
            f"in {text!r}. Write for example {example}."
        )
    return found


def _table(path: Path, model: FittedModel) -> dict[str, list[float]]:
    """Densities by species, from a table of comma-separated values with a header."""
    try:
        rows = list(csv.DictReader(path.read_text(encoding="utf-8-sig").splitlines()))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ValueError(f"--starts: {path} cannot be read as a table: {error}.") from error
    if not rows:
        raise ValueError(
            f"--starts: {path} must have a header, {','.join(model.species)}, and one row for each "
            "start; it has none."
        )
    found: dict[str, list[float]] = {}
    for species in model.species:
        if species not in rows[0]:
            header = [str(key) for key in rows[0]]
            raise ValueError(
                f"--starts: {path} has no column {species!r}; it needs one for each of "
                f"{', '.join(model.species)} and has {', '.join(header)}."
                f"{did_you_mean(species, header)}"
            )
        found[species] = []
        for line, row in enumerate(rows, start=2):
            try:
                found[species].append(float(row[species]))
            except (TypeError, ValueError):
                raise ValueError(
                    f"--starts: {path}, line {line}: the density of {species} must be a number, "
                    f"got {row[species]!r}."
                ) from None
    return found


def _states(path: Path, model: FittedModel) -> np.ndarray:
    """States of all replicas in a file, at its first time."""
    from dynboltz.store import read_netcdf, read_npz  # noqa: PLC0415

    boundary = model.lattice.boundary
    if path.suffix == ".npz":
        found = read_npz(path, species=model.species, boundary=boundary)
    elif path.suffix == ".nc":
        found = read_netcdf(path, species=model.species, boundary=boundary)
    else:
        raise ValueError(f"--state: must be a .npz or .nc file with an array `state`, got {path}.")
    named = tuple(found.attrs.get("species", model.species))
    if named != model.species:
        raise ValueError(
            f"--state: {path} has the species {', '.join(named)}, the model "
            f"{', '.join(model.species)}; they must be the same in the same order."
        )
    return np.asarray(found.state.values[:, 0])


def _first_start(model: FittedModel) -> dict[str, float]:
    """Densities of the first training start."""
    typer.echo(
        "No start is given; this one has the densities of the first training start. Give "
        f"--density {','.join(f'{species}=0.1' for species in model.species)}, --state, --starts "
        "or --initial.",
        err=True,
    )
    first = model.learned.features[0][: len(model.species)]
    labels = model.learned.chart.coordinates
    return {name: float(np.exp(first[labels.index(name)])) for name in model.species}
