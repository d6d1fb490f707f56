"""JSON files and attributes."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from dynboltz._arguments import checked

from ._errors import StoreError
from ._files import os_errors, replacing_file


def plain_json(value: Any, path: Path, key: str = "") -> Any:
    """`value` in the types that JSON has.

    NumPy scalars and arrays become numbers and lists, tuples become lists.

    Parameters
    ----------
    value
        Any nesting of mappings with string keys, sequences, numbers, strings and `None`.
    path
        The file, for the message.
    key
        Place of `value` in the file, for the message.

    Raises
    ------
    StoreError
        If a number is not finite, a key is no string, or a type has no counterpart.
    """
    if isinstance(value, np.generic | np.ndarray):
        value = value.tolist()
    if value is None or isinstance(value, str | bool | int):
        return value
    if isinstance(value, float):
        if not math.isfinite(value):
            raise StoreError(path, f"{value} is not allowed; use null.", key=key)
        return float(value)
    if isinstance(value, Mapping):
        return {_name(k, path, key): plain_json(v, path, _join(key, k)) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [plain_json(item, path, f"{key}[{i}]") for i, item in enumerate(value)]
    raise StoreError(
        path,
        f"a value of type {type(value).__name__} cannot be stored; allowed are numbers, strings, "
        "None, and lists and mappings of them.",
        key=key,
    )


def _name(name: Any, path: Path, key: str) -> str:
    if not isinstance(name, str):
        raise StoreError(path, f"keys must be strings, got {name!r}.", key=key)
    return name


def _join(key: str, name: Any) -> str:
    return f"{key}.{name}" if key else str(name)


@checked
def write_json(path: Path | str, obj: Any) -> None:
    """Write a JSON file in one step: after a crash it is the old one or the new one.

    Parameters
    ----------
    path
        The file; its directory is made if need be.
    obj
        Any nesting of mappings with string keys, sequences, NumPy arrays, finite numbers, strings
        and `None`.

    Raises
    ------
    StoreError
        If a number is NaN or infinite, a type has no counterpart in JSON, or the file cannot be
        written. The message names the place, `figures.rmse[3]`.
    """
    path = Path(path)
    text = json.dumps(plain_json(obj, path), indent=2, ensure_ascii=False, allow_nan=False)
    with replacing_file(path) as temporary:
        # Names of files that are no text: escapes that JSON reads back.
        temporary.write_text(text + "\n", encoding="utf-8", errors="backslashreplace")


@checked
def read_json(path: Path | str) -> Any:
    """Read a JSON file.

    Parameters
    ----------
    path
        The file.

    Raises
    ------
    StoreError
        If the file is missing, unreadable or not JSON.
    """
    path = Path(path)
    with os_errors(path, "read"):
        data = path.read_bytes()
    return parse_json(path, data)


def parse_json(path: Path, text: str | bytes, key: str | None = None) -> Any:
    """What JSON text from a file says; `StoreError` if it is none, or nested too deeply."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        given = "" if key is None else f"{text[:80]!r}: "
        reason = "nested too deeply" if isinstance(error, RecursionError) else error
        raise StoreError(path, f"is not JSON: {given}{reason}.", key=key) from error
