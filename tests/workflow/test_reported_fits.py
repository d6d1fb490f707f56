"""Fits that end worse than they start are reported on the command line too."""

import json

from typer.testing import CliRunner

from dynboltz.cli import app


def test_a_fit_that_runs_away_is_reported(tiny, tmp_path):
    text = tiny.read_text().replace('initial = "known"', 'initial = "fitted"', 1)
    settings = "moments = 'contrastive-divergence'\noptimiser = 'sgd'\nlearning_rate = 100.0\n"
    tiny.write_text(f"{text}\n[models.visible.fit]\n{settings}steps = 20\n")
    out = tmp_path / "out"
    learning = ("warm_start = false", "steps = 1", "velocity_prior = 'none'")
    options = [w for one in learning for w in ("--set", f"models.visible.learning.{one}")]
    for stage in (["simulate", str(tiny), *options, "--out"], ["fit"], ["train"], ["evaluate"]):
        result = CliRunner().invoke(app, [*stage, str(out)])
        assert result.exit_code == 0, result.output
    warnings = json.loads((out / "metrics.json").read_text())["warnings"]
    assert any("visible: at time 0, " in w and "fits end worse than they" in w for w in warnings)
