"""Particles of one simulation in a box: a line over time, a plane or a cube at several times."""

from __future__ import annotations

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure

from ._labels import at_time, time_label, time_unit
from ._layout import FLAT, SOLID, grid_shape, new_figure, panel
from ._states import species_legend
from ._style import species_style

N_TIMES = 6
N_SHOWN = 3
AXES = ("x", "y", "z")


def plot_patterns(
    trajectories: xr.Dataset, *, figure: Figure | SubFigure | None = None
) -> list[Axes]:
    """Draw the particles of simulations.

    Of a line the particles over time, one panel for each of the first initial conditions; of a
    plane or a cube one simulation at some times.

    Parameters
    ----------
    trajectories
        Dataset as `open_particles` returns it.
    figure
        Where to draw, by default a new figure.

    Returns
    -------
    axes
        The panels.
    """
    dim = trajectories.sizes["axis"]
    species = [str(name) for name in trajectories.attrs["species"]]
    draw = _over_time if dim == 1 else _at_times
    return draw(trajectories, species, figure)


def _over_time(
    trajectories: xr.Dataset, species: list[str], figure: Figure | SubFigure | None
) -> list[Axes]:
    starts = trajectories["initial_condition"].values
    replicas = [int(np.argmax(starts == number)) for number in np.unique(starts)[:N_SHOWN]]
    shape = grid_shape(len(replicas), N_SHOWN)
    figure = new_figure(figure, shape, legend=species, titled=True)
    axes = []
    for place, replica in enumerate(replicas):
        ax = panel(figure, shape, place)
        own = trajectories.isel(replica=replica).load()
        times = np.broadcast_to(own["time"].values[:, None], own["label"].shape)
        for number in range(len(species)):
            here = own["label"].values == number + 1
            x = own["position"].values[here][:, 0]
            _dots(ax, times[here], x, number, 25.0, "_")
        ax.set(
            xlabel=time_label(trajectories),
            ylabel="$x$ [length]",
            title=f"initial condition {starts[replica]}",
            ylim=(0.0, trajectories.attrs["box_lengths"][0]),
        )
        axes.append(ax)
    species_legend(figure, species)
    return axes


def _at_times(
    trajectories: xr.Dataset, species: list[str], figure: Figure | SubFigure | None
) -> list[Axes]:
    dim, lengths = trajectories.sizes["axis"], trajectories.attrs["box_lengths"]
    places = np.unique(np.linspace(0, trajectories.sizes["time"] - 1, N_TIMES).round().astype(int))
    shape = grid_shape(len(places), 3)
    square = FLAT._replace(width=2.0) if dim == 2 else SOLID
    figure = new_figure(figure, shape, dim, margins=square, legend=species, titled=True)
    axes = []
    for place, time in enumerate(places):
        ax = panel(figure, shape, place, dim)
        own = trajectories.isel(replica=0, time=time).load()
        for number in range(len(species)):
            points = own["position"].values[own["label"].values == number + 1]
            _dots(ax, *points.T, number, 5.0, "o")
        for axis, length in zip(AXES, lengths, strict=False):
            ax.set(**{f"{axis}lim": (0.0, length), f"{axis}label": f"${axis}$ [length]"})
        if dim == 2:
            ax.set_aspect("equal")
        ax.set_title(at_time(float(own["time"]), time_unit(trajectories)))
        axes.append(ax)
    species_legend(figure, species)
    return axes


def _dots(ax: Axes, *arguments) -> None:
    *coordinates, number, area, marker = arguments
    colour, width = species_style(number)["color"], 0.6 if marker == "_" else 0.0
    style = {"color": colour, "marker": marker, "linewidths": width, "clip_on": False}
    ax.scatter(*coordinates, s=area, **style)
