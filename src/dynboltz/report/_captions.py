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


_EQUILIBRIUM = (
    "Thin lines with dots are moments at equilibrium, from long chains, where the thick ones are "
    "of short runs; circles mark times at which the chains remember their start: the model is "
    "metastable there."
)

_BEYOND = (
    "To the right of a vertical line, if there is one, models continue what they learned to the "
    "left of it. "
)

_EXACT = {
    "fig1e-moments": Caption(
        "Moments of the simulations",
        "Means over the replicas of up to ten of the initial conditions that the models were "
        "trained on, one panel for each moment. A line has the same colour in all panels: the "
        "lighter, the larger the first moment at the start.",
        "Fig. 1(e)",
    ),
    "fig4a-snapshots": Caption(
        "One simulation",
        "What the sites of the lattice hold in one of the simulations that the models were trained "
        "on: of a chain over time, of a plane or a cube at some times. Empty sites are pale, in a "
        "cube they are left out.",
        "Fig. 4(a)",
    ),
    "fig4bcd-portraits": Caption(
        "Phase portraits",
        "Path from the start (cyan) to the end (magenta) of one simulation, in the space of its "
        "means and of its moments of neighbouring pairs, and of the mean over all simulations.",
        "Fig. 4(b)-(d)",
    ),
    "fig4d-relaxation": Caption(
        "Relaxation of the means",
        "Means over all simulations with a band of two standard errors to either side, and one "
        "simulation as thin lines. Where the means come to rest and this one does not, "
        "simulations have lost step with each other.",
        "Fig. 4(d)",
    ),
    "fig8a-moments": Caption(
        "Predicted and simulated moments",
        "Means and moments of neighbouring pairs over the time that the models were trained on, as "
        "simulated (test set, with a band of two standard errors to either side) and as each model "
        "predicts them. " + _EQUILIBRIUM,
        "Fig. 8(a)",
    ),
    "predicted-moments": Caption(
        "Predicted and simulated moments",
        "Means and moments of neighbouring pairs of some initial conditions of the test set, in "
        "columns from the least to the largest first moment at the start: as simulated, with a "
        "band of two standard errors to either side, and as each model predicts them. "
        + _BEYOND
        + _EQUILIBRIUM,
        "Fig. 8(a)",
    ),
    "beyond-training": Caption(
        "Predictions beyond the training",
        "As before, over all times. " + _BEYOND + _EQUILIBRIUM,
    ),
    "fig3a-neighbour-moment": Caption(
        "Initial conditions and their neighbouring pairs",
        "Each point is one initial condition in the coefficients of a model, of more than three "
        "in the first three; its colour is the simulated moment of neighbouring pairs at the "
        "start. Where colours are sorted in space, the model's coefficients tell these states "
        "apart by their short-range correlation.",
        "Fig. 3(a)",
    ),
    "fig3c-rmse": Caption(
        "Errors on held-out initial conditions, highest orders",
        "Root mean square error over the test initial conditions for the two highest orders. "
        "Dotted: the noise floor, the error that even exact predictions would have because the "
        "simulated means come from a finite number of replicas. " + _BEYOND.strip(),
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
    "patterns": Caption(
        "Simulations",
        "Particles of single simulations that the models were trained on: on a line over time, in "
        "a plane or a cube at some times.",
    ),
    "profiles": Caption(
        "Densities of held-out initial conditions",
        "As simulated, and as the models predict them from a fit of the first time. On a line "
        "points are means over the replicas in equal cells; in a plane the simulation is above the "
        "prediction.",
    ),
    "numbers": Caption(
        "Numbers of particles",
        "Mean number of particles of held-out initial conditions, as simulated and as predicted. "
        "Last panel: the variance of the number over its mean, which is 1 for independent "
        "particles.",
    ),
    "pair-correlations": Caption(
        "Pair correlations",
        "Pairs by their distance, over those of a uniform density, for the held-out initial "
        "condition with the largest value at the start. A model with K = 1 predicts those of "
        "independent particles with its density.",
    ),
    "pair-functions": Caption(
        "Interaction functions of pairs",
        "The functions of the distance in models with K = 2, as predicted for held-out initial "
        "conditions from a fit of the first time. Pairs are rarer than without interaction where a "
        "function is positive and more frequent where it is negative: at low density the pair "
        "correlation is the exponential of minus the function.",
    ),
    "action": Caption(
        "Descent of the action",
        "Action after every step of Gauss-Newton, above the last value of its window of times.",
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
        "First panel: learned trajectories (black) of the training set, from their initial points "
        "(cyan) to their end points (magenta). Then the learned time-evolution function F of each "
        "coefficient in the finite-element cells that were visited; elsewhere F is unknown and "
        "left blank. Last: the vertices of these cells. The axes are the arguments of F; of three "
        "or more the first three are shown, and F on planes through the middle of the cells.",
        "Fig. 2",
    ),
    "fig5b": Caption(
        "Connectivity of the model “{model}”",
        "One unit of each hidden layer and the units of the layer below that it is connected to.",
        "Fig. 5(b)",
    ),
    "fig6": Caption(
        "What the model “{model}” learned from the means",
        "Simulated means over the time of the training; the biases of independent sites with these "
        "means, b = ln(μ / (1 - Σ μ)); the learned trajectory, in which other coefficients "
        "contribute to the same means; and the vertices of the finite elements along it.",
        "Fig. 6",
    ),
    "fig7": Caption(
        "Right-hand sides of the model “{model}”",
        "Learned time-evolution function F of each coefficient, at the vertices of the "
        "finite-element cells that were visited, and the learned trajectory (black). The colours "
        "end at the 99th percentile of |F|.",
        "Fig. 7",
    ),
    "fig8b": Caption(
        "A sample of the model “{model}”",
        "A state that was drawn from the model with its coefficients at the time in the title of "
        "the first panel: what the visible layer holds, and how probable the layers beside it make "
        "each hidden unit to be active. Where a closed lattice leaves no room for a unit there is "
        "none, and the place is blank.",
        "Fig. 8(b)",
    ),
    "transfer": Caption(
        "Predictions for a lattice of {model} sites",
        "As above, for a larger lattice than that of the training: the same coefficients, compared "
        "with simulations of the larger lattice. " + _EQUILIBRIUM,
    ),
    "functions": Caption(
        "Functions of the model “{model}”",
        "The functions of eq. (15) that were learned, with a band of one standard error to either "
        "side, and the true ones where they are known. They are shown where enough particles of "
        "the training set were; the histogram says how many saw each value, pale where the "
        "functions count as unknown.",
    ),
    "fig3b": Caption(
        "Coefficients of the model “{model}” over time",
        "One line for each initial condition of the training set: the learned trajectories, or for "
        "a ceiling the coefficients that were fitted to each time by itself. Last panel: the "
        "moment of neighbouring pairs in the simulations, whose value at the start gives the "
        "colours; the paper shows twice this moment minus one. " + _BEYOND.strip(),
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
    shown = model.replace("x", " × ") if kind == "transfer" else model.replace("_", " ")
    return found._replace(title=found.title.format(model=shown))
