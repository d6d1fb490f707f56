"""All figures of a finished experiment with particles in a box."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import xarray as xr

from dynboltz.store import open_particles, read_dataset, read_json

from ._box_action import plot_actions
from ._box_courses import plot_numbers, plot_pair_correlations
from ._box_functions import plot_functions
from ._box_pair_functions import plot_pair_functions
from ._box_patterns import plot_patterns
from ._box_profiles import plot_profiles
from ._files import Figures, figures_folder, save_figures

PREDICTION, MODEL = "dynboltz-functional-prediction", "dynboltz-functional"


def write_box_figures(directory: Path) -> list[Path]:
    """Draw the figures of an experiment in continuous space from its stored results.

    Parameters
    ----------
    directory
        Directory of the experiment with `metrics.json`, `predictions/` and `models/`, and with
        `trajectories/` if simulations are to be drawn; the figures go to `figures/`, each as PNG
        and as SVG. The same results give the same bytes.

    Returns
    -------
    paths
        The files, in the order in which a report shows them.

    Raises
    ------
    StoreError
        If there are no predictions, a store is damaged, or the directory cannot be written.
    """
    return save_figures(_figures(directory), figures_folder(directory))


def _figures(directory: Path) -> Figures:
    names = list(read_json(directory / "metrics.json")["models"])
    predictions = _read_all(directory / "predictions", names, PREDICTION)
    models = _read_all(directory / "models", names, MODEL)
    path = directory / "trajectories" / "train.zarr"
    if path.exists():
        yield "patterns", partial(plot_patterns, open_particles(path))
    functional = {name: ds for name, ds in predictions.items() if "function" in ds}
    if functional:
        yield "profiles", partial(plot_profiles, functional)
    for name, ds in functional.items():
        yield f"functions-{name}", partial(plot_functions, ds)
    yield "numbers", partial(plot_numbers, predictions)
    yield "pair-correlations", partial(plot_pair_correlations, predictions)
    interacting = {name: ds for name, ds in predictions.items() if "pair_function" in ds}
    if interacting:
        yield "pair-functions", partial(plot_pair_functions, interacting)
    histories = {
        name: {key: ds[f"history_{key}"].values for key in ("action", "window")}
        for name, ds in models.items()
    }
    yield "action", partial(plot_actions, histories)


def _read_all(folder: Path, names: list[str], kind: str) -> dict[str, xr.Dataset]:
    return {name: read_dataset(folder / f"{name}.zarr", kind) for name in names}
