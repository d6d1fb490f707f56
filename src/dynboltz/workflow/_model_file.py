"""A learned model in one file, to hand over: with its settings, it predicts anywhere."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import final

import jax
import numpy as np
from jaxtyping import Float64

from dynboltz._fit import KIND as LAW_KIND
from dynboltz.laws import CoefficientChart, load_law
from dynboltz.learning import ReducedModel, load_reduced_model
from dynboltz.store import StoreError, export_netcdf, import_netcdf
from dynboltz.store._decoding import decoding

from . import _evaluate, _law_files, _train
from ._coefficient_laws import starting_coordinates
from ._directory import ResultDirectory
from ._experiment import Experiment
from ._load import AnyExperiment, experiment_from
from .continuous import _fit as _box_fit
from .continuous import _train as _box_train
from .continuous._experiment import BoxExperiment
from .continuous._model import FunctionalModel, load_functional


@final
@dataclass(frozen=True)
class ModelFile:
    """What the file of a learned model on a lattice holds.

    Attributes
    ----------
    name
        Name of the model.
    experiment
        The settings it was learned with.
    learned
        The model.
    initial
        Its coefficients at time 0 for the first test initial condition.
    """

    name: str
    experiment: Experiment
    learned: ReducedModel
    initial: Float64[np.ndarray, " coefficients"]


@final
@dataclass(frozen=True)
class BoxModelFile:
    """What the file of a learned model of particles in a box holds.

    Attributes
    ----------
    name, experiment, learned, initial
        As in `ModelFile`.
    """

    name: str
    experiment: BoxExperiment
    learned: FunctionalModel
    initial: Float64[np.ndarray, " coefficients"]


def export_model(
    experiment: AnyExperiment, directory: ResultDirectory, name: str, path: Path | str
) -> None:
    """Write a learned model as one NetCDF file, which `read_model_file` and xarray read.

    Laws of moments are read by `dynboltz.load`, those of models with terms by
    `dynboltz.laws.load_law`.

    Parameters
    ----------
    experiment, directory
        The experiment and its results.
    name
        Name of the model.
    path
        The file; one that is there is replaced.

    Raises
    ------
    ExperimentError
        If there is no such model, it is not learned yet, or belongs to other settings.
    StoreError
        If the model is damaged, or the file cannot be written.
    """
    if isinstance(experiment, Experiment) and name in experiment.laws:
        export_netcdf(_law_files.law_dataset_of(experiment, directory, name), path)
        return
    if isinstance(experiment, Experiment) and name in experiment.coefficient_laws:
        dataset = _law_files.law_dataset_of(experiment, directory, name)
        with jax.enable_x64(True):
            chart = load_law(dataset).chart
            assert isinstance(chart, CoefficientChart)
            starts, _ = starting_coordinates(experiment, directory, name, chart, "test")
        export_netcdf(dataset.assign(start=("coordinate", starts[0])), path)
        return
    if isinstance(experiment, Experiment):
        dataset = _train.read_model(experiment, directory, name)
        initial = _evaluate.initial_of_test(experiment, directory, name)
    else:
        dataset = _box_train.read_model(experiment, directory, name)
        initial = _box_fit.initial_of_test(experiment, directory, name)
    coefficients = list(experiment.plans[name].model.coefficients)
    described = dataset.assign_coords(coefficient=coefficients).assign(
        theta_initial=("coefficient", initial[0])
    )
    export_netcdf(described, path)


def read_model_file(path: Path | str) -> ModelFile | BoxModelFile:
    """Read a model that `export_model` wrote.

    Parameters
    ----------
    path
        The file.

    Raises
    ------
    StoreError
        If the file cannot be read, is damaged, or holds no learned model.
    ExperimentError
        If the settings in it are not understood, such as those of a later version.
    """
    path = Path(path)
    dataset = import_netcdf(path, _train.KIND, _box_train.KIND, LAW_KIND)
    if dataset.attrs["kind"] == LAW_KIND:
        raise StoreError(path, "holds a law of moments; `dynboltz.load` opens it.")
    with decoding(path, "a learned model"):
        settings = tomllib.loads(dataset.attrs["lineage"]["experiment"])
        name, initial = dataset.attrs["name"], dataset.theta_initial.values
    experiment = experiment_from(settings, path)
    if not isinstance(name, str) or name not in experiment.plans:
        raise StoreError(path, f"holds the model {name!r}, which its settings do not have.")
    coefficients = experiment.plans[name].model.coefficients
    with decoding(path, "a learned model"), jax.enable_x64(True):
        opened: ModelFile | BoxModelFile
        if isinstance(experiment, Experiment):
            opened = ModelFile(name, experiment, load_reduced_model(dataset), initial)
        else:
            opened = BoxModelFile(name, experiment, load_functional(dataset), initial)
    if opened.learned.model.coefficients != coefficients or not _are_finite(initial, coefficients):
        raise StoreError(
            path,
            f"does not hold a model with one number for each of {', '.join(coefficients)}.",
            key="`theta_initial`",
        )
    return opened


def _are_finite(initial: np.ndarray, coefficients: tuple[str, ...]) -> bool:
    is_real = initial.dtype == np.float64 and initial.shape == (len(coefficients),)
    return is_real and bool(np.all(np.isfinite(initial)))
