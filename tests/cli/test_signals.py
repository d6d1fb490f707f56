"""Signals to running commands, each in a process of its own."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

TINY = Path(__file__).parents[1] / "workflow" / "tiny.toml"
COMMAND = """
import signal
from dynboltz.cli import main
signal.signal(signal.SIGINT, signal.default_int_handler)  # jobs in the background ignore it
main()
"""


@pytest.mark.parametrize(
    ("command", "stage", "setting", "number", "code"),
    [
        pytest.param(
            *("run", "simulate", "initial.train = 10000", signal.SIGTERM, 143),
            marks=pytest.mark.slow,
        ),
        pytest.param(
            *("simulate --workers 2", "simulate", "initial.train = 10000", signal.SIGINT, 130),
            marks=pytest.mark.slow,
        ),
        ("run", "train", "models.visible.learning.steps = 1000000", signal.SIGINT, 130),
    ],
)
def test_a_signal_ends_a_command_with_a_message(tmp_path, command, stage, setting, number, code):
    arguments = [*command.split(), str(TINY), "--out", str(tmp_path / "out"), "--set", setting]
    command = [sys.executable, "-c", COMMAND, *arguments]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        for line in process.stderr:
            if line.startswith(stage):
                break
        process.send_signal(number)
        said = process.stderr.read()
        assert process.wait(timeout=30) == code
    assert "run the same command again to go on" in said
    assert "Traceback" not in said


def test_a_command_that_does_not_hear_the_signal_is_ended():
    deaf = """
import signal, sys, time
from dynboltz.cli import _signals
_signals.PATIENCE = 0.1
_signals.end_on_signals()
signal.signal(signal.SIGINT, lambda *_: None)
print("ready", file=sys.stderr, flush=True)
time.sleep(60)
"""
    with subprocess.Popen([sys.executable, "-c", deaf], stderr=subprocess.PIPE, text=True) as run:
        assert run.stderr.readline() == "ready\n"
        run.send_signal(signal.SIGINT)
        assert "run the same command again to go on" in run.stderr.read()
        assert run.wait(timeout=30) == 130
