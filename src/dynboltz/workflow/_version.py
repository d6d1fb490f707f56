"""The version of the package."""

from __future__ import annotations

from importlib import metadata


def version() -> str:
    """Version of the installed package."""
    return metadata.version("dynboltz")
