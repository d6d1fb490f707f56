"""Every public function refuses bad arguments in the package's own words, or accepts them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from fuzzing import SLOW

HERE = Path(__file__).parent
PACKAGES = sorted(path.stem for path in (HERE / "arguments").glob("[a-z]*.py"))
FEW, MANY = 500, 20_000


def share(n_calls):
    return -(-n_calls // len(PACKAGES))


@pytest.mark.parametrize("package", PACKAGES)
@pytest.mark.parametrize("n_calls", [share(FEW), pytest.param(share(MANY), marks=SLOW)])
def test_bad_arguments_end_in_messages_of_the_package(package, n_calls):
    # A process of its own: users have no annotations that are checked by beartype.
    found = subprocess.run(
        [sys.executable, str(HERE / "bad_arguments.py"), package, str(n_calls)],
        capture_output=True,
        text=True,
        check=False,
    )
    wrong = [json.loads(line) for line in found.stdout.splitlines()]
    assert not wrong, "\n".join(map(str, wrong))
    assert found.returncode == 0, found.stderr
