"""Colours, lines and sizes, the same in every plot."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import matplotlib
import numpy as np
import xarray as xr
from matplotlib.colors import Colormap, Normalize

STYLE: Mapping[str, Any] = {
    "font.size": 9.0,
    "axes.titlesize": 9.5,
    "axes.titlepad": 3.0,
    "axes.labelsize": 9.0,
    "xtick.labelsize": 8.0,
    "ytick.labelsize": 8.0,
    "legend.fontsize": 8.0,
    "legend.frameon": False,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.7,
    "lines.linewidth": 1.4,
    "grid.color": "#dddddd",
    "grid.linewidth": 0.5,
    "figure.facecolor": "white",
    "savefig.facecolor": "white",
}
"""Settings under which `write_figures` draws."""

INITIAL, PATH, END = "#00b4d8", "#1a1a1a", "#d6008f"
"""Initial points, trajectories and end points: cyan, black and magenta as in the paper's Fig. 2."""

MODEL_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")
"""The colours of Okabe and Ito, which colour-blind readers tell apart."""

MODEL_LINES = ("-", (0, (5, 1.2)), (0, (3, 1, 1, 1)), (0, (1, 1)))
BASELINE = {"color": "#808080", "linestyle": "-.", "linewidth": 1.1}
BASELINE_COLOURS = ("#808080", "#1b7f79", "#4d4d9f", "#b35fa0")
NOISE = {"color": "#000000", "linestyle": ":", "linewidth": 1.2}
SIMULATION: dict[str, Any] = {"color": "#000000", "linewidth": 0.6, "zorder": 2.5}
"""Thin and above the models, whose colours show on either side where they agree."""

BAND: dict[str, Any] = {"color": "#cccccc", "linewidth": 0.0}
EQUILIBRIUM: dict[str, Any] = {"linewidth": 0.7, "marker": "o", "markersize": 2.0}
METASTABLE: dict[str, Any] = {
    "color": "#000000",
    "linestyle": "",
    "marker": "o",
    "markersize": 5.0,
    "markerfacecolor": "none",
    "markeredgewidth": 0.7,
    "clip_on": False,
}

SPECIES_COLOURS = ("#cc79a7", "#e69f00", "#56b4e9", "#009e73", "#0072b2", "#d55e00")
"""Of the same set: pink, orange and cyan first, as in the paper's Fig. 4."""

EMPTY = "#f2f2f2"
"""Empty sites."""

SEQUENTIAL = "viridis"
DIVERGING = "coolwarm"


def colours(name: str) -> Colormap:
    """Look a colour map up by its name."""
    return matplotlib.colormaps[name]


def model_style(names: list[str], name: str, baselines: set[str]) -> dict[str, Any]:
    """Colour and dashes of a model; the models that are learned take the colours in turn."""
    if name in baselines:
        place = [other for other in names if other in baselines].index(name)
        return BASELINE | {"color": BASELINE_COLOURS[place % len(BASELINE_COLOURS)]}
    place = [other for other in names if other not in baselines].index(name)
    return {
        "color": MODEL_COLOURS[place % len(MODEL_COLOURS)],
        "linestyle": MODEL_LINES[place % len(MODEL_LINES)],
    }


def model_styles(predictions: Mapping[str, xr.Dataset]) -> dict[str, dict[str, Any]]:
    """Colour and dashes of every model; one without coefficients or bands is a baseline."""
    learned = ("theta", "uncertainty")
    baselines = {name for name, ds in predictions.items() if not any(v in ds for v in learned)}
    if len(baselines) == len(predictions):
        baselines = set()
    return {name: model_style(list(predictions), name, baselines) for name in predictions}


def species_style(index: int) -> dict[str, Any]:
    """Colour and dashes of a species."""
    return {
        "color": SPECIES_COLOURS[index % len(SPECIES_COLOURS)],
        "linestyle": MODEL_LINES[index % len(MODEL_LINES)],
    }


def normalised(values: np.ndarray) -> Normalize:
    """Colour scale from the least to the largest finite value."""
    finite = values[np.isfinite(values)]
    return Normalize(float(finite.min()), float(finite.max())) if finite.size else Normalize(0, 1)
