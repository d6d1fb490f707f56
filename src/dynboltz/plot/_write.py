"""All figures of a finished experiment."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import NamedTuple

import jax
import matplotlib.style
import xarray as xr
from matplotlib.axes import Axes

from dynboltz import learning
from dynboltz.store import StoreError, read_dataset, read_json

from ._dynamics import plot_dynamics
from ._errors import highest_moments, plot_errors
from ._files import save_figure
from ._history import columns, plot_histories
from ._moments import plot_moments
from ._select import names, order
from ._space import plot_initial_moments
from ._style import STYLE
from ._time_courses import plot_coefficients


class Results(NamedTuple):
    """What the figures are drawn from, by the names of the models."""

    predictions: dict[str, xr.Dataset]
    models: dict[str, learning.ReducedModel]


def write_figures(directory: Path) -> list[Path]:
    """Draw the figures of an experiment from its stored models and predictions.

    Parameters
    ----------
    directory
        Directory of the experiment with `predictions/` and `models/`; the figures go to
        `figures/`, each as PNG and as SVG. The same results give the same bytes.

    Returns
    -------
    paths
        The files, in the order in which a report shows them.

    Raises
    ------
    StoreError
        If there are no predictions, a store is damaged, or the directory cannot be written.
    """
    folder = directory / "figures"
    try:
        folder.mkdir(exist_ok=True)
    except OSError as error:
        raise StoreError(folder, f"cannot be made: {error.strerror or error}.") from error
    paths = []
    with jax.enable_x64(True), matplotlib.style.context(["default", dict(STYLE)]):
        for name, draw in _figures(_read(directory)):
            paths += save_figure(draw()[0].figure, folder / name)
    return paths


def _read(directory: Path) -> Results:
    found = sorted(path.stem for path in (directory / "predictions").glob("*.zarr"))
    if not found:
        raise StoreError(
            directory / "predictions", "has no predictions; evaluate the models first."
        )
    known = _order_of_models(directory)
    found.sort(key=lambda name: known.index(name) if name in known else len(known))
    stored = [name for name in found if (directory / "models" / f"{name}.zarr").exists()]
    return Results(
        {
            name: read_dataset(directory / "predictions" / f"{name}.zarr", "dynboltz-prediction")
            for name in found
        },
        {
            name: learning.load_reduced_model(
                read_dataset(directory / "models" / f"{name}.zarr", "dynboltz-model")
            )
            for name in stored
        },
    )


def _order_of_models(directory: Path) -> list[str]:
    path = directory / "metrics.json"
    return list(read_json(path).get("models", {})) if path.exists() else []


def _figures(results: Results) -> Iterator[tuple[str, Callable[[], list[Axes]]]]:
    """Names of the figures, and how each is drawn."""
    predictions, models = results
    first = next(iter(predictions.values()))
    learned = {name: ds for name, ds in predictions.items() if "theta" in ds}
    pairs = any(order(moment) == 2 for moment in names(first, "moment"))
    yield "fig1e-moments", partial(plot_moments, first)
    for name, model in models.items():
        yield f"fig2-{name}", partial(plot_dynamics, learned[name], model.field)
    if pairs and learned:
        yield "fig3a-neighbour-moment", partial(plot_initial_moments, learned)
        for name, ds in learned.items():
            yield f"fig3b-{name}", partial(plot_coefficients, ds)
    yield "fig3c-rmse", partial(plot_errors, predictions, highest_moments(first))
    yield "rmse-all-moments", partial(plot_errors, predictions)
    yield "rmse-over-noise", partial(plot_errors, predictions, ratio=True)
    histories = {name: model.history for name, model in models.items()}
    if columns(histories):
        yield "training", partial(plot_histories, histories)
