"""Errors of predictions against held-out simulations, each with its noise floor."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ._observed import Observed

MEASURES = {
    "n_rel_rmse": ("number", True),
    "profile_rel_rmse": ("profile", True),
    "g_rmse": ("pair_correlation", False),
    "var_over_mean_error": ("dispersion", False),
}
"""Names of errors, the quantity, and whether they are relative to its root mean square."""

FLOOR = "noise_floor"


def held_out_errors(
    predictions: Mapping[str, Mapping[str, np.ndarray]], observed: Observed
) -> dict[str, dict[str, float]]:
    """Root mean square errors of all models over initial conditions and times.

    The noise floor is the error of a perfect prediction: the root mean square standard error of
    what the simulations show.

    Parameters
    ----------
    predictions
        Quantities by model, of the shapes of what is observed.
    observed
        What the simulations show.
    """
    errors = {
        model: {
            label: _rms(quantities[key] - observed[key].value) / _scale(observed, key, relative)
            for label, (key, relative) in MEASURES.items()
        }
        for model, quantities in predictions.items()
    }
    errors[FLOOR] = {
        label: _rms(observed[key].error) / _scale(observed, key, relative)
        for label, (key, relative) in MEASURES.items()
    }
    return errors


def _scale(observed: Observed, key: str, relative: bool) -> float:
    return _rms(observed[key].value) if relative else 1.0


def _rms(values: np.ndarray) -> float:
    return float(np.sqrt(np.mean(values**2)))
