"""Bad arguments for every public function: who refuses them, and in whose words.

The tables in `arguments` hold one small, valid call for each public name of a package. Run as a
program, `python bad_arguments.py PACKAGES N_CALLS`, since users have no annotations that are
checked by beartype: one or two arguments of each call are replaced, and calls that end in
anything but an answer or a message of the package are printed, one a line.
"""

from __future__ import annotations

import abc
import contextlib
import dis
import importlib
import inspect
import itertools
import json
import random
import resource
import signal
import sys
import types
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from numba.core.dispatcher import Dispatcher

import dynboltz
from dynboltz.store import StoreError

SOURCE = str(Path(dynboltz.__file__).parent)
LONGEST_CALL = 60  # seconds of the processor, with compilation
MORE_MEMORY = 2 * 2**30
LARGE = 1000  # of numbers whose meaning is to wait


@dataclass(frozen=True)
class Call:
    """A valid call: arguments by name, of a method also its object.

    `waits` names numbers that say for how long something runs, so that large ones are not tried;
    `kept` those that are not replaced: arrays of kernels, which nobody else makes.
    """

    arguments: Mapping[str, Any] = field(default_factory=dict)
    of: Any = None
    waits: frozenset[str] = frozenset()
    kept: Mapping[str, Any] = field(default_factory=dict)
    positional: tuple[Any, ...] = ()


def call(
    of: Any = None,
    /,
    *,
    _waits: str = "",
    _kept: Mapping[str, Any] | None = None,
    _positional: tuple[Any, ...] = (),
    **arguments: Any,
) -> Call:
    """A valid call; the object of a method comes first."""
    return Call(arguments, of, frozenset(_waits.split()), _kept or {}, _positional)


# ---- What is public


def public_calls(package: str) -> dict[str, Callable[..., Any]]:
    """Functions, constructors and methods of a package that take arguments, by name.

    Without compiled kernels, which take what the functions before them have checked, and without
    what has nothing to check: protocols, abstract methods, exceptions and named tuples.
    """
    module = importlib.import_module(f"dynboltz.{package}")
    found: dict[str, Callable[..., Any]] = {}
    for name, value in vars(module).items():
        if name.startswith("_") or isinstance(value, types.ModuleType | Dispatcher):
            continue
        module_of = getattr(value, "__module__", "")
        if not module_of.startswith("dynboltz") or module_of == "dynboltz._compiled":
            continue  # decorators of kernels
        if inspect.isclass(value):
            found |= _calls_of_class(name, value)
        elif inspect.isfunction(value) and _takes_arguments(value):
            found[name] = value
    return found


def _calls_of_class(name: str, owner: type) -> dict[str, Callable[..., Any]]:
    if issubclass(owner, BaseException) or getattr(owner, "_is_protocol", False):
        return {}
    found: dict[str, Callable[..., Any]] = {}
    abstract = inspect.isabstract(owner) or abc.ABC in owner.__bases__
    if not issubclass(owner, tuple) and not abstract and _takes_arguments(owner):
        found[name] = owner
    for base in owner.__mro__:
        if not base.__module__.startswith("dynboltz"):
            continue
        for key, member in vars(base).items():
            own = member.__func__ if isinstance(member, classmethod | staticmethod) else member
            if key.startswith("_") and key != "__call__":
                continue
            if not inspect.isfunction(own) or getattr(own, "__isabstractmethod__", False):
                continue
            if abstract or not _takes_arguments(getattr(owner, key), bound=own is not member):
                continue
            found.setdefault(f"{name}.{key}", getattr(owner, key))
    return found


def _takes_arguments(function: Callable[..., Any], *, bound: bool = True) -> bool:
    try:
        parameters = list(inspect.signature(function).parameters)
    except ValueError:
        return False
    return [name for name in parameters if name != "self"] != []


# ---- Bad arguments

Bad = tuple[str, Any]  # in words, and itself


class Nothing:
    """An object that no function can do anything with."""

    def __repr__(self) -> str:
        return "Nothing()"


def anything() -> list[Bad]:
    from dynboltz.lattices import Lattice  # noqa: PLC0415

    values = [None, "text", "", b"bytes", 3, -1, 2.5, True, 1j, (), [], {}, {"a": 1}, [[1], [1, 2]]]
    values += [Nothing(), Lattice((3,)), np.zeros((2, 2)), np.array([None, "a"]), int, len]
    return [(f"{value!r}", value) for value in values]


