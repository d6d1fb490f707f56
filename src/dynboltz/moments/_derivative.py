"""The time derivative of one moment, as exact numbers of times the rate constants."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from fractions import Fraction

from dynboltz.lattices import Offset, Pattern

from ._events import EMPTY, OCCUPIED, Event, Rate
from ._geometry import Geometry

Coefficients = dict[Pattern, dict[Rate, Fraction]]
"""Number of times each rate constant of each moment on the right-hand side."""


def derivative(
    pattern: Pattern, events: Iterable[Event], species: tuple[str, ...], geometry: Geometry
) -> Coefficients:
    r"""Coefficients of $d\langle P \rangle / dt$ for the product $P$ of a pattern.

    The master equation gives $\sum_e \langle w_e [x \in e] (P(x_e) - P(x)) \rangle$ over the
    events $e$ at all places that change a site of $P$, with the state $x_e$ after it. The sites
    that an event changes are all in its condition, so that each term is a sum of products of what
    sites hold: what the event requires, and the factors of $P$ elsewhere. A required empty site
    is $1 - o$ with $o$ the sum over the species.
    """
    coarse: Coefficients = defaultdict(lambda: defaultdict(Fraction))
    wanted = dict(pattern)
    for event in events:
        for place in _places(event, wanted, geometry):
            moved = _moved(event, place, geometry)
            for product, sign in _change(moved, wanted):
                coarse[geometry.canonical(product.items())][event.rate] += sign * event.weight
    return _by_species(coarse, species, geometry)


def _places(event: Event, wanted: Mapping[Offset, str], geometry: Geometry) -> set[Offset]:
    """Translations that put a site that the event changes onto one of the product."""
    return {
        geometry.shift(site, tuple(-x for x in changed))
        for site in wanted
        for changed in event.after
    }


def _moved(event: Event, place: Offset, geometry: Geometry) -> Event:
    before = {geometry.shift(site, place): held for site, held in event.before.items()}
    after = {geometry.shift(site, place): held for site, held in event.after.items()}
    return Event(event.rate, event.weight, before, after)


def _change(event: Event, wanted: Mapping[Offset, str]) -> Iterator[tuple[dict[Offset, str], int]]:
    """Products without empty sites, and their signs, that add up to the change by an event."""
    touched = [site for site in wanted if site in event.after]
    gained = all(event.after[site] == wanted[site] for site in touched)
    lost = all(event.before[site] == wanted[site] for site in touched)
    if gained == lost:
        return
    product = dict(event.before)
    for site, held in wanted.items():
        if site not in event.after:
            if product.get(site, held) not in (held, OCCUPIED):
                return
            product[site] = held
    yield from _without_empty(product, 1 if gained else -1)


def _without_empty(
    product: dict[Offset, str], sign: int
) -> Iterator[tuple[dict[Offset, str], int]]:
    site = next((site for site, held in product.items() if held == EMPTY), None)
    if site is None:
        yield product, sign
        return
    rest = {other: held for other, held in product.items() if other != site}
    yield from _without_empty(rest, sign)
    yield from _without_empty({**rest, site: OCCUPIED}, -sign)


def _by_species(coarse: Coefficients, species: tuple[str, ...], geometry: Geometry) -> Coefficients:
    """Replace sites that hold any species by the sum over the species."""
    fine: Coefficients = defaultdict(lambda: defaultdict(Fraction))
    for pattern, numbers in coarse.items():
        if any(numbers.values()):
            for places in _filled(pattern, species):
                for rate, number in numbers.items():
                    fine[geometry.canonical(places)][rate] += number
    return {
        pattern: nonzero
        for pattern, numbers in fine.items()
        if (nonzero := {rate: number for rate, number in numbers.items() if number})
    }


def _filled(pattern: Pattern, species: tuple[str, ...]) -> Iterator[Pattern]:
    if not pattern:
        yield ()
        return
    (site, held), *rest = pattern
    for label in species if held == OCCUPIED else (held,):
        for others in _filled(tuple(rest), species):
            yield ((site, label), *others)
