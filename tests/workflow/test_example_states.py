"""States drawn from a model for the figures."""

import numpy as np

from dynboltz.workflow import load_experiment
from dynboltz.workflow._example_states import example_states

HIDDEN = """
[models.hidden]
terms = ["b.A", "W.A.X", "b.X"]
layers = [{ species = ["X"], stencil = [[0], [1]] }]
initial = "fitted"
[models.hidden.grid]
outside = "linear"
[models.hidden.grid.axes]
"b.A" = { cell = 0.5, lower = -6.0, upper = 4.0 }
"W.A.X" = { cell = 0.5, lower = -6.0, upper = 6.0 }
"b.X" = { cell = 0.5, lower = -6.0, upper = 6.0 }
[models.hidden.fit.start]
"W.A.X" = 0.5
"""


def test_units_that_leave_a_closed_chain_have_no_probability(tiny):
    tiny.write_text(tiny.read_text() + HIDDEN)
    experiment = load_experiment(tiny)
    theta = np.tile([0.2, 0.7, -0.3], (len(experiment.times), 1))
    states = example_states(experiment, "hidden", theta, "of the settings")
    visible = states["state"].values[0].astype(float)
    # A unit between each pair of neighbours, and none beyond the last of the 12 sites.
    field = 0.7 * (visible[:, :-1] + visible[:, 1:]) - 0.3
    found = states["probability"].values[0]
    np.testing.assert_allclose(found[:, :-1], 1.0 / (1.0 + np.exp(-field)), rtol=1e-12)  # rounding
    assert np.isnan(found[:, -1]).all()