def bad_numbers(value: Any, *, waits: bool) -> list[Bad]:
    numbers = [0, -1, 1, -1.5, 0.3, float("nan"), float("inf"), -float("inf"), 1e300, 1e-300]
    numbers += [np.float32(value), np.int64(1), np.array(value), jnp.asarray(value), [value]]
    numbers += [np.array([value, value]), str(value), complex(value), np.bool_(True), value + 1]
    if not waits:
        numbers += [2**40, 2**62, 2**63, 10**30, 10**400, -(10**30), np.uint64(2**63)]
    return [(f"{number!r:.60}", number) for number in numbers]


def bad_texts(value: str) -> list[Bad]:
    texts = ["", value + "x", "x" + value, value[:-1], value * 2, "A" * 5000, "\ud800", "A\0", " "]
    texts += [value.encode(), [value], "ä", "0", "A(0)", "b.Z", "->", "A -> ", "1e999"]
    return [(f"{text!r:.60}", text) for text in texts]


def bad_elements(value: Any) -> list[Bad]:
    """Arrays of the same size with other elements, or in another order."""
    a = np.asarray(value)
    return [
        ("as a list", a.tolist()),
        ("as texts", a.astype(str)),
        ("as objects", a.astype(object)),
        ("as complex", a.astype(complex)),
        ("as bool", a.astype(bool)),
        ("as float32", a.astype(np.float32)),
        ("as float16", (a % 100).astype(np.float16)),
        ("as long double", a.astype(np.longdouble)),
        ("as int64", a.astype(np.int64)),
        ("as int8", a.astype(np.int8)),
        ("as uint64", np.abs(a).astype(np.uint64)),
        ("as big-endian", a.astype(a.dtype.newbyteorder(">"))),
        ("of NumPy", a),
        ("of JAX", jnp.asarray(a)),
        ("masked", np.ma.masked_array(a, np.ones(a.shape, bool))),
        ("in reverse", a[::-1] if a.ndim else a),
        ("transposed", a.T),
        ("in Fortran order", np.asfortranarray(a)),
        ("with one value only", a.reshape(-1)[:1]),
        ("flat", a.reshape(-1)),
        ("repeated", np.concatenate([a.reshape(-1)] * 2)),
        ("negative", -a.astype(float)),
        ("in thousands", a.astype(float) * 1000),
        ("as large as can be", np.full(a.shape, 1e300)),
        ("not numbers", np.full(a.shape, np.nan)),
        ("endless", np.full(a.shape, np.inf)),
        ("of one value", np.zeros(a.shape, a.dtype)),
        ("200s", np.full(a.shape, 200, np.uint8)),
        ("minus ones", np.full(a.shape, -1)),
        ("large integers", np.full(a.shape, 2**60)),
    ]


def bad_shapes(value: Any) -> list[Bad]:
    """Arrays with more or fewer axes, rows and columns."""
    a = np.asarray(value)
    bad: list[Bad] = [
        ("with an axis more", a[None]),
        ("with an axis more at the end", a[..., None]),
    ]
    bad += [(f"without axis {i}", a.take(0, i)) for i in range(a.ndim) if a.shape[i]]
    bad += [(f"without the last of axis {i}", a.take(range(n - 1), i)) for i, n in _axes(a) if n]
    bad += [(f"without any of axis {i}", a.take([], i)) for i, _ in _axes(a)]
    bad += [(f"axis {i} twice", np.concatenate([a, a], i)) for i, _ in _axes(a)]
    bad += [
        (f"one more of axis {i}", np.concatenate([a, a.take([0], i)], i)) for i, n in _axes(a) if n
    ]
    if a.ndim > 1 and len(a):
        bad.append(("ragged", [*a[1:].tolist(), a[0].tolist()[:-1]]))
    return bad


def _axes(a: np.ndarray) -> list[tuple[int, int]]:
    return list(enumerate(a.shape))


