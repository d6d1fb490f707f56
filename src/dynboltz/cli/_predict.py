"""Predictions from given coefficients."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, final

import jax
import numpy as np
import typer
import xarray as xr

from dynboltz._contents import contents_of
from dynboltz._hints import did_you_mean
from dynboltz._warnings import collected
from dynboltz.distributions import LatticeModel
from dynboltz.laws import CoefficientChart, LearnedLaw, load_law, predict_coefficients
from dynboltz.learning import ReducedModel
from dynboltz.sampling import GibbsSampler, draw_states
from dynboltz.store import StoreError, export_netcdf, import_netcdf, read_dataset
from dynboltz.store._files import replacing_file
from dynboltz.workflow import (
    Experiment,
    ModelFile,
    ResultDirectory,
    initial_of_test,
    load_model,
    read_model_file,
    short_runs,
)
from dynboltz.workflow._coefficient_laws import starting_coordinates
from dynboltz.workflow._law_files import COEFFICIENT_LAW
from dynboltz.workflow._seeds import Purpose

from ._predict_law import law_path
from ._times import named_values, parse_times

CHAINS, SWEEPS = 64, 500
"""That say which densities given coefficients have, where there is no exact solution."""

MODEL_FILES = ("an HDF5 file", "a classic NetCDF file")


@final
@dataclass(frozen=True)
class Prediction:
    """Coefficients and moments over time.

    Attributes
    ----------
    times
        Times.
    coefficients, moments
        Names and values over time; moments per site.
    standard_errors
        Of sampled moments; empty for exact ones.
    """

    times: np.ndarray
    coefficients: dict[str, np.ndarray]
    moments: dict[str, np.ndarray]
    standard_errors: dict[str, np.ndarray]

    def to_csv(self) -> str:
        """Comma-separated columns: time, coefficients, moments, their errors if sampled."""
        columns = {"time": self.times, **self.coefficients, **self.moments}
        columns |= {f"error({name})": error for name, error in self.standard_errors.items()}
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerow(columns)
        np.savetxt(text, np.column_stack(list(columns.values())), fmt="%.8g", delimiter=",")
        return text.getvalue()

    def to_dataset(self) -> xr.Dataset:
        """Dataset with `theta` and `moments` over time, and `standard_error` of sampled ones."""
        theta = np.column_stack(list(self.coefficients.values()))
        moments = np.column_stack(list(self.moments.values()))
        variables: dict[str, Any] = {
            "theta": (("time", "coefficient"), theta),
            "moments": (("time", "moment"), moments, {"units": "per site"}),
        }
        if self.standard_errors:
            errors = np.column_stack(list(self.standard_errors.values()))
            variables["standard_error"] = (("time", "moment"), errors, {"units": "per site"})
        return xr.Dataset(
            variables,
            coords={
                "time": self.times,
                "coefficient": list(self.coefficients),
                "moment": list(self.moments),
            },
        )


def predict_table(
    source: Path, name: str | None, initial: str | None, times: str | None
) -> Prediction:
    """Predict with a learned model of a result directory, or of a file."""
    opened = open_model(source, name)
    experiment, learned, name = opened.experiment, opened.learned, opened.name
    chosen = experiment.times if times is None else parse_times(times, float(experiment.times[0]))
    start = starting_coefficients(opened, initial)
    theta = predict_theta(experiment, learned, name, start, chosen)
    names = [term.name for term in experiment.moments]
    errors: dict[str, np.ndarray] = {}
    if experiment.plans[name].is_solvable:
        with jax.enable_x64(True):
            moments = np.asarray(learned.moments(theta[None], experiment.moments))[0]
    else:
        table = experiment.table.evaluation
        typer.echo(
            f"Moments are means over {table.samples} chains, {table.sweeps} sweeps from random "
            "units (`evaluation.samples`, `evaluation.sweeps`); error(...) are standard errors.",
            err=True,
        )
        sampled = short_runs(experiment, name, theta[None], "test", purpose=Purpose.PREDICTION)
        moments = sampled.mean[0]
        errors = dict(zip(names, sampled.standard_error[0].T, strict=True))
    return Prediction(
        chosen,
        dict(zip(learned.field.coefficients, theta.T, strict=True)),
        dict(zip(names, moments.T, strict=True)),
        errors,
    )


def coefficient_law(source: Path, name: str | None) -> xr.Dataset | None:
    """Stored law of a model with terms, of a result directory or a file; `None` if it is another.

    Raises
    ------
    StoreError
        If the law of a result directory is damaged.
    """
    if source.is_file():
        try:
            return import_netcdf(source, COEFFICIENT_LAW)
        except StoreError:
            return None
    path = law_path(source, name)
    return read_dataset(path, COEFFICIENT_LAW) if path.is_dir() else None


class OpenedLaw(NamedTuple):
    """A Boltzmann machine with a learned law, coordinates to start from, and the times to show."""

    name: str
    model: LatticeModel
    learned: LearnedLaw
    start: np.ndarray
    times: np.ndarray


def open_coefficient_law(source: Path, dataset: xr.Dataset, initial: str | None) -> OpenedLaw:
    """Open the law of a model with terms, which `coefficient_law` read from the source."""
    with jax.enable_x64(True):
        learned, own = load_law(dataset), str(dataset.attrs["name"])
        chart = learned.chart
        assert isinstance(chart, CoefficientChart)
        if initial is not None:
            start = _coordinates(chart, _parse_initial(initial, chart.model.coefficients))
        elif source.is_file():
            start = dataset.start.values[None]  # that of the first test initial condition
        else:
            results = ResultDirectory(source)
            experiment = results.load_experiment()
            assert isinstance(experiment, Experiment)
            start = starting_coordinates(experiment, results, own, chart, "test")[0][:1]
    return OpenedLaw(own, chart.model, learned, start, learned.times)


def _coordinates(chart: CoefficientChart, theta: np.ndarray) -> np.ndarray:
    """Coordinates of coefficients; densities from chains where there is no exact solution."""
    if chart.emulator is None:
        return chart.from_coefficients(theta[None])
    states, estimate = draw_states(
        GibbsSampler(chart.model), theta, CHAINS, n_sweeps=SWEEPS, seed=np.random.SeedSequence(0)
    )
    if not estimate.converged:
        typer.echo(
            f"Warning: --initial: chains of {SWEEPS} sweeps have not converged: "
            f"{estimate.diagnosis}. The densities of the start are uncertain.",
            err=True,
        )
    labels = np.arange(len(chart.densities)) + 1
    return chart.place(np.array([[(states == label).mean() for label in labels]]), theta[None])


def predict_by_law(
    source: Path, dataset: xr.Dataset, initial: str | None, times: str | None
) -> Prediction:
    """Predict with the law of a model with terms, which `coefficient_law` read from the source."""
    opened = open_coefficient_law(source, dataset, initial)
    chosen = opened.times if times is None else parse_times(times, float(opened.times[0]))
    with jax.enable_x64(True):
        found = opened.learned.predict(opened.start, chosen, bands=True)
        theta = predict_coefficients(opened.learned, opened.start, chosen)[0]
    tell_of_extrapolation(opened.name, opened.learned, chosen, found.is_known[0])
    names = opened.learned.moments
    return Prediction(
        chosen,
        dict(zip(opened.model.coefficients, theta.T, strict=True)),
        dict(zip(names, found.moments[0].T, strict=True)),
        dict(zip(names, found.error[0].T, strict=True)),
    )


def tell_of_extrapolation(
    name: str, learned: LearnedLaw, times: np.ndarray, is_known: np.ndarray
) -> None:
    """Say where a prediction is later than, or far from, all training trajectories."""
    if times[-1] > learned.times[-1] * (1 + 1e-9):
        typer.echo(
            f"Warning: {name} was learned from times up to {learned.times[-1]:g}; what comes later "
            "is beyond its training.",
            err=True,
        )
    if not is_known.all():
        typer.echo(
            f"Warning: {name}: {1 - is_known.mean():.2%} of the prediction is far from all "
            "training trajectories; the model extrapolates there.",
            err=True,
        )


def open_model(source: Path, name: str | None) -> ModelFile:
    """Open a learned model of a result directory or a file, and the experiment it belongs to."""
    if source.is_file():
        found = contents_of(source)
        if found not in MODEL_FILES:
            raise ValueError(
                f"{source}: is {found}. Give a result directory, or the file of a model (.nc) that "
                "`dynboltz export DIR --model NAME --out FILE.nc` writes."
            )
        opened = read_model_file(source)
        if not isinstance(opened, ModelFile):
            raise _of_a_box(source, source)
        if name not in (None, opened.name):
            raise ValueError(
                f"{source}: holds the model {opened.name!r}, not {name!r}."
                f"{did_you_mean(name, [opened.name])}"
            )
        return opened
    results = ResultDirectory(source)
    experiment = results.load_experiment()
    if not isinstance(experiment, Experiment):
        raise _of_a_box(source, Path("FILE.nc"))
    if name is None:
        raise ValueError(
            f"{source}: name a model, one of {', '.join(experiment.table.models)}; "
            "only the file of a model needs no name."
        )
    with jax.enable_x64(True):
        learned = load_model(experiment, results, name)
    return ModelFile(name, experiment, learned, initial_of_test(experiment, results, name)[0])


def _of_a_box(source: Path, file: Path) -> ValueError:
    export = f"`dynboltz export {source} --model NAME --out {file}`, then "
    return ValueError(
        f"{source}: is of particles in a box, for which `predict` and `sample` do not exist yet. "
        "`dynboltz evaluate` predicts the held-out initial conditions of a result directory; "
        f"others are predicted in Python: {'' if file == source else export}"
        '`jax.config.update("jax_enable_x64", True)`, '
        f'`opened = dynboltz.workflow.read_model_file("{file}")` and '
        "`opened.learned.predict(opened.initial[None], opened.experiment.times)`."
    )


def starting_coefficients(opened: ModelFile, initial: str | None) -> np.ndarray:
    """Given coefficients at time 0, or those of the first test initial condition."""
    if initial is None:
        return opened.initial
    return _parse_initial(initial, opened.learned.field.coefficients)


def predict_theta(
    experiment: Experiment,
    learned: ReducedModel,
    name: str,
    start: np.ndarray,
    times: np.ndarray,
) -> np.ndarray:
    """Coefficients over time; says so where they are later, or elsewhere, than in training."""
    with jax.enable_x64(True), collected() as notes:
        theta = np.asarray(learned.predict(start[None], times))[0]
    last = experiment.plans[name].learned_times(experiment.times)[-1]
    if learned.learned_times is None and times[-1] > last * (1 + 1e-9):
        typer.echo(
            f"Warning: {name} was learned from times up to {last:g}; what comes later is beyond "
            "its training.",
            err=True,
        )
    for text in notes:
        note = text.removeprefix("ReducedModel.predict: ").replace("the model was", f"{name} was")
        typer.echo(f"Warning: {name}: {note}", err=True)
    return theta


def write_prediction(prediction: Prediction, path: Path) -> None:
    """Write a prediction as `.csv` or `.nc`, by the name of the file."""
    if path.suffix == ".csv":
        with replacing_file(path) as temporary:
            temporary.write_text(prediction.to_csv(), encoding="utf-8")
    else:
        export_netcdf(prediction.to_dataset(), path)


def _parse_initial(text: str, coefficients: tuple[str, ...]) -> np.ndarray:
    """Coefficients in the order of the model, from text as `--initial` takes it."""
    values = named_values("--initial", text, ",".join(f"{name}=0" for name in coefficients))
    for name in values:
        if name not in coefficients:
            raise ValueError(
                f"--initial: the model has no coefficient {name!r}; it has "
                f"{', '.join(coefficients)}.{did_you_mean(name, coefficients)}"
            )
    lacking = [name for name in coefficients if name not in values]
    if lacking:
        raise ValueError(
            f"--initial: needs one finite value for each of {', '.join(coefficients)}; "
            f"{', '.join(lacking)} {'is' if len(lacking) == 1 else 'are'} missing in {text!r}."
        )
    return np.array([values[name] for name in coefficients])
