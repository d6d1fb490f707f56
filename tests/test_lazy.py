"""Modules that are imported when they are first used."""

import subprocess
import sys

import pytest

from dynboltz._lazy import lazy_module


def test_a_module_is_the_real_one():
    assert lazy_module("json").loads("[1]") == [1]
    with pytest.raises(ModuleNotFoundError, match="no_such_module"):
        lazy_module("no_such_module")


def test_predictions_import_no_solvers():
    """Seconds that the first prediction of a process would wait for."""
    code = (
        "import sys; from dynboltz import load; "
        "slow = ('diffrax._integrate', 'sympy.core', 'sklearn', 'matplotlib', 'optax'); "
        "print([name for name in slow if name in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