def bad_values(  # noqa: PLR0911 - a table of kinds
    value: Any, others: list[Any], *, waits: bool = False, quick: bool = False
) -> list[Bad]:
    """Return what may stand in place of a value; `quick` leaves out what may well be accepted."""
    bad = anything()
    kin = [other for other in others if type(other) is type(value) and other is not value]
    bad += [(f"another {type(value).__name__} ({i})", other) for i, other in enumerate(kin)]
    if isinstance(value, bool):
        return bad
    if isinstance(value, int | float):
        return bad if quick else bad + bad_numbers(value, waits=waits)
    if isinstance(value, str):
        return bad + bad_texts(value)
    if isinstance(value, np.ndarray | jax.Array) and not jnp.issubdtype(
        value.dtype, jax.dtypes.prng_key
    ):
        return bad + bad_shapes(value) + ([] if quick else bad_elements(value))
    if isinstance(value, tuple | list) and not hasattr(value, "_fields"):
        return bad + _bad_sequences(value, others)
    if isinstance(value, Mapping):
        return bad + _bad_mappings(value, others)
    return bad


def _bad_sequences(value: Any, others: list[Any]) -> list[Bad]:
    kind = type(value)
    bad = [
        ("as a list", list(value)),
        ("as a tuple", tuple(value)),
        ("in reverse", value[::-1]),
        ("without the last", value[:-1]),
        ("with one more", value + value[:1]),
        ("within another", kind([value])),
        ("as a generator", (one for one in list(value))),
    ]
    with contextlib.suppress(ValueError):
        bad.append(("as an array", np.array(value)))
    for i, one in enumerate(value[:3]):
        for words, other in bad_values(one, others):
            bad.append((f"[{i}]: {words}", kind([*value[:i], other, *value[i + 1 :]])))
    return bad


def _bad_mappings(value: Mapping[Any, Any], others: list[Any]) -> list[Bad]:
    bad: list[Bad] = [
        ("as a list", list(value.items())),
        ("without the last", dict(list(value.items())[:-1])),
        ("with another key", {**value, "Zz": next(iter(value.values()), 1)}),
        ("with a number as key", {**value, 3: next(iter(value.values()), 1)}),
    ]
    for name, one in list(value.items())[:3]:
        for words, other in bad_values(one, others):
            bad.append((f"[{name!r}]: {words}", {**value, name: other}))
    return bad


# ---- Answers


@contextlib.contextmanager
def limits() -> Iterator[None]:
    """At most `LONGEST_CALL` seconds; warnings are errors."""

    def stop(number, frame):
        raise TimeoutError(f"no answer within {LONGEST_CALL} s")

    before = signal.signal(signal.SIGPROF, stop)
    signal.setitimer(signal.ITIMER_PROF, LONGEST_CALL)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


def limit_memory() -> None:
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    limit = pages * resource.getpagesize() + MORE_MEMORY
    resource.setrlimit(resource.RLIMIT_AS, (limit, resource.getrlimit(resource.RLIMIT_AS)[1]))


