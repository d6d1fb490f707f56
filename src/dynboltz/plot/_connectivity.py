"""What one hidden unit is connected to, Fig. 5(b) of the paper."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure

from dynboltz.distributions import LatticeModel

from ._layout import grid_shape, new_axes, new_figure, panel
from ._paths import draw_points
from ._states import AXES

CONNECTION = "#d55e00"
VISIBLE: dict[str, Any] = {"color": "#009e73", "marker": "o", "s": 45}
HIDDEN: tuple[dict[str, Any], ...] = (
    {"color": "#0072b2", "marker": "^", "s": 60},
    {"color": "#cc79a7", "marker": "s", "s": 45},
)
"""Units of odd and of even hidden layers."""


def plot_connectivity(model: LatticeModel, layer: int = 1, *, ax: Axes | None = None) -> Axes:
    """Draw one hidden unit and the units of the layer below that its stencil names.

    On a cubic lattice the hidden unit is drawn at the centre of its stencil, on a plane or a chain
    above it.

    Parameters
    ----------
    model
        The model.
    layer
        Number of the hidden layer.
    ax
        Where to draw, for lattices of two or three axes axes of three dimensions; by default a new
        figure.

    Returns
    -------
    ax
        The axes.

    Raises
    ------
    ValueError
        If the model has no such hidden layer.

    References
    ----------
    Ernst et al. (2019), Fig. 5(b).
    """
    if not 1 <= layer < len(model.layers):
        raise ValueError(
            f"plot_connectivity: `layer` must be 1 to {len(model.layers) - 1}, the hidden layers "
            f"of the model, got {layer}."
        )
    below, unit = _positions(np.array(model.layers[layer].stencil, dtype=float))
    ax = new_axes(ax, below.shape[1])
    for one, other in itertools.combinations(below, 2):
        if np.abs(one - other).sum() == 1.0:
            ax.plot(*np.stack([one, other], axis=1), color="#cccccc", linewidth=0.8, zorder=1)
    for site in below:
        ax.plot(*np.stack([site, unit], axis=1), color=CONNECTION, linewidth=1.2, zorder=2)
    name = "visible units" if layer == 1 else f"units of layer {layer - 1}"
    own = "hidden unit" if len(model.layers) == 2 else f"unit of layer {layer}"
    draw_points(ax, below, label=name, zorder=3, **_marker(layer - 1))
    draw_points(ax, unit[None], label=own, zorder=4, **_marker(layer))
    _label(ax, model.lattice.dim, layer)
    ax.legend(loc="upper right", handletextpad=0.1, borderpad=0.0)
    return ax


def plot_connections(
    model: LatticeModel, *, figure: Figure | SubFigure | None = None
) -> list[Axes]:
    """Draw `plot_connectivity` for each hidden layer.

    Parameters
    ----------
    model
        The model.
    figure
        Where to draw, by default a new figure.

    Returns
    -------
    axes
        One for each hidden layer.
    """
    layers = range(1, len(model.layers))
    dim, shape = min(3, model.lattice.dim + 1), grid_shape(len(layers), 3)
    figure = new_figure(figure, shape, dim)
    axes = [panel(figure, shape, place, dim) for place in range(len(layers))]
    for layer, ax in zip(layers, axes, strict=True):
        plot_connectivity(model, layer, ax=ax)
    return axes


def _marker(layer: int) -> dict[str, Any]:
    return HIDDEN[(layer - 1) % 2] if layer else VISIBLE


def _positions(
    stencil: Float[np.ndarray, "units dim"],
) -> tuple[Float[np.ndarray, "units axes"], Float[np.ndarray, " axes"]]:
    """Where the units below and the hidden unit are drawn."""
    centre = stencil.mean(axis=0)
    if stencil.shape[1] == 3:
        return stencil, centre
    return np.column_stack([stencil, np.zeros(len(stencil))]), np.append(centre, 1.0)


def _label(ax: Axes, dim: int, layer: int) -> None:
    for axis in AXES[:dim]:
        low, high = getattr(ax, f"get_{axis}lim")()
        whole = np.arange(np.ceil(low), np.floor(high) + 1)
        ax.set(**{f"{axis}label": f"${axis}$ [site]", f"{axis}ticks": whole})
    if dim < 3:
        up = AXES[dim]
        ax.set(**{f"{up}ticks": [0, 1], f"{up}ticklabels": [layer - 1, layer]})
        ax.set(**{f"{up}label": "layer [-]", f"{up}lim": (-0.3, 1.5)})
