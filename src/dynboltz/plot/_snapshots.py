"""One simulation on its lattice: a chain over time, a plane or a cube at several times."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import xarray as xr
from jaxtyping import Integer
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure

from ._labels import at_time, time_label, time_unit
from ._layout import grid_shape, new_axes, new_figure, panel
from ._states import AXES, coloured, draw_image, draw_state, lattice_dim, species_legend

N_SNAPSHOTS = 6


def plot_raster(trajectories: xr.Dataset, *, replica: int = 0, ax: Axes | None = None) -> Axes:
    """Draw one simulation of a chain: its sites over time, coloured by what they hold.

    Parameters
    ----------
    trajectories
        Dataset with `state(replica, time, x)`, 0 for an empty site and `i + 1` for the species
        `i`, whose names are its attribute `species`.
    replica
        Number of the simulation.
    ax
        Where to draw, by default a new figure.

    Returns
    -------
    ax
        The axes.

    Raises
    ------
    ValueError
        If the lattice is no chain or there is no such replica.
    """
    dim = lattice_dim(trajectories)
    if dim != 1:
        raise ValueError(
            f"plot_raster: the lattice must be a chain, it has {dim} axes; use `plot_snapshots`."
        )
    state = _simulation(trajectories, replica).values
    species = _species(trajectories, state)
    times = trajectories["time"].values
    ax = new_axes(ax)
    draw_image(ax, coloured(state.T, len(species)), (times[0], times[-1]))
    ax.set(xlabel=time_label(trajectories), ylabel="$x$ [site]")
    species_legend(ax.figure, species)
    return ax


def plot_snapshots(
    trajectories: xr.Dataset,
    *,
    replica: int = 0,
    times: Sequence[float] | None = None,
    figure: Figure | SubFigure | None = None,
) -> list[Axes]:
    """Draw the lattice of one simulation at several times, coloured by what the sites hold.

    Parameters
    ----------
    trajectories
        Dataset with `state(replica, time, x, y[, z])`, 0 for an empty site and `i + 1` for the
        species `i`, whose names are its attribute `species`.
    replica
        Number of the simulation.
    times
        Times to draw, each replaced by the nearest recorded one; by default six from the first to
        the last.
    figure
        Where to draw, by default a new figure.

    Returns
    -------
    axes
        One for each time; empty sites of a cube are left out.

    Raises
    ------
    ValueError
        If the lattice is a chain or there is no such replica.

    References
    ----------
    Ernst et al. (2019), Fig. 4(a).
    """
    dim = lattice_dim(trajectories)
    if dim == 1:
        raise ValueError("plot_snapshots: the lattice is a chain; use `plot_raster`.")
    state = _simulation(trajectories, replica)
    if times is None:
        places = np.linspace(0, state.sizes["time"] - 1, N_SNAPSHOTS).round().astype(int)
        shown = state.isel(time=np.unique(places))
    else:
        shown = state.sel(time=list(times), method="nearest")
    shown = shown.load()
    species, unit = _species(trajectories, shown.values), time_unit(trajectories)
    shape = grid_shape(shown.sizes["time"], 3)
    figure = new_figure(figure, shape, dim, legend=species, titled=True)
    axes = []
    for place, time in enumerate(shown["time"].values):
        ax = panel(figure, shape, place, dim)
        draw_state(ax, shown.isel(time=place).values, len(species))
        ax.set_title(at_time(float(time), unit))
        axes.append(ax)
    species_legend(figure, species)
    return axes


def _species(trajectories: xr.Dataset, state: Integer[np.ndarray, ...]) -> list[str]:
    """Names of the species; without names, numbers of those that are seen."""
    if "species" in trajectories.attrs:
        return [str(name) for name in trajectories.attrs["species"]]
    return [str(number) for number in range(1, int(state.max()) + 1)]


def _simulation(trajectories: xr.Dataset, replica: int) -> xr.DataArray:
    n = trajectories.sizes["replica"]
    if not 0 <= replica < n:
        raise ValueError(f"`replica` must be 0 to {n - 1}, got {replica}.")
    state = trajectories["state"].isel(replica=replica)
    return state.transpose("time", *AXES[: lattice_dim(trajectories)])
