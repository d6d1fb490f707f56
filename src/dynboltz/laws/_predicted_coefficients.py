"""Coefficients of Boltzmann machines along the trajectories of a law."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float64

from dynboltz._arguments import checked
from dynboltz._numbers import check_finite

from ._coefficient_chart import CoefficientChart
from ._learned import LearnedLaw


@checked
def predict_coefficients(
    learned: LearnedLaw,
    starts: Float64[np.ndarray, "starts coordinates"],
    times: Float64[np.ndarray, " times"] | None = None,
) -> Float64[np.ndarray, "starts times coefficients"]:
    """Coefficients over time, of the mean over the members.

    Parameters
    ----------
    learned
        A law in coordinates of a Boltzmann machine.
    starts
        Coordinates at the first time; see `CoefficientChart.place` and `fit_snapshots`.
    times
        Increasing times [time]; those of the training by default.

    Raises
    ------
    ValueError
        If the law is one of moments, or times do not increase.
    """
    where, chart = "predict_coefficients", learned.chart
    if not isinstance(chart, CoefficientChart):
        raise ValueError(
            f"{where}: `learned` must be a law of a Boltzmann machine (`coefficient_chart`), got "
            "one of moments."
        )
    check_finite(where, "`starts`", starts, ("start", "coordinate"))
    times = learned.times if times is None else times
    if not len(times) or np.any(np.diff(times) <= 0):
        raise ValueError(f"{where}: `times` must increase, got {times}.")
    return chart.batch_coefficients(learned.coordinates(starts, times))
