"""Networks of many species: they run, or are refused before anything runs."""

import itertools
import json

import numpy as np
import pytest
from typer.testing import CliRunner

from dynboltz.cli import app
from dynboltz.distributions import observed_moments
from dynboltz.distributions._batches import MOST_BYTES, in_batches
from dynboltz.workflow import ExperimentError, load_experiment
from dynboltz.workflow._sizes import check_sizes

SPECIES = [f"A{number}" for number in range(10)]
BIASES = [f"b.{species}" for species in SPECIES]


def chain_of_decays(path, n_species=10, more=""):
    """A0 -> A1 -> ... on a ring, each derivative with one or two arguments."""
    species = SPECIES[:n_species]
    decays = [f"{a} -> {b} ; k = 1" for a, b in itertools.pairwise(species)]
    names = BIASES[:n_species]
    lists = {name: names[max(place - 1, 0) : place + 1] for place, name in enumerate(names)}
    lines = [
        'name = "many"',
        "seed = 1",
        'network = """',
        *decays,
        "A0 + A1 -> 0 ; k = 0.5",
        '"""',
        "lattice = { shape = [100], boundary = 'periodic' }",
        "kernel = { kind = 'continuous-time', hop_rate = 1.0, interval = 0.1, n_steps = 2 }",
        "[initial]",
        "source = 'distribution'",
        "model = 'visible'",
        "train = 2",
        "test = 1",
        "replicas = 4",
        "[initial.coefficients]",
        *(f"'{name}' = [-3.0, -2.0]" for name in names),
        "[models.visible]",
        f"terms = {names}",
        "initial = 'known'",
        "[models.visible.grid]",
        "outside = 'linear'",
        "[models.visible.grid.axes]",
        *(f"'{name}' = {{ cell = 1.0, lower = -9.0, upper = 3.0 }}" for name in names),
        "[models.visible.grid.arguments]",
        *(f"'{name}' = {some}" for name, some in lists.items()),
        "[models.visible.learning]",
        "steps = 1",
        "velocity_prior = 'none'",
    ]
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.mark.slow
def test_ten_species_run_to_their_report(tmp_path):
    path, out = chain_of_decays(tmp_path / "many.toml"), tmp_path / "out"
    result = CliRunner().invoke(app, ["run", str(path), "--out", str(out)])
    assert result.exit_code == 0, result.output
    assert (out / "report.html").is_file()
    errors = json.loads((out / "metrics.json").read_text())["models"]["visible"]["rmse"]
    assert np.shape(errors) == (3, 75)
    assert np.isfinite(errors).all()


def test_exact_moments_of_ten_species_are_those_of_independent_sites(tmp_path):
    experiment = load_experiment(chain_of_decays(tmp_path / "many.toml"))
    theta = np.linspace(-3.0, -1.0, 10) + np.linspace(0.0, 1.0, 40)[:, None]
    found = observed_moments(experiment.plans["visible"].model, theta, experiment.moments)
    weights = np.exp(theta)
    share = weights / (1 + weights.sum(axis=1, keepdims=True))
    for term, moment in zip(experiment.moments, found.T, strict=True):
        # Both orders of two different species next to each other count.
        expected = sum(
            np.prod([share[:, SPECIES.index(factor.species)] for factor in product], axis=0)
            for product in term.products
        )
        np.testing.assert_allclose(moment, expected, rtol=1e-10, err_msg=term.name)


@pytest.mark.parametrize(("n_species", "order"), [(2, 4), (7, 4), (8, 3), (10, 3)])
def test_moments_that_are_compared_have_exact_values(tmp_path, n_species, order):
    experiment = load_experiment(chain_of_decays(tmp_path / "many.toml", n_species))
    assert max(term.order for term in experiment.moments) == order


def test_functions_of_ten_arguments_are_refused_before_anything_runs(tmp_path):
    path = chain_of_decays(tmp_path / "many.toml")
    head, tail = path.read_text().split("[models.visible.grid.arguments]\n")
    path.write_text(head + tail[tail.index("[models.visible.learning]") :])
    for learning in ("true", "false"):
        experiment = load_experiment(
            path, overrides=[f"models.visible.learning.warm_start = {learning}"]
        )
        with pytest.raises(
            ExperimentError,
            match=r"bending energy of a function of 10 arguments \(b.A0, .* would need .*; choose "
            r"fewer `arguments` of each function",
        ):
            check_sizes(experiment)


def test_batches_are_smaller_where_rows_are_large():
    rows, seen = np.arange(300.0)[:, None], []

    def double(some):
        seen.append(len(some))
        return 2 * some

    np.testing.assert_array_equal(
        in_batches(double, rows, bytes_per_row=MOST_BYTES / 100), 2 * rows
    )
    assert set(seen) == {64}
    seen.clear()
    np.testing.assert_array_equal(in_batches(double, rows, bytes_per_row=1), 2 * rows)
    assert set(seen) == {256}
    seen.clear()
    np.testing.assert_array_equal(in_batches(double, rows, bytes_per_row=2 * MOST_BYTES), 2 * rows)
    assert set(seen) == {1}
