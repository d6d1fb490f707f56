import re
import tomllib
from pathlib import Path

import numpy as np
import pytest

from dynboltz.workflow import BoxExperiment, ExperimentError, load_experiment
from dynboltz.workflow.continuous import _function_schema, _homogeneous_schema, _schema
from dynboltz.workflow.continuous._fingerprint import (
    fit_fingerprint,
    model_fingerprint,
    trajectories_fingerprint,
)

REFERENCE = Path(__file__).parents[3] / "docs" / "experiment-files.md"


@pytest.mark.parametrize("preset", [None, "2d", "quick"])
def test_the_shipped_experiment_loads(preset):
    experiment = load_experiment("diffusion-decay", preset=preset)
    assert isinstance(experiment, BoxExperiment)
    assert experiment.box.dim == (2 if preset == "2d" else 1)
    assert list(experiment.plans) == (["constants"] if preset else ["constants", "free"])
    assert len(experiment.times) == (6 if preset == "quick" else 11)


def test_what_is_left_out_follows_from_the_rest(tiny_box):
    experiment = load_experiment(tiny_box)
    np.testing.assert_allclose(experiment.times, [0.0, 0.1, 0.2, 0.3])
    assert experiment.dynamics["dt"] == 0.1
    # The mean 60 and eight of its standard deviations.
    assert 120 < experiment.n_slots < 140
    assert experiment.plans["constants"].windows(experiment.times) == [3, 4]
    assert experiment.plans["free"].windows(experiment.times) == [4]
    assert experiment.reach == 0.25
    assert list(load_experiment(tiny_box, preset="one").plans) == ["constants"]


@pytest.mark.parametrize(
    ("override", "field", "message"),
    [
        ("box.size = []", "box.size", "a list of 1 to 3 entries"),
        ('box.boundary = "closed"', "box.boundary", "'periodic' or 'reflecting'; got 'closed'"),
        ("box.shape = [3]", "box", "unknown key `shape`"),
        ('kernel.kind = "collision"', "kernel.kind", "'brownian'"),
        ("kernel.dt = 0.0", "kernel.dt", "greater than 0"),
        ("kernel.diffusion.B = 1.0", "kernel", "must name each species once"),
        ("kernel.max_particles = 0", "kernel.max_particles", "of at least 1"),
        ('network = "A + A -> 0 ; k = 2"', "kernel", "`reaction_radius` must"),
        ('network = "A + A -> 0 ; p = 0.5"', "kernel", "has a probability p"),
        ("initial.mean = { B = 3 }", "initial.mean", "names 'B'; allowed are A"),
        ('initial.source = "counts"', "initial.source", "must be 'profiles' or 'patterns'"),
        ("models.constants.order = 2", "models.constants.order", "must be 1"),
        ("models.constants.elements.cells = [3, 3]", "models.constants.elements", "1 entries"),
        ("models.constants.elements.cells = [2]", "models.constants.elements", "3"),
        ("models.constants.dynamics.B.F1 = 1", "models.constants.dynamics.B", "`F2`"),
        ('models.constants.dynamics.A.F1 = "a"', "models.constants.dynamics.A.F1", "number"),
        ("models.constants.dynamics.A.F4 = 1.0", "models.constants.dynamics.A", "key `F4`"),
        ("models.constants.dynamics.A.conserving = true", "models.constants.dynamics.A", "either"),
        ("models.free.dynamics.A.F1.cell = 1", "models.free.dynamics.A.F1", "Did you mean `cells`"),
        ('models.free.dynamics.A.F1.of = "B"', "models.free.dynamics", "names 'B'"),
        ("models.free.dynamics.A.F1.start = 0.0", "models.free.dynamics", "must be positive"),
        ("models.free.dynamics.A.F3.start = [1.0]", "models.free.dynamics.A.F3", "one weight"),
        ('models.free.dynamics.A.F3.kind = "x"', "models.free.dynamics.A.F3.kind", "'curve' or"),
        (
            'models.constants.learning.start_from = "free"',
            "models.constants.learning.start_from",
            "stands before this one (none)",
        ),
        ("models.free.learning.windows = [0.05]", "models.free.learning.windows", "time step 0.1"),
        ("models.free.learning.windows = [0.2, 0.1]", "models.free.learning", "must increase"),
        ("evaluation.reach = 0.6", "evaluation.reach", "half the shortest side, 0.5, got 0.6"),
        ('learn = ["fre"]', "", "names the model 'fre'"),
    ],
)
def test_bad_settings_name_file_field_and_what_is_allowed(tiny_box, override, field, message):
    with pytest.raises(ExperimentError) as error:
        load_experiment(tiny_box, overrides=[override])
    first = str(error.value).splitlines()[0]
    assert first.startswith(f"{tiny_box}, `{field}`: " if field else f"{tiny_box}: ")
    assert message in str(error.value)


