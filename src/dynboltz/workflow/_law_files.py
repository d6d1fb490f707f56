"""Learned laws of moments to hand over and to read."""

from __future__ import annotations

import xarray as xr

from dynboltz._fit import KIND, load_fitted
from dynboltz.laws import MomentLaw, law_equations

from ._directory import ResultDirectory
from ._experiment import Experiment
from ._fingerprint import law_fingerprint
from ._stored import read_current


def law_dataset_of(experiment: Experiment, directory: ResultDirectory, name: str) -> xr.Dataset:
    """Dataset of a learned law, with its lineage, from which `load_fitted` makes it again.

    Raises
    ------
    ExperimentError
        If it is not learned yet, or with other settings.
    StoreError
        If it is damaged.
    """
    return read_current(directory.law(name), KIND, law_fingerprint(experiment, name), "train")


def law_equations_of(
    experiment: Experiment, directory: ResultDirectory, name: str
) -> tuple[str, ...]:
    """Equations of a learned law as text, see `dynboltz.laws.law_equations`."""
    model = load_fitted(law_dataset_of(experiment, directory, name), directory.law(name))
    law = model.learned.law
    assert isinstance(law, MomentLaw)
    return law_equations(law)
