"""Coordinates of laws as parts of labelled datasets."""

from __future__ import annotations

import json

import numpy as np
import xarray as xr

from dynboltz.distributions import LatticeModel
from dynboltz.lattices import parse_pattern, pattern_text

from ._chart import MomentChart, chart_of_patterns
from ._charts import Chart
from ._coefficient_chart import CoefficientChart
from ._emulator import Emulator


def chart_dataset(chart: Chart) -> xr.Dataset:
    """Dataset from which `load_chart` makes the coordinates again."""
    coordinates = {
        "moment": ("moment", list(chart.names)),
        "coordinate": ("coordinate", list(chart.coordinates)),
    }
    if isinstance(chart, MomentChart):
        return xr.Dataset(
            {"places": ("moment", np.asarray(chart.places))},
            coordinates,
            {
                "patterns": [pattern_text(pattern) for pattern in chart.patterns],
                "floor": float(chart.floor),
            },
        )
    from dynboltz.learning._reduced_model import (  # noqa: PLC0415 - seconds to import, for this only
        specified_model,
        specified_terms,
    )

    specification = specified_model(chart.model) | {"moments": specified_terms(chart.terms)}
    attrs = {"model": json.dumps(specification), "floor": float(chart.floor)}
    if chart.emulator is None:
        return xr.Dataset({}, coordinates, attrs)
    dims = {
        "places": ("moment",),
        "centre": ("coordinate",),
        "width": ("coordinate",),
        "points": ("emulated_point", "coordinate"),
        "affine": ("function", "part"),
        "weights": ("function", "emulated_point", "part"),
        "lengths": ("function",),
    }
    emulator = chart.emulator
    arrays = {f"emulator_{k}": (own, np.asarray(getattr(emulator, k))) for k, own in dims.items()}
    return xr.Dataset(arrays, coordinates, attrs | {"density_of": json.dumps(emulator.density_of)})


def load_chart(dataset: xr.Dataset) -> Chart:
    """Coordinates from a dataset that holds what `chart_dataset` made."""
    if "model" not in dataset.attrs:
        return chart_of_patterns(
            [str(name) for name in dataset.moment.values],
            [parse_pattern(text) for text in dataset.attrs["patterns"]],
            dataset.places.values,
            dataset.attrs["floor"],
        )
    from dynboltz.learning._reduced_model import (  # noqa: PLC0415 - seconds to import
        to_model,
        to_terms,
    )

    specification = json.loads(dataset.attrs["model"])
    model: LatticeModel = to_model(specification)
    terms, floor = to_terms(specification["moments"]), np.array(dataset.attrs["floor"])
    return CoefficientChart(model, terms, floor, _load_emulator(dataset, len(model.species[0])))


def _load_emulator(dataset: xr.Dataset, n_densities: int) -> Emulator | None:
    if "density_of" not in dataset.attrs:
        return None
    names = ("places", "centre", "width", "points", "affine", "weights", "lengths")
    density_of = tuple(map(tuple, json.loads(dataset.attrs["density_of"])))
    arrays = [dataset[f"emulator_{name}"].values for name in names]
    return Emulator(n_densities, density_of, *arrays)
