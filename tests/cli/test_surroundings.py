"""Commands where surroundings are odd: devices, names of files and terminals."""

import io
import os
import subprocess
import sys

import pytest

from dynboltz.cli import _surroundings


def command(*arguments, **environment):
    return subprocess.run(
        [sys.executable, "-m", "dynboltz", *arguments],
        capture_output=True,
        check=False,
        env=os.environ | environment,
    )


def test_device_that_is_not_there_is_one_message():
    done = command("doctor", JAX_PLATFORMS="nothing")
    assert done.returncode == 2
    assert done.stderr.decode().splitlines() == [
        "Error: JAX_PLATFORMS=nothing: JAX finds no such device on this machine, or is not "
        "installed for it. Unset JAX_PLATFORMS, or set it to cpu."
    ]


@pytest.mark.parametrize("environment", [{}, {"LC_ALL": "C"}])
def test_names_that_are_no_text_are_printed_as_they_are(environment):
    done = command("run", b"no\xff\xe9.toml", **environment)
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert line.startswith(b"Error: no\xff\xe9.toml: there is no such experiment file.")


def test_network_in_a_file_whose_name_is_no_text(tmp_path):
    source, out = os.fsencode(tmp_path) + b"/m\xff.ant", os.fsencode(tmp_path) + b"/r\xff.txt"
    with open(source, "w") as file:
        file.write("A => ; k*A; k = 3")
    done = command("import-network", source, "--well-mixed", "--out", out)
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout == b"Reactions: " + out + b"\n"
    with open(out, encoding="utf-8") as file:
        assert file.read().endswith("A -> 0 ; k = 3\n")


def test_text_that_a_terminal_lacks_is_escaped(monkeypatch):
    written = io.BytesIO()
    for name in ("stdout", "stderr"):
        monkeypatch.setattr(sys, name, io.TextIOWrapper(written, encoding="ascii"))
    _surroundings._accept_any_text()
    print("a\udcff→", flush=True)
    assert written.getvalue() == b"a\xff\\u2192\n"
