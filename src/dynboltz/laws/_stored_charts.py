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
    return xr.Dataset(
        {}, coordinates, {"model": json.dumps(specification), "floor": float(chart.floor)}
    )


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
    return CoefficientChart(
        model, to_terms(specification["moments"]), np.array(dataset.attrs["floor"])
    )
