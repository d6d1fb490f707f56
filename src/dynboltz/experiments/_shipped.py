"""Finding the shipped experiment files."""

from __future__ import annotations

from pathlib import Path


def shipped_experiments() -> dict[str, Path]:
    """Files of the shipped experiments by name, in alphabetical order."""
    return {path.stem: path for path in sorted(Path(__file__).parent.glob("*.toml"))}
