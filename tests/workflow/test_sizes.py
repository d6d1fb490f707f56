"""What settings need is compared with the memory before anything runs."""

import numpy as np
import pytest
from typer.testing import CliRunner

from dynboltz import _memory
from dynboltz.cli import app
from dynboltz.distributions import LatticeModel, TransferMatrix
from dynboltz.dynamics import HermiteField, HermiteGrid
from dynboltz.experiments import shipped_experiments
from dynboltz.lattices import Lattice
from dynboltz.workflow import ExperimentError, load_experiment, run
from dynboltz.workflow._sizes import STAGES, _n_vertices, check_sizes

GIB = 2**30


@pytest.fixture
def small(monkeypatch):
    """A machine with 64 MiB of memory."""
    monkeypatch.setattr(_memory, "memory", lambda: GIB // 16)


CHAIN = [
    (["lattice.shape = [1000000]", "kernel.n_steps = 100"], "lattice.shape", "one simulation of"),
    (["initial.replicas = 100000000"], "initial.replicas", "the initial states of 100000000"),
    (["initial.train = 100000000"], "initial.replicas", "the initial states of 100000002"),
]
PLANE = [
    (["evaluation.samples = 100000000"], "evaluation.samples", "100000000 states of the 16 sites"),
    (["evaluation.chains = 100000000"], "evaluation.chains", "100000000 states of the 16 sites"),
    (
        ["evaluation.transfer = { shape = [100000, 100000], replicas = 2 }"],
        "evaluation.transfer",
        "2 replicas of 10000000000 sites",
    ),
    (["models.visible.fit.chains = 100000000"], "models.visible.fit.chains", "100000000 chains"),
    (
        ["models.visible.learning.chains = 10000000"],
        "models.visible.learning.chains",
        "10000000 persistent chains of 16 sites for each of 15 snapshots",
    ),
]
BOX = [
    (["kernel.max_particles = 400000"], "kernel.max_particles", "6 replicas of up to 400000"),
    (["initial.mean = 4e5"], "initial", "6 replicas of up to"),
    (["evaluation.profile_bins = 10000000"], "evaluation.profile_bins", "densities in 10000000^1"),
    (["evaluation.distance_bins = 10000000"], "evaluation.distance_bins", "pairs in 10000000 bins"),
]
PAIRS = [
    (["evaluation.samples = 1000000"], "evaluation.samples", "1000000 patterns of up to"),
    (["models.k2.learning.chains = 1000000"], "models.k2.learning.chains", "1000000 chains of up"),
]


def refused(path, changes, field, what, stages=STAGES):
    experiment = load_experiment(path, overrides=changes)
    with pytest.raises(ExperimentError) as caught:
        check_sizes(experiment, stages)
    message = str(caught.value)
    assert f"{path}, `{field}`: {what}" in message
    assert "would need at least" in message
    assert "more than the 0.0625 GiB there are; choose " in message


@pytest.mark.parametrize(("changes", "field", "what"), CHAIN)
def test_settings_of_a_chain_that_need_too_much_are_named(tiny, small, changes, field, what):
    refused(tiny, changes, field, what)


def test_metrics_of_all_snapshots_are_counted(tiny, small):
    changes = ["initial.train = 10000", "kernel.n_steps = 1000"]
    what = "the metric of 2 coefficients at 10010000 snapshots"
    refused(tiny, changes, "models.visible.learning.warm_start", what, ["train"])


@pytest.mark.parametrize(("changes", "field", "what"), PLANE)
def test_settings_of_sampled_models_that_need_too_much_are_named(tiny, small, changes, field, what):
    text = tiny.read_text().replace("shape = [12]", "shape = [4, 4]")
    head, tail = text.split("[initial]")
    counts = '[initial]\nsource = "counts"\ncounts = { A = 8 }\ntrain = 3\ntest = 2\nreplicas = 4\n'
    models = tail[tail.index("[models.visible]") :].replace('initial = "known"\n', "")
    tiny.write_text(head + counts + models)
    sampled = ['models.visible.fit.moments = "persistent"', "models.visible.learning.moments = "]
    refused(tiny, [sampled[0], sampled[1] + '"persistent"', *changes], field, what)


@pytest.mark.parametrize(("changes", "field", "what"), BOX)
def test_settings_of_a_box_that_need_too_much_are_named(request, small, changes, field, what):
    refused(request.path.parent / "continuous" / "tiny_box.toml", changes, field, what)


@pytest.mark.parametrize(("changes", "field", "what"), PAIRS)
def test_settings_of_pairs_that_need_too_much_are_named(request, small, changes, field, what):
    refused(request.path.parent / "continuous" / "tiny_pairs.toml", changes, field, what)


FIVE = ("b.A", "J.A.A", "K.A.A.A", "A(0) A(2)", "A(0) A(3)")


@pytest.fixture
def five(tiny):
    """Five arguments, cells of 1, and no `arguments`."""
    text = tiny.read_text().replace("train = 3", "train = 20")
    text = text.replace("n_steps = 4", "n_steps = 40")
    ranges = "".join(f'"{name}" = [-1.0, 1.0]\n' for name in FIVE)
    axes = "".join(f'"{name}" = {{ cell = 1.0, lower = -8.0, upper = 8.0 }}\n' for name in FIVE)
    head = text[: text.index("[initial.coefficients]")]
    terms = ", ".join(f'"{name}"' for name in FIVE)
    tiny.write_text(
        f"{head}[initial.coefficients]\n{ranges}[models.visible]\nterms = [{terms}]\n"
        f'initial = "known"\n[models.visible.grid]\noutside = "linear"\n'
        f"[models.visible.grid.axes]\n"
        f"{axes}"
    )
    return tiny


def test_five_arguments_are_refused_before_anything_runs(five, tmp_path, monkeypatch):
    # Four matrices of 65536^2 numbers; a dense matrix alone takes 32 GiB.
    monkeypatch.setattr(_memory, "memory", lambda: 127 * GIB)
    experiment, out = load_experiment(five), tmp_path / "out"
    with pytest.raises(
        ExperimentError, match=r"`models\.visible\.grid`: the warm start of"
    ) as caught:
        run(experiment, out)
    assert "at 2048 vertices, with 65536 unknowns, would need at least 128 GiB" in str(caught.value)
    assert "`arguments`" in str(caught.value)
    assert not out.exists()
    monkeypatch.setattr(_memory, "memory", lambda: 129 * GIB)
    check_sizes(experiment)
    fewer = ['models.visible.grid.arguments = ["b.A", "J.A.A"]']
    monkeypatch.setattr(_memory, "memory", lambda: GIB)
    check_sizes(load_experiment(five, overrides=fewer))
    check_sizes(load_experiment(five, overrides=["models.visible.learning.warm_start = false"]))
    result = CliRunner().invoke(app, ["run", str(five), "--out", str(out)])
    assert result.exit_code == 2
    assert "more than the 1 GiB there are" in result.stderr


@pytest.mark.parametrize("initial", ["known", "fitted", "more terms"])
def test_five_arguments_are_refused_early_wherever_states_are_made_here(
    five, tmp_path, monkeypatch, initial
):
    """Also for particles at random sites, and for starts that are fitted to states of a model."""
    monkeypatch.setattr(_memory, "memory", lambda: GIB)
    text = five.read_text()
    if initial == "more terms":  # than the model that states are drawn from
        few = (
            'terms = ["b.A"]\n[models.few.grid.axes]\n"b.A" = { cell = 1.0, lower = -8, upper = 8 }'
        )
        text = text.replace('model = "visible"', 'model = "few"') + f"[models.few]\n{few}\n"
        text = "".join(
            line for line in text.splitlines(True) if not line.startswith(('"J', '"K', '"A'))
            or "cell" in line
        ).replace("= -8, upper = 8 ", "= -8.0, upper = 8.0 ")  # fmt: skip
    else:
        counts = 'source = "counts"\ncounts = { A = [3, 6] }\ntrain = 20\ntest = 2\nreplicas = 3\n'
        head, tail = text.split("[initial]")
        text = f"{head}[initial]\n{counts}{tail[tail.index('[models.visible]') :]}"
        text = text.replace('initial = "known"', f'initial = "{initial}"')
    five.write_text(text)
    with pytest.raises(ExperimentError, match=r"`models\.visible\.grid`: the warm start of"):
        run(load_experiment(five), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_starts_that_nothing_is_known_of_are_counted_by_the_fewest_cells(five, monkeypatch):
    """Each argument has two cells beside a vertex, so three vertices: 3^5 = 243, rounded up."""
    hidden = 'models.visible.layers = [{ species = ["X"], stencil = [[0]] }]'
    terms = [*FIVE[:2], "K.A.A.A", "W.A.X", "b.X"]
    axes = [
        f'models.visible.grid.axes."{name}" = {{ cell = 1.0, lower = -8.0, upper = 8.0 }}'
        for name in terms[3:]
    ]
    generator = ['models.visible.initial = "fitted"', f"models.visible.terms = {terms}"]
    text = five.read_text()
    start = text.index("[initial]")
    data = '[initial]\nsource = "store"\ntrain = "a.npz"\ntest = "b.npz"\n'
    five.write_text(text[:start] + data + text[text.index("[models.visible]") :])
    removed = [f"models.visible.grid.arguments = {terms}"]
    text = five.read_text()
    for name in FIVE[3:]:
        text = "".join(line for line in text.splitlines(True) if not line.startswith(f'"{name}"'))
    five.write_text(text)
    experiment = load_experiment(five, overrides=[hidden, *generator, *axes, *removed])
    monkeypatch.setattr(_memory, "memory", lambda: GIB)
    with pytest.raises(ExperimentError, match="at 256 vertices, with 8192 unknowns"):
        check_sizes(experiment)


def test_a_warm_start_that_turns_out_too_large_says_what_is_kept(tiny, tmp_path, monkeypatch):
    monkeypatch.setattr("dynboltz.workflow._sizes._check_warm_start", lambda *_: None)
    monkeypatch.setattr(_memory, "memory", lambda: 10**5)
    experiment, out = load_experiment(tiny), tmp_path / "out"
    with pytest.raises(ExperimentError) as caught:
        run(experiment, out)
    message = str(caught.value)
    assert message.startswith(f"{tiny}, `models.visible.grid`: the warm start of a function of 2")
    assert message.endswith("in the file or by --set, and with --overwrite.")
    stored = {path: path.stat().st_mtime_ns for path in out.rglob("*.zarr/zarr.json")}
    assert len(stored) == 3
    monkeypatch.undo()
    changed = load_experiment(tiny, overrides=['models.visible.grid.axes."b.A".cell = 1.0'])
    run(changed, out, overwrite=True)
    assert stored == {path: path.stat().st_mtime_ns for path in stored}


def test_vertices_are_counted_as_the_field_allocates_them():
    names = ("b.A", "J.A.A", "K.A.A.A")
    grid = HermiteGrid(names, (0.5, 1.0, 0.7), (0.1, 0.0, 0.0), (-2.0,) * 3, (2.0,) * 3, "linear")
    points = np.random.default_rng(1).uniform(-3, 3, (40, 3))
    field = HermiteField.zeros(names, dict.fromkeys(names, grid)).allocate(points)
    assert _n_vertices(grid, points) == field.functions[0].n_allocated


def test_stages_are_refused_for_what_they_need_themselves(tiny, tmp_path, monkeypatch):
    experiment = load_experiment(tiny)
    monkeypatch.setattr(_memory, "memory", lambda: 1000)
    check_sizes(experiment, ["simulate"])
    with pytest.raises(ExperimentError, match=r"models\.visible\.grid"):
        check_sizes(experiment, ["train"])


def test_matrices_of_long_range_are_refused_in_python(small):
    terms = ("b.A", *(f"A(0) A({distance})" for distance in range(1, 15)))
    model = LatticeModel.from_names(Lattice((30,)), ("A",), terms)
    with pytest.raises(ValueError, match=r"TransferMatrix: a matrix between 16384 states of 14"):
        TransferMatrix(model)


@pytest.mark.parametrize("name", sorted(shipped_experiments()))
def test_shipped_experiments_fit_a_small_machine(name, monkeypatch):
    monkeypatch.setattr(_memory, "memory", lambda: 8 * GIB)
    check_sizes(load_experiment(name))


@pytest.mark.parametrize(
    "error",
    [
        np._core._exceptions._ArrayMemoryError((65536, 65536), np.dtype("f8")),
        MemoryError(),
        RuntimeError("RESOURCE_EXHAUSTED: Out of memory allocating 34359738368 bytes."),
    ],
)
def test_memory_that_runs_out_ends_in_one_message(tiny, tmp_path, monkeypatch, error):
    def exhausted(*_, **__):
        raise error

    monkeypatch.setattr("dynboltz.workflow.run", exhausted)
    result = CliRunner().invoke(app, ["run", str(tiny), "--out", str(tmp_path / "out")])
    assert result.exit_code == 2
    (message,) = [line for line in result.stderr.splitlines() if line.startswith("Error: ")]
    assert message.startswith("Error: more memory was needed than the ")
    assert isinstance(result.exception, SystemExit)
