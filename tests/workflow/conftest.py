import shutil
from pathlib import Path

import pytest


@pytest.fixture
def tiny(tmp_path):
    """Copy of a tiny experiment file."""
    return Path(shutil.copy(Path(__file__).with_name("tiny.toml"), tmp_path))
