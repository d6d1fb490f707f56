"""All figures of a finished experiment."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import jax
import xarray as xr

from ._by_start import plot_predictions_by_start
from ._connectivity import plot_connections
from ._derivatives import plot_derivatives
from ._dynamics import plot_dynamics
from ._errors import highest_moments, plot_errors
from ._files import Figures, figures_folder, save_figures
from ._history import columns, plot_histories
from ._learned_path import plot_learned_path
from ._moments import plot_moments
from ._portraits import plot_phase_portraits, plot_relaxation
from ._predictions import plot_predictions
from ._results import Results, read_results
from ._sample import plot_sample
from ._select import of_order, up_to
from ._snapshots import plot_raster, plot_snapshots
from ._space import plot_initial_moments
from ._states import lattice_dim
from ._style import model_styles
from ._time_courses import plot_coefficients


def write_figures(directory: Path) -> list[Path]:
    """Draw the figures of an experiment from its stored results.

    Experiments of many initial conditions and those of a single one, with many simulations of the
    same start, have figures of their own; what the directory does not hold is not drawn.

    Parameters
    ----------
    directory
        Directory of the experiment with `predictions/`, and with `models/`, `trajectories/`,
        `transfers/` and `samples/` as far as they are there; the figures go to `figures/`, each as
        PNG and as SVG. The same results give the same bytes.

    Returns
    -------
    paths
        The files, in the order in which a report shows them.

    Raises
    ------
    StoreError
        If there are no predictions, a store is damaged, or the directory cannot be written.
    """
    folder = figures_folder(directory)
    with jax.enable_x64(True):
        return save_figures(_figures(read_results(directory)), folder)


def _figures(results: Results) -> Figures:
    yield "fig1e-moments", partial(plot_moments, results.first)
    if results.trajectories is not None:
        yield from _of_simulations(results.trajectories, results)
    yield from _of_one_start(results) if results.is_single else _of_many_starts(results)
    yield from _of_models(results)
    yield from _of_errors(results)


def _of_simulations(trajectories: xr.Dataset, results: Results) -> Figures:
    if lattice_dim(trajectories) == 1:
        yield "fig4a-snapshots", lambda: [plot_raster(trajectories)]
    else:
        learned = up_to(trajectories, results.first.attrs.get("learned_until"))
        yield "fig4a-snapshots", partial(plot_snapshots, learned)
    if results.is_single:
        moments = trajectories[["moments"]].load()
        yield "fig4bcd-portraits", partial(plot_phase_portraits, moments)
        yield "fig4d-relaxation", lambda: [plot_relaxation(moments)]


def _of_one_start(results: Results) -> Figures:
    """Figures in which a single trajectory of each model is followed."""
    predictions = results.predictions
    styles = model_styles(predictions)
    for name, model in results.models.items():
        yield f"fig6-{name}", partial(plot_learned_path, predictions[name], model.field)
        yield f"fig7-{name}", partial(plot_derivatives, predictions[name], model.field)
    ends = [ds.attrs["learned_until"] for ds in predictions.values() if "learned_until" in ds.attrs]
    known = {name: up_to(ds, max(ends, default=None)) for name, ds in predictions.items()}
    yield "fig8a-moments", partial(plot_predictions, known)
    if any(known[name].sizes["time"] < ds.sizes["time"] for name, ds in predictions.items()):
        yield "beyond-training", partial(plot_predictions, predictions)
    for shape, group in results.transfers_by_lattice().items():
        yield f"transfer-{shape}", partial(plot_predictions, group, styles=styles)


def _of_many_starts(results: Results) -> Figures:
    """Figures in which the trajectories of many initial conditions are compared."""
    yield "predicted-moments", partial(plot_predictions_by_start, results.predictions)
    for name, model in results.models.items():
        yield f"fig2-{name}", partial(plot_dynamics, results.predictions[name], model.field)
    if of_order(results.first, 2) and results.learned:
        yield "fig3a-neighbour-moment", partial(plot_initial_moments, results.learned)


def _of_models(results: Results) -> Figures:
    if of_order(results.first, 2):
        for name, ds in results.learned.items():
            yield f"fig3b-{name}", partial(plot_coefficients, ds)
    for name, model in results.models.items():
        if not model.model.is_visible:
            yield f"fig5b-{name}", partial(plot_connections, model.model)
    for name, sample in results.samples.items():
        yield f"fig8b-{name}", partial(plot_sample, sample)


def _of_errors(results: Results) -> Figures:
    predictions = results.predictions
    yield "fig3c-rmse", partial(plot_errors, predictions, highest_moments(results.first))
    yield "rmse-all-moments", partial(plot_errors, predictions)
    yield "rmse-over-noise", partial(plot_errors, predictions, ratio=True)
    histories = {name: model.history for name, model in results.models.items()}
    if columns(histories):
        yield "training", partial(plot_histories, histories)
