"""Learned laws as labelled datasets."""

from __future__ import annotations

import numpy as np
import xarray as xr

from dynboltz._arguments import checked
from dynboltz.lattices import parse_pattern, pattern_text

from ._chart import chart_of_patterns
from ._exact import KnownPart
from ._law import MomentLaw, SmoothFunction
from ._learned import LearnedLaw
from ._readout import Readout
from ._stored_charts import chart_dataset, load_chart
from ._training import Member


@checked
def law_dataset(learned: LearnedLaw) -> xr.Dataset:
    """Dataset from which `load_law` makes the law again."""
    law, chart = learned.law, learned.chart
    members = learned.members
    columns = ("parameter", "direction")
    found = xr.Dataset(
        {
            "parameters": (
                ("member", "parameter"),
                np.array([member.law.parameters for member in members]),
            ),
            "covariance_factor": (
                ("member", *columns),
                np.array([member.factor for member in members]),
            ),
            "log_evidence": ("member", np.array([m.log_evidence for m in members])),
            "error": ("member", np.array([m.error for m in members])),
            "validation": (("member", "start"), np.array([m.validation for m in members])),
            "matrix": (("density", "compared"), np.asarray(law.matrix)),
            "constant": ("density", np.asarray(law.constant)),
            "scale": ("learned", np.asarray(law.scales)),
            "centre": ("coordinate", np.asarray(law.centre)),
            "width": ("coordinate", np.asarray(law.width)),
            "lower": ("factor", np.asarray(law.lower)),
            "upper": ("factor", np.asarray(law.upper)),
            "pull": ((), np.asarray(law.pull)),
            "features": (("point", "coordinate"), learned.features),
            "grid": ("grid_point", learned.grid),
            "rate_scale": ("rate", np.asarray(law.rate_scales)),
            "rate_place": (("rate", "side"), np.array(law.rate_places, int).reshape(-1, 2)),
        },
        coords={"time": ("time", learned.times)},
        attrs={
            "open": list(law.open),
            "n_units": law.function.n_units,
            "n_residuals": learned.n_residuals,
        },
    )
    own = chart_dataset(chart)
    found = found.merge(own).assign_attrs(own.attrs)
    return found if learned.readout is None else found.merge(_readout_dataset(learned.readout))


def _readout_dataset(readout: Readout) -> xr.Dataset:
    chart = readout.chart
    return xr.Dataset(
        {
            "readout_coefficients": (("other", "function"), np.asarray(readout.coefficients)),
            "readout_factor": (
                ("other", "function", "function_direction"),
                np.asarray(readout.factor),
            ),
            "recorded_places": ("recorded", np.asarray(chart.places)),
            "recorded_floor": ((), np.asarray(chart.floor)),
            "recorded_pattern": ("recorded", [pattern_text(one) for one in chart.patterns]),
        },
        coords={"recorded": list(chart.names)},
    )


def _load_readout(dataset: xr.Dataset, law: MomentLaw) -> Readout | None:
    if "readout_coefficients" not in dataset:
        return None
    chart = chart_of_patterns(
        [str(name) for name in dataset.recorded.values],
        [parse_pattern(str(text)) for text in dataset.recorded_pattern.values],
        dataset.recorded_places.values,
        float(dataset.recorded_floor),
    )
    return Readout(
        chart,
        law,
        dataset.readout_coefficients.values,
        dataset.readout_factor.values,
    )


@checked
def load_law(dataset: xr.Dataset) -> LearnedLaw:
    """Law from a dataset that `law_dataset` made.

    Raises
    ------
    KeyError, ValueError
        If the dataset is another one.
    """
    attrs = dataset.attrs
    chart = load_chart(dataset)
    is_open = tuple(i in attrs["open"] for i in range(dataset.sizes["density"]))
    known = KnownPart(dataset.matrix.values, dataset.constant.values, is_open)

    def law(parameters: np.ndarray) -> MomentLaw:
        n_rates = dataset.sizes["rate"]
        function = SmoothFunction(
            parameters[: len(parameters) - n_rates],
            dataset.sizes["coordinate"],
            dataset.sizes["learned"],
            int(attrs["n_units"]),
        )
        return MomentLaw(
            chart,
            known.matrix,
            known.constant,
            tuple(attrs["open"]),
            dataset.scale.values,
            dataset.centre.values,
            dataset.width.values,
            dataset.lower.values,
            dataset.upper.values,
            dataset.pull.values,
            function,
            tuple((int(row), int(column)) for row, column in dataset.rate_place.values),
            dataset.rate_scale.values,
            parameters[len(parameters) - n_rates :],
        )

    members = tuple(
        Member(
            law(dataset.parameters.values[i]),
            dataset.covariance_factor.values[i],
            float(dataset.log_evidence[i]),
            float(dataset.error[i]),
            dataset.validation.values[i],
        )
        for i in range(dataset.sizes["member"])
    )
    return LearnedLaw(
        members,
        dataset.time.values,
        dataset.grid.values,
        dataset.features.values,
        dataset.sizes["start"],
        int(attrs["n_residuals"]),
        _load_readout(dataset, members[0].law),
    )
