import shutil
from pathlib import Path

import pytest


@pytest.fixture
def tiny_box(tmp_path):
    """Copy of a tiny experiment file with particles in a box."""
    return Path(shutil.copy(Path(__file__).with_name("tiny_box.toml"), tmp_path))
