import shutil
from pathlib import Path

import pytest


@pytest.fixture
def tiny_box(tmp_path):
    """Copy of a tiny experiment file with particles in a box."""
    return Path(shutil.copy(Path(__file__).with_name("tiny_box.toml"), tmp_path))


@pytest.fixture
def tiny_pairs(tmp_path):
    """Copy of a tiny experiment file with models in homogeneous space, with and without pairs."""
    return Path(shutil.copy(Path(__file__).with_name("tiny_pairs.toml"), tmp_path))
