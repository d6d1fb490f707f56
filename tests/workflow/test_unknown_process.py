"""Trajectories of others, whose process is not known: no reactions, no kernel."""

import json

import numpy as np
import pytest
from typer.testing import CliRunner

from dynboltz.cli import app
from dynboltz.workflow import ExperimentError, load_experiment

INITIAL = """[initial]
source = "store"
train = "train.npz"
test = "test.npz"
times = "file"

"""


@pytest.fixture
def unknown(tiny):
    """A file without `network` and `kernel`, beside data at uneven times."""
    text = tiny.read_text()
    lattice = text[text.index("[lattice]") : text.index("[kernel]")]
    model = text[text.index("[models.visible]") : text.index("[presets")]
    model = model.replace('initial = "known"\n', "")
    tiny.write_text(f'name = "unknown"\nspecies = ["A"]\n{lattice}{INITIAL}{model}')
    random = np.random.default_rng(0)
    for part in ("train", "test"):
        state = random.random((8, 4, 12)) < np.linspace(0.7, 0.3, 4)[:, None]
        np.savez(
            tiny.with_name(f"{part}.npz"),
            state=state.astype(np.uint8),
            time=[0.0, 0.1, 0.2, 0.35],
            initial_condition=np.arange(8) // 4,
        )
    return tiny


def test_models_are_learned_and_what_needs_reactions_is_left_out(unknown, tmp_path):
    out = tmp_path / "out"
    result = CliRunner().invoke(app, ["run", str(unknown), "--out", str(out), "--threads", "1"])
    assert result.exit_code == 0, result.output
    assert result.stdout.count("Warning: The file names no `network`: mean field and") == 1
    metrics = json.loads((out / "metrics.json").read_text())
    assert list(metrics["models"]) == list(metrics["train"]["models"]) == ["visible"]
    np.testing.assert_allclose(metrics["times"], [0.0, 0.1, 0.2, 0.35])
    report = (out / "report.html").read_text()
    assert "The file names no" in report
    assert "mean field" not in report.replace("mean field and everything else", "")
    again = CliRunner().invoke(app, ["run", str(out)])
    assert again.exit_code == 0, again.output
    for command in (["predict", str(out), "visible"], ["interpret", str(out)]):
        result = CliRunner().invoke(app, command)
        assert result.exit_code == 0, result.output


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (('species = ["A"]\n', ""), "`network` is required, the reactions; only given"),
        (('times = "file"\n', ""), "`kernel`: is required: a table with kind ="),
        (("train.npz", "train"), "`kernel`: is required: a table with kind ="),
        (
            ("[models.visible]", '[evaluation]\nclosures = ["pair"]\n[models.visible]'),
            "`evaluation.closures`: needs `network`, the reactions",
        ),
    ],
)
def test_what_cannot_do_without_is_refused(unknown, changes, message):
    unknown.write_text(unknown.read_text().replace(*changes))
    with pytest.raises(ExperimentError) as error:
        load_experiment(unknown)
    assert message in str(error.value)
