"""Compiled kernels, whose machine code is kept between runs where that is possible.

numba keeps it beside the package or in the user's cache folder, and refuses to define a kernel
where it can write to neither, as in containers. Here such kernels are defined all the same: when
the first of them is compiled, a private temporary folder is used, or none.
"""

from __future__ import annotations

import threading
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numba
from numba.core import caching, config

from ._caches import home_is_known, package_is_writable, temporary_folder, told_once

_lock = threading.Lock()


def compiled(**options: Any) -> Callable[[Callable[..., Any]], Any]:
    """Decorator that compiles a kernel with `options` of `numba.njit`, without Python's lock."""

    def decorate(function: Callable[..., Any]) -> Any:
        kernel = numba.njit(nogil=True, **options)(function)
        if hasattr(kernel, "enable_caching"):  # not with NUMBA_DISABLE_JIT
            _enable_caching(kernel, function)
        return kernel

    return decorate


def _enable_caching(kernel: Any, function: Callable[..., Any]) -> None:
    # Where the home is not known, numba would make a folder called `~`.
    if config.CACHE_DIR or home_is_known() or package_is_writable():
        try:
            kernel.enable_caching()
        except RuntimeError:  # there is no folder to write to
            pass
        else:
            return
    kernel._cache = _LateCache(function)


class _LateCache(caching.NullCache):
    """Cache that looks for a folder, and warns, when something is compiled: not at imports."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self._function = function
        self._found: Any = None

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        """Compiled code of another run, `None` if there is none."""
        return self._cache().load_overload(sig, target_context)

    def save_overload(self, sig: Any, cres: Any) -> None:
        """Keep compiled code for other runs."""
        self._cache().save_overload(sig, cres)

    def _cache(self) -> Any:
        if self._found is None:
            folder = temporary_folder()
            line = told_once(folder)
            if line is not None:
                warnings.warn(line, stacklevel=2)
            self._found = caching.NullCache() if folder is None else _in(folder, self._function)
        return self._found


def _in(folder: Path, function: Callable[..., Any]) -> Any:
    """Numba's cache of a function in a folder, which only a setting of numba can name."""
    with _lock:
        before = config.CACHE_DIR
        config.CACHE_DIR = str(folder / "numba")
        try:
            return caching.FunctionCache(function)
        except RuntimeError:
            return caching.NullCache()
        finally:
            config.CACHE_DIR = before
