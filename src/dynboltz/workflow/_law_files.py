"""Stored laws, to predict with and to hand over."""

from __future__ import annotations

import xarray as xr

from dynboltz._fit import KIND as MOMENT_LAW
from dynboltz._fit import load_fitted
from dynboltz.laws import MomentLaw, law_equations

from ._directory import ResultDirectory
from ._experiment import Experiment
from ._fingerprint import law_fingerprint
from ._stored import read_current

COEFFICIENT_LAW = "dynboltz-coefficient-law"
"""Kind of the stores of models with terms; those of laws of moments are files of fitted models."""


def law_kind(experiment: Experiment, name: str) -> str:
    """Kind of the store of a law."""
    return COEFFICIENT_LAW if name in experiment.coefficient_laws else MOMENT_LAW


def law_dataset_of(experiment: Experiment, directory: ResultDirectory, name: str) -> xr.Dataset:
    """Dataset of a learned law, with its lineage, from which `load_fitted` or `load_law` makes it.

    Raises
    ------
    ExperimentError
        If it is not learned yet, or with other settings.
    StoreError
        If it is damaged.
    """
    own = law_fingerprint(experiment, name)
    return read_current(directory.law(name), law_kind(experiment, name), own, "train")


def law_equations_of(
    experiment: Experiment, directory: ResultDirectory, name: str
) -> tuple[str, ...]:
    """Equations of a learned law as text, see `dynboltz.laws.law_equations`."""
    model = load_fitted(law_dataset_of(experiment, directory, name), directory.law(name))
    law = model.learned.law
    assert isinstance(law, MomentLaw)
    return law_equations(law)
