import shutil
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def tiny_source():
    """A tiny experiment file."""
    return Path(__file__).parents[1] / "workflow" / "tiny.toml"


@pytest.fixture
def tiny(tmp_path, tiny_source):
    """Copy of a tiny experiment file."""
    return Path(shutil.copy(tiny_source, tmp_path))
