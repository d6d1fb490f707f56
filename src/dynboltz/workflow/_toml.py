"""Writing TOML, which the standard library only reads."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any


def toml_text(table: Mapping[str, Any]) -> str:
    """TOML text of nested tables of strings, numbers, truth values and lists."""
    return "\n".join(_lines(table, ())) + "\n"


def _lines(table: Mapping[str, Any], path: tuple[str, ...]) -> list[str]:
    inner = {key: value for key, value in table.items() if isinstance(value, Mapping)}
    lines = [f"{_key(key)} = {toml_value(v)}" for key, v in table.items() if key not in inner]
    for key, value in inner.items():
        place = (*path, key)
        only_tables = value and all(isinstance(item, Mapping) for item in value.values())
        header = [] if only_tables else ["", f"[{dotted(place)}]"]
        lines += [*header, *_lines(value, place)]
    return lines


def dotted(path: tuple[str, ...]) -> str:
    """Dotted TOML key of a path, quoted where needed."""
    return ".".join(map(_key, path))


def _key(key: str) -> str:
    return key if re.fullmatch(r"[A-Za-z0-9_-]+", key) else _string(key)


def _string(text: str) -> str:
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def toml_value(value: Any) -> str:
    """TOML text of a string, a number, a truth value, a list or an inline table."""
    if isinstance(value, str):
        return _string(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(toml_value, value))}]"
    if isinstance(value, Mapping):
        return f"{{ {', '.join(f'{_key(k)} = {toml_value(v)}' for k, v in value.items())} }}"
    return repr(value)
