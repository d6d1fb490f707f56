"""States of lattices: of a chain over time, of a plane as an image, of a cube as particles."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import xarray as xr
from jaxtyping import Float, Integer
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure, SubFigure
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator

from ._labels import at_time, plain, time_label, time_unit
from ._style import EMPTY, grid_shape, new_axes, new_figure, panel, species_style

N_SNAPSHOTS = 6
AXES = ("x", "y", "z")


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
    state = _simulation(trajectories, replica)
    if lattice_dim(trajectories) != 1:
        raise ValueError(
            f"plot_raster: the lattice must have one axis, got {state.shape[1:]} sites; use "
            "`plot_snapshots`."
        )
    species = _species(trajectories)
    times = trajectories["time"].values
    ax = new_axes(ax)
    _draw_image(ax, coloured(state.values.T, len(species)), (times[0], times[-1]))
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
    species, unit = _species(trajectories), time_unit(trajectories)
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


def draw_state(ax: Axes, state: Integer[np.ndarray, ...], n_species: int) -> None:
    """Draw one state of a plane or a cube; of a cube the particles only."""
    if state.ndim == 2:
        draw_plane(ax, coloured(state, n_species))
        return
    for index in range(n_species):
        sites = np.argwhere(state == index + 1)
        draw_sites(ax, sites, state.shape, color=species_style(index)["color"])


def draw_plane(ax: Axes, colours: Float[np.ndarray, "x y channels"]) -> None:
    """Draw the sites of a plane in these colours."""
    _draw_image(ax, colours.swapaxes(0, 1), (-0.5, colours.shape[0] - 0.5))
    ax.set_aspect("equal")
    ax.images[0].set_interpolation("nearest")
    _label_sites(ax, 2)


def draw_rows(ax: Axes, colours: Float[np.ndarray, "replicas x channels"]) -> None:
    """Draw chains above each other in these colours."""
    _draw_image(ax, colours, (-0.5, colours.shape[1] - 0.5))
    ax.set(xlabel="$x$ [site]", ylabel="replica [-]")


def draw_sites(
    ax: Axes,
    sites: Integer[np.ndarray, "sites axes"],
    shape: tuple[int, ...],
    *,
    size: float | Float[np.ndarray, " sites"] = 1.0,
    **style: object,
) -> None:
    """Draw sites of a cube; an area of 1 leaves those behind visible."""
    area = np.multiply(size, 16.0 * (10.0 / max(shape)) ** 2)
    ax.scatter(*sites.T, s=area, linewidths=0, **style)  # type: ignore[arg-type]
    for axis, length in zip(AXES, shape, strict=True):
        ax.set(**{f"{axis}lim": (-0.5, length - 0.5)})
    _label_sites(ax, 3)


def coloured(state: Integer[np.ndarray, ...], n_species: int) -> Float[np.ndarray, "... channels"]:
    """Colours of sites by what they hold."""
    palette = [EMPTY, *(species_style(index)["color"] for index in range(n_species))]
    return np.array([to_rgb(colour) for colour in palette])[state]


def species_legend(figure: Figure | SubFigure, species: Sequence[str]) -> None:
    """Put a legend of the colours of species above all panels."""
    patches = [
        Patch(color=species_style(index)["color"], label=plain(name))
        for index, name in enumerate(species)
    ]
    figure.legend(
        handles=patches,
        loc="upper center",
        ncols=len(patches),
        handlelength=1.0,
        borderaxespad=0.2,
    )


def lattice_dim(ds: xr.Dataset) -> int:
    """Number of axes of the lattice whose states are in the dataset."""
    return sum(axis in ds["state"].dims for axis in AXES)


def _draw_image(ax: Axes, image: np.ndarray, across: tuple[float, float]) -> None:
    """Draw rows of pixels from the lowest up, one a site."""
    extent = (*across, -0.5, image.shape[0] - 0.5)
    ax.imshow(image, extent=extent, origin="lower", aspect="auto")
    ax.yaxis.set_major_locator(MaxNLocator(5, integer=True))


def _label_sites(ax: Axes, dim: int) -> None:
    for axis in AXES[:dim]:
        ax.set(**{f"{axis}label": f"${axis}$ [site]"})


def _species(trajectories: xr.Dataset) -> list[str]:
    """Names of the species, their numbers where there are none."""
    if "species" in trajectories.attrs:
        return [str(name) for name in trajectories.attrs["species"]]
    return [str(number) for number in range(1, int(trajectories["state"].max()) + 1)]


def _simulation(trajectories: xr.Dataset, replica: int) -> xr.DataArray:
    n = trajectories.sizes["replica"]
    if not 0 <= replica < n:
        raise ValueError(f"`replica` must be 0 to {n - 1}, got {replica}.")
    state = trajectories["state"].isel(replica=replica)
    return state.transpose("time", *AXES[: lattice_dim(trajectories)])
