"""Checks of arguments against their annotations, with messages of our own.

`checked` reads the annotations of a public function or class at its first call and compares the
arguments with them at every call: kinds of values, element types and shapes of arrays, and the
sizes of axes that carry the same name. Lists of numbers become arrays, numbers of NumPy those of
Python. Where arrays are traced by JAX, only shapes and element types are compared. What the
values must be is left to the function.
"""

from __future__ import annotations

import collections.abc
import dataclasses
import functools
import inspect
import math
import os
import types
import typing
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple, TypeVar, get_args, get_origin

import jax
import jax.numpy as jnp
import jaxtyping
import numpy as np

from ._hints import did_you_mean
from ._memory import check_size, gigabytes, memory

Target = TypeVar("Target")
Sizes = dict[str, "int | tuple[int, ...] | tuple[str, ...]"]
Rule = Callable[[Any, Sizes], Any]

LONGEST = 60  # characters of a given value that a message repeats
LARGEST_INTEGER = 2**63 - 1  # of NumPy, JAX and the kernels

SIGNED = "iu"  # kinds of NumPy's element types that hold integers


class Misfit(Exception):
    """An argument that does not fit: what it must, and what was given."""

    def __init__(
        self,
        must: str,
        given: str,
        *,
        place: str = "",
        hint: str = "",
        near: bool = False,
        kind: type = TypeError,
    ) -> None:
        super().__init__(must)
        self.must = must
        self.given = given
        self.place = place  # within the argument, `[1]`
        self.hint = hint  # what may have been meant
        self.near = near  # the right kind of value, wrong in a detail
        self.kind = kind

    def within(self, place: str) -> Misfit:
        """The same of a part of an argument."""
        place += self.place
        return Misfit(self.must, self.given, place=place, hint=self.hint, near=True, kind=self.kind)


class OutOfMemoryError(MemoryError):
    """What was asked for does not fit into the memory."""


def is_traced(value: Any) -> bool:
    """Whether JAX is tracing an array, so that its values are not known yet."""
    return isinstance(value, jax.core.Tracer)


def checked(target: Target) -> Target:
    """Compare arguments with annotations: those of a function, or of a class and its methods.

    Parameters
    ----------
    target
        A function, or a class: its constructor, `__call__` and public methods.

    Raises
    ------
    TypeError
        When called: if an argument is of the wrong kind, or an array of the wrong element type.
    ValueError
        If an array has a wrong shape.
    """
    if not isinstance(target, type):
        return typing.cast(Any, _checked_function(typing.cast(Any, target), None))
    for name, member in list(vars(target).items()):
        if name.startswith("_") and name not in {"__init__", "__call__"}:
            continue
        if isinstance(member, types.FunctionType):
            setattr(target, name, _checked_function(member, target))
        elif isinstance(member, classmethod | staticmethod):
            inner = _checked_function(member.__func__, target)
            setattr(target, name, type(member)(inner))
    return typing.cast(Any, target)


def _checked_function(function: Callable[..., Any], owner: type | None) -> Callable[..., Any]:
    plan: list[_Plan] = []  # made at the first call, when all names of the annotations exist

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        if not plan:
            plan.append(_plan(function, owner))
        fitted, named = plan[0].fit(args, kwargs)
        try:
            return function(*fitted, **named)
        except jax.errors.JAXTypeError as error:
            if not any(map(is_traced, jax.tree.leaves((args, kwargs)))):
                raise
            raise TypeError(
                f"{plan[0].where(args)}: an argument is traced by JAX (within jax.jit, jax.grad or "
                "jax.vmap), but its values are needed here. Call it outside of compiled code."
            ) from error
        except MemoryError as error:
            cause = error
        if isinstance(cause, OutOfMemoryError):
            raise cause
        raise OutOfMemoryError(
            f"{plan[0].where(args)}: needs more memory than the {gigabytes(memory())} there are. "
            "Ask for less at once."
        ) from cause

    return call


def fitted(where: str, name: str, value: Any, annotation: Any, sizes: Sizes | None = None) -> Any:
    """Return a part of an argument, compared with an annotation as `checked` does with arguments.

    Parameters
    ----------
    where
        The public function, for the message.
    name
        What the message calls the part: `data.times`.
    value
        What was given.
    annotation
        What it must be.
    sizes
        Sizes of axes by name, to which those of the value are added.

    Raises
    ------
    TypeError, ValueError
        As `checked`.
    """
    rule = rule_of(annotation)
    if rule is None:
        return value
    try:
        return rule(value, {} if sizes is None else sizes)
    except Misfit as misfit:
        raised = misfit.kind(
            f"{where}: `{name}{misfit.place}` must {misfit.must}, got {misfit.given}"
            f"{_stop(misfit.given)}"
        )
    raise raised


