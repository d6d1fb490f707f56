"""MathML of SBML, as libSBML reads it, to polynomials in the amounts of species."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, final

import libsbml

from ._polynomial import (
    NotMassActionError,
    Polynomial,
    add,
    constant,
    constant_value,
    divide,
    evaluated,
    multiply,
    negative,
    raise_to,
)
from ._sbml_units import AVOGADRO

DEEPEST = 100
MOST_NODES = 200_000
"""Parts of all formulas of a model that are read, function calls written out."""

CONSTANTS = {
    libsbml.AST_CONSTANT_E: math.e,
    libsbml.AST_CONSTANT_PI: math.pi,
    libsbml.AST_NAME_AVOGADRO: AVOGADRO,
}
NUMBERS = (libsbml.AST_INTEGER, libsbml.AST_REAL, libsbml.AST_REAL_E, libsbml.AST_RATIONAL)
SUMS = {libsbml.AST_PLUS: (add, 0.0), libsbml.AST_TIMES: (multiply, 1.0)}
"""Operations on any number of polynomials, with their neutral elements."""

OPERATIONS: dict[tuple[int, int], Callable[..., Polynomial]] = {
    (libsbml.AST_MINUS, 1): negative,
    (libsbml.AST_MINUS, 2): lambda first, second: add(first, negative(second)),
    (libsbml.AST_DIVIDE, 2): divide,
    (libsbml.AST_POWER, 2): raise_to,
    (libsbml.AST_FUNCTION_POWER, 2): raise_to,
    (libsbml.AST_FUNCTION_ROOT, 2): lambda n, base: raise_to(base, divide(constant(1.0), n)),
}
"""Operations on polynomials by their kind and number of arguments."""

FUNCTIONS: dict[tuple[int, int], Callable[..., float]] = {
    (libsbml.AST_FUNCTION_EXP, 1): math.exp,
    (libsbml.AST_FUNCTION_LN, 1): math.log,
    (libsbml.AST_FUNCTION_LOG, 2): lambda base, value: math.log(value, base),
}
"""Functions of constants, likewise."""

Lookup = Callable[[str], Polynomial]


@final
class FormulaReader:
    """Reads formulas; counts what it has read, so that no model takes forever.

    Parameters
    ----------
    functions
        Function definitions of the model by their id.
    """

    def __init__(self, functions: Mapping[str, Any]) -> None:
        self.functions = functions
        self.n_nodes = 0
        self.depth = 0

    def read(self, node: Any, lookup: Lookup) -> Polynomial:
        """Polynomial of a node and all below it; `lookup` gives that of a name.

        Raises
        ------
        NotMassActionError
            If it is no polynomial of up to second degree.
        """
        self.n_nodes += 1
        if self.n_nodes > MOST_NODES or self.depth > DEEPEST:
            raise NotMassActionError("it is too long, functions and rules written out")
        self.depth += 1
        try:
            return self._dispatch(node, lookup)
        finally:
            self.depth -= 1

    def _dispatch(self, node: Any, lookup: Lookup) -> Polynomial:
        kind = node.getType()
        if kind in NUMBERS:
            return constant(node.getValue())
        if kind in CONSTANTS:
            return constant(CONSTANTS[kind])
        if kind == libsbml.AST_NAME:
            return lookup(node.getName())
        if kind == libsbml.AST_FUNCTION:
            return self._call(node, lookup)
        n_arguments = node.getNumChildren()
        if kind not in SUMS and not {(kind, n_arguments)} & (OPERATIONS.keys() | FUNCTIONS.keys()):
            raise NotMassActionError(f"it uses {_spelling(node)}")
        arguments = [self.read(node.getChild(index), lookup) for index in range(n_arguments)]
        return _operate(node, arguments)

    def _call(self, node: Any, lookup: Lookup) -> Polynomial:
        """Value of a function that the model defines."""
        name = node.getName()
        if name not in self.functions:
            raise NotMassActionError(f"it uses the function {name!r}, which the model lacks")
        definition = self.functions[name]
        n_arguments = definition.getNumArguments()
        if node.getNumChildren() != n_arguments or definition.getBody() is None:
            raise NotMassActionError(f"it calls {name!r} with other arguments than its definition")
        bound = {
            definition.getArgument(i).getName(): self.read(node.getChild(i), lookup)
            for i in range(n_arguments)
        }

        def inside(symbol: str) -> Polynomial:
            if symbol not in bound:
                raise NotMassActionError(f"the function {name!r} uses {symbol!r} from outside")
            return bound[symbol]

        return self.read(definition.getBody(), inside)


def _operate(node: Any, arguments: Sequence[Polynomial]) -> Polynomial:
    kind = node.getType()
    if kind in SUMS:
        operation, start = SUMS[kind]
        return functools.reduce(operation, arguments, constant(start))
    key = (kind, len(arguments))
    if key in OPERATIONS:
        return OPERATIONS[key](*arguments)
    values = [constant_value(argument) for argument in arguments]
    numbers = [value for value in values if value is not None]
    if len(numbers) < len(values):
        raise NotMassActionError(f"it uses {_spelling(node)}, of the amount of a species")
    return constant(evaluated(FUNCTIONS[key], *numbers))


def _spelling(node: Any) -> str:
    """A node as short text."""
    text = libsbml.formulaToL3String(node) or "an operation without text"
    return text if len(text) <= 60 else text[:57] + "..."
