"""Errors of use that can be told before anything that takes seconds is imported."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from dynboltz._hints import did_you_mean
from dynboltz._text import decode_text


def check_file(path: Path, suffixes: Sequence[str], *, overwrite: bool) -> None:
    """Raise `ValueError` for a file that cannot be written, or must not be replaced."""
    if path.suffix not in suffixes:
        raise ValueError(f"{path}, `--out`: must end in {' or '.join(suffixes)}.")
    if path.is_dir():
        raise ValueError(f"{path}, `--out`: is a directory; give the name of a file.")
    if path.exists() and not overwrite:
        raise ValueError(
            f"{path}, `--out`: is there already; give another name, or --overwrite to replace it."
        )
    if path.exists() and not os.access(path, os.W_OK):
        raise ValueError(f"{path}, `--out`: is read-only; give another name.")
    folder = next(parent for parent in path.parents if os.path.exists(parent))
    if not folder.is_dir():
        raise ValueError(f"{path}, `--out`: {folder} is a file, not a directory.")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise ValueError(
            f"{path}, `--out`: you may not write into {folder}; give a name elsewhere."
        )


def check_model(directory: Path, name: str | None) -> None:
    """Raise `ValueError` for a model that the experiment of a result directory does not have.

    What else may be wrong with the directory is left to those who read all of it.
    """
    models = model_tables(directory)
    if name is not None and models and name not in models:
        raise ValueError(
            f"{directory}: has no model {name!r}; there are {', '.join(models)}."
            f"{did_you_mean(name, models)}"
        )


def model_tables(directory: Path) -> dict[str, Any]:
    """Tables of the models of a result directory by name; none if they cannot be read."""
    try:
        content = tomllib.loads(decode_text((directory / "experiment.toml").read_bytes()))
        return dict(content["models"])
    except (OSError, ValueError, KeyError, TypeError):
        return {}
