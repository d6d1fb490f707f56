import dataclasses
import tomllib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dynboltz.experiments import shipped_experiments
from dynboltz.learning import FitSettings, LearningSettings
from dynboltz.workflow import ExperimentError, load_experiment
from dynboltz.workflow._schema import FitTable, LearningTable
from dynboltz.workflow._toml import toml_text


@pytest.mark.parametrize("preset", [None, "quick", "paper"])
def test_the_shipped_experiment_loads(preset):
    experiment = load_experiment("annihilation", preset=preset)
    assert experiment.laws == ("auto",)
    if preset == "paper":  # finite elements and Algorithm 1
        assert experiment.plans["visible"].model.coefficients == ("b.A", "J.A.A", "K.A.A.A")
        assert experiment.plans["hidden"].model.coefficients == ("b.A", "W.A.X", "b.X")
        assert experiment.plans["hidden"].grids["b.X"].cell == (0.5, 0.5, 0.05)
        assert not experiment.coefficient_laws
    else:
        assert not experiment.plans
        assert set(experiment.coefficient_laws) == {"visible", "hidden"}
    assert experiment.lattice.shape == ((200,) if preset == "quick" else (1000,))
    assert len(experiment.times) == (41 if preset == "quick" else 201)


def test_every_preset_of_every_shipped_experiment_loads():
    for name, path in shipped_experiments().items():
        content = tomllib.loads(path.read_text())
        assert content["name"] == name
        for preset in content["presets"]:
            load_experiment(name, preset=preset)


def test_the_papers_rates_on_sums_become_rates_per_site_and_time():
    paper = load_experiment("annihilation", preset="paper")
    n_sites = paper.lattice.n_sites
    for plan in paper.plans.values():
        assert plan.learning.window is not None
        duration = plan.learning.window * paper.kernel.time_step
        assert plan.learning.learning_rate == 1 * n_sites * duration
    # The product 1e-5 * 1000 is rounded.
    np.testing.assert_allclose(paper.plans["hidden"].fit.learning_rate, 1e-5 * n_sites)
    assert not paper.plans["hidden"].learning.warm_start


@pytest.mark.parametrize(
    ("table", "settings_of"), [(FitTable, FitSettings), (LearningTable, LearningSettings)]
)
def test_tables_map_one_to_one_on_the_settings(table, settings_of):
    assert set(table.model_fields) == {field.name for field in dataclasses.fields(settings_of)}


def test_overrides_come_after_the_preset_and_the_seed_last(tiny):
    plain = load_experiment(tiny)
    changed = load_experiment(
        tiny,
        preset="long",
        overrides=[
            "kernel.dt = 0.2",
            "lattice.shape=[30]",
            'models.visible.grid.axes."b.A".cell = 1.0',
            "seed = 8",
        ],
        seed=9,
    )
    assert (plain.table.kernel.n_steps, changed.table.kernel.n_steps) == (4, 6)
    np.testing.assert_allclose(changed.times, 0.2 * np.arange(7))
    assert changed.lattice.shape == (30,)
    assert changed.plans["visible"].grids["J.A.A"].cell == (1.0, 0.5)
    assert changed.seed == 9


def test_terms_of_any_sites_have_names(tiny):
    """Those that the moment equations of annihilation name."""
    axis = "{ cell = 0.5, lower = -6.0, upper = 4.0 }"
    experiment = load_experiment(
        tiny,
        overrides=[
            'models.visible.terms = ["b.A", "J.A.A", "A(0) A(2)"]',
            'initial.coefficients."A(0) A(2)" = [-0.5, 0.5]',
            f'models.visible.grid.axes."A(0) A(2)" = {axis}',
        ],
    )
    second = experiment.plans["visible"].model.terms[2]
    assert [tuple(f.offset for f in product) for product in second.products] == [((0,), (2,))]


def test_a_derivative_may_depend_on_some_coefficients(tiny):
    experiment = load_experiment(tiny, overrides=['models.visible.grid.arguments."b.A" = ["b.A"]'])
    grids = experiment.plans["visible"].grids
    assert (grids["b.A"].arguments, grids["J.A.A"].arguments) == (("b.A",), ("b.A", "J.A.A"))


