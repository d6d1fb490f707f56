"""Wall time of whole experiments, stage by stage, beside simulating once more.

A reduced model pays off once its making and its predictions cost less than the simulations that
they replace, so that the stages stand beside the stage `simulate` of the same run.
"""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

STAGES = ("simulate", "fit", "train", "evaluate")


@pytest.mark.parametrize("preset", ["quick", "none"])
def test_run_annihilation(benchmark, tmp_path, preset):
    """The command as users run it; the first round compiles and is not counted."""
    options = [] if preset == "none" else ["--preset", preset]
    runs = iter(range(100))
    seconds: list[dict[str, float]] = []

    def run():
        out = tmp_path / str(next(runs))
        command = [sys.executable, "-m", "dynboltz", "run", "annihilation", *options, "--out"]
        subprocess.run([*command, str(out)], check=True, capture_output=True)
        seconds.append(json.loads((out / "metrics.json").read_text())["wall_seconds"])

    benchmark.pedantic(run, rounds=2, warmup_rounds=1)
    parts = {stage: min(s[stage] for s in seconds[1:]) for stage in STAGES}
    parts["start-up, figures and report"] = benchmark.stats.stats.min - sum(parts.values())
    benchmark.extra_info["seconds"] = {name: round(value, 1) for name, value in parts.items()}
    ratios = {name: round(value / parts["simulate"], 2) for name, value in parts.items()}
    benchmark.extra_info["relative to simulate"] = ratios
