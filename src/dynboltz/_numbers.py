"""Numbers that numerics rely on: finite ones, in double precision."""

from __future__ import annotations

from collections.abc import Sequence

import jax
import numpy as np
from jaxtyping import Shaped

from dynboltz._typing import AnyArray


def check_finite(
    where: str,
    argument: str,
    values: Shaped[AnyArray, " ..."] | float | int,
    axes: Sequence[str] = (),
    *,
    advice: str = "",
) -> None:
    """Raise unless all values are finite numbers.

    Arrays that JAX traces have no values yet and are not looked at.

    Parameters
    ----------
    where
        The public function that was called, for the message.
    argument
        What it was given, as the message names it: `` `theta0` ``.
    values
        The values.
    axes
        What each axis counts, `("initial condition", "time")`; the message then says where the
        first value is, `initial condition 3, time 17`, counted from 0.
    advice
        The next step, a sentence.

    Raises
    ------
    TypeError
        If the values are no numbers.
    ValueError
        If one is NaN or infinite.
    """
    if isinstance(values, jax.core.Tracer):
        return
    array = np.asarray(values)
    if array.dtype.kind not in "biufc":
        raise TypeError(f"{where}: {argument} must hold numbers, got an array of {array.dtype}.")
    wrong = ~np.isfinite(array)
    if not wrong.any():
        return
    place = tuple(int(i) for i in np.unravel_index(np.argmax(wrong), array.shape))
    names = [*axes, *(f"axis {axis}" for axis in range(len(axes), array.ndim))]
    found = ", ".join(f"{name} {i}" for name, i in zip(names, place, strict=False))
    message = (
        f"{where}: {argument} must be finite, got {array[place].item()}"
        + (f" at {found} (counted from 0)" if place else "")
        + (f"; {wrong.sum()} of {wrong.size} values are not finite." if wrong.size > 1 else ".")
    )
    raise ValueError(f"{message} {advice}".rstrip())


def check_precision(where: str) -> None:
    """Raise if JAX computes in single precision where digits would be lost.

    Log partition functions of large lattices, Fisher metrics and least-squares problems are
    differences of large numbers. With double precision switched on, arrays of single precision
    may still be given on purpose.

    Parameters
    ----------
    where
        The public function that was called, for the message.

    Raises
    ------
    ValueError
        If the JAX option `jax_enable_x64` is off.
    """
    if not jax.config.jax_enable_x64:  # pyright: ignore[reportAttributeAccessIssue]
        raise ValueError(
            f"{where}: needs double precision, but JAX is set to single precision, in which "
            'moments and fits lose their digits. Call `jax.config.update("jax_enable_x64", True)` '
            "before anything else, or do this inside `with jax.enable_x64(True):`."
        )
