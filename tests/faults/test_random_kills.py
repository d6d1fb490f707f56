"""Commands killed at random moments and run again, until all is done."""

from __future__ import annotations

import multiprocessing
import shutil
from pathlib import Path

import jax
import numpy as np
import pytest

from dynboltz import store, workflow

TINY = Path(__file__).parents[1] / "workflow" / "tiny.toml"
SECONDS = 4.0
"""About what everything takes once it is compiled."""
FORKS = multiprocessing.get_context("forkserver")
FORKS.set_forkserver_preload(["dynboltz.workflow"])


def everything(folder: Path) -> None:
    """Simulate in two shards, merge, fit, train, evaluate; keep what is there."""
    jax.config.update("jax_compilation_cache_dir", str(folder.parent / "jax"))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
    experiment = workflow.load_experiment(TINY)
    shards = [folder / "shard-1", folder / "shard-2"]
    for number, path in enumerate(shards, start=1):
        share = workflow.Shard(number, len(shards))
        workflow.simulate(experiment, workflow.claim(experiment, path), shard=share)
    directory = workflow.merge(shards, folder / "out")
    for stage in (workflow.fit, workflow.train, workflow.evaluate):
        stage(experiment, directory)


def run(folder: Path, seconds: float | None) -> bool:
    """Whether everything ended by itself, or was killed after some seconds."""
    process = FORKS.Process(target=everything, args=(folder,))
    process.start()
    process.join(seconds)
    if ended := process.exitcode is not None:
        assert process.exitcode == 0
    process.kill()
    process.join()
    return ended


def products(folder: Path) -> dict[str, bytes]:
    """Files of all results that count, apart from seconds."""
    files = {}
    for path in folder.glob("*/*/*.zarr"):
        if path.parent.name != "trajectories":
            files |= {file: file for file in path.rglob("*") if file.is_file()}
        else:
            trajectories = store.resume_trajectories(path)
            written = [n for n in range(trajectories.n_blocks) if trajectories.is_written(n)]
            keys = [key for number in written for key in trajectories.keys(number)]
            files |= {path / key: path / key for key in keys}
    for aside in folder.glob("*/*/.*.zarr.replaced"):
        name = aside.with_name(aside.name.removeprefix(".").removesuffix(".replaced"))
        if not name.exists():
            files |= {name / f.relative_to(aside): f for f in aside.rglob("*") if f.is_file()}
    return {str(name.relative_to(folder)): file.read_bytes() for name, file in files.items()}


@pytest.mark.parametrize("n_kills", [pytest.param(200, marks=pytest.mark.slow), 20])
def test_killed_at_random_moments_everything_ends_with_the_same_bytes(tmp_path, n_kills):
    assert run(tmp_path / "whole", None)
    right = products(tmp_path / "whole")
    random, killed, folder = np.random.default_rng(1), 0, tmp_path / "killed"
    there: dict[str, bytes] = {}
    while killed < n_kills or there:
        ended = run(folder, random.uniform(0, SECONDS) if killed < n_kills else None)
        killed += not ended
        now = products(folder) if folder.exists() else {}
        assert there.items() <= now.items()
        assert now.items() <= right.items()
        there = now
        if ended:
            assert now == right
            shutil.rmtree(folder)
            there = {}
    assert killed == n_kills
