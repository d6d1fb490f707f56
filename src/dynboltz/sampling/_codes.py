"""Codes: the few integers that the conditional distribution of a unit depends on.

Each partner adds a number to the code of a unit according to what it holds. Partners in products
with other partners write their label as a digit of their own; the rest are counted, one digit for
each group of equivalent partners and each label that matters.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Int64

from ._local_rule import LocalProduct, LocalRule

MAX_CODES = 1 << 14


@dataclass(frozen=True)
class Codes:
    """Codes of the units of a layer.

    Attributes
    ----------
    increments
        What each partner adds to the code for each label it may hold.
    coefficients
        Coefficients that enter the fields, in increasing order.
    counts
        How often each of them enters the field of each species, for each code; no codes if there
        would be more than `MAX_CODES`, or if units have coefficients of their own.
    occurs
        Whether a unit can have each code; equivalent partners hold no more labels than they are.
    """

    increments: Int64[np.ndarray, "partners labels"]
    coefficients: Int64[np.ndarray, " coefficients"]
    counts: Int64[np.ndarray, "codes species coefficients"]
    occurs: Bool[np.ndarray, " codes"]


class _Digit(NamedTuple):
    """A digit of the code: the label of one partner, or how many partners hold `label`."""

    partners: tuple[int, ...]
    label: int | None
    size: int


def make_codes(rule: LocalRule) -> Codes:
    """Find codes for the units that obey a rule."""
    if not rule.is_tied:
        return _no_codes(rule)
    digits = [*_label_digits(rule), *_count_digits(rule)]
    sizes = tuple(digit.size for digit in digits)
    if np.prod(np.array(sizes, dtype=float)) > MAX_CODES:
        return _no_codes(rule)
    increments = _no_increments(rule)
    for place, digit in enumerate(digits):
        radix = int(np.prod(sizes[place + 1 :]))
        if digit.label is None:
            increments[digit.partners[0]] = radix * np.arange(increments.shape[1])
        else:
            increments[list(digit.partners), digit.label] = radix
    values = np.indices(sizes, dtype=np.int64).reshape(len(sizes), int(np.prod(sizes)))
    coefficients = sorted({product.coefficients[0] for product in rule.products})
    counts = np.zeros((values.shape[1], rule.n_species, len(coefficients)), dtype=np.int64)
    for product in rule.products:
        place = coefficients.index(product.coefficients[0])
        counts[:, product.species, place] += _count(product, digits, values)
    return Codes(increments, np.array(coefficients, np.int64), counts, _occurs(digits, values))


def _no_codes(rule: LocalRule) -> Codes:
    none = np.zeros((0, rule.n_species, 0), dtype=np.int64)
    return Codes(_no_increments(rule), np.zeros(0, dtype=np.int64), none, np.zeros(0, dtype=bool))


def _no_increments(rule: LocalRule) -> Int64[np.ndarray, "partners labels"]:
    return np.zeros((len(rule.partners), max(rule.n_labels, default=1)), dtype=np.int64)


def _own_digit(rule: LocalRule) -> set[int]:
    return {place for p in rule.products if len(p.factors) > 1 for place, _ in p.factors}


def _label_digits(rule: LocalRule) -> Iterator[_Digit]:
    for partner in sorted(_own_digit(rule)):
        yield _Digit((partner,), None, rule.n_labels[partner])


def _count_digits(rule: LocalRule) -> Iterator[_Digit]:
    own = _own_digit(rule)
    groups: dict[tuple, list[int]] = {}
    for partner in set(range(len(rule.partners))) - own:
        role = sorted(
            (p.factors[0][1], p.species, p.coefficients)
            for p in rule.products
            if len(p.factors) == 1 and p.factors[0][0] == partner
        )
        groups.setdefault(tuple(role), []).append(partner)
    for role, partners in groups.items():
        for label in sorted({label for label, _, _ in role}):
            yield _Digit(tuple(partners), label, len(partners) + 1)


def _count(
    product: LocalProduct, digits: list[_Digit], values: Int64[np.ndarray, "digits codes"]
) -> Int64[np.ndarray, " codes"]:
    """How often a product holds, for each code.

    The products of a group of equivalent partners hold as often as its digit says, all together;
    the first of them stands for all.
    """
    total = np.ones(values.shape[1], dtype=np.int64)
    for partner, label in product.factors:
        for digit, value in zip(digits, values, strict=True):
            if partner not in digit.partners:
                continue
            if digit.label is None:
                total *= value == label
            elif digit.label == label:
                total *= value if partner == digit.partners[0] else 0
    return total


def _occurs(
    digits: list[_Digit], values: Int64[np.ndarray, "digits codes"]
) -> Bool[np.ndarray, " codes"]:
    """Whether the counts of every group of partners add up to no more than their number."""
    occurs = np.ones(values.shape[1], dtype=bool)
    for partners in {digit.partners for digit in digits if digit.label is not None}:
        counted = [d.partners == partners and d.label is not None for d in digits]
        occurs &= values[counted].sum(axis=0) <= len(partners)
    return occurs
