"""Every consumer of random numbers has a stream of its own."""

import itertools
import sys
import zlib
from dataclasses import dataclass

import numpy as np
import pytest
from typer.testing import CliRunner

from dynboltz.cli import app
from dynboltz.lattices import child_seeds
from dynboltz.lattices import streams as original_streams
from dynboltz.learning import GaussNewtonResult
from dynboltz.sampling import start_empty
from dynboltz.workflow import claim, evaluate, fit, load_experiment, simulate, train
from dynboltz.workflow._parts import PARTS
from dynboltz.workflow._seeds import Purpose, derive_seed
from dynboltz.workflow.continuous import _pair_train
from dynboltz.workflow.continuous._model import parameters_of

FOR_ALL = {
    "initial_coefficients",  # of initial conditions, wherever they are asked for
    "initial_counts",
    "_drawn_densities",
    "_check",  # of piecewise polynomials at some points, which shape no result
}
"""Functions that may derive a seed again, with the same numbers, whoever calls them."""

FOR_ONE_MODEL = {
    "_batches",  # the order of the next step is looked at in advance
    "_estimate",  # entropic matching has the same chains in every call
    "compare",  # iterates of a training are compared with the same random numbers
}
"""Functions that may derive a seed again for the same model."""


@dataclass
class Seeds:
    """Experiment for seeds alone."""

    seed: int
    stored_names: tuple[str, ...]


class Recorder:
    """What draws random numbers, by the state of its seed."""

    def __init__(self):
        self.found = {}

    def note(self, seed, first, n):
        sequence = (
            seed if isinstance(seed, np.random.SeedSequence) else np.random.SeedSequence(seed)
        )
        key = tuple(sequence.generate_state(4).tolist())
        self.found.setdefault(key, []).append((*self._caller(), first, first + n))

    @staticmethod
    def _caller():
        """Functions of the package that draw, innermost first, and the model they draw for."""
        frame, names, models = sys._getframe(2), [], []
        while frame is not None:
            module = frame.f_globals.get("__name__", "")
            if module.startswith("dynboltz.") and module != "dynboltz._arguments":
                name = frame.f_code.co_name
                names += [] if name.startswith("<") else [name]
                plan = frame.f_locals.get("plan")
                models += [plan.name] if hasattr(plan, "name") else []
            frame = frame.f_back
        return tuple(names), models[0] if models else None

    def shared(self):
        """Pairs of consumers that share random numbers."""
        for records in self.found.values():
            for one, two in itertools.combinations(records, 2):
                again = set(one[0][:2]) & set(two[0][:2]) & FOR_ALL
                if one[1] == two[1]:
                    again |= set(one[0]) & set(two[0]) & FOR_ONE_MODEL
                    if one[3] - one[2] != two[3] - two[2]:  # doubled: only the last round counts
                        again |= set(one[0]) & set(two[0]) & {"_sampled_matching"}
                if one[2] < two[3] and two[2] < one[3] and not again:
                    yield one, two


@pytest.fixture
def recorder(monkeypatch):
    found, default_rng = Recorder(), np.random.default_rng

    def streams(seed, n, first=0):
        found.note(seed, first, n)
        return original_streams(seed, n, first)

    def generator(seed=None):
        if sys._getframe(1).f_globals["__name__"].startswith("dynboltz."):
            found.note(seed, 0, 1)
        return default_rng(seed)

    for name, module in list(sys.modules.items()):
        if name.startswith("dynboltz.") and getattr(module, "streams", None) is original_streams:
            monkeypatch.setattr(module, "streams", streams)
    monkeypatch.setattr(np.random, "default_rng", generator)
    return found


def complete(experiment, path):
    directory = claim(experiment, path)
    for stage in (simulate, fit, train, evaluate):
        stage(experiment, directory)


TWO_SAMPLED = """
name = "plane"
network = "A + A -> 0 ; k = 1"
[lattice]
shape = [6, 6]
[kernel]
kind = "continuous-time"
hop_rate = 1.0
interval = 0.1
n_steps = 3
[initial]
source = "counts"
counts = { A = [10, 30] }
train = 2
test = 2
replicas = 6
[models.pairs]
terms = ["b.A", "J.A.A"]
initial = "fitted"
grid = { outside = "linear", axes = GRID }
[models.pairs.fit]
moments = "persistent"
steps = 4
[models.pairs.learning]
moments = "persistent"
sweeps = 2
steps = 2
[models.other]
terms = ["b.A", "J.A.A"]
initial = "fitted"
grid = { outside = "linear", axes = GRID }
[models.other.fit]
moments = "contrastive-divergence"
optimiser = "sgd"
steps = 3
[models.other.learning]
moments = "gibbs"
sweeps = 2
steps = 2
warm_start = false
[evaluation]
samples = 4
sweeps = 2
chains = 4
long_sweeps = 16
equilibrium_times = 2
ceilings = { ceiling = "pairs" }
transfer = { shape = [9, 9], replicas = 4 }
entropic_matching = ["pairs", "other"]
""".replace("GRID", '{ "b.A" = AXIS, "J.A.A" = AXIS }').replace(
    "AXIS", "{ cell = 2.0, lower = -8, upper = 8 }"
)


