import numba
import numpy as np
import pytest

from dynboltz.distributions import TransferMatrix
from dynboltz.store import StoreError, open_trajectories
from dynboltz.workflow import ExperimentError, ResultDirectory, claim, load_experiment, simulate
from dynboltz.workflow._simulate import open_part


def contents(directory):
    return {
        str(path.relative_to(directory)): path.read_bytes()
        for path in directory.rglob("*")
        if path.is_file()
    }


def simulated(experiment, path, **options):
    directory = claim(experiment, path)
    simulate(experiment, directory, **options)
    return contents(path / "trajectories")


def test_an_interrupted_simulation_goes_on_to_the_same_bytes(tiny, tmp_path):
    experiment = load_experiment(tiny)
    whole = simulated(experiment, tmp_path / "whole")

    calls = []

    def interrupt(report):
        calls.append(report)
        if len(calls) == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        simulated(experiment, tmp_path / "parts", progress=interrupt)
    assert contents(tmp_path / "parts" / "trajectories") != whole

    later = []
    assert simulated(experiment, tmp_path / "parts", progress=later.append) == whole
    # Blocks 0 and 1 of the training set were committed before; 1 and 2 are left.
    assert [(r["part"], r["step"]) for r in later] == [("train", 3), ("test", 1), ("test", 2)]


def test_a_complete_simulation_is_kept(tiny, tmp_path):
    experiment = load_experiment(tiny)
    simulated(experiment, tmp_path / "out")
    seconds = (tmp_path / "out" / "timings.json").read_bytes()
    reports = []
    simulated(experiment, tmp_path / "out", progress=reports.append)
    assert not reports
    assert (tmp_path / "out" / "timings.json").read_bytes() == seconds


@pytest.mark.skipif(
    numba.config.NUMBA_NUM_THREADS < 2,  # pyright: ignore[reportPrivateImportUsage]
    reason="one core",
)
def test_the_bytes_do_not_depend_on_the_number_of_threads(tiny, tmp_path):
    experiment = load_experiment(tiny)
    found = []
    before = numba.get_num_threads()
    for threads in (1, 2):
        numba.set_num_threads(threads)
        found.append(simulated(experiment, tmp_path / str(threads)))
    numba.set_num_threads(before)
    assert found[0] == found[1]


def test_more_initial_conditions_leave_the_first_ones_as_they_are(tiny, tmp_path):
    few, many = (load_experiment(tiny, overrides=[f"initial.train = {n}"]) for n in (2, 4))
    simulated(few, tmp_path / "few")
    simulated(many, tmp_path / "many")
    first = open_trajectories(tmp_path / "few" / "trajectories" / "train.zarr")
    more = open_trajectories(tmp_path / "many" / "trajectories" / "train.zarr")
    np.testing.assert_array_equal(first.state, more.state[:8])
    values = more.attrs["initial_coefficients"]["values"]
    assert first.attrs["initial_coefficients"]["values"] == values[:2]
    test = [
        open_trajectories(tmp_path / name / "trajectories" / "test.zarr")
        for name in ("few", "many")
    ]
    assert test[0].attrs["fingerprint"] == test[1].attrs["fingerprint"]


def test_initial_states_have_the_moments_of_their_distribution(tiny, tmp_path):
    experiment = load_experiment(
        tiny,
        overrides=["lattice.shape = [200]", "initial.replicas = 50", "initial.train = 1"],
    )
    simulated(experiment, tmp_path / "out")
    found = open_trajectories(tmp_path / "out" / "trajectories" / "train.zarr")
    theta = np.array(found.attrs["initial_coefficients"]["values"][0])
    solution = TransferMatrix(experiment.plans["visible"].model)
    start = found.moments.values[:, 0, :2]
    spread = np.sqrt(np.diag(solution.fisher(theta)) / 200 / 50)
    # Means of 50 independent exact samples: 4 standard errors, failure probability 1e-4.
    deviation = np.abs(start.mean(axis=0) - np.asarray(solution.moments(theta)))
    assert np.all(deviation < 4 * spread)


def test_counts_give_their_numbers_of_particles(tiny, tmp_path):
    text = tiny.read_text()
    table = """[initial]
source = "counts"
counts = { A = [3, 9] }
train = 5
test = 1
replicas = 2
"""
    tail = text[text.index("[models.visible]") :].replace("known", "fitted")
    tiny.write_text(text.split("[initial]")[0] + table + tail)
    simulated(load_experiment(tiny), tmp_path / "out")
    found = open_trajectories(tmp_path / "out" / "trajectories" / "train.zarr")
    counts = (found.state[:, 0].values > 0).sum(axis=1).reshape(5, 2)
    np.testing.assert_array_equal(counts[:, 0], counts[:, 1])
    assert len(set(counts[:, 0])) > 1
    assert set(counts.ravel()) <= set(range(3, 10))