def foreign(error: BaseException, names: set[str]) -> str | None:  # noqa: PLR0911 - reasons
    """Return why an exception is none of the package's messages; `None` if it is one."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    if trace is None:
        return "without a traceback"
    code = trace.tb_frame.f_code
    place = f"{code.co_filename}:{trace.tb_lineno}"
    if not code.co_filename.startswith(SOURCE):
        return f"raised at {place}"
    if isinstance(error, Warning):
        return None if isinstance(error, UserWarning) else f"raised at {place}"
    if dis.opname[code.co_code[trace.tb_lasti]] != "RAISE_VARARGS":
        return f"raised within {place}"
    own = type(error).__module__.startswith("dynboltz")
    if not own and not isinstance(
        error, ValueError | TypeError | OSError | MemoryError | FloatingPointError
    ):
        return f"a {type(error).__name__} at {place}"
    if isinstance(error, StoreError):
        return None  # names the file
    if not own and not any(word in str(error).lower() for word in _words(names)):
        return f"names none of {sorted(names)}, at {place}"
    return None


def _texts(value: Any) -> Iterator[str]:
    """The texts within arguments, as a message repeats them."""
    if isinstance(value, str):
        yield repr(value)
    elif isinstance(value, Mapping):
        yield from _texts(list(value.items()))
    elif isinstance(value, tuple | list) and len(value) < LARGE:
        for one in value:
            yield from _texts(one)


def _words(names: set[str]) -> set[str]:
    """Names, and the words that they consist of, without plurals."""
    words = {word for name in names for word in name.lower().split("_") if word[3:]}
    words |= {"pattern"}  # what texts such as `A(0) B(1)` are called everywhere
    return {name.lower() for name in names} | {word.removesuffix("s") for word in words}


def answer(
    name: str, function: Callable[..., Any], given: Call, traced: str | None = None
) -> str | None:
    """Call, and return what is wrong with the answer."""
    names = {part for part in name.split(".") if part != "__call__"} | set(given.arguments)
    names |= set(_texts(given.arguments))
    try:
        with limits():
            bound = function if given.of is None else getattr(given.of, name.split(".")[1])
            if traced is None:
                result = bound(*given.positional, **given.arguments, **given.kept)
                if inspect.isgenerator(result) or isinstance(result, Iterator):
                    list(itertools.islice(result, 3))
            else:
                rest = {key: value for key, value in given.arguments.items() if key != traced}

                def within(value: Any) -> float:
                    bound(*given.positional, **rest, **given.kept, **{traced: value})
                    return 0.0

                jax.make_jaxpr(within)(given.arguments[traced])
    except Exception as error:  # whatever comes
        reason = foreign(error, names)
        return reason and f"{type(error).__name__}: {str(error)[:300]} ({reason})"
    return None


def bad_calls(
    given: Call, others: list[Any], chance: random.Random, *, quick: bool = False
) -> tuple[str, Call, str | None]:
    """Replace one or two arguments."""
    n_bad = 1 if len(given.arguments) < 2 or chance.random() < 0.8 else 2
    arguments, words = dict(given.arguments), []
    for name in chance.sample(list(given.arguments), n_bad):
        value = arguments[name]
        if (
            n_bad == 1
            and isinstance(value, np.ndarray | jax.Array | float)
            and chance.random() < 0.05
        ):
            return f"{name} traced", given, name
        choices = bad_values(value, others, waits=name in given.waits, quick=quick)
        word, arguments[name] = chance.choice(choices)
        words.append(f"{name} = {word}")
    return "; ".join(words), replace(given, arguments=arguments), None


def table(package: str) -> tuple[dict[str, Call | list[Call]], list[Any]]:
    """Return the valid calls of a package, and objects to take in place of others."""
    module = importlib.import_module(f"arguments.{package}")
    return module.calls(), list(getattr(module, "others", list)())


def check(package: str, n_calls: int, seed: int, only: str = "") -> Iterator[dict[str, str]]:
    """Yield what is wrong: names without an entry, valid calls that fail, foreign exceptions."""
    functions = public_calls(package)
    entries, others = table(package)
    for name in sorted({*functions} - {*entries}):
        yield {"name": name, "wrong": "has no valid call in the table"}
    for name in sorted({*entries} - {*functions}):
        yield {"name": name, "wrong": "is not public, or takes no arguments"}
    names = [name for name in functions if name in entries and name.startswith(only)]
    chance = random.Random(seed)
    if n_calls >= LARGE:
        for name in names:
            for given in _several(entries[name]):
                wrong = answer(name, functions[name], given)
                if wrong:
                    yield {"name": name, "with": "valid arguments", "wrong": wrong}
    limit_memory()
    names = [name for name in names if all(one.arguments for one in _several(entries[name]))]
    order = chance.sample(names, len(names))
    for name in itertools.islice(itertools.cycle(order), n_calls if order else 0):
        given = chance.choice(_several(entries[name]))
        words, bad, traced = bad_calls(given, others, chance, quick=n_calls < LARGE)
        wrong = answer(name, functions[name], bad, traced)
        if wrong:
            yield {"name": name, "with": words, "wrong": wrong}


def _several(given: Call | list[Call]) -> list[Call]:
    return given if isinstance(given, list) else [given]


def main() -> None:
    packages, n_calls, *rest = sys.argv[1:]
    seed = int(rest[0]) if rest else 0
    only = rest[1] if rest[1:] else ""
    jax.config.update("jax_enable_x64", True)
    jax.config.update("jax_disable_most_optimizations", True)
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.1)
    for package in packages.split(","):
        for wrong in check(package, int(n_calls), seed, only):
            print(json.dumps({"package": package} | wrong), flush=True)


if __name__ == "__main__":
    main()
