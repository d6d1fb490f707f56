"""Titles and captions of the figures, by the names of their files."""

from __future__ import annotations

from typing import NamedTuple


class Caption(NamedTuple):
    """What stands below a figure.

    Attributes
    ----------
    title
        What it shows, in a few words.
    text
        How to read it.
    paper
        The figure of the paper that it corresponds to, empty if there is none.
    """

    title: str
    text: str
    paper: str = ""


_EXACT = {
    "fig1e-moments": Caption(
        "Moments of the simulations",
        "Means over the replicas of up to ten of the initial conditions that the models were "
        "trained on, one panel for each moment. A line has the same colour in all panels: the "
        "lighter, the larger the first moment at the start.",
        "Fig. 1(e)",
    ),
    "fig3a-neighbour-moment": Caption(
        "Initial conditions and their neighbouring pairs",
        "Each point is one initial condition in the coefficients of a model; its colour is the "
        "simulated moment of neighbouring pairs at the start. Where colours are sorted in space, "
        "the model's coefficients tell these states apart by their short-range correlation.",
        "Fig. 3(a)",
    ),
    "fig3c-rmse": Caption(
        "Errors on held-out initial conditions, highest orders",
        "Root mean square error over the test initial conditions for the two highest orders. "
        "Dotted: the noise floor, the error that even exact predictions would have because the "
        "simulated means come from a finite number of replicas.",
        "Fig. 3(c)",
    ),
    "rmse-all-moments": Caption(
        "Errors on held-out initial conditions, all moments",
        "As before, for every moment. Orders that a model does not fit directly show how far its "
        "closure carries.",
    ),
    "rmse-over-noise": Caption(
        "Errors in units of the noise",
        "Root mean square error divided by the noise floor, on a logarithmic scale. At 1 the data "
        "cannot tell the prediction from the simulation.",
    ),
    "training": Caption(
        "Training history",
        "Errors on the training data during the optimisation. What happens before the first step, "
        "such as a warm start, is not shown.",
    ),
}

_OF_MODEL = {
    "fig2": Caption(
        "Learned dynamics of the model “{model}”",
        "First panel: learned trajectories (black) of the training set in coefficient space, from "
        "their initial points (cyan) to their end points (magenta). Then the learned "
        "time-evolution function F of each coefficient, on planes through the middle of the "
        "finite-element cells that were visited; elsewhere F is unknown and left blank. Last: the "
        "vertices of these cells.",
        "Fig. 2",
    ),
    "fig3b": Caption(
        "Coefficients of the model “{model}” over time",
        "Learned trajectories of the training set, and in the last panel the spatial correlation "
        "of the simulations, twice the moment of neighbouring pairs minus one. Colours: this "
        "moment at the start.",
        "Fig. 3(b)",
    ),
}


def caption(name: str) -> Caption:
    """Caption of the figure with this file name, without suffix.

    Parameters
    ----------
    name
        Such as `fig2-hidden`; a name that is not known becomes the title.
    """
    kind, _, model = name.partition("-")
    if name in _EXACT or kind not in _OF_MODEL:
        return _EXACT.get(name, Caption(name, ""))
    found = _OF_MODEL[kind]
    return found._replace(title=found.title.format(model=model.replace("_", " ")))
