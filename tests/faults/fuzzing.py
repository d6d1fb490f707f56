"""What tests with random files share: damage, limited memory, and what an answer must be."""

from __future__ import annotations

import contextlib
import datetime
import resource
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dynboltz.store import StoreError

SLOW = [pytest.mark.slow, pytest.mark.timeout(36000)]
MORE_MEMORY = 2**31


def sizes(few, *, n_kinds=1):
    """A few inputs, and 100 000 for all kinds of a target together."""
    most = -(-100_000 // n_kinds)
    return pytest.mark.parametrize("n_inputs", [few, pytest.param(most, marks=SLOW)])


def many(n_inputs):
    """The same inputs at every run, each of which may take 5 seconds."""
    return settings(
        max_examples=n_inputs,
        deadline=datetime.timedelta(seconds=5),
        database=None,
        derandomize=True,
        suppress_health_check=[
            HealthCheck.too_slow,
            HealthCheck.data_too_large,
            HealthCheck.filter_too_much,
        ],
    )


@contextlib.contextmanager
def limited_memory():
    before = resource.getrlimit(resource.RLIMIT_AS)
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    limit = pages * resource.getpagesize() + MORE_MEMORY
    resource.setrlimit(resource.RLIMIT_AS, (limit, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)


class Input:
    """An input with a short text: Hypothesis warns where it has to write out 30 kB."""

    def __init__(self, value):
        self.value = value

    def __repr__(self):
        return f"{self.value!r:.10000}"


def check_all(inputs, sound, answer, n_inputs, capfd):
    """Check an answer for each of many inputs; nothing may be printed or raised unseen.

    The answer to a sound input comes first and takes what time it needs to compile kernels.
    """
    unseen: list[str] = []
    answer(sound)
    capfd.readouterr()

    @many(n_inputs)
    @given(inputs.map(Input))
    def check(one):
        answer(one.value)
        assert capfd.readouterr() == ("", "")
        assert not unseen, unseen.pop()

    with limited_memory(), pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "unraisablehook", lambda raised: unseen.append(repr(raised)))
        check()


def said_or(path, function, *errors):
    """What `function` returns, or `None` and a message that names the file."""
    try:
        return function()
    except (StoreError, *errors) as error:
        message = str(error)
    assert message.startswith(str(path))
    assert len(message) < 5000
    assert "\x1b" not in message
    message.encode("utf-8")
    return None


def integers(dtype):
    numbers = [0, 1, 2, 7, -1, 127, 255, 2**15, 2**31 - 1, 2**31, 2**40, 2**62, 2**63 - 1]
    return st.sampled_from([np.int64(n).astype(dtype).tobytes() for n in numbers])


@st.composite
def damaged(draw, sources):
    """One of the sources with bytes flipped, replaced, dropped, inserted, moved or cut off."""
    data = bytearray(draw(st.sampled_from(sources)))
    for _ in range(draw(st.integers(1, 3))):
        near = draw(st.sampled_from([64, 512, len(data), len(data), len(data)]))
        place = draw(st.integers(0, max(0, min(near, len(data)) - 1)))
        kind = draw(
            st.sampled_from(
                ["bit", "bit", "byte", "number", "number", "drop", "insert", "cut", "move"]
            )
        )
        length = draw(st.integers(1, 16))
        if kind == "bit" and data:
            data[place] ^= 1 << draw(st.integers(0, 7))
        elif kind == "byte" and data:
            data[place] = draw(st.integers(0, 255))
        elif kind == "number":
            number = draw(integers("<u2") | integers("<u4") | integers(">i4") | integers("<u8"))
            data[place : place + len(number)] = number
        elif kind == "drop":
            del data[place : place + length]
        elif kind == "insert":
            data[place:place] = draw(st.binary(min_size=1, max_size=16))
        elif kind == "cut":
            del data[place:]
        else:
            other = draw(st.integers(0, len(data)))
            data[place : place + length] = data[other : other + length]
    return bytes(data)
