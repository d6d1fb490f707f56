"""Results that are kept as long as they belong to the same settings."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import xarray as xr

from dynboltz._hints import did_you_mean
from dynboltz.store import StoreError, read_dataset, write_dataset

from ._directory import ResultDirectory
from ._errors import ExperimentError
from ._load import AnyExperiment

Plan = TypeVar("Plan")


def is_current(path: Path, kind: str, fingerprint: str) -> bool:
    """Whether a complete result of these settings is there."""
    try:
        return read_dataset(path, kind).attrs.get("fingerprint") == fingerprint
    except StoreError:
        return False


def outdated(
    plans: Mapping[str, Plan],
    path: Callable[[str], Path],
    kind: str,
    fingerprint: Callable[[str], str],
) -> list[Plan]:
    """Plans of those models that have no complete result of their settings."""
    return [
        plan for name, plan in plans.items() if not is_current(path(name), kind, fingerprint(name))
    ]


def write_product(dataset: xr.Dataset, path: Path, origin: Mapping[str, Any]) -> None:
    """Store a result with its lineage."""
    write_dataset(dataset.assign_attrs(lineage=dict(origin)), path)


def write_model(
    dataset: xr.Dataset,
    path: Path,
    kind: str,
    name: str,
    fingerprint: str,
    origin: Mapping[str, Any],
) -> None:
    """Store a learned model with its name and lineage."""
    own = {"kind": kind, "name": name, "fingerprint": fingerprint}
    write_product(dataset.assign_attrs(own), path, origin)


def check_known(experiment: AnyExperiment, directory: ResultDirectory, name: str) -> None:
    """Raise `ExperimentError` for a model that an experiment does not have."""
    if name in experiment.law_names:
        raise ExperimentError(
            f"{directory.path}: {name!r} is a law without finite elements; "
            f"`dynboltz predict {directory.path} {name}` predicts with it."
        )
    if name not in experiment.plans:
        raise ExperimentError(
            f"{directory.path}: has no model {name!r}; there are {', '.join(experiment.plans)}."
            f"{did_you_mean(name, experiment.plans)}"
        )


def read_current(path: Path, kind: str, fingerprint: str, command: str) -> xr.Dataset:
    """Read a result of these settings, which lies in a folder of a result directory.

    Raises
    ------
    StoreError
        If there is none or it is damaged.
    ExperimentError
        If it belongs to other settings.
    """
    make = f"`dynboltz {command} {path.parents[1]}`"
    if not path.exists():
        raise ExperimentError(f"{path}: is not there yet; run {make} first.")
    dataset = read_dataset(path, kind)
    if dataset.attrs.get("fingerprint") != fingerprint:
        raise ExperimentError(f"{path}: belongs to other settings; make it anew with {make}.")
    return dataset
