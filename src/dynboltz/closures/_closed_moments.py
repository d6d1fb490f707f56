"""Closed moments in numbers: tables of monomials in what a closure follows."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from types import ModuleType, SimpleNamespace
from typing import Any, final

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Float64, Int64
from scipy import sparse

from dynboltz.moments import LinearSystem

from ._expression import Expression, Monomial

VANISHING = 1e-14
"""A divisor up to this size counts as zero, and what is divided by it as zero too."""

Affine = Mapping[Hashable, int]
"""Number of times each followed moment, and the key `None` for a constant."""


@final
@dataclass(frozen=True, eq=False)
class ClosedMoments:
    r"""Linear functions of followed moments and of products of powers of such functions.

    $$y = c + M \mu + W \Big( \prod_l f_{j_{kl}}^{\pm 1} \Big)_k, \qquad f = b + A \mu$$

    The factors $f$ are probabilities of what sites hold, or moments themselves; the quotient by a
    factor that vanishes is zero.

    Attributes
    ----------
    constant, linear
        $c$ and $M$.
    factor_constant, factor_matrix
        $b$ and $A$.
    table
        Places $j$ of the factors of each monomial among the factors, their reciprocals, and 1.
    weights
        $W$.
    """

    constant: Float64[np.ndarray, " outputs"]
    linear: Float64[np.ndarray, "outputs moments"]
    factor_constant: Float64[np.ndarray, " factors"]
    factor_matrix: Float64[np.ndarray, "factors moments"]
    table: Int64[np.ndarray, "width monomials"]
    weights: Float64[np.ndarray, "outputs monomials"]

    @classmethod
    def of(
        cls,
        expressions: Sequence[Expression],
        moments: Sequence[Hashable],
        affine: Callable[[Any], Affine],
        system: LinearSystem | None = None,
    ) -> ClosedMoments:
        """Tabulate expressions whose factors `affine` resolves into `moments`.

        The outputs are the expressions, or the time derivatives of the moments by the equations of
        `system`, whose unclosed moments the expressions are.
        """
        monomials = list(dict.fromkeys(m for expression in expressions for m in expression))
        factors = list(dict.fromkeys(factor for m in monomials for factor, _ in m))
        factor_constant, factor_matrix = affine_arrays([affine(f) for f in factors], moments)
        weights = _weights(expressions, monomials)
        empty = np.zeros((len(expressions), len(moments)))
        return cls(
            constant=np.zeros(len(expressions)) if system is None else system.constant,
            linear=empty if system is None else system.closed,
            factor_constant=factor_constant,
            factor_matrix=factor_matrix,
            table=_table(monomials, factors),
            weights=weights.toarray() if system is None else system.open @ weights,
        )

    def __call__(
        self, values: Float64[np.ndarray, "*batch moments"]
    ) -> Float64[np.ndarray, "*batch outputs"]:
        """Outputs at some values of the followed moments."""
        columns = values.reshape(-1, values.shape[-1]).T
        outputs = self._evaluate(columns, self, np).T
        return outputs.reshape(*values.shape[:-1], len(self.constant))

    def in_jax(self, values: Float[Array, " moments"], _: None = None) -> Float[Array, " outputs"]:
        """Outputs at one point, for compiled and differentiated code, in the dtype of `values`."""
        arrays = {
            field.name: jnp.asarray(getattr(self, field.name))
            if field.name == "table"
            else jnp.asarray(getattr(self, field.name), dtype=values.dtype)
            for field in dataclasses.fields(self)
        }
        return self._evaluate(values[:, None], SimpleNamespace(**arrays), jnp)[:, 0]

    def _evaluate(self, columns: Any, arrays: Any, xp: ModuleType) -> Any:
        factors = arrays.factor_constant[:, None] + arrays.factor_matrix @ columns
        vanishes = xp.abs(factors) <= VANISHING
        reciprocals = xp.where(vanishes, 0, 1 / xp.where(vanishes, 1, factors))
        bank = xp.concatenate([factors, reciprocals, xp.ones_like(columns[:1])])
        products = xp.ones_like(bank, shape=(self.table.shape[1], columns.shape[1]))
        for row in arrays.table:
            products = products * bank[row]
        return arrays.constant[:, None] + arrays.linear @ columns + arrays.weights @ products


def affine_arrays(
    functions: Sequence[Affine], moments: Sequence[Hashable]
) -> tuple[Float64[np.ndarray, " functions"], Float64[np.ndarray, "functions moments"]]:
    """Constants and coefficients of affine functions of the followed moments."""
    columns = {moment: place for place, moment in enumerate(moments)}
    constant, matrix = np.zeros(len(functions)), np.zeros((len(functions), len(moments)))
    for row, function in enumerate(functions):
        for moment, number in function.items():
            if moment is None:
                constant[row] = number
            else:
                matrix[row, columns[moment]] = number
    return constant, matrix


def _weights(expressions: Sequence[Expression], monomials: Sequence[Monomial]) -> sparse.csr_array:
    """Coefficients of the monomials in each expression."""
    places = {monomial: place for place, monomial in enumerate(monomials)}
    entries = [
        (float(number), row, places[monomial])
        for row, expression in enumerate(expressions)
        for monomial, number in expression.items()
    ]
    numbers, rows, columns = zip(*entries, strict=True) if entries else ((), (), ())
    shape = (len(expressions), len(monomials))
    return sparse.csr_array((np.array(numbers, dtype=np.float64), (rows, columns)), shape=shape)


def _table(
    monomials: Sequence[Monomial], factors: Sequence[Hashable]
) -> Int64[np.ndarray, "width monomials"]:
    """Places of factors, reciprocals or 1, a factor as often as its power says."""
    places = {factor: place for place, factor in enumerate(factors)}
    rows = [
        [
            places[factor] + (len(factors) if exponent < 0 else 0)
            for factor, exponent in monomial
            for _ in range(abs(exponent))
        ]
        for monomial in monomials
    ]
    table = np.full((max(map(len, rows), default=0), len(rows)), 2 * len(factors), dtype=np.int64)
    for column, row in enumerate(rows):
        table[: len(row), column] = row
    return table