def _stop(sentence: str) -> str:
    return "" if sentence.endswith("?") else "."


def check_range(
    where: str,
    name: str,
    value: float | int,
    least: float | int | None = None,
    most: float | int | None = None,
) -> None:
    """Raise `ValueError` unless a number lies between two others, which are allowed too."""
    if (least is not None and not value >= least) or (most is not None and not value <= most):
        low, high = least is not None, most is not None
        must = f"from {least} to {most}" if low and high else f"at {'least' if low else 'most'} "
        must = must if low and high else must + str(least if low else most)
        raise ValueError(f"{where}: `{name}` must be {must}, got {value}.")


def check_name(where: str, argument: str, name: str, allowed: Iterable[str]) -> None:
    """Raise `ValueError` unless a name is one of some others."""
    if name not in (known := tuple(allowed)):
        raise ValueError(
            f"{where}: `{argument}` must be one of {', '.join(known)}, got {name!r}."
            f"{did_you_mean(name, known)}"
        )


def check_positive(where: str, name: str, value: float | int) -> None:
    """Raise `ValueError` unless a number is positive and finite."""
    if not 0 < value < math.inf:
        raise ValueError(f"{where}: `{name}` must be positive and finite, got {value}.")


def check_memory(where: str, name: str, value: object, n_bytes: int) -> None:
    """Raise `ValueError` if a number asks for arrays that are larger than the memory."""
    check_size(f"{where}: `{name}` = {value}", n_bytes, "ask for less at once")