def test_names_that_metrics_hold_already_are_refused(tiny_box):
    tiny_box.write_text(tiny_box.read_text().replace("models.free", "models.noise_floor"))
    with pytest.raises(ExperimentError, match=r"`models\.noise_floor` is taken"):
        load_experiment(tiny_box)


def test_the_resolved_file_describes_the_same_experiment(tiny_box, tmp_path):
    experiment = load_experiment(tiny_box, overrides=["kernel.diffusion = 0.2"])
    resolved = tmp_path / "resolved.toml"
    resolved.write_text(experiment.to_toml())
    assert load_experiment(resolved).table == experiment.table


def test_results_depend_on_what_they_are_made_of(tiny_box):
    plain = load_experiment(tiny_box)
    steps = load_experiment(tiny_box, overrides=["models.constants.learning.steps = 4"])
    longer = load_experiment(tiny_box, overrides=["kernel.n_steps = 4"])
    more = load_experiment(tiny_box, overrides=["initial.train = 4"])
    assert fit_fingerprint(plain, "free") == fit_fingerprint(steps, "free")
    assert model_fingerprint(plain, "constants") != model_fingerprint(steps, "constants")
    # It starts from the constants.
    assert model_fingerprint(plain, "free") != model_fingerprint(steps, "free")
    for other, parts in ((longer, ("train", "test")), (more, ("train",))):
        for part in ("train", "test"):
            same = trajectories_fingerprint(plain, part) == trajectories_fingerprint(other, part)
            assert same == (part not in parts)


@pytest.mark.parametrize(
    ("title", "table"),
    [
        ("Top level", _schema.BoxExperimentTable),
        ("`box`", _schema.BoxTable),
        ("`kernel`", _schema.BrownianTable),
        ("`initial`", _schema.ProfilesInitial),
        ("`initial`", _schema.PatternsInitial),
        ("`initial`", _schema.PatternTable),
        ("`models.NAME`", _schema.FunctionalTable),
        ("`models.NAME`", _schema.ElementsTable),
        ("`models.NAME.dynamics.SPECIES`", _schema.DynamicsTable),
        ("`models.NAME.dynamics.SPECIES`", _function_schema.CurveTable),
        ("`models.NAME.dynamics.SPECIES`", _function_schema.DictionaryTable),
        ("`models.NAME.learning`", _function_schema.LearningTable),
        ("Homogeneous space", _homogeneous_schema.UniformTable),
        ("Homogeneous space", _homogeneous_schema.RadialTable),
        ("Homogeneous space", _homogeneous_schema.UniformElements),
        ("Homogeneous space", _homogeneous_schema.RadialElements),
        ("Homogeneous space", _homogeneous_schema.SingleDynamicsTable),
        ("Homogeneous space", _homogeneous_schema.PairDynamicsTable),
        ("Homogeneous space", _homogeneous_schema.PairTermTable),
        ("`learning` with pairs", _homogeneous_schema.SampledLearningTable),
        ("`evaluation`", _schema.BoxEvaluationTable),
    ],
)
def test_every_key_is_documented(title, table):
    text = REFERENCE.read_text(encoding="utf-8").partition("\n## Particles in a box\n")[2]
    found = re.search(rf"^#+ {re.escape(title)}\n(.*?)(?=^#|\Z)", text, re.M | re.S)
    assert found, title
    named = set(re.findall(r"`(\w+)(?:\.[\w.]+)?`", found[1]))
    assert set(table.model_fields) <= named


def test_the_example_of_the_reference_is_a_complete_file(tmp_path):
    text = REFERENCE.read_text(encoding="utf-8").partition("\n## Particles in a box\n")[2]
    (code,) = re.findall(r"^```toml\n(.*?)^```", text, re.M | re.S)
    assert "box" in tomllib.loads(code)
    path = tmp_path / "box.toml"
    path.write_text(code)
    assert load_experiment(path).plans
