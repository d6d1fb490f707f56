"""Values in messages are on the side of their limit where they are."""

import math

import pytest

from dynboltz._digits import against
from dynboltz._memory import gigabytes


@pytest.mark.parametrize(
    ("value", "limit", "text"),
    [
        (1.0132, 1.01, "1.013"),
        (1.01, 1.01, "1.01"),
        (1.0101, 1.01, "1.0101"),
        (1.0099999, 1.01, "1.0099999"),
        (399.99, 400, "399.99"),
        (12.3456, 400, "12.3"),
        (4194305.0, 4194304, "4194305"),
        (math.nextafter(1.0, 2.0), 1.0, "1.0000000000000002"),
        (math.inf, 1.01, "inf"),
        (0.0, 400, "0"),
    ],
)
def test_written_values_never_contradict_the_comparison(value, limit, text):
    assert against(value, limit) == text


def test_more_bytes_than_there_are_look_like_more():
    there = 4 * 2**30
    assert gigabytes(there) == "4 GiB"
    assert float(gigabytes(there + 1, there).split()[0]) > 4
