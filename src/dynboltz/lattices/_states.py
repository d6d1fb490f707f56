"""States that users give: checked once, at the public entry, and turned into bytes.

Kernels index tables with what sites hold and do not look back, so that a wrong label would count
as an empty site or read beyond a table.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Shaped, UInt8

from dynboltz._arguments import checked, is_traced
from dynboltz._typing import AnyArray

_NUMBERS = "biuf"
"""Kinds of NumPy types that may hold labels; whole numbers in floating point come from files."""


@checked
def check_states(
    where: str,
    states: Shaped[AnyArray, " ..."],
    species: Sequence[str],
    shape: Sequence[int | str],
    *,
    argument: str = "states",
) -> UInt8[np.ndarray, " ..."]:
    """Return states of one layer as bytes.

    Parameters
    ----------
    where
        The public function that was called, for the message.
    states
        What it was given: 0 for an empty site and `i + 1` for species `i`, as whole numbers of
        any type.
    species
        Names of the species, which number them.
    shape
        Length of each axis, or the name of an axis of any length.
    argument
        Name of its argument.

    Raises
    ------
    TypeError
        If the states are no numbers.
    ValueError
        If they have another shape, or an entry is not 0 to the number of species.
    """
    array = _known(f"{where}: `{argument}`", states)
    _check_shape(f"{where}: `{argument}`", array, shape)
    return _labels(f"{where}: `{argument}`", array, species, ())


@checked
def check_layers(
    where: str,
    states: Shaped[AnyArray, " ..."],
    species: Sequence[Sequence[str]],
    n_sites: int,
    *,
    batch: str = "states",
    argument: str = "states",
) -> UInt8[np.ndarray, "layers batch sites"]:
    """Return states of all layers as bytes.

    Parameters
    ----------
    where
        The public function that was called, for the message.
    states
        What it was given, layers first: 0 for an empty unit and `i + 1` for the species `i` of
        its layer, as whole numbers of any type.
    species
        Names of the species of each layer.
    n_sites
        Number of sites.
    batch
        Name of the axis between layers and sites.
    argument
        Name of its argument.

    Raises
    ------
    TypeError
        If the states are no numbers.
    ValueError
        If they have another shape, or an entry is not 0 to the number of species of its layer.
    """
    start = f"{where}: `{argument}`"
    array = _known(start, states)
    _check_shape(start, array, (len(species), batch, n_sites), f": layers, {batch}, sites")
    layers = [
        _labels(start, array[number], names, (number,), f" in layer {number}" * (len(species) > 1))
        for number, names in enumerate(species)
    ]
    return array if array.dtype == np.uint8 else np.stack(layers)


def _known(start: str, states: AnyArray) -> np.ndarray:
    if is_traced(states):
        raise TypeError(
            f"{start} must be an array with known values, got one that JAX traces (within jax.jit, "
            "jax.grad or jax.vmap)."
        )
    return np.asarray(states)


def _check_shape(start: str, array: np.ndarray, shape: Sequence[int | str], axes: str = "") -> None:
    fits = array.ndim == len(shape) and all(
        isinstance(wanted, str) or wanted == length
        for wanted, length in zip(shape, array.shape, strict=True)
    )
    if not fits:
        wanted = ", ".join(map(str, shape))
        raise ValueError(f"{start} must have shape ({wanted}){axes}; got {array.shape}.")


def _labels(
    start: str,
    array: np.ndarray,
    species: Sequence[str],
    index: tuple[int, ...],
    layer: str = "",
) -> UInt8[np.ndarray, " ..."]:
    """Labels of one layer, the part `index` of what was given, as bytes."""
    allowed = f"{start} must hold 0 (empty) to {len(species)} ({', '.join(species)}){layer}"
    if array.dtype.kind not in _NUMBERS:
        raise TypeError(
            f"{allowed}, as whole numbers; got an array of type {array.dtype}. Number the species "
            "in their order, `names.index(name) + 1`."
        )
    if not array.size or _fits(array, len(species)):
        return array.astype(np.uint8, copy=False)
    wrong = _wrong(array, len(species))
    place = tuple(int(i) for i in np.unravel_index(np.argmax(wrong), array.shape))
    raise ValueError(
        f"{allowed}, got {array[place].item()} at {[*index, *place]}. {_advice(array, wrong)}"
    )


def _fits(array: np.ndarray, n_species: int) -> bool:
    """Whether all are labels, without an array of conditions."""
    if array.dtype.kind == "b":
        return n_species >= 1 or not array.any()
    if array.dtype.kind == "f":
        # NaN is neither; comparisons with it are false.
        within = bool(array.min() >= 0) and bool(array.max() <= n_species)
        return within and bool(np.all(array == np.trunc(array)))
    return (array.dtype.kind == "u" or int(array.min()) >= 0) and int(array.max()) <= n_species


def _wrong(array: np.ndarray, n_species: int) -> Bool[np.ndarray, " ..."]:
    with np.errstate(invalid="ignore"):
        return ~((array >= 0) & (array <= n_species) & (array == np.trunc(array)))


def _advice(array: np.ndarray, wrong: Bool[np.ndarray, " ..."]) -> str:
    """What to do about entries that are no labels."""
    if not np.all(np.isfinite(array)):
        return "Leave out sites or states that were not measured."
    if np.all((array == 1) | (array == -1)):
        return "Spins of +1 and -1 become occupied and empty sites by `(states + 1) // 2`."
    if np.any(array[wrong] != np.trunc(array[wrong])):
        return "States are whole numbers; mean occupations are moments, not states."
    return "Name all species, in the order that numbers them, or number them anew from 1."