def blocks(path, experiment):
    """States of every block of both parts, which have four replicas."""
    simulated(experiment, path)
    for part in ("train", "test"):
        states = open_trajectories(path / "trajectories" / f"{part}.zarr").state.values
        yield from states.reshape(-1, 4, *states.shape[1:])


def all_different(arrays):
    return len({array.tobytes() for array in arrays}) == len(arrays)


def test_initial_states_are_independent_between_initial_conditions(tiny, tmp_path):
    same = ["b.A", "J.A.A"]
    overrides = [f'initial.coefficients."{name}" = [0.2, 0.2]' for name in same]
    experiment = load_experiment(tiny, overrides=overrides)
    starts = [states[:, 0] for states in blocks(tmp_path / "out", experiment)]
    # 48 fair coins a block: equal ones are out of the question.
    assert len(starts) == 5
    assert all_different(starts)


def test_dynamics_are_independent_between_initial_conditions(tiny, tmp_path):
    text = tiny.read_text()
    table = '[initial]\nsource = "counts"\ncounts.A = 12\ntrain = 3\ntest = 2\nreplicas = 4\n'
    tail = text[text.index("[models.visible]") :].replace("known", "fitted")
    tiny.write_text(text.split("[initial]")[0] + table + tail)
    states = list(blocks(tmp_path / "out", load_experiment(tiny)))
    assert all(np.all(block[:, 0] == 1) for block in states)
    assert all_different(states)


def test_a_directory_of_other_settings_is_not_overwritten(tiny, tmp_path):
    experiment = load_experiment(tiny)
    before = simulated(experiment, tmp_path / "out")
    other = load_experiment(tiny, overrides=["seed = 6", "kernel.dt = 0.2"])
    with pytest.raises(ExperimentError, match=r"(?s)seed: 5 there, 6 given.*kernel\.dt") as error:
        claim(other, tmp_path / "out")
    assert "--overwrite" in str(error.value)
    assert contents(tmp_path / "out" / "trajectories") == before

    directory = claim(other, tmp_path / "out", overwrite=True)
    simulate(other, directory, overwrite=True)
    assert contents(tmp_path / "out" / "trajectories") == simulated(other, tmp_path / "fresh")


def test_settings_that_do_not_matter_keep_the_trajectories(tiny, tmp_path):
    simulated(load_experiment(tiny), tmp_path / "out")
    other = load_experiment(tiny, overrides=["models.visible.learning.steps = 3"])
    reports = []
    simulate(
        other,
        claim(other, tmp_path / "out", overwrite=True),
        overwrite=True,
        progress=reports.append,
    )
    assert not reports


def test_trajectories_of_another_experiment_are_refused(tiny, tmp_path):
    simulated(load_experiment(tiny), tmp_path / "out")
    other = load_experiment(tiny, seed=6)
    directory = claim(other, tmp_path / "other")
    (tmp_path / "out" / "trajectories").rename(tmp_path / "other" / "trajectories")
    with pytest.raises(StoreError, match="store of another experiment: fingerprint"):
        simulate(other, directory)


