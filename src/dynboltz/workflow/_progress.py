"""What stages tell about their progress."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Progress = Callable[[dict[str, Any]], None]
"""Called with `stage`, `step`, `total`, perhaps `model` and current errors by name."""


def silent(report: dict[str, Any]) -> None:
    """Tell nothing."""
