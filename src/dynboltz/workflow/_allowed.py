"""What a setting may be, in words, from the annotations of the tables of an experiment file."""

from __future__ import annotations

import types
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal, NamedTuple, Union, get_args, get_origin

from pydantic.fields import FieldInfo

from ._schema import Table

LONGEST = 60
"""Characters of a given value that a message repeats."""
NAME = "a name of letters, digits, - and _ that begins with a letter or digit"
"""The only pattern of the tables; see `Name`."""
TAGS = ("source", "kind", "family")
"""Keys that distinguish tables; models in boxes differ by the kind of their elements."""


class Kind(NamedTuple):
    """A kind of values.

    Attributes
    ----------
    bare
        A type, `Literal[...]`, `list[...]` or `dict[...]`.
    bounds
        What is attached to it: `ge`, `gt`, `le`, `lt`, `min_length`, `max_length`, `pattern`, and
        `allow_inf_nan`.
    """

    bare: Any
    bounds: dict[str, Any]

    @property
    def is_table(self) -> bool:
        """Whether values are tables with known keys."""
        return isinstance(self.bare, type) and issubclass(self.bare, Table)

    @property
    def values(self) -> list[Any]:
        """The values, where they are listed."""
        return list(get_args(self.bare)) if get_origin(self.bare) is Literal else []

    @property
    def tags(self) -> dict[str, list[Any]]:
        """Keys whose values tell a table from others, and these values."""
        if not self.is_table:
            return {}
        found = {}
        for key, field in self.bare.model_fields.items():
            if key in TAGS and get_origin(field.annotation) is Literal:
                found[key] = list(get_args(field.annotation))
        return found


def kinds_at(table: type[Table], keys: Sequence[str | int], raw: Any) -> list[Kind]:
    """Kinds of values that are allowed at a place; none if there is no such place.

    Parameters
    ----------
    table
        The table that `raw` should be.
    keys
        Keys and places in lists that lead from there to the value.
    raw
        What was given; it decides between tables that a key tells apart.
    """
    kinds = [Kind(table, {})]
    for key in keys:
        kinds = [inner for kind in _fitting(kinds, raw) for inner in _inner(kind, key)]
        raw = _item(raw, key)
    return kinds


def tags_of(kinds: Sequence[Kind]) -> dict[str, list[Any]]:
    """Keys that tell alternative tables apart, and the values that they may have."""
    found: dict[str, list[Any]] = {}
    for kind in kinds:
        for key, values in kind.tags.items():
            found.setdefault(key, []).extend(values)
    return found


def allowed(kinds: Sequence[Kind]) -> str:
    """Say what a value may be, such as "a whole number of at least 1"."""
    words = [_in_words(kind) for kind in kinds if not kind.is_table]
    tables = [kind for kind in kinds if kind.is_table]
    if len(tables) == 1:
        words.append(f"a table with keys out of {', '.join(tables[0].bare.model_fields)}")
    elif tables:
        words.append("a table")
        for key, values in tags_of(tables).items():
            words[-1] += f" with {key} = {alternatives(values)}"
    return ", or ".join(dict.fromkeys(words))


def alternatives(values: Sequence[Any]) -> str:
    """Join values by commas and "or"."""
    *first, last = map(repr, values)
    return f"{', '.join(first)} or {last}" if first else last


def shown(value: Any) -> str:
    """Return a given value, or what it is if it is long."""
    if isinstance(value, Mapping):
        return "a table"
    if isinstance(value, bool):
        return str(value).lower()
    text = repr(value) if isinstance(value, str | list | int | float) else str(value)
    if len(text) <= LONGEST:
        return text
    return f"a list of {len(value)}" if isinstance(value, list) else f"{text[: LONGEST - 3]}..."


def _kinds(annotation: Any, bounds: Mapping[str, Any]) -> list[Kind]:
    """Alternatives of an annotation, without `None`."""
    if get_origin(annotation) is Annotated:
        annotation, *attached = get_args(annotation)
        return _kinds(annotation, {**bounds, **_bounds(attached)})
    if get_origin(annotation) in (Union, types.UnionType):
        return [kind for one in get_args(annotation) for kind in _kinds(one, bounds)]
    return [] if annotation is type(None) else [Kind(annotation, dict(bounds))]


def _bounds(attached: Sequence[Any]) -> dict[str, Any]:
    """What pydantic attaches to an annotation, by its name."""
    found: dict[str, Any] = {}
    for one in attached:
        if isinstance(one, FieldInfo):
            found |= _bounds(one.metadata)
        else:
            found |= {n: getattr(one, n) for n in _BOUND_NAMES if getattr(one, n, None) is not None}
    return found


_BOUND_NAMES = ("ge", "gt", "le", "lt", "min_length", "max_length", "pattern", "allow_inf_nan")


def _inner(kind: Kind, key: str | int) -> list[Kind]:
    """Return what a kind of values holds under a key."""
    if kind.is_table:
        field = kind.bare.model_fields.get(key)
        return [] if field is None else _kinds(field.annotation, _bounds(field.metadata))
    origin, inner = get_origin(kind.bare), get_args(kind.bare)
    if (origin is dict and isinstance(key, str)) or (origin is list and isinstance(key, int)):
        return _kinds(inner[-1], {})
    return []


def _fitting(kinds: Sequence[Kind], raw: Any) -> Sequence[Kind]:
    """Return the tables whose tags agree with what was given, or all kinds if none does."""
    tables = [kind for kind in kinds if kind.is_table]
    if not isinstance(raw, Mapping) or len(tables) < 2:
        return kinds
    return [kind for kind in tables if _has_tags(kind, raw)] or kinds


def _has_tags(kind: Kind, raw: Any) -> bool:
    given = raw if isinstance(raw, Mapping) else {}
    if not all(given.get(key, kind.bare.model_fields[key].default) in values
               for key, values in kind.tags.items()):  # fmt: skip
        return False
    return all(_has_tags(inner, given.get("elements")) for inner in _inner(kind, "elements"))


def _item(raw: Any, key: str | int) -> Any:
    try:
        return raw[key]
    except (KeyError, IndexError, TypeError):
        return None


def _in_words(kind: Kind) -> str:
    bare, bounds = kind
    if get_origin(bare) is Literal:
        return alternatives(get_args(bare))
    if get_origin(bare) is list:
        each = allowed(_kinds(get_args(bare)[0], {}))
        return f"a list{_length(bounds)}, each {each}"
    if get_origin(bare) is dict:
        return f"a table of values by name, each {allowed(_kinds(get_args(bare)[1], {}))}"
    if bare is bool:
        return "true or false"
    if bare is str:
        text = "text that is not empty" if "min_length" in bounds else "text"
        return NAME if "pattern" in bounds else text
    number = "whole number" if bare is int else "finite number"
    return f"a {number}{_range(bounds)}"


def _range(bounds: Mapping[str, Any]) -> str:
    words = (("ge", "of at least"), ("gt", "greater than"), ("le", "at most"), ("lt", "less than"))
    found = [f"{word} {bounds[name]}" for name, word in words if name in bounds]
    return f" {' and '.join(found)}" if found else ""


def _length(bounds: Mapping[str, Any]) -> str:
    least, most = bounds.get("min_length"), bounds.get("max_length")
    if least is None:
        return ""
    if most is None:
        return f" of at least {least} {'entry' if least == 1 else 'entries'}"
    return f" of {least} entries" if least == most else f" of {least} to {most} entries"