@pytest.mark.parametrize(
    ("override", "field", "message"),
    [
        ('network = "A + B -> C"', "network", "found the end of the line"),
        ('network = "A + A -> 0 ; p = 1.5"', "network", "between 0 and 1"),
        ('network = "A -> 0 ; k = -1"', "network", "not negative"),
        ('network = "A -> 0 ; k = 1\\nA -> 0 ; k = 2"', "network", "is there already"),
        ('network = "A + A -> 0 ; k = 1"', "kernel", "give a probability p"),
        ('species = ["B"]', "network", "A"),
        ("lattice.shape = []", "lattice.shape", "a list of 1 to 3 entries"),
        ("lattice.shape = [0]", "lattice.shape.0", "of at least 1; got 0"),
        ("lattice.shape = [1]", "models.visible.terms", "too small for it"),
        ('lattice.boundary = "open"', "lattice.boundary", "'periodic' or 'closed'; got 'open'"),
        ("kernel.dt = -0.1", "kernel.dt", "greater than 0; got -0.1"),
        ("kernel.dt = nan", "kernel.dt", "got nan"),
        ("kernel.n_steps = 2.5", "kernel.n_steps", "at most 10000000; got 2.5"),
        ("kernel.step = 2", "kernel", "unknown key `step`. Did you mean `n_steps`?"),
        ("latice.shape = [3]", "", "unknown key `latice`. Did you mean `lattice`?"),
        ('initial.model = "visble"', "initial.model", "no model 'visble'; there are visible"),
        ("initial.replicas = 1", "initial.replicas", "of at least 2; got 1"),
        ("initial.coefficients.x = [0, 1]", "initial.coefficients", "got b.A, J.A.A, x"),
        ('initial.coefficients."b.A" = [2, 1]', "initial.coefficients", "[lowest, highest]"),
        ('models.visible.terms = ["b.B"]', "models.visible.terms", "species 'B'"),
        ('models.visible.terms = ["q.A"]', "models.visible.terms", "not understood"),
        (
            'models.visible.layers = [{species = ["X"], stencil = [[0], [20]]}]',
            "models.visible.layers",
            "does not fit a lattice",
        ),
        (
            'models.visible.layers = [{species = ["X"], stencil = [[0, 0]]}]',
            "models.visible.layers",
            "must have 1 entries an offset",
        ),
        (
            'models.visible.grid.axes."b.A".lower = 7.0',
            'models.visible.grid.axes."b.A"',
            "`lower` must be less than `upper`",
        ),
        ('models.visible.grid.outside = "stop"', "models.visible.grid.outside", "got 'stop'"),
        ("models.visible.learning.steps = -1", "models.visible.learning.steps", "got -1"),
        ("models.visible.fit.start.x = 1.0", "models.visible.fit", "names 'x'"),
        ("models.visible.learning.learning_rate.x = 1.0", "models.visible.learning", "names 'x'"),
        (
            "models.visibel.learning.steps = 3",
            "models",
            "no model 'visibel' to change; there are visible. Did you mean `models.visible`?",
        ),
        ("models.mean_field.terms = []", "models.mean_field.terms", "at least 1 entry"),
    ],
)
def test_bad_settings_name_file_field_and_what_is_allowed(tiny, override, field, message):
    with pytest.raises(ExperimentError) as error:
        load_experiment(tiny, overrides=[override])
    first = str(error.value).splitlines()[0]
    assert first.startswith(f"{tiny}, `{field}`: " if field else f"{tiny}: ")
    assert message in str(error.value)


def test_sampled_moments_are_asked_for_where_exact_ones_are_set(tiny):
    """Hidden layers that are coupled with each other have no exact solution."""
    deep = """
        terms = ["b.A", "J.A.A", "W.A.X", "W.X.U"]
        initial = "fitted"
        layers = [
            { species = ["X"], stencil = [[0], [1]] }, { species = ["U"], stencil = [[0], [1]] },
        ]
        [models.visible.grid]"""
    head, tail = tiny.read_text().split("[models.visible]")
    counts = '[initial]\nsource = "counts"\ncounts = { A = 3 }\ntrain = 1\ntest = 1\nreplicas = 2'
    body = tail.partition("[models.visible.grid]")[2]
    arguments = '\narguments = ["b.A", "J.A.A"]'
    text = f"{head.split('[initial]')[0]}{counts}\n[models.visible]{deep}{arguments}{body}"
    tiny.write_text(text)
    fit, learning = 'models.visible.fit.moments="{}"', 'models.visible.learning.moments="{}"'
    for overrides, field, value in (
        ([], "fit", "exact"),
        ([learning.format("persistent")], "fit", "exact"),
        (
            [fit.format("contrastive-divergence"), 'models.visible.fit.optimiser="sgd"'],
            "fit",
            "contrastive-divergence",
        ),
        ([fit.format("persistent")], "learning", "exact"),
    ):
        with pytest.raises(ExperimentError) as error:
            load_experiment(tiny, overrides=overrides)
        assert f'`models.visible.{field}.moments`: "{value}" needs' in str(error.value)
        assert 'write "persistent"' in str(error.value)
    load_experiment(tiny, overrides=[m.format("persistent") for m in (fit, learning)])


