"""One writer a result directory, the other one in a process of its own."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from dynboltz.workflow import ExperimentError, claim, load_experiment, simulate
from dynboltz.workflow._lock import LOCK, OWNER, only_writer

HOLD = """
import sys, time
from pathlib import Path
from dynboltz.workflow._lock import only_writer
with only_writer(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture(scope="module")
def experiment():
    return load_experiment(Path(__file__).with_name("tiny.toml"))


@pytest.fixture
def holder(experiment, tmp_path):
    """A process that writes to the directory of an experiment."""
    directory = claim(experiment, tmp_path / "out")
    command = [sys.executable, "-c", HOLD, str(directory.path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        yield directory, process
        process.kill()


def test_a_second_process_is_refused_until_the_first_one_ends(experiment, holder):
    directory, process = holder
    with pytest.raises(ExperimentError, match=rf"out: another process .* \(process {process.pid} "):
        simulate(experiment, directory)
    assert not directory.trajectories("train").exists()
    (directory.path / OWNER).write_text("{")
    with pytest.raises(ExperimentError, match=r"another process writes there\. Wait"):
        claim(load_experiment(experiment.source, seed=6), directory.path)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert (directory.path / OWNER).exists()
    simulate(experiment, directory)
    assert directory.trajectories("train").exists()
    assert not (directory.path / OWNER).exists()


def test_a_process_may_lock_again_and_leaves_nothing(tmp_path):
    with only_writer(tmp_path):
        with only_writer(tmp_path):
            assert (tmp_path / OWNER).exists()
        assert (tmp_path / OWNER).exists()
    assert not (tmp_path / OWNER).exists()


def test_the_lock_is_no_result(experiment, tmp_path):
    (tmp_path / LOCK).touch()
    (tmp_path / OWNER).touch()
    assert claim(experiment, tmp_path).experiment.is_file()