class _Plan(NamedTuple):
    """How arguments are compared: a rule for each that has one, by its position and its name."""

    function: Callable[..., Any]
    owner: type | None
    positional: tuple[tuple[str, Rule | None], ...]
    more: tuple[str, Rule] | None  # of `*args`
    named: Mapping[str, Rule]
    has_arrays: bool

    def fit(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
        sizes: Sizes = {}
        if self.has_arrays:
            self._add_sizes(sizes, args, kwargs)
        fitted = list(args)
        positional, more = self.positional, self.more
        for i, value in enumerate(args):
            name, rule = positional[i] if i < len(positional) else more or ("", None)
            if rule is not None:
                fitted[i] = self._fit(name, rule, value, sizes, args)
        for name, value in kwargs.items():
            rule = self.named.get(name)
            if rule is not None:
                kwargs[name] = self._fit(name, rule, value, sizes, args)
        return tuple(fitted), kwargs

    def _add_sizes(self, sizes: Sizes, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """Sizes of axes that objects fix, such as a model the number of its coefficients."""
        known = args[1:] if self.function.__name__ == "__init__" else args
        for value in (*known, *kwargs.values()):
            entries = getattr(type(value), "_axis_entries", None)
            if entries is not None and not isinstance(value, type):
                for axis, size in value._axis_entries.items():
                    sizes.setdefault(axis, size)

    def _fit(self, name: str, rule: Rule, value: Any, sizes: Sizes, args: tuple[Any, ...]) -> Any:
        try:
            return rule(value, sizes)
        except Misfit as misfit:
            where = self.where(args)
            message = (
                f"{where}: `{name}{misfit.place}` must {misfit.must}, got {misfit.given}"
                f"{_stop(misfit.given)}{misfit.hint or self._hint(value, misfit, args)}"
            )
            raised = misfit.kind(message)
        raise raised

    def where(self, args: tuple[Any, ...]) -> str:
        """Name of the function, for messages."""
        name = self.function.__name__
        if self.owner is None:
            return name
        given = args[0] if args else None
        owner = given if isinstance(given, type) else type(given)
        owner = owner if issubclass(owner, self.owner) else self.owner
        return owner.__name__ if name in {"__init__", "__call__"} else f"{owner.__name__}.{name}"

    def _hint(self, value: Any, misfit: Misfit, args: tuple[Any, ...]) -> str:
        """The method for one row, or for several rows, where such a one was meant."""
        name = self.function.__name__
        if misfit.kind is not ValueError or self.owner is None or not args:
            return ""
        several, one = f"batch_{name}", name.removeprefix("batch_")
        if hasattr(args[0], several) and np.ndim(value) == 2:
            return f" For several rows use `{several}`."
        if one != name and hasattr(args[0], one) and np.ndim(value) == 1:
            return f" For one row use `{one}`."
        return ""


def _plan(function: Callable[..., Any], owner: type | None) -> _Plan:
    hints = _hints(function, owner)
    positional: list[tuple[str, Rule | None]] = []
    more, named = None, {}
    for parameter in inspect.signature(function).parameters.values():
        annotation = hints.get(parameter.name, Any)
        rule = None if annotation is Any else rule_of(annotation)
        optional = type(None) in get_args(annotation)
        if parameter.default is None and rule is not None and not optional:
            rule = _or_none(rule)
        if parameter.kind is parameter.VAR_POSITIONAL:
            more = None if rule is None else (parameter.name, rule)
            continue
        if parameter.kind is parameter.VAR_KEYWORD:
            continue
        if parameter.kind is not parameter.KEYWORD_ONLY:
            positional.append((parameter.name, rule))
        if rule is not None:
            named[parameter.name] = rule
    has_arrays = any(map(_mentions_arrays, hints.values()))
    return _Plan(function, owner, tuple(positional), more, named, has_arrays)


def _mentions_arrays(annotation: Any) -> bool:
    return _is_array(annotation) or any(map(_mentions_arrays, get_args(annotation)))


def _hints(function: Callable[..., Any], owner: type | None) -> dict[str, Any]:
    written = inspect.unwrap(function)
    generated = owner is not None and dataclasses.is_dataclass(owner)
    if not generated or written.__code__.co_filename != "<string>":
        return _evaluated(written)
    # The constructor that `dataclass` wrote: its annotations belong to the modules of the fields.
    given = function.__annotations__  # `Any` where equinox converts
    fields = typing.get_type_hints(owner)
    return {name: hint for name, hint in fields.items() if given.get(name, Any) is not Any}


def _evaluated(function: Any) -> dict[str, Any]:
    """Annotations of the arguments; that of the result is of no interest."""
    given = {name: hint for name, hint in function.__annotations__.items() if name != "return"}
    arguments = types.SimpleNamespace(__annotations__=given)
    return typing.get_type_hints(arguments, function.__globals__)


# ---- Rules: one for each kind of annotation


@functools.cache
def rule_of(annotation: Any) -> Rule | None:  # noqa: PLR0911 - a table of kinds
    """Return what compares a value with an annotation; `None` if everything fits."""
    if isinstance(annotation, TypeVar):
        return None if annotation.__bound__ is None else rule_of(_bound(annotation))
    if annotation in _SIMPLE:
        return _SIMPLE[annotation]
    if _is_array(annotation):
        return _array_rule((annotation,))
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin in {typing.Union, types.UnionType}:
        return _union_rule(arguments)
    if origin is Literal:
        return functools.partial(_one_of, arguments)
    if origin is tuple:
        return _tuple_rule(arguments)
    if origin is collections.abc.Callable or annotation is Callable:
        known = arguments and isinstance(arguments[0], list)
        return functools.partial(_callable, len(arguments[0]) if known else None)
    container = annotation if origin is None else origin
    if not isinstance(container, type):
        return None
    if container in _MAPPINGS:
        return functools.partial(
            _mapping, *(map(rule_of, arguments) if arguments else (None, None))
        )
    if container in _SEQUENCES:
        return functools.partial(_sequence, container, rule_of(arguments[0]) if arguments else None)
    if getattr(container, "_is_protocol", False):
        return functools.partial(_protocol, container, _members(container))
    return functools.partial(_instance, container)


def _bound(variable: TypeVar) -> Any:
    bound = variable.__bound__
    return Any if isinstance(bound, typing.ForwardRef | str) else bound


def _none(value: Any, sizes: Sizes) -> None:
    if value is not None:
        raise Misfit("be None", shown(value))


def _flag(value: Any, sizes: Sizes) -> bool:
    if not isinstance(value, bool | np.bool_):
        raise Misfit("be True or False", shown(value))
    return bool(value)


def _integer(value: Any, sizes: Sizes) -> int:
    if type(value) is int:
        if -LARGEST_INTEGER <= value <= LARGEST_INTEGER:
            return value
    else:
        if isinstance(value, bool | np.bool_) or is_traced(value):
            raise Misfit("be an integer", shown(value))
        if not isinstance(value, int | np.integer) and not _is_integer(value):
            raise Misfit("be an integer", shown(value))
        value = int(value)
    if abs(value) > LARGEST_INTEGER:
        raise Misfit("be an integer below 2**63", shown(value), near=True, kind=ValueError)
    return value


def _is_integer(value: Any) -> bool:
    """Whether it is an array that holds one integer."""
    return isinstance(value, np.ndarray | jax.Array) and not value.ndim and _kind(value) in "iu"


def _number(value: Any, sizes: Sizes) -> float:
    if type(value) is float:
        return value
    if isinstance(value, bool | np.bool_ | complex | np.complexfloating) or is_traced(value):
        raise Misfit("be a number", shown(value))
    if isinstance(value, np.ndarray | jax.Array):
        if value.ndim or value.dtype.kind not in "iuf":
            raise Misfit("be a number", shown(value))
        value = value.item()
    if not isinstance(value, float | int | np.floating | np.integer):
        raise Misfit("be a number", shown(value))
    try:
        return float(value)
    except OverflowError:
        must = "be a number below 1.8e308"
        raise Misfit(must, shown(value), near=True, kind=ValueError) from None


def _text(value: Any, sizes: Sizes) -> str:
    if not isinstance(value, str):
        raise Misfit("be text", shown(value))
    return value


def _path(value: Any, sizes: Sizes) -> Any:
    if not isinstance(value, Path | str):
        raise Misfit("be a path", shown(value))
    text = str(value)
    if "\0" in text or not _is_encodable(text):
        raise Misfit("be a path without NUL and lone surrogates", shown(value), kind=ValueError)
    return value


def _is_encodable(text: str) -> bool:
    try:
        os.fsencode(text)
    except UnicodeEncodeError:
        return False
    return True


def _seed(value: Any, sizes: Sizes) -> int | np.random.SeedSequence:
    if isinstance(value, np.random.SeedSequence):
        return value
    if isinstance(value, bool | np.bool_) or not isinstance(value, int | np.integer):
        raise Misfit("be an integer from 0 on, or a numpy.random.SeedSequence", shown(value))
    if value < 0:
        raise Misfit("not be negative", shown(value), near=True, kind=ValueError)
    return int(value)


def _callable(n_arguments: int | None, value: Any, sizes: Sizes) -> Any:
    if not callable(value) or isinstance(value, type):
        raise Misfit("be a function", shown(value))
    if n_arguments is not None:
        try:
            inspect.signature(value).bind(*[None] * n_arguments)
        except TypeError:
            raise Misfit(
                f"be a function of {n_arguments} argument{'s' * (n_arguments != 1)}",
                shown(value),
                near=True,
            ) from None
        except ValueError:  # built-in functions without a signature
            pass
    return value


def _instance(wanted: type, value: Any, sizes: Sizes) -> Any:
    if not isinstance(value, wanted):
        raise Misfit(f"be {_article(wanted.__name__)}", shown(value))
    return value


def _protocol(wanted: type, members: Sequence[str], value: Any, sizes: Sizes) -> Any:
    lacking = [name for name in members if not hasattr(value, name)]
    if lacking:
        raise Misfit(
            f"be {_article(wanted.__name__)}, with `{'`, `'.join(members)}`",
            f"{shown(value)} without `{'`, `'.join(lacking)}`",
        )
    return value


def _members(protocol: type) -> tuple[str, ...]:
    names: dict[str, None] = {}
    for base in protocol.__mro__:
        if getattr(base, "_is_protocol", False):
            names.update(dict.fromkeys((*vars(base).get("__annotations__", {}), *vars(base))))
    return tuple(name for name in names if not name.startswith("_") or name == "__call__")


def _one_of(allowed: tuple[Any, ...], value: Any, sizes: Sizes) -> Any:
    if any(type(value) is type(one) and value == one for one in allowed):
        return value
    near = did_you_mean(value, map(str, allowed)) if isinstance(value, str) else ""
    listed = [repr(one) for one in allowed]
    must = " or ".join([", ".join(listed[:-1]), listed[-1]] if listed[1:] else listed)
    raise Misfit(f"be {must}", shown(value), hint=near, near=bool(near), kind=ValueError)


def _or_none(rule: Rule) -> Rule:
    def fit(value: Any, sizes: Sizes) -> Any:
        try:
            return None if value is None else rule(value, sizes)
        except Misfit as misfit:
            if not misfit.near:
                misfit.must += " or None"
            raise

    return fit


def _union_rule(alternatives: tuple[Any, ...]) -> Rule | None:
    if np.random.SeedSequence in alternatives and int in alternatives:
        return _seed
    if {*alternatives} == {Path, str}:
        return _path
    arrays = tuple(one for one in alternatives if _is_array(one))
    others = [one for one in alternatives if not _is_array(one)]
    rules: list[Rule | None] = [rule_of(one) for one in others]
    if arrays:
        rules.append(_array_rule(arrays))
    kept = [rule for rule in rules if rule is not None]
    if len(kept) < len(rules):  # one of them takes anything
        return None
    if _none in kept and len(kept) == 2:
        return _or_none(kept[0] if kept[1] is _none else kept[1])
    return kept[0] if len(kept) == 1 else functools.partial(_first_that_fits, kept)


def _first_that_fits(rules: Sequence[Rule], value: Any, sizes: Sizes) -> Any:
    misfits = []
    for rule in rules:
        try:
            return rule(value, sizes)
        except Misfit as misfit:
            misfits.append(misfit)
    near = [misfit for misfit in misfits if misfit.near]
    if near:
        raise near[0]
    musts = [misfit.must.removeprefix("be ") for misfit in misfits]
    musts.sort(key=lambda must: must == "None")
    raise Misfit(f"be {' or '.join(dict.fromkeys(musts))}", misfits[0].given)


# ---- Containers

_MAPPINGS = {dict, collections.abc.Mapping, collections.abc.MutableMapping}
_SEQUENCES = {
    list,
    set,
    frozenset,
    collections.abc.Sequence,
    collections.abc.Collection,
    collections.abc.Iterable,
}


def _elements(value: Any) -> Any:
    """Lists and one-dimensional arrays as tuples, where tuples are meant."""
    if isinstance(value, np.ndarray) and value.ndim == 1:
        return tuple(value.tolist())
    if isinstance(value, list):
        return tuple(value)
    return value


def _tuple_rule(arguments: tuple[Any, ...]) -> Rule:
    if len(arguments) == 2 and arguments[1] is Ellipsis:
        return functools.partial(_tuple, rule_of(arguments[0]))
    if not arguments:
        return functools.partial(_tuple, None)
    return functools.partial(_fixed_tuple, tuple(map(rule_of, arguments)))


def _tuple(rule: Rule | None, value: Any, sizes: Sizes) -> tuple[Any, ...]:
    if type(value) is not tuple:
        value = _elements(value)
        if not isinstance(value, tuple):
            raise Misfit(f"be a tuple{_of(rule)}", shown(value) + _comma(value))
    return value if rule is None else _fit_elements(rule, value, sizes)


def _fixed_tuple(rules: tuple[Rule | None, ...], value: Any, sizes: Sizes) -> tuple[Any, ...]:
    if type(value) is not tuple:
        value = _elements(value)
    if not isinstance(value, tuple):
        raise Misfit(f"be a tuple of {len(rules)} entries", shown(value))
    if len(value) != len(rules):
        raise Misfit(
            f"be a tuple of {len(rules)} entries", f"{len(value)}", near=True, kind=ValueError
        )
    changed, fitted = False, list(value)
    for i, rule in enumerate(rules):
        if rule is not None:
            fitted[i] = _element(rule, i, value[i], sizes)
            changed = changed or fitted[i] is not value[i]
    return tuple(fitted) if changed else value


def _fit_elements(rule: Rule, value: Any, sizes: Sizes) -> Any:
    """The list or tuple itself where nothing in it is converted."""
    fitted = None
    i = 0
    try:
        for i, one in enumerate(value):
            new = rule(one, sizes)
            if new is not one:
                fitted = list(value) if fitted is None else fitted
                fitted[i] = new
    except Misfit as misfit:
        raise misfit.within(f"[{i}]") from None
    return value if fitted is None else type(value)(fitted)


def _element(rule: Rule, i: object, value: Any, sizes: Sizes) -> Any:
    try:
        return rule(value, sizes)
    except Misfit as misfit:
        raise misfit.within(f"[{i}]") from None


def _sequence(wanted: type, rule: Rule | None, value: Any, sizes: Sizes) -> Any:
    if isinstance(value, np.ndarray) and value.ndim:
        value = value.tolist() if value.ndim == 1 else list(value)
    fits = isinstance(value, wanted) or (wanted is list and isinstance(value, tuple))
    if not fits or isinstance(value, str | bytes | bytearray | Mapping):
        raise Misfit(f"be a list or tuple{_of(rule)}", shown(value) + _comma(value))
    if rule is None or not isinstance(value, list | tuple):  # others may be read only once
        return value
    return _fit_elements(rule, value, sizes)


def _mapping(keys: Rule | None, values: Rule | None, value: Any, sizes: Sizes) -> Any:
    if not isinstance(value, Mapping):
        raise Misfit("be a dictionary", shown(value))
    fitted = {}
    changed = False
    for name, one in value.items():
        new_name = name if keys is None else _element(keys, f"{shown(name)}", name, sizes)
        new = one if values is None else _element(values, repr(name), one, sizes)
        changed |= new is not one or new_name is not name
        fitted[new_name] = new
    return fitted if changed else value


def _of(rule: Rule | None) -> str:
    return {_integer: " of integers", _number: " of numbers", _text: " of texts"}.get(rule, "")  # type: ignore[arg-type]


def _comma(value: Any) -> str:
    one = (isinstance(value, str) and value) or type(value) in {int, float}
    return f"; one alone is written ({value!r},)" if one else ""


# ---- Arrays


class _Elements(NamedTuple):
    """Element types of arrays: what they hold, the kinds taken, and what these become."""

    names: str
    kinds: str
    convert: np.dtype | None  # what others of these kinds become
    exact: bool  # others than `convert` are converted


def _elements_of(annotation: Any) -> _Elements:  # noqa: PLR0911 - a table of kinds
    names = annotation.dtypes
    first = "" if not isinstance(names, Sequence) or isinstance(names, str) else str(names[0])
    kind = annotation.__name__.partition("[")[0]
    if kind == "Bool":
        return _Elements("True and False", "b", np.dtype(bool), True)
    if kind in {"Float", "Inexact"}:
        return _Elements("real numbers", "iuf", np.dtype(float), False)
    if kind.startswith("Float"):
        return _Elements("real numbers", "iuf", np.dtype(first), True)
    if kind in {"Int", "Integer", "UInt"}:
        return _Elements("integers", "iu", np.dtype(np.int64), False)
    if kind.startswith(("Int", "UInt")):
        return _Elements("integers", "iu", np.dtype(first), True)
    if kind == "Key":
        return _Elements("a key of jax.random", "", None, False)
    return _Elements("numbers", "biufc", None, False)


def _is_array(annotation: Any) -> bool:
    return isinstance(annotation, type) and hasattr(annotation, "dim_str")


class _ArrayRule(NamedTuple):
    elements: _Elements
    dims: tuple[str, ...]
    with_numpy: bool
    with_jax: bool

    def __call__(self, value: Any, sizes: Sizes) -> Any:
        """Compare element type and shape, and convert."""
        array = self._of_right_kind(value)
        self._check_shape(array, value, sizes)
        return self._converted(array)

    def _of_right_kind(self, value: Any) -> Any:
        if is_traced(value):
            if not self.with_jax:
                raise Misfit(
                    "be an array with known values",
                    "one that JAX traces (within jax.jit, jax.grad or jax.vmap)",
                    near=True,
                )
        elif type(value) is not np.ndarray and not isinstance(value, jax.Array):
            if isinstance(getattr(value, "dims", None), tuple) and hasattr(value, "transpose"):
                value = _in_order(value, self.dims)  # of xarray
            value = _as_array(value, self.elements.names)
        elif isinstance(value, np.ma.MaskedArray):
            if np.ma.is_masked(value):
                raise Misfit("have a value in every place", "a masked array", near=True)
            value = np.asarray(value)
        if not self.elements.kinds:
            if not jnp.issubdtype(value.dtype, jax.dtypes.prng_key):
                raise Misfit("be a key of jax.random, jax.random.key(0)", shown(value))
            return value
        if _kind(value) not in self.elements.kinds and value.size:
            raise Misfit(f"hold {self.elements.names}", _kind_text(value), near=True)
        return value

    def _check_shape(self, array: Any, value: Any, sizes: Sizes) -> None:
        shape = tuple(array.shape)
        known = dict(sizes)
        if _fits(self.dims, shape, known):
            sizes.update(known)
            return
        wanted = _shape_text(self.dims, sizes)
        entries = [
            f"one entry per {axis.rstrip('s')} ({', '.join(map(str, known))})"
            for axis in self.dims
            if (known := sizes.get(axis)) and isinstance(known, tuple) and isinstance(known[0], str)
        ]
        detail = f", {entries[0]}," if entries and len(entries[0]) < 200 else ","
        given = f"{shape}" if shape else shown(value)
        raise Misfit(f"have shape {wanted}{detail}".rstrip(","), given, near=True, kind=ValueError)

    def _converted(self, array: Any) -> Any:
        if is_traced(array):
            wanted = self.elements.convert
            if wanted is None or _kind(array) == wanted.kind:
                return array
            return array.astype(wanted)
        to_numpy = isinstance(array, jax.Array) and not self.with_jax
        if to_numpy:
            array = np.asarray(array)
        array = self._with_elements(array)
        if isinstance(array, np.ndarray) and not self.with_numpy:
            return jnp.asarray(array)
        return array

    def _with_elements(self, array: Any) -> Any:
        wanted = self.elements.convert
        if array.dtype == np.float16 and (wanted is None or wanted.kind == "f"):
            array = array.astype(np.float32)  # half precision overflows at 65504
        if wanted is None or array.dtype == wanted:
            return array
        same_kind = _kind(array) == wanted.kind and array.dtype.itemsize <= 8
        if not self.elements.exact and same_kind and array.dtype.isnative:
            return array
        if wanted.kind in SIGNED and array.size:
            if array.dtype.kind == "u" and not self.elements.exact:
                return array
            limits, low, high = np.iinfo(wanted), int(array.min()), int(array.max())
            if low < limits.min or high > limits.max:
                raise Misfit(
                    f"hold integers from {limits.min} to {limits.max}",
                    f"values from {low} to {high}",
                    near=True,
                    kind=ValueError,
                )
        if isinstance(array, jax.Array):
            return array.astype(jax.dtypes.canonicalize_dtype(wanted))
        with np.errstate(over="ignore"):  # of long doubles
            return array.astype(wanted)


def _array_rule(annotations: tuple[Any, ...]) -> Rule:
    kinds = [one.array_type for one in annotations]
    everything = any(kind is Any for kind in kinds)
    first = annotations[0]
    return _ArrayRule(
        _elements_of(first),
        tuple(first.dim_str.split()),
        with_numpy=everything or any(kind is np.ndarray for kind in kinds),
        with_jax=everything or any(kind is jax.Array for kind in kinds),
    )


_OTHER_NAMES = {"sites": {"x", "y", "z"}}
"""Dimensions of xarray that are meant by an axis, besides its own name."""
_DEFINITE = {
    *("replicas", "times", "sites", "initial_conditions", "coefficients", "features"),
    *("moments", "species"),
}
"""Axes that take no dimension of another one's name; others, as samples, take any."""


def _names_of(axis: str) -> set[str]:
    """Names that a dimension of xarray may have for an axis: `times` or `time`."""
    return {axis, axis.removesuffix("s"), *_OTHER_NAMES.get(axis, ())}


def _in_order(value: Any, axes: tuple[str, ...]) -> Any:
    """Array of xarray with its dimensions in the order of the axes that they are named after.

    One dimension may have a name that no axis has, where it can only be one axis.
    """
    dims = tuple(map(str, value.dims))
    named = [axis for axis in axes if axis.isidentifier()]
    if len(named) < len(axes) or len(set(axes)) < len(axes) or len(dims) != len(axes):
        return value  # compared by shape alone
    order = [next((dim for dim in dims if dim in _names_of(axis)), None) for axis in axes]
    rest = [dim for dim in dims if dim not in order]
    left = [axis for axis, dim in zip(axes, order, strict=True) if dim is None]
    known = set().union(*map(_names_of, _DEFINITE))
    is_clear = len(rest) < 2 and not any(
        axis in _DEFINITE and dim in known for axis, dim in zip(left, rest, strict=True)
    )
    if not is_clear:
        wanted = ", ".join("x" if axis == "sites" else axis.removesuffix("s") for axis in axes)
        raise Misfit(
            f"have dimensions that tell its axes ({', '.join(axes)}) apart, such as ({wanted})",
            f"({', '.join(dims)}). Rename them, or give an array of NumPy in this order",
            near=True,
            kind=ValueError,
        )
    return value.transpose(*(rest[0] if dim is None else dim for dim in order))


def _as_array(value: Any, names: str) -> np.ndarray:
    """Lists, numbers, and whatever gives an array of itself."""
    if isinstance(value, np.ma.MaskedArray) and np.ma.is_masked(value):
        raise Misfit("have all of its values", "a masked array", near=True)
    takes = isinstance(value, list | tuple | int | float | complex | np.generic | range)
    if not takes and not hasattr(value, "__array__"):
        raise Misfit(f"be an array of {names}", shown(value))
    try:
        array = np.asarray(value)
    except (ValueError, TypeError, OverflowError):
        raise Misfit(
            f"be an array of {names}, with rows of one length", shown(value), near=True
        ) from None
    return array


def _kind(array: Any) -> str:
    """The kind of NumPy's element types, with those of JAX beside them."""
    kind = array.dtype.kind
    return "f" if kind == "V" and jnp.issubdtype(array.dtype, jnp.floating) else kind


def _kind_text(array: Any) -> str:
    return {
        "O": "objects",
        "U": "texts",
        "S": "texts",
        "b": "True and False",
        "c": "complex numbers",
        "f": "numbers with fractions (of type " + str(array.dtype) + ")",
    }.get(array.dtype.kind, f"elements of type {array.dtype}")


def _fits(dims: tuple[str, ...], shape: tuple[int, ...], sizes: Sizes) -> bool:
    """Compare a shape with names of axes, and keep the sizes of names that are new."""
    several = [i for i, dim in enumerate(dims) if dim.startswith(("*", "...", "*#", "#*"))]
    if not several:
        return len(dims) == len(shape) and all(
            map(functools.partial(_fits_axis, sizes), dims, shape)
        )
    start, n_after = several[0], len(dims) - several[0] - 1
    if len(shape) < start + n_after:
        return False
    stop = len(shape) - n_after
    before, after = (
        zip(dims[:start], shape[:start], strict=True),
        zip(dims[start + 1 :], shape[stop:], strict=True),
    )
    if not all(_fits_axis(sizes, dim, size) for dim, size in (*before, *after)):
        return False
    dim, middle = dims[start], shape[start:stop]
    if "#" in dim or dim == "...":
        return True
    return sizes.setdefault(dim, middle) == middle


def _fits_axis(sizes: Sizes, dim: str, size: int) -> bool:
    if dim.isdigit():
        return size == int(dim)
    if not dim.isidentifier() or dim.startswith("_"):
        return True  # sums, products and axes that may be broadcast
    known = sizes.setdefault(dim, size)
    return size == (len(known) if isinstance(known, tuple) else known)


def _shape_text(dims: tuple[str, ...], sizes: Sizes) -> str:
    """Names of axes, with the sizes that are fixed."""

    def text(dim: str) -> str:
        known = sizes.get(dim)
        if known is None:
            return dim
        if dim.startswith("*"):
            return ", ".join(map(str, typing.cast(tuple, known))) or ""
        return str(len(known) if isinstance(known, tuple) else known)

    axes = [text(dim) for dim in dims]
    axes = [axis for axis in axes if axis]
    return f"({axes[0]},)" if len(axes) == 1 else f"({', '.join(axes)})"


# ---- Words


def shown(value: Any) -> str:  # noqa: PLR0911 - a table of kinds
    """Return a value in few characters: arrays by their shape, objects by their class."""
    if is_traced(value):
        return "a value that JAX traces (within jax.jit, jax.grad or jax.vmap)"
    if isinstance(value, np.ndarray | jax.Array):
        return f"an array of shape {tuple(value.shape)}" if value.ndim else f"{value}"
    if value is None or isinstance(value, bool | float | complex):
        return repr(value)
    if isinstance(value, int):
        large = value.bit_length() > 100
        return (
            f"one of {int(value.bit_length() * math.log10(2)) + 1} digits" if large else str(value)
        )
    if isinstance(value, str | bytes | list | tuple | dict):
        try:
            text = repr(value)
        except (ValueError, RecursionError):  # integers of thousands of digits
            text = _article(type(value).__name__)
        return text if len(text) <= LONGEST else f"{text[: LONGEST - 3]}..."
    if isinstance(value, type):
        return f"the class {value.__name__}"
    return _article(type(value).__name__)


def _article(name: str) -> str:
    return f"{'an' if name[:1].lower() in 'aeio' else 'a'} {name}"


_SIMPLE: dict[Any, Rule | None] = {
    Any: None,
    object: None,
    inspect.Parameter.empty: None,
    jaxtyping.PyTree: None,
    None: _none,
    type(None): _none,
    bool: _flag,
    int: _integer,
    float: _number,
    str: _text,
    Path: _path,
}
