"""What the figures of an experiment are drawn from."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import xarray as xr

from dynboltz import learning
from dynboltz.store import StoreError, open_trajectories, read_dataset, read_json

from ._select import select_part

PREDICTION = "dynboltz-prediction"


class Results(NamedTuple):
    """What a directory of results holds, by the names of the models.

    Attributes
    ----------
    predictions
        Moments that each model predicts.
    models
        The learned models among them.
    transfers
        Moments that models predict on a larger lattice.
    samples
        States drawn from models.
    trajectories
        The simulations that the models learned from, if they are there; states are read when they
        are drawn.
    """

    predictions: dict[str, xr.Dataset]
    models: dict[str, learning.ReducedModel]
    transfers: dict[str, xr.Dataset]
    samples: dict[str, xr.Dataset]
    trajectories: xr.Dataset | None

    @property
    def first(self) -> xr.Dataset:
        """Predictions of the first model."""
        return next(iter(self.predictions.values()))

    @property
    def learned(self) -> dict[str, xr.Dataset]:
        """Predictions that have coefficients."""
        return {name: ds for name, ds in self.predictions.items() if "theta" in ds}

    @property
    def is_single(self) -> bool:
        """Whether all simulations have the same initial condition."""
        parts = ("train", "test")
        return all(select_part(self.first, p).sizes["initial_condition"] == 1 for p in parts)

    def transfers_by_lattice(self) -> dict[str, dict[str, xr.Dataset]]:
        """Transfers by the shape of their lattice, such as `20x20x20`."""
        groups: dict[str, dict[str, xr.Dataset]] = {}
        for name, ds in self.transfers.items():
            shape = "x".join(str(length) for length in ds.attrs["lattice"])
            groups.setdefault(shape, {})[name] = ds
        return groups


def read_results(directory: Path) -> Results:
    """Read what the figures are drawn from.

    Raises
    ------
    StoreError
        If there are no predictions, or a store is damaged.
    """
    predictions = _read_all(directory, "predictions", PREDICTION)
    if not predictions:
        raise StoreError(
            directory / "predictions", "has no predictions; evaluate the models first."
        )
    stored = _read_all(directory, "models", "dynboltz-model")
    path = directory / "trajectories" / "train.zarr"
    return Results(
        predictions,
        {name: learning.load_reduced_model(stored[name]) for name in predictions if name in stored},
        _read_all(directory, "transfers", PREDICTION),
        _read_all(directory, "samples", "dynboltz-sample"),
        open_trajectories(path) if path.exists() else None,
    )


def _read_all(directory: Path, folder: str, kind: str) -> dict[str, xr.Dataset]:
    """Read the datasets of a folder, in the order of the models."""
    found = sorted(path.stem for path in (directory / folder).glob("*.zarr"))
    found.sort(key=_place_of_models(directory))
    return {name: read_dataset(directory / folder / f"{name}.zarr", kind) for name in found}


def _place_of_models(directory: Path) -> Callable[[str], int]:
    path = directory / "metrics.json"
    known = list(read_json(path).get("models", {})) if path.exists() else []
    return lambda name: known.index(name) if name in known else len(known)
