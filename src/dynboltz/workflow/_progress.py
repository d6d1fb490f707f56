"""What stages tell about their progress."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Progress = Callable[[dict[str, Any]], None]
"""Called with `stage`, `step`, `total`, perhaps `model`, the `unit` of steps and current errors."""


def silent(report: dict[str, Any]) -> None:
    """Tell nothing."""
