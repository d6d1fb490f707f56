"""Titles and captions of the figures, by the names of their files."""

from __future__ import annotations

from typing import NamedTuple

from dynboltz.plot._box_courses import N_ROWS, N_STARTS
from dynboltz.plot._box_pair_functions import N_STARTS as N_PAIR_STARTS
from dynboltz.plot._box_patterns import N_SHOWN
from dynboltz.plot._box_profiles import N_PROFILES
from dynboltz.plot._snapshots import N_SNAPSHOTS

_WORDS = dict(enumerate(("one", "two", "three", "four", "five", "six"), 1))
"""Counts that the figures are drawn with, as captions write them."""


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
        "Means over the replicas of the first ten of the initial conditions that the models were "
        "trained on, or of all if there are fewer, one panel for each moment. A line has the same "
        "colour in all panels: the lighter, the larger the first moment at the start.",
        "Fig. 1(e)",
    ),
    "fig4a-snapshots": Caption(
        "One simulation",
        "What the sites of the lattice hold in one of the simulations that the models were trained "
        f"on: of a chain over time, of a plane or a cube at {_WORDS[N_SNAPSHOTS]} times that are "
        "spread over those of the training. Empty sites are pale, in a cube they are left out.",
        "Fig. 4(a)",
    ),
    "fig4bcd-portraits": Caption(
        "Phase portraits",
        "Path from the start (cyan) to the end (magenta) of one simulation, in the space of its "
        "means and of its moments of neighbouring pairs, up to three of each, and path of the mean "
        "over all simulations in the space of the means.",
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
        "predicts them; static fits are those to the training set. " + _EQUILIBRIUM,
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
        "The same moments of the test set over all times. " + _BEYOND + _EQUILIBRIUM,
    ),
    "fig3a-neighbour-moment": Caption(
        "Initial conditions and their neighbouring pairs",
        "Each point is one initial condition of the training set in the coefficients of a model, "
        "of more than three in the first three; its colour is the first simulated moment of "
        "neighbouring pairs at the start. Where colours are sorted in space, the model's "
        "coefficients tell these states apart by their short-range correlation.",
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
        "Particles of single simulations that the models were trained on: on a line over time, one "
        f"simulation of each of the first {_WORDS[N_SHOWN]} initial conditions; in a plane or a "
        "cube the first simulation at some times.",
    ),
    "profiles": Caption(
        "Densities of held-out initial conditions",
        "Densities of the first species at some times of the first half, as simulated and as "
        "predicted from a fit of the first time. On a line, for the first "
        f"{_WORDS[N_PROFILES]} initial conditions and all models: points are means over the "
        "replicas in equal cells, with bars of two standard errors to either side. In a plane, and "
        "in the middle of a cube, for the first initial condition: the simulation above the "
        "prediction of the first model.",
    ),
    "numbers": Caption(
        "Numbers of particles",
        f"Mean number of particles of the first {_WORDS[N_STARTS]} held-out initial conditions, as "
        "simulated, with bars of two standard errors to either side, and as predicted. Last panel: "
        "the variance of the number over its mean, of the first species and averaged over all "
        "held-out initial conditions; it is 1 for independent particles.",
    ),
    "pair-correlations": Caption(
        "Pair correlations",
        "Pairs by their distance, over those of independent particles with a uniform density. "
        f"Rows are the first {_WORDS[N_ROWS]} held-out initial conditions or, where there are "
        "several pairs of species, these pairs in the first one; columns are times. Bars are two "
        "standard errors of the simulations to either side. A model with K = 1 predicts the pairs "
        "of independent particles with its density.",
    ),
    "pair-functions": Caption(
        "Interaction functions of pairs",
        "The functions of the distance in models with K = 2, as predicted for the first "
        f"{_WORDS[N_PAIR_STARTS]} held-out initial conditions from a fit of the first time; "
        "colours are times, dashes models. Pairs are rarer than without interaction where a "
        "function is positive and more frequent where it is negative: at low density the pair "
        "correlation is the exponential of minus the function.",
    ),
    "action": Caption(
        "Descent of the action",
        "Action before the first and after every step of Gauss-Newton, above the last value of its "
        "window of times.",
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
        "First panel: learned trajectories (black) of the training set over the time of the "
        "training, from their initial points (cyan) to their end points (magenta). Then the "
        "learned time-evolution function F of each coefficient in the finite-element cells on and "
        "around these trajectories; elsewhere F is unknown and left blank. Last: the vertices of "
        "the cells of the first F. The axes are the arguments of F; of three or more the first "
        "three are shown, and F on planes through the middle of the cells. The colours end at the "
        "99th percentile of |F|.",
        "Fig. 2",
    ),
    "fig5b": Caption(
        "Connectivity of the model “{model}”",
        "One unit of each hidden layer and the units of the layer below that it is connected to.",
        "Fig. 5(b)",
    ),
    "fig6": Caption(
        "What the model “{model}” learned from the means",
        "Simulated means of the training set over the time of the training; the biases of "
        "independent sites with these means, b = ln(μ / (1 - Σ μ)); the learned trajectory, in "
        "which other coefficients contribute to the same means; and the vertices of the finite "
        "elements along it, those of the first coefficient. Of three or more species or arguments "
        "the first three are shown.",
        "Fig. 6",
    ),
    "fig7": Caption(
        "Right-hand sides of the model “{model}”",
        "Learned time-evolution function F of each coefficient on and around the learned "
        "trajectory of the training set (black): at the vertices of the finite-element cells, of "
        "three or more arguments in the first three; as a function of two arguments in the cells; "
        "of one as a line without the trajectory. The colours end at the 99th percentile of |F|.",
        "Fig. 7",
    ),
    "fig8b": Caption(
        "A sample of the model “{model}”",
        "A state, of a chain some states in rows, drawn from the model with its coefficients for "
        "the first held-out initial condition at the time in the title of the first panel: what "
        "the visible layer holds, and how probable the layers beside it make "
        "each hidden unit to be active. Where a closed lattice leaves no room for a unit there is "
        "none, and the place is blank.",
        "Fig. 8(b)",
    ),
    "transfer": Caption(
        "Predictions for a lattice of {model} sites",
        "Means and moments of neighbouring pairs for another lattice than that of the training: "
        "those of the model with the same coefficients over the time of the training, compared "
        "with simulations on that lattice, with a band of two standard errors to either side. The "
        "equations know the lattice of the training only; what they are worth on others is what "
        "this comparison says.",
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
        "One line for each initial condition of the training set: the learned trajectories, those "
        "of entropic matching, or for a ceiling the coefficients that were fitted to each time by "
        "itself. Last panel: the first moment of neighbouring pairs in the simulations, whose "
        "value at the start gives the colours; for chains of one species the paper shows twice "
        "this moment minus one. " + _BEYOND.strip(),
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
