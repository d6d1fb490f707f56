"""States that a learned model draws, with the probabilities of its hidden units, for figures."""

from __future__ import annotations

import numpy as np
import xarray as xr
from jaxtyping import Float64

from dynboltz.distributions import hidden_probabilities
from dynboltz.sampling import GibbsSampler, advance, start_random

from ._experiment import Experiment
from ._seeds import Purpose, derive_seed

KIND = "dynboltz-sample"
REPLICAS = 4
SHARE = 5
"""States are drawn at this fraction of the learned times."""


def example_states(
    experiment: Experiment,
    name: str,
    theta: Float64[np.ndarray, "times coefficients"],
    fingerprint: str,
) -> xr.Dataset:
    """States of all layers after a short run, at a fifth of the learned times.

    The probability of a unit that does not exist, as its stencil leaves a closed lattice, is NaN.

    Parameters
    ----------
    experiment
        The experiment.
    name
        Name of a model.
    theta
        Its coefficients over time.
    fingerprint
        Of the settings.
    """
    plan, table = experiment.plans[name], experiment.table.evaluation
    model, shape = plan.model, experiment.lattice.shape
    place = (len(plan.learned_times(experiment.times)) - 1) // SHARE
    seed = derive_seed(experiment, "test", Purpose.EXAMPLES, name=name)
    chains = start_random(model, REPLICAS, seed=seed)
    states = advance(GibbsSampler(model), chains, theta[place], table.sweeps).states
    axes = ("x", "y", "z")[: len(shape)]
    variables = {
        "state": (("layer", "replica", *axes), states.reshape(len(states), REPLICAS, *shape))
    }
    coords = {"time": experiment.times[place]}
    if not model.is_visible:
        found = hidden_probabilities(model, theta[place], states)
        shown = [
            np.where(layer.exists(model.lattice), values, np.nan)
            for layer, values in zip(model.layers[1:], found, strict=True)
        ]
        values = np.concatenate(shown).reshape(-1, REPLICAS, *shape)
        variables["probability"] = (("hidden_species", "replica", *axes), values)
        coords["hidden_species"] = [s for layer in model.species[1:] for s in layer]
    return xr.Dataset(
        variables,
        coords=coords,
        attrs={
            "kind": KIND,
            "model": name,
            "fingerprint": fingerprint,
            "species": [list(names) for names in model.species],
        },
    )