def test_a_directory_with_other_files_is_left_alone(tiny, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.tex").write_text("x")
    for overwrite in (False, True):
        with pytest.raises(ExperimentError, match="no results of dynboltz"):
            claim(load_experiment(tiny), tmp_path / "mine", overwrite=overwrite)
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["thesis.tex"]


def with_store(tiny, train, test):
    text = tiny.read_text()
    table = f'[initial]\nsource = "store"\ntrain = "{train}"\ntest = "{test}"\n'
    tail = text[text.index("[models.visible]") :].replace("known", "fitted")
    tiny.write_text(text.split("[initial]")[0] + table + tail)
    return load_experiment(tiny)


def given_states(n_replicas=6):
    return np.random.default_rng(4).integers(0, 2, size=(n_replicas, 5, 12), dtype=np.uint8)


def save(path, state, **changes):
    arrays = {"time": 0.1 * np.arange(5), "initial_condition": [3, 1, 3, 1, 1, 3]}
    np.savez(path, state=state, species=["A"], **(arrays | changes))


def test_foreign_trajectories_take_the_place_of_simulations(tiny, tmp_path):
    state = given_states()
    save(tmp_path / "mine.npz", state)
    experiment = with_store(tiny, "mine.npz", tmp_path / "mine.npz")
    directory = claim(experiment, tmp_path / "out")
    simulate(experiment, directory)
    found = open_trajectories(directory.trajectories("train"))
    np.testing.assert_array_equal(found.initial_condition, [1, 1, 1, 3, 3, 3])
    np.testing.assert_array_equal(found.state, state[[1, 3, 4, 0, 2, 5]])
    np.testing.assert_allclose(found.moments[:, :, 0], (found.state == 1).mean("x"))


def test_imported_trajectories_need_their_file_no_more(tiny, tmp_path):
    save(tmp_path / "mine.npz", given_states())
    experiment = with_store(tiny, "mine.npz", "mine.npz")
    directory = claim(experiment, tmp_path / "out")
    simulate(experiment, directory)
    (tmp_path / "mine.npz").unlink()
    moved = (tmp_path / "out").rename(tmp_path / "elsewhere")
    directory = ResultDirectory(str(moved))
    simulate(directory.load_experiment(), directory)
    assert open_part(directory.load_experiment(), directory, "test").sizes["replica"] == 6


def test_a_changed_file_is_read_again_when_asked_to(tiny, tmp_path):
    save(tmp_path / "mine.npz", given_states())
    experiment = with_store(tiny, "mine.npz", "mine.npz")
    directory = claim(experiment, tmp_path / "out")
    simulate(experiment, directory)
    directory.fit("visible").mkdir(parents=True)
    save(tmp_path / "mine.npz", 1 - given_states(12), initial_condition=[0, 1] * 6)
    with pytest.raises(ExperimentError, match=r"mine\.npz: has changed since it was read"):
        simulate(experiment, directory)
    simulate(experiment, directory, overwrite=True)
    assert open_part(experiment, directory, "train").sizes["replica"] == 12
    assert not directory.fit("visible").exists()


def test_a_directory_whose_import_failed_can_be_used(tiny, tmp_path):
    wrong = with_store(tiny, "absent.npz", "absent.npz")
    with pytest.raises(StoreError):
        simulate(wrong, claim(wrong, tmp_path / "out"))
    save(tmp_path / "mine.npz", given_states())
    tiny.write_text(tiny.read_text().replace("absent", "mine"))
    right = load_experiment(tiny)
    simulate(right, claim(right, tmp_path / "out"))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"state": np.where(given_states() > 0, np.nan, 0.0)}, "is NaN"),
        ({"state": given_states()[:, :, :9]}, "has the lattice"),
        (
            {"time": np.arange(5.0)},
            "from 0 to 4, the experiment as many from 0 to 0.4.*Write `times = .file.",
        ),
        ({"state": given_states()[:, :4], "time": 0.1 * np.arange(4)}, "has 4 times from 0 to 0.3"),
    ],
)
def test_foreign_trajectories_that_do_not_fit_are_refused(tiny, tmp_path, changes, message):
    save(tmp_path / "mine.npz", **({"state": given_states()} | changes))
    experiment = with_store(tiny, "mine.npz", "mine.npz")
    directory = claim(experiment, tmp_path / "out")
    with pytest.raises(StoreError, match=message):
        simulate(experiment, directory)
    assert not (tmp_path / "out" / "trajectories").exists()


def test_other_lattices_species_and_kernels_need_no_code(tmp_path):
    path = tmp_path / "plane.toml"
    path.write_text("""
name = "plane"
network = '''
A + B -> B + B ; k = 2
B -> 0 ; k = 1
'''
species = ["B", "A"]
[lattice]
shape = [4, 5]
[kernel]
kind = "continuous-time"
hop_rate = { A = 1.0, B = 0.5 }
interval = 0.2
n_steps = 3
[initial]
source = "counts"
counts = { A = 6, B = [2, 3] }
train = 2
test = 1
replicas = 2
[models.hidden]
terms = ["b.A", "b.B", "W.A.X", "b.X"]
layers = [{ species = ["X"], stencil = [[0, 0], [0, 1], [1, 0]] }]
[models.hidden.grid.axes]
"b.A" = { cell = 0.5, lower = -6, upper = 6 }
"b.B" = { cell = 0.5, lower = -6, upper = 6 }
"W.A.X" = { cell = 0.5, lower = -6, upper = 6 }
"b.X" = { cell = 0.5, lower = -6, upper = 6 }
[models.hidden.fit]
moments = "contrastive-divergence"
optimiser = "sgd"
[models.hidden.learning]
moments = "contrastive-divergence"
warm_start = false
""")
    experiment = load_experiment(path)
    simulated(experiment, tmp_path / "out")
    found = open_trajectories(tmp_path / "out" / "trajectories" / "train.zarr")
    assert found.state.shape == (4, 4, 4, 5)
    assert list(found.moment.values[:2]) == ["B", "A"]
    counts = [(found.state[:, 0].values == label).sum(axis=(1, 2)) for label in (1, 2)]
    assert set(counts[0]) <= {2, 3}
    np.testing.assert_array_equal(counts[1], 6)


def test_models_without_an_exact_solution_say_so(tiny):
    with pytest.raises(ExperimentError, match=r"`initial\.model`.*must be a chain"):
        load_experiment(tiny, overrides=["lattice.shape = [4, 4]"])
