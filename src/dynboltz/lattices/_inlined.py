"""How the parts of a kernel's inner loop are compiled."""

from __future__ import annotations

import numba

inlined = numba.njit(  # pyright: ignore[reportCallIssue]
    cache=True, nogil=True, forceinline=True, _nrt=False
)
"""Compile a function that allocates nothing into its callers, without reference counting.

Counting the references to the arrays in the tables takes several times as long as a hop.
"""

uncounted = numba.njit(cache=True, nogil=True, _nrt=False)  # pyright: ignore[reportCallIssue]
"""Compile a function that allocates nothing, without reference counting, as one of its own."""
