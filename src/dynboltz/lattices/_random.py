"""Random numbers for compiled kernels: one independent stream a replica or chain.

The generator is xoshiro256++; its state is four 64-bit words. The functions that draw are compiled
and meant to be called inside other compiled functions, with one row of `streams` as the state.
`no_type_check` keeps the tests' annotation checks from wrapping what numba has to compile.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import no_type_check

import numpy as np
from jaxtyping import UInt64

from dynboltz._arguments import check_memory, check_range, checked
from dynboltz._compiled import compiled

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_MASK_32 = np.uint64(0xFFFFFFFF)
_TWO_32 = np.uint64(1 << 32)
_UNIT_53 = 2.0**-53
_MOST_STREAMS = 2**61  # their words are counted in 64 bits


@checked
def streams(
    seed: int | np.random.SeedSequence, n: int, first: int = 0
) -> UInt64[np.ndarray, "streams words"]:
    """States of independent random streams.

    Stream `i` depends on `seed` and `first + i` only, so that work split into blocks or threads
    draws the same numbers as work done at once.

    Parameters
    ----------
    seed
        Non-negative integer, or a seed sequence for nested seeds.
    n
        Number of streams.
    first
        Index of the first stream.

    Raises
    ------
    TypeError
        If `seed` is neither an integer nor a seed sequence.
    ValueError
        If `seed`, `n` or `first` is negative.

    References
    ----------
    Steele, Lea and Flood (2014), OOPSLA, for the mixing function that turns the key and the index
    of a stream into its state.
    """
    if n < 0 or first < 0:
        raise ValueError(f"streams: `n` and `first` must not be negative, got {n} and {first}.")
    check_range("streams", "first", first, most=_MOST_STREAMS - n)
    check_memory("streams", "n", n, 32 * n)
    key = _sequence(seed).generate_state(2, np.uint64)
    counters = np.arange(4 * first, 4 * (first + n), dtype=np.uint64)
    return _mix(_mix(key[0] + counters * _GOLDEN) ^ key[1]).reshape(n, 4)


@checked
def child_seeds(seed: int | np.random.SeedSequence, n: int) -> list[np.random.SeedSequence]:
    """Seeds for several purposes, the same ones whenever they are asked for."""
    parent = _sequence(seed)
    return [numbered_seed(parent, number) for number in range(n)]


@checked
def numbered_seed(seed: np.random.SeedSequence, number: int) -> np.random.SeedSequence:
    """Child of a seed by its number, whatever other children were asked for before."""
    check_range("numbered_seed", "number", number, least=0)
    return np.random.SeedSequence(seed.entropy, spawn_key=(*seed.spawn_key, number))


@checked
def numbered_generators(
    seed: int | np.random.SeedSequence, n: int, first: int
) -> Iterator[np.random.Generator]:
    """Generators of numbered children of a seed, the first of which has the number `first`."""
    parent = _sequence(seed)
    check_range("numbered_generators", "first", first, least=0)
    return (np.random.default_rng(numbered_seed(parent, first + i)) for i in range(n))


def _sequence(seed: int | np.random.SeedSequence) -> np.random.SeedSequence:
    if isinstance(seed, np.random.SeedSequence):
        return seed
    return np.random.SeedSequence(seed)


def _mix(words: UInt64[np.ndarray, " words"]) -> UInt64[np.ndarray, " words"]:
    words = (words ^ (words >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    words = (words ^ (words >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return words ^ (words >> np.uint64(31))


@compiled()
@no_type_check
def _rotate_left(word, distance):
    return (word << np.uint64(distance)) | (word >> np.uint64(64 - distance))


@compiled()
@no_type_check
def advance(s0, s1, s2, s3):
    """Return 64 random bits and the four words of the next state.

    For loops that keep the state in registers (Blackman and Vigna 2021, xoshiro256++).
    """
    result = _rotate_left(s0 + s3, 23) + s0
    shifted = s1 << np.uint64(17)
    s2 ^= s0
    s3 ^= s1
    s1 ^= s2
    s0 ^= s3
    return result, s0, s1, s2 ^ shifted, _rotate_left(s3, 45)


@compiled()
@no_type_check
def next_uint64(state):
    """Draw 64 random bits and advance `state` [4]."""
    result, state[0], state[1], state[2], state[3] = advance(state[0], state[1], state[2], state[3])
    return result


@compiled()
@no_type_check
def uniform(state):
    """Draw a float64 in [0, 1), a multiple of 2^-53."""
    return np.float64(next_uint64(state) >> np.uint64(11)) * _UNIT_53


@compiled()
@no_type_check
def bounded(state, n):
    """Draw an int64 in {0, ..., n - 1}, each equally likely, for 1 <= n < 2^32.

    The high word of a 32-bit product, rejecting the few low words that would make some results
    more likely (Lemire 2019, ACM Trans. Model. Comput. Simul. 29, 3).
    """
    width = np.uint64(n)
    product = (next_uint64(state) >> np.uint64(32)) * width
    if product & _MASK_32 < width:
        threshold = (_TWO_32 - width) % width
        while product & _MASK_32 < threshold:
            product = (next_uint64(state) >> np.uint64(32)) * width
    return np.int64(product >> np.uint64(32))


@compiled()
@no_type_check
def exponential(state):
    """Draw an exponentially distributed float64 of mean 1."""
    return -math.log(1.0 - uniform(state))
