"""How the action fell while functions were learned."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure
from matplotlib.ticker import MaxNLocator

from ._labels import title
from ._layout import grid_shape, new_figure, panel
from ._style import MODEL_COLOURS


def plot_actions(
    histories: Mapping[str, Mapping[str, np.ndarray]],
    *,
    figure: Figure | SubFigure | None = None,
) -> list[Axes]:
    r"""Draw the action above its last value, window by window.

    Parameters
    ----------
    histories
        Of each model `action` after every step, and the number of its `window`; the first entry of
        a window is before any step.
    figure
        Where to draw, by default a new figure.

    Returns
    -------
    axes
        One for each model.
    """
    shape = grid_shape(len(histories), 3)
    figure = new_figure(figure, shape, titled=True)
    axes = []
    for place, (name, history) in enumerate(histories.items()):
        ax = panel(figure, shape, place)
        windows = np.unique(history["window"])
        for number, window in enumerate(windows):
            action = history["action"][history["window"] == window]
            label = "all times" if window == windows[-1] else f"window {number + 1}"
            above = action[:-1] - action[-1]
            colour = MODEL_COLOURS[number % len(MODEL_COLOURS)]
            ax.plot(np.arange(len(above)), above, "o-", markersize=3, color=colour, label=label)
            if np.any(above > 0):
                ax.set_yscale("log")
        ax.xaxis.set_major_locator(MaxNLocator(5, integer=True))
        ax.set(xlabel="step [-]", ylabel=r"$S - S_{\mathrm{end}}$ [-]", title=title(name))
        ax.legend()
        axes.append(ax)
    return axes
