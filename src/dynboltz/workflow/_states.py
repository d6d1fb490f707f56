"""States of an ensemble, as learning asks for them, in bounded memory."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import final

import numpy as np
import xarray as xr
from jaxtyping import Int64, Integer, UInt8

MEMORY = 512 * 2**20
"""Bytes of states that are kept in memory."""


@final
class States:
    """States of the training set; those of the initial conditions looked at last are kept.

    Parameters
    ----------
    trajectories
        Opened lazily; the replicas of an initial condition are neighbours. Where some have more
        than others, `n_replicas` is the smallest number, and the other replicas are not read.
    memory
        Bytes that may be kept. An initial condition that is larger is never read as a whole:
        each call then reads what it is asked for.
    """

    def __init__(self, trajectories: xr.Dataset, *, memory: int = MEMORY) -> None:
        self._trajectories = trajectories
        self._sites = int(np.prod(trajectories.state.shape[2:]))
        self._first, counts = replicas_by_start(trajectories)
        self.n_initial = len(counts)
        self.n_replicas = int(counts.min())
        self._room = memory // (self.n_replicas * trajectories.sizes["time"] * self._sites)
        self._kept: OrderedDict[int, Future[np.ndarray]] = OrderedDict()
        self._reader = ThreadPoolExecutor(max_workers=1)
        self._lock = threading.Lock()

    def __call__(
        self,
        initial_condition: int,
        times: Integer[np.ndarray, " times"],
        replicas: Integer[np.ndarray, " replicas"],
    ) -> UInt8[np.ndarray, "times replicas sites"]:
        """States of some replicas of an initial condition at some times, given by their places."""
        if not self._room:
            return self._read(initial_condition, times, replicas)
        return self._future(initial_condition).result()[np.ix_(times, replicas)]

    def expect(self, initial_conditions: Integer[np.ndarray, " initial_conditions"]) -> None:
        """Begin to read what is asked for next, as far as half of the memory goes."""
        for number in initial_conditions[: self._room // 2]:
            self._future(int(number))

    def _future(self, number: int) -> Future[np.ndarray]:
        with self._lock:
            if number not in self._kept:
                while len(self._kept) >= self._room:
                    self._kept.popitem(last=False)
                self._kept[number] = self._reader.submit(self._whole, number)
            self._kept.move_to_end(number)
            return self._kept[number]

    def _whole(self, number: int) -> UInt8[np.ndarray, "times replicas sites"]:
        everything = (np.arange(n) for n in (self._trajectories.sizes["time"], self.n_replicas))
        return self._read(number, *everything)

    def _read(
        self, number: int, times: np.ndarray, replicas: np.ndarray
    ) -> UInt8[np.ndarray, "times replicas sites"]:
        place = {"replica": self._first[number] + replicas, "time": times}
        states = self._trajectories.state.isel(place).values
        flat = states.reshape(len(replicas), len(times), self._sites)
        return np.ascontiguousarray(np.swapaxes(flat, 0, 1))


def replicas_by_start(
    trajectories: xr.Dataset,
) -> tuple[Int64[np.ndarray, " initial_conditions"], Int64[np.ndarray, " initial_conditions"]]:
    """Place of the first replica of each initial condition, and how many replicas it has."""
    _, first, counts = np.unique(
        trajectories.initial_condition.values, return_index=True, return_counts=True
    )
    return first, counts


def blocks_ahead(
    trajectories: xr.Dataset,
) -> Iterator[tuple[int, float, UInt8[np.ndarray, "replicas times sites"]]]:
    """Place of the initial condition, share of its replicas and states of each block.

    The next block is read meanwhile. One that holds replicas of several initial conditions, as
    where these have different numbers of them, comes in parts.
    """
    n_replicas, size = trajectories.sizes["replica"], trajectories.attrs["block_replicas"]
    first, counts = replicas_by_start(trajectories)

    def read(start: int) -> np.ndarray:
        states = trajectories.state[start : start + size].values
        return states.reshape(*states.shape[:2], -1)

    def parts(start: int, states: np.ndarray) -> Iterator[tuple[int, float, np.ndarray]]:
        places = np.searchsorted(first, np.arange(start, start + len(states)), side="right") - 1
        for number in np.unique(places):
            own = states[places == number] if places[0] != places[-1] else states
            yield int(number), len(own) / int(counts[number]), own

    with ThreadPoolExecutor(max_workers=1) as reader:
        following = reader.submit(read, 0)
        for start in range(0, n_replicas, size):
            current = following.result()
            if start + size < n_replicas:
                following = reader.submit(read, start + size)
            yield from parts(start, current)
