"""The command `dynboltz`."""

from ._main import app as app
from ._main import main as main
