"""Predictions without learning beside those of models."""

import numpy as np
import pytest

from dynboltz.store import read_dataset
from dynboltz.workflow import ExperimentError, ResultDirectory, evaluate, load_experiment, run

RING = """
name = "ring"
network = "A + A -> 0 ; k = 1"
[lattice]
shape = [40]
[kernel]
kind = "continuous-time"
hop_rate = 0.0
interval = 0.2
n_steps = 3
[initial]
source = "distribution"
model = "visible"
train = 2
test = 2
replicas = 1600
[initial.coefficients]
"b.A" = [0.0, 0.5]
"J.A.A" = [0.2, 0.5]
[models.visible]
terms = ["b.A", "J.A.A"]
initial = "known"
[models.visible.grid]
outside = "linear"
[models.visible.grid.axes]
"b.A" = { cell = 1.0, lower = -6.0, upper = 4.0 }
"J.A.A" = { cell = 1.0, lower = -6.0, upper = 6.0 }
[models.visible.learning]
steps = 1
[evaluation]
closures = ["pair"]
entropic_matching = ["visible"]
"""


@pytest.fixture(scope="module")
def ring(tmp_path_factory):
    path = tmp_path_factory.mktemp("ring") / "ring.toml"
    path.write_text(RING)
    return path


@pytest.fixture(scope="module")
def evaluated(ring):
    directory = ring.with_name("out")
    metrics = run(load_experiment(ring), directory)
    return directory, metrics


def test_references_stand_beside_the_models(evaluated):
    directory, metrics = evaluated
    names = ["visible", "visible_entropic_matching", "mean_field", "pair"]
    assert list(metrics["models"]) == names
    assert all(metrics["prediction_seconds"][name] > 0 for name in names)
    matched = read_dataset(directory / "predictions" / f"{names[1]}.zarr", "dynboltz-prediction")
    assert matched.theta.sizes["coefficient"] == 2
    assert "learned_until" not in matched.attrs


def test_without_hops_the_pair_closure_is_exact_and_mean_field_is_not(evaluated):
    """Sampled means of 1600 x 40 sites; 5 times their standard error, of 2 x 3 times."""
    _, metrics = evaluated
    floor = np.array(metrics["noise_floor"]["over_time"])[:, 0]
    errors = {name: np.array(model["rmse"])[:, 0] for name, model in metrics["models"].items()}
    assert np.all(errors["pair"] < 5 * floor)
    assert errors["mean_field"][-1] > 5 * floor[-1]


def test_a_second_run_keeps_the_evaluation(evaluated, ring):
    directory, metrics = evaluated
    before = (directory / "metrics.json").stat().st_mtime_ns
    again = evaluate(load_experiment(ring), ResultDirectory(directory))
    assert again["models"].keys() == metrics["models"].keys()
    assert (directory / "metrics.json").stat().st_mtime_ns == before


def test_collisions_have_no_moment_equations(ring):
    path = ring.with_name("collision.toml")
    text = RING.replace("hop_rate = 0.0\ninterval", "dt").replace("continuous-time", "collision")
    path.write_text(text.replace("k = 1", "p = 0.1"))
    with pytest.raises(ExperimentError, match=r"evaluation\.closures.*continuous-time"):
        load_experiment(path)


@pytest.mark.parametrize(
    ("overrides", "field", "message"),
    [
        (['lattice.boundary = "closed"'], "closures", "boundary"),
        (['evaluation.closures = ["bethe"]'], "closures", "pair"),
        (['evaluation.entropic_matching = ["hidden"]'], "entropic_matching", "there are visible"),
    ],
)  # fmt: skip
def test_what_they_need_is_checked(ring, overrides, field, message):
    with pytest.raises(ExperimentError, match=f"evaluation.{field}.*{message}"):
        load_experiment(ring, overrides=overrides)


def test_names_of_models_are_not_taken_twice(ring):
    path = ring.with_name("pair.toml")
    path.write_text(RING.replace("visible", "pair"))
    with pytest.raises(ExperimentError, match="'pair' is taken"):
        load_experiment(path)
