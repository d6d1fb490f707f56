"""Reading experiment files: presets, overrides, and messages that name the field."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError

from dynboltz._contents import KINDS, contents_of
from dynboltz._hints import did_you_mean
from dynboltz._text import decode_text

from ._allowed import NAME, allowed, alternatives, kinds_at, shown, tags_of
from ._errors import ExperimentError
from ._schema import ExperimentTable, Table
from ._toml import dotted

DESCRIBES_MODEL = {"terms", "elements", "family"}
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
        if not isinstance(presets[preset], dict):
            raise ExperimentError(
                f"{path}, `{dotted(('presets', preset))}`: must be a table of what differs; got "
                f"{shown(presets[preset])}."
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
        raise ExperimentError(_message(path, raw, table, error)) from error


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ExperimentError(f"{path}: cannot be read: {error.strerror}.") from error
    found = contents_of(path)
    if found in ("an empty file", *KINDS):
        raise ExperimentError(f"{path}: is {found}, where an experiment file (TOML) is expected.")
    try:
        text = decode_text(data)
    except ValueError as error:
        raise ExperimentError(f"{path}: {error}") from error
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ExperimentError(f"{path}: is not TOML, but {found}: {error}.") from error


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


def _message(path: Path, raw: dict[str, Any], table: type[Table], error: ValidationError) -> str:
    items = error.errors(include_url=False)
    found = [(*_problem(raw, table, item), item["input"]) for item in items]
    # Where a list or table is one of several alternatives, the others complain about all of it.
    outer = {keys[:length] for keys, _, _ in found for length in range(len(keys))}
    problems: dict[tuple[str | int, ...], str] = {}
    for keys, problem, given in found:
        if keys not in outer or not isinstance(given, dict | list):
            problems.setdefault(keys, problem)
    lines = [
        f"{path}, `{dotted(tuple(map(str, keys)))}`: {problem}" if keys else f"{path}: {problem}"
        for keys, problem in problems.items()
    ]
    more = [f"... and {len(lines) - MAX_PROBLEMS} more."] if len(lines) > MAX_PROBLEMS else []
    return "\n".join(lines[:MAX_PROBLEMS] + more)


def _keys(raw: Any, location: tuple[Any, ...], *, missing: bool) -> tuple[str | int, ...]:
    """Keys of a location without the names of alternatives, which pydantic puts in between."""
    keys: list[str | int] = []
    for place, step in enumerate(location):
        in_table = isinstance(raw, dict) and step in raw
        in_list = isinstance(raw, list) and isinstance(step, int) and step < len(raw)
        if in_table or in_list:
            keys.append(step)
            raw = raw[step]
        elif missing and place == len(location) - 1:
            keys.append(step)
    return tuple(keys)


def _problem(raw: Any, table: type[Table], item: Any) -> tuple[tuple[str | int, ...], str]:
    """Where something is wrong, what is allowed there and what was given.

    Pydantic says where, and what kind of error it is; the words are ours.
    """
    kind, given = item["type"], item["input"]
    keys = _keys(raw, item["loc"], missing=kind == "missing")
    if kind == "value_error":
        return keys, f"{str(item['msg']).removeprefix('Value error, ')}."
    if item["loc"][-1:] == ("[key]",):
        return keys, f"must be {NAME}."
    kinds = kinds_at(table, keys, raw)
    if isinstance(given, dict) and kind in ("union_tag_invalid", "union_tag_not_found"):
        tag, values = next(iter(tags_of(kinds).items()))
        keys = (*keys, tag)
        if tag not in given:
            return keys, f"is required: {alternatives(values)}."
        return (
            keys,
            f"must be {alternatives(values)}; got {shown(given[tag])}.{_hint(given[tag], values)}",
        )
    if kind == "missing":
        return keys, f"is required: {allowed(kinds)}."
    values = [value for one in kinds for value in one.values]
    return keys, f"must be {allowed(kinds)}; got {shown(given)}.{_hint(given, values)}"


def _hint(given: Any, values: Sequence[Any]) -> str:
    names = [value for value in values if isinstance(value, str)]
    return did_you_mean(given, names) if isinstance(given, str) else ""


def absolute_paths(table: ExperimentTable, directory: Path) -> ExperimentTable:
    """Paths of given trajectories that do not depend on where the program runs."""
    if table.initial.source != "store":
        return table
    paths = {
        part: str((directory / getattr(table.initial, part)).resolve())
        for part in ("train", "test")
    }
    return table.model_copy(update={"initial": table.initial.model_copy(update=paths)})
