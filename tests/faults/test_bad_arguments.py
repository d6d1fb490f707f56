"""Every public function refuses bad arguments in the package's own words, or accepts them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
PACKAGES = sorted(path.stem for path in (HERE / "arguments").glob("[a-z]*.py"))
FEW, MANY = 500, 20_000


def wrong_answers(packages, n_calls):
    # A process of its own: users have no annotations that are checked by beartype.
    found = subprocess.run(
        [sys.executable, str(HERE / "bad_arguments.py"), ",".join(packages), str(n_calls)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert found.returncode == 0, found.stderr
    return found.stdout


def test_bad_arguments_end_in_messages_of_the_package():
    assert wrong_answers(PACKAGES, -(-FEW // len(PACKAGES))) == ""


@pytest.mark.slow
@pytest.mark.timeout(36000)
@pytest.mark.parametrize("package", PACKAGES)
def test_many_bad_arguments_end_in_messages_of_the_package(package):
    assert wrong_answers([package], -(-MANY // len(PACKAGES))) == ""
