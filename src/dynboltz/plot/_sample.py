"""A sampled state of a model and its hidden units' activation, Fig. 8(b) of the paper."""

from __future__ import annotations

import numpy as np
import xarray as xr
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure, SubFigure

from ._labels import at_time, plain, time_unit
from ._layout import BAR_PAD, grid_shape, new_figure, panel
from ._states import (
    AXES,
    coloured,
    draw_plane,
    draw_rows,
    draw_sites,
    draw_state,
    lattice_dim,
    species_legend,
)
from ._style import SEQUENTIAL, colours

PROBABILITY = Normalize(0.0, 1.0)


def plot_sample(
    sample: xr.Dataset, *, replica: int = 0, figure: Figure | SubFigure | None = None
) -> list[Axes]:
    r"""Draw a sampled visible state and the probabilities of its hidden units, $p(h = 1 | v)$.

    Parameters
    ----------
    sample
        Dataset with `state(layer, replica, x[, y, z])`, 0 for an empty unit and `i + 1` for the
        species `i` of its layer; `probability(hidden_species, replica, x[, y, z])` [-], NaN where
        there is no unit; and the attribute `species`, the names by layer.
    replica
        Number of the sample. Of chains all samples are drawn, one a row.
    figure
        Where to draw, by default a new figure.

    Returns
    -------
    axes
        The visible layer, then one for each hidden species, if there are any. In a cube, the
        larger and lighter a unit is drawn, the more probable it is active.

    Raises
    ------
    ValueError
        If there is no such replica.

    References
    ----------
    Ernst et al. (2019), Fig. 8(b).
    """
    n = sample.sizes["replica"]
    if not 0 <= replica < n:
        raise ValueError(f"`replica` must be 0 to {n - 1}, got {replica}.")
    dim = lattice_dim(sample)
    axis_names = ("replica", "x") if dim == 1 else AXES[:dim]
    chosen = sample if dim == 1 else sample.isel(replica=replica)
    state = chosen["state"].isel(layer=0).transpose(*axis_names).values
    visible, *hidden = sample.attrs["species"]
    names = [name for layer in hidden for name in layer]
    shape = grid_shape(1 + len(names), 2)
    figure = new_figure(figure, shape, dim, bar=bool(names), legend=visible, titled=True)
    axes = [panel(figure, shape, place, dim) for place in range(1 + len(names))]
    if dim == 1:
        draw_rows(axes[0], coloured(state, len(visible)))
    else:
        draw_state(axes[0], state, len(visible))
    axes[0].set_title(f"visible layer{_when(sample)}")
    species_legend(figure, visible)
    if not names:
        return axes
    probability = chosen["probability"].transpose("hidden_species", *axis_names).values
    for ax, name, values in zip(axes[1:], names, probability, strict=True):
        _draw_probability(ax, values, is_chain=dim == 1)
        ax.set_title(f"activation of {plain(str(name))}")
    figure.colorbar(
        ScalarMappable(PROBABILITY, SEQUENTIAL),
        ax=axes,
        shrink=0.7,
        fraction=0.04,
        pad=BAR_PAD[max(2, dim)] / shape[1],
        label="probability of activation [-]",
    )
    return axes


def _draw_probability(ax: Axes, probability: Float[np.ndarray, ...], *, is_chain: bool) -> None:
    shades = colours(SEQUENTIAL)(PROBABILITY(probability))
    if is_chain:
        draw_rows(ax, shades)
    elif probability.ndim == 2:
        draw_plane(ax, shades)
    else:
        units = np.argwhere(np.isfinite(probability))
        at_units = tuple(units.T)
        size, colour = probability[at_units], shades[at_units]
        draw_sites(ax, units, probability.shape, size=size, c=colour, depthshade=False)


def _when(sample: xr.Dataset) -> str:
    if "time" not in sample.coords:
        return ""
    return ", " + at_time(float(sample["time"]), time_unit(sample))
