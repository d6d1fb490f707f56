"""Reading experiment files: presets, overrides, and messages that name the field."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError

from dynboltz._hints import did_you_mean
from dynboltz._text import decode_text

from ._errors import ExperimentError
from ._schema import ExperimentTable, Table
from ._toml import dotted

DESCRIBES_MODEL = {"terms", "elements"}
"""What every model has, on lattices and in boxes: a change with one of them is a new model."""
MAX_PROBLEMS = 5

AnyTable = TypeVar("AnyTable", bound=Table)


def read_raw(
    path: Path, *, preset: str | None, overrides: Sequence[str], seed: int | None
) -> dict[str, Any]:
    """Read and merge the tables of an experiment file."""
    raw = _read_toml(path)
    presets = raw.pop("presets", {})
    if preset is not None:
        if not isinstance(presets, dict) or preset not in presets:
            raise ExperimentError(
                f"{path}, `presets`: there is no preset {preset!r}; there are "
                f"{', '.join(presets) or 'none'}.{did_you_mean(preset, presets)}"
            )
        raw = merged(raw, presets[preset])
    models = raw.get("models")
    for override in overrides:
        raw = merged(raw, _parse_override(override))
    _check_new_models(path, models, raw.get("models"))
    if seed is not None:
        raw["seed"] = seed
    return raw


def _check_new_models(path: Path, old: Any, new: Any) -> None:
    """Raise `ExperimentError` if a change is of a model that neither it nor the file describes."""
    if not isinstance(old, dict) or not isinstance(new, dict):
        return
    for name, table in new.items():
        known = name in old or not isinstance(table, dict)
        if not known and not table.keys() & DESCRIBES_MODEL:
            near = did_you_mean(dotted(("models", name)), [dotted(("models", n)) for n in old])
            raise ExperimentError(
                f"{path}, `models`: there is no model {name!r} to change; there are "
                f"{', '.join(old)}.{near}"
            )


def checked(path: Path, raw: dict[str, Any], table: type[AnyTable]) -> AnyTable:
    """Settings that `table` allows; raise `ExperimentError` with file and field otherwise."""
    try:
        return table.model_validate(raw)
    except ValidationError as error:
        raise ExperimentError(_message(path, raw, error)) from error


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ExperimentError(f"{path}: cannot be read: {error.strerror}.") from error
    try:
        text = decode_text(data)
    except ValueError as error:
        raise ExperimentError(f"{path}: {error}") from error
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ExperimentError(f"{path}: is not TOML: {error}.") from error


def merged(table: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """`table` with `changes`, table by table; a list is replaced as a whole."""
    result = dict(table)
    for key, value in changes.items():
        old = result.get(key)
        tables = isinstance(old, Mapping) and isinstance(value, Mapping)
        result[key] = merged(old, value) if tables else value  # pyright: ignore[reportArgumentType]
    return result


_OVERRIDE_HELP = (
    "--set {}: is not KEY=VALUE with a TOML value{}. Write for example --set lattice.shape=[500] "
    "or --set 'lattice.boundary=\"periodic\"'."
)


def _parse_override(override: str) -> dict[str, Any]:
    try:
        settings = tomllib.loads(override)
    except tomllib.TOMLDecodeError as error:
        raise ExperimentError(_OVERRIDE_HELP.format(override, f": {error}")) from error
    if not settings:
        raise ExperimentError(_OVERRIDE_HELP.format(repr(override), ""))
    return settings


def _message(path: Path, raw: dict[str, Any], error: ValidationError) -> str:
    problems: dict[str, str] = {}
    for item in error.errors(include_url=False):
        field = _field(raw, item["loc"], missing=item["type"] == "missing")
        problems.setdefault(field, _problem(item))
    lines = [
        f"{path}, `{field}`: {problem}" if field else f"{path}: {problem}"
        for field, problem in problems.items()
    ]
    more = [f"... and {len(lines) - MAX_PROBLEMS} more."] if len(lines) > MAX_PROBLEMS else []
    return "\n".join(lines[:MAX_PROBLEMS] + more)


def _field(raw: Any, location: tuple[Any, ...], *, missing: bool) -> str:
    """Key of a location without the names of alternatives, which pydantic puts in between."""
    names: list[str] = []
    for place, step in enumerate(location):
        in_table = isinstance(raw, dict) and step in raw
        in_list = isinstance(raw, list) and isinstance(step, int) and step < len(raw)
        if in_table or in_list:
            names.append(str(step))
            raw = raw[step]
        elif missing and place == len(location) - 1:
            names.append(str(step))
    return dotted(tuple(names))


def _problem(item: Any) -> str:
    text = str(item["msg"]).removeprefix("Value error, ")
    text = text.replace("Input should", "must").replace("Field required", "is required")
    if item["type"] in ("missing", "value_error"):
        return f"{text}."
    return f"{text}; got {item['input']!r}."


def absolute_paths(table: ExperimentTable, directory: Path) -> ExperimentTable:
    """Paths of given trajectories that do not depend on where the program runs."""
    if table.initial.source != "store":
        return table
    paths = {
        part: str((directory / getattr(table.initial, part)).resolve())
        for part in ("train", "test")
    }
    return table.model_copy(update={"initial": table.initial.model_copy(update=paths)})