@pytest.mark.parametrize("name", ["train", "warnings", "mean_field", "wall_seconds"])
def test_names_that_metrics_hold_already_are_refused(tiny, name):
    text = tiny.read_text()
    with pytest.raises(ExperimentError, match=rf"`evaluation\.ceilings\.{name}` is taken in"):
        load_experiment(tiny, overrides=[f'evaluation.ceilings.{name} = "visible"'])
    tiny.write_text(
        text.replace("models.visible", f"models.{name}").replace('"visible"', f'"{name}"')
    )
    with pytest.raises(ExperimentError, match=rf"`models\.{name}` is taken in `metrics.json`"):
        load_experiment(tiny)


def test_counts_that_do_not_fit_are_refused(tiny):
    text = tiny.read_text()
    head, tail = text.split("[initial]")[0], text[text.index("[models.visible]") :]
    table = '[initial]\nsource = "counts"\ncounts = {0}\ntrain = 1\ntest = 1\nreplicas = 2\n'
    for counts, message in (
        ("{ A = 13 }", "up to 13 particles do not fit on 12 sites"),
        ("{ A = [0, 13] }", "up to 13 particles"),
        ("{ A = [5, 2] }", "lowest, highest"),
        ("{ B = 2 }", "names 'B'; allowed are A"),
    ):
        tiny.write_text(head + table.replace("{0}", counts) + tail.replace("known", "fitted"))
        with pytest.raises(ExperimentError, match=r"`initial\.counts`") as error:
            load_experiment(tiny)
        assert message in str(error.value)
    for counts in ("{ A = [0, 3] }", "{ A = [3, 12] }"):
        tiny.write_text(head + table.replace("{0}", counts) + tail)
        with pytest.raises(ExperimentError, match=r"`models\.visible\.initial`: .* infinite"):
            load_experiment(tiny)


def test_all_problems_are_told_together(tiny):
    with pytest.raises(ExperimentError) as error:
        load_experiment(tiny, overrides=["kernel.dt = 0", "seed = -1"])
    *problems, changes = str(error.value).splitlines()
    assert [line.split("`")[1] for line in problems] == ["seed", "kernel.dt"]
    assert changes.endswith("changes: kernel.dt = 0; seed = -1.")


@pytest.mark.parametrize(
    ("text", "message"),
    [("a = ", "is not TOML"), ("seed = 1", "`lattice`: is required"), ("", "an empty file")],
)
def test_files_that_are_no_experiments_are_refused(tiny, text, message):
    tiny.write_text(text)
    with pytest.raises(ExperimentError, match=message):
        load_experiment(tiny)


def test_unknown_experiments_and_presets_list_what_there_is(tiny):
    message = r"Did you mean `annihilation`.*shipped experiments: annihilation"
    with pytest.raises(ExperimentError, match=message):
        load_experiment("anihilation")
    with pytest.raises(ExperimentError, match="no preset 'short'; there are long"):
        load_experiment(tiny, preset="short")
    with pytest.raises(ExperimentError, match=r"Did you mean `long`\?"):
        load_experiment(tiny, preset="lng")
    with pytest.raises(ExperimentError, match=r"changes: preset 'long'; kernel\.dt = -1\.0\."):
        load_experiment(tiny, preset="long", overrides=["kernel.dt = -1.0"])
    with pytest.raises(ExperimentError, match=r"--set lattice\.boundary=closed: is not KEY=VALUE"):
        load_experiment(tiny, overrides=["lattice.boundary=closed"])


def test_presets_that_are_no_tables_are_refused(tiny):
    tiny.write_text(tiny.read_text().replace("[presets.long.kernel]\nn_steps", "[presets]\nlong"))
    with pytest.raises(ExperimentError, match=r"`presets\.long`: must be a table .*; got 6\."):
        load_experiment(tiny, preset="long")


def test_the_resolved_file_describes_the_same_experiment(tiny, tmp_path):
    experiment = load_experiment(tiny, preset="long", overrides=["seed = 3"])
    resolved = tmp_path / "resolved.toml"
    resolved.write_text(experiment.to_toml())
    assert load_experiment(resolved).table == experiment.table


VALUES = st.recursive(
    st.booleans()
    | st.integers(-(2**60), 2**60)
    | st.floats(allow_nan=False)
    | st.text(st.characters(codec="utf-8"), max_size=10),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(st.characters(codec="utf-8"), max_size=5), inner, max_size=3)
    ),
    max_leaves=8,
)


@settings(max_examples=100, deadline=None)
@given(st.dictionaries(st.text(st.characters(codec="utf-8"), max_size=5), VALUES, max_size=4))
def test_toml_survives_writing_and_reading(table):
    assert tomllib.loads(toml_text(table)) == table
