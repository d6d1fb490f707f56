"""Patterns: species at offsets, written `A(0) B(1)`, and the terms that count them."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Sequence
from operator import mod, mul, sub

from dynboltz._arguments import checked

from ._term import Factor, Term

Offset = tuple[int, ...]
Pattern = tuple[tuple[Offset, str], ...]
"""Offsets and the species there, in order; the empty pattern holds everywhere."""

_PLACE = re.compile(r"([^\W\d]\w*)\s*\(\s*([+-]?\d+(?:\s*,\s*[+-]?\d+)*)\s*\)\s*")


@checked
def parse_pattern(text: str) -> Pattern:
    """Read species at offsets.

    Parameters
    ----------
    text
        `A(0) B(1)` on a chain, `A(0,0) A(0,1)` on a plane: one or more species, each followed by
        its offset in parentheses.

    Raises
    ------
    ValueError
        If the text is malformed, the offsets have different numbers of axes or more than three,
        or one site is named twice.
    """
    places: list[tuple[Offset, str]] = []
    position = len(text) - len(text.lstrip())
    while found := _PLACE.match(text, position):
        places.append((tuple(int(x) for x in found[2].split(",")), found[1]))
        position = found.end()
    if not places or position < len(text):
        raise ValueError(
            f"{text!r} is no pattern of species at offsets, at {text[position:] or 'its end'!r}. "
            "Write A(0) B(1) on a chain, A(0,0) B(0,1) on a plane."
        )
    return check_pattern(tuple(sorted(places)))


@checked
def check_pattern(pattern: Pattern) -> Pattern:
    """Return the pattern, or raise `ValueError` if it cannot hold on any lattice."""
    offsets = [offset for offset, _ in pattern]
    axes = sorted({len(offset) for offset in offsets})
    if len(axes) > 1 or any(not 1 <= n <= 3 for n in axes):
        raise ValueError(
            f"The offsets of the pattern {pattern_text(pattern)!r} must have the same number of "
            f"entries, one for each of one to three axes; got {', '.join(map(str, axes))}."
        )
    if len(set(offsets)) < len(offsets):
        raise ValueError(
            f"The pattern {pattern_text(pattern)!r} names one site twice; a site holds at "
            "most one particle."
        )
    return pattern


@checked
def pattern_text(pattern: Pattern) -> str:
    """Text from which `parse_pattern` reads the pattern, `A(0) B(1)`; `1` for the empty one."""
    places = (f"{label}({','.join(map(str, offset))})" for offset, label in pattern)
    return " ".join(places) or "1"


@checked
def anchored(pattern: Pattern, periods: tuple[int, ...] | None = None) -> Pattern:
    """Translate a pattern to where all its translations meet.

    Without periods its least coordinate along each axis is then 0; on a periodic lattice with
    `periods` sites along the axes it is the smallest of those with a species at the origin.
    """
    if not pattern:
        return pattern
    _check_axes("anchored", pattern, periods)
    return _anchored(pattern, periods)


def _anchored(pattern: Pattern, periods: tuple[int, ...] | None) -> Pattern:
    if periods is None:
        least = tuple(map(min, zip(*(offset for offset, _ in pattern), strict=True)))
        return tuple(sorted((tuple(map(sub, offset, least)), s) for offset, s in pattern))
    return min(
        tuple(sorted((tuple(map(mod, map(sub, o, origin), periods)), s) for o, s in pattern))
        for origin, _ in pattern
    )


@checked
def wrap(site: Offset, periods: tuple[int, ...] | None) -> Offset:
    """Site of a periodic lattice, or the site itself without periods."""
    if periods is None:
        return site
    _check_axes("wrap", ((site, ""),), periods)
    return tuple(map(mod, site, periods))


@checked
def pattern_images(pattern: Pattern, periods: tuple[int, ...] | None = None) -> tuple[Pattern, ...]:
    """Images of a pattern under reflections and permutations of the axes, translations aside.

    Parameters
    ----------
    pattern
        The pattern.
    periods
        Numbers of sites of a periodic lattice; only axes that are as long as each other are then
        permuted, and offsets that differ by periods are the same.

    Returns
    -------
    images
        The different ones, sorted.
    """
    if not pattern:
        return (pattern,)
    check_pattern(pattern)
    _check_axes("pattern_images", pattern, periods)
    found = set()
    for axes, signs in _symmetries(len(pattern[0][0]), periods):
        moved = ((tuple(map(mul, signs, [o[a] for a in axes])), s) for o, s in pattern)
        found.add(_anchored(tuple(moved), periods))
    return tuple(sorted(found))


@checked
def pattern_term(name: str, patterns: Sequence[Pattern]) -> Term:
    """Term that counts every one of some patterns, such as the images of one."""
    return Term(
        name, tuple(tuple(Factor(label, o) for o, label in pattern) for pattern in patterns)
    )


def _check_axes(where: str, pattern: Pattern, periods: tuple[int, ...] | None) -> None:
    axes = {len(offset) for offset, _ in pattern} | ({len(periods)} if periods else set())
    if len(axes) > 1:
        raise ValueError(
            f"{where}: offsets and periods must have the same number of entries, got "
            f"{pattern_text(pattern)!r} with periods {periods}."
        )
    if periods is not None and not (periods and min(periods) > 0):
        raise ValueError(f"{where}: `periods` must be positive, got {periods}.")


def _symmetries(
    dim: int, periods: tuple[int, ...] | None
) -> Iterator[tuple[tuple[int, ...], tuple[int, ...]]]:
    """Axes that take the places of the axes, and their signs."""
    for axes in itertools.permutations(range(dim)):
        if periods is None or tuple(periods[a] for a in axes) == periods:
            for signs in itertools.product((1, -1), repeat=dim):
                yield axes, signs
