"""A clock that is set back while commands run."""

import itertools
import time
from pathlib import Path

from dynboltz.workflow import claim, evaluate, fit, load_experiment, simulate, train

TINY = Path(__file__).parents[1] / "workflow" / "tiny.toml"
STAGES = simulate, fit, train, evaluate


def products(folder):
    """Files of all results, apart from those that hold seconds."""
    experiment = load_experiment(TINY)
    directory = claim(experiment, folder)
    for stage in STAGES:
        stage(experiment, directory)
    files = [path for path in folder.rglob("*") if path.is_file() and ".zarr" in str(path)]
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def test_a_clock_that_goes_backwards_changes_nothing(tmp_path, monkeypatch):
    right = products(tmp_path / "right")
    now = time.time()
    hours = itertools.count()
    monkeypatch.setattr(time, "time", lambda: now - 3600 * next(hours))
    monkeypatch.setattr(time, "time_ns", lambda: int(1e9 * time.time()))
    assert products(tmp_path / "backwards") == right
    assert right