def test_no_two_consumers_share_random_numbers_on_a_plane(tmp_path, recorder):
    path = tmp_path / "plane.toml"
    path.write_text(TWO_SAMPLED)
    complete(load_experiment(path), tmp_path / "out")
    found = list(itertools.chain.from_iterable(recorder.found.values()))
    drawing = {name for names, *_ in found for name in names}
    assert {"simulate_transfer", "transfer_moments", "sample_model", "example_states"} <= drawing
    assert {"matching_prediction", "fit_initial_contrastive", "fit_trajectories_sampled"} <= drawing
    assert list(recorder.shared()) == []
    # What draws for the command line has seeds of its own as well.
    for model, command in itertools.product(("pairs", "other"), ("sample", "predict")):
        more = ["--time", "0.1", "--seed", "0", "--out", str(tmp_path / f"{model}.npz")]
        arguments = [command, str(tmp_path / "out"), model, *(more if command == "sample" else [])]
        assert CliRunner().invoke(app, arguments).exit_code == 0
    assert list(recorder.shared()) == []


def test_no_two_consumers_share_random_numbers_on_a_chain(tmp_path, tiny, recorder):
    tiny.write_text(tiny.read_text().replace("seed = 5", "seed = 0"))
    complete(load_experiment(tiny), tmp_path / "out")
    sample = ["sample", str(tmp_path / "out"), "visible", "--time", "0.1", "--seed", "0"]
    result = CliRunner().invoke(app, [*sample, "--out", str(tmp_path / "samples.npz")])
    assert result.exit_code == 0, result.output
    assert len(recorder.found) > 10
    assert list(recorder.shared()) == []


def test_no_two_models_of_pairs_share_random_numbers(tmp_path, request, monkeypatch, recorder):
    source = request.path.parent / "continuous" / "tiny_pairs.toml"
    text = source.read_text()
    k2 = text[text.index("[models.k2]") : text.index("[evaluation]")]
    path = tmp_path / "pairs.toml"
    path.write_text(text + k2.replace("k2", "radial"))

    def learn(field, initial, solution, model, patterns, weights, settings, *, seed, progress):
        """Draw as `sampled_gauss_newton` does, and learn nothing."""
        start_empty(model, 1, 1, seed=seed)
        n = parameters_of(field).size
        history = {"action": np.array([2.0, 1.0]), "damping": np.ones(2)}
        return GaussNewtonResult(field, initial, np.eye(n), history)

    monkeypatch.setattr(_pair_train, "sampled_gauss_newton", learn)
    complete(load_experiment(path, overrides=['learn = ["k2", "radial"]']), tmp_path / "out")
    drawing = {
        name for records in recorder.found.values() for names, *_ in records for name in names
    }
    assert {"learn_pairs", "fit_point_process", "_insertions", "sampled_quantities"} <= drawing
    assert list(recorder.shared()) == []


def test_seeds_of_an_experiment_differ():
    # The checksums of these two names are the same.
    names = ("plumless", "buckeroo", "visible", "hidden")
    assert zlib.crc32(b"plumless") == zlib.crc32(b"buckeroo")
    experiment = Seeds(0, names)
    found = [
        derive_seed(experiment, part, purpose, name=name, number=number)
        for part, purpose in itertools.product(PARTS, Purpose)
        for name, number in (
            *((None, number) for number in range(5)),
            *((name, None) for name in names),
            *((name, number) for name in names for number in range(3)),
        )
    ]
    found += [child for seed in found for child in child_seeds(seed, 2) if not seed.spawn_key]
    states = {tuple(seed.generate_state(4).tolist()) for seed in found}
    # A child of a model's seed is the seed of its initial condition of that number: a model has
    # either numbered initial conditions or purposes of its own.
    n_children = 2 * len(names) * len(PARTS) * len(Purpose)
    assert len(states) == len(found) - n_children


def test_seeds_of_lattices_stay():
    """Seeds that were separate before; a change would change all results."""
    experiment = Seeds(7, ("visible", "hidden"))
    for found, words in (
        (derive_seed(experiment, "train", Purpose.COEFFICIENTS, number=3), [7, 0, 0, 3]),
        (derive_seed(experiment, "test", Purpose.STATES, number=1), [7, 1, 1, 1]),
        (derive_seed(experiment, "test", Purpose.DYNAMICS), [7, 1, 2, 0]),
        (
            derive_seed(experiment, "train", Purpose.LEARNING, name="hidden"),
            [7, 0, 4, zlib.crc32(b"hidden")],
        ),
    ):
        expected = np.random.SeedSequence(words)
        np.testing.assert_array_equal(found.generate_state(4), expected.generate_state(4))
