"""Drawing states of lattices: of chains in rows, of a plane as an image, of a cube as particles."""

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

from ._labels import plain
from ._style import EMPTY, species_style

AXES = ("x", "y", "z")
N_TICKS = {1: 7, 2: 7, 3: 3}
"""Largest number of intervals between ticks, by the dimension of the lattice."""


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
    draw_image(ax, colours.swapaxes(0, 1), (-0.5, colours.shape[0] - 0.5))
    ax.set_aspect("equal")
    ax.images[0].set_interpolation("nearest")
    _label_sites(ax, 2)


def draw_rows(ax: Axes, colours: Float[np.ndarray, "replicas x channels"]) -> None:
    """Draw chains above each other in these colours."""
    draw_image(ax, colours, (-0.5, colours.shape[1] - 0.5))
    _label_sites(ax, 1)
    ax.set_ylabel("replica [-]")


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


def draw_image(ax: Axes, image: np.ndarray, across: tuple[float, float]) -> None:
    """Draw rows of pixels from the lowest up, one a site."""
    extent = (*across, -0.5, image.shape[0] - 0.5)
    ax.imshow(image, extent=extent, origin="lower", aspect="auto")
    ax.yaxis.set_major_locator(MaxNLocator(5, integer=True))


def _label_sites(ax: Axes, dim: int) -> None:
    for name in AXES[:dim]:
        ax.set(**{f"{name}label": f"${name}$ [site]"})
        axis = getattr(ax, f"{name}axis")
        axis.set_major_locator(MaxNLocator(N_TICKS[dim], integer=True, steps=[1, 2, 5, 10]))
