"""A learned model in one file, to hand over: with its settings, it predicts anywhere."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import final

import jax
import numpy as np
from jaxtyping import Float64

from dynboltz.learning import ReducedModel, load_reduced_model
from dynboltz.store import StoreError, export_netcdf, import_netcdf

from ._directory import ResultDirectory
from ._errors import ExperimentError
from ._evaluate import initial_of_test
from ._experiment import Experiment
from ._fingerprint import model_fingerprint
from ._load import experiment_from
from ._stored import read_current
from ._train import KIND


@final
@dataclass(frozen=True)
class ModelFile:
    """What the file of a learned model holds.

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


def export_model(
    experiment: Experiment, directory: ResultDirectory, name: str, path: Path | str
) -> None:
    """Write a learned model as one NetCDF file, which `read_model_file` and xarray read.

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
    if name not in experiment.plans:
        raise ExperimentError(
            f"{directory.path}: has no model {name!r}; there are {', '.join(experiment.plans)}."
        )
    fingerprint = model_fingerprint(experiment, name)
    dataset = read_current(directory.model(name), KIND, fingerprint, "train")
    coefficients = list(experiment.plans[name].model.coefficients)
    initial = initial_of_test(experiment, directory, name)[0]
    described = dataset.assign_coords(coefficient=coefficients).assign(
        theta_initial=("coefficient", initial)
    )
    export_netcdf(described, path)


def read_model_file(path: Path | str) -> ModelFile:
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
    dataset = import_netcdf(path, KIND)
    try:
        text, name = dataset.attrs["lineage"]["experiment"], dataset.attrs["name"]
        experiment = experiment_from(tomllib.loads(text), path)
        with jax.enable_x64(True):
            learned = load_reduced_model(dataset)
        initial = dataset.theta_initial.values
    except ExperimentError:
        raise
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        raise StoreError(path, f"is no complete model: {error!r}.") from error
    if not isinstance(experiment, Experiment) or name not in experiment.plans:
        raise StoreError(path, f"holds the model {name!r}, which its settings do not have.")
    return ModelFile(name, experiment, learned, initial)
