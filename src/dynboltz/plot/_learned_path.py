"""From simulated means to the coefficients that were learned from them, Fig. 6 of the paper."""

from __future__ import annotations

import numpy as np
import xarray as xr
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure

from dynboltz.dynamics import HermiteField

from ._cells import function_of
from ._field import plot_vertices
from ._labels import coefficient_label, moment_symbol, time_label
from ._layout import margins_of, new_axes, new_figure, panel
from ._paths import draw_paths, face, label_axes, over_time
from ._select import learned_times, of_order, select_part
from ._space import plot_trajectories, trajectory_paths
from ._style import species_style


def independent_biases(
    means: Float[np.ndarray, "... species"],
) -> Float[np.ndarray, "... species"]:
    r"""Biases of independent sites with these means, $b_\alpha = \ln(\mu_\alpha / \mu_0)$.

    $\mu_0 = 1 - \sum_\beta \mu_\beta$ is the mean of empty sites; where it or $\mu_\alpha$ is not
    positive there is no such bias and the result is NaN.

    Parameters
    ----------
    means
        Mean number of particles of each species per site.

    References
    ----------
    Ernst et al. (2019), eq. (46) solved for the biases.
    """
    empty = 1.0 - means.sum(axis=-1, keepdims=True)
    possible = (means > 0) & (empty > 0)
    ratio = np.divide(means, empty, out=np.ones_like(means), where=possible)
    return np.where(possible, np.log(ratio), np.nan)


def plot_means(predictions: xr.Dataset, *, part: str = "train", ax: Axes | None = None) -> Axes:
    """Draw the simulated means of all species over time, averaged over the initial conditions.

    Parameters
    ----------
    predictions
        Dataset with `simulated(part, initial_condition, time, moment)` [per site].
    part
        `"train"` or `"test"`.
    ax
        Where to draw, by default a new figure.

    Returns
    -------
    ax
        The axes.

    References
    ----------
    Ernst et al. (2019), Fig. 6(a).
    """
    means = select_part(predictions, part)["simulated"].mean("initial_condition")
    ax = new_axes(ax)
    for index, name in enumerate(of_order(predictions, 1)):
        label, style = moment_symbol(name), species_style(index)
        ax.plot(predictions["time"], means.sel(moment=name), label=label, **style)
    ax.set(xlabel=time_label(predictions), ylabel="mean [per site]")
    ax.set_ylim(bottom=0.0)
    ax.margins(x=0.01)
    ax.legend(loc="best", borderpad=0.0)
    return ax


def plot_independent_biases(
    predictions: xr.Dataset, *, part: str = "train", ax: Axes | None = None
) -> Axes:
    r"""Draw the biases of independent sites that have the simulated means.

    $b_\alpha = \ln(\mu_\alpha / (1 - \sum_\beta \mu_\beta))$: the state of largest entropy with
    these means and nothing else.

    Parameters
    ----------
    predictions
        Dataset with `simulated(part, initial_condition, time, moment)` [per site].
    part
        `"train"` or `"test"`.
    ax
        Where to draw, for three or more species axes of three dimensions; by default a new figure.

    Returns
    -------
    ax
        The axes; the first three species are shown, a single one over time.

    References
    ----------
    Ernst et al. (2019), eq. (46) and Fig. 6(b).
    """
    species = of_order(predictions, 1)
    means = select_part(predictions, part)["simulated"].sel(moment=species)
    biases = independent_biases(means.transpose("initial_condition", "time", "moment").values)
    paths = over_time(predictions["time"].values, biases)
    ax = new_axes(ax, paths.shape[2])
    draw_paths(ax, paths)
    face(ax, paths)
    labels = [coefficient_label(f"b.{name}") for name in species[:3]]
    label_axes(ax, labels, time_label(predictions))
    return ax


def plot_learned_path(
    predictions: xr.Dataset,
    field: HermiteField,
    *,
    part: str = "train",
    figure: Figure | SubFigure | None = None,
) -> list[Axes]:
    """Draw means, biases of independent sites, learned coefficients, and vertices of the field.

    Parameters
    ----------
    predictions
        Dataset with `theta` and `simulated` of the model; times beyond its attribute
        `learned_until` are left out.
    field
        The learned field of the model.
    part
        `"train"` or `"test"`.
    figure
        Where to draw, by default a new figure.

    Returns
    -------
    axes
        The four panels. The last two are in the space of the first three arguments of the first
        function of the field.

    References
    ----------
    Ernst et al. (2019), Fig. 6.
    """
    predictions = learned_times(predictions)
    coefficient = field.coefficients[0]
    arguments = function_of(field, coefficient).grid.arguments[:3]
    dims = [2, min(3, max(2, len(of_order(predictions, 1)))), *2 * [max(2, len(arguments))]]
    figure = new_figure(figure, (2, 2), margins=margins_of(dims))
    means, biases, path, vertices = (panel(figure, (2, 2), k, dim) for k, dim in enumerate(dims))
    plot_means(predictions, part=part, ax=means).set_title("simulated means")
    plot_independent_biases(predictions, part=part, ax=biases).set_title("independent sites")
    plot_trajectories(predictions, part=part, coefficients=arguments, ax=path)
    path.set_title("learned trajectory")
    plot_vertices(field, coefficient, ax=vertices)
    if len(arguments) > 1:
        plot_trajectories(predictions, part=part, coefficients=arguments, ax=vertices)
    for ax in (path, vertices):
        face(ax, trajectory_paths(predictions, arguments, part))
    biases.legend(loc="upper left", handletextpad=0.1, borderpad=0.0)
    return [means, biases, path, vertices]
