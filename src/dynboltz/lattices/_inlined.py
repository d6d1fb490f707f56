"""How the parts of a kernel's inner loop are compiled."""

from __future__ import annotations

from dynboltz._compiled import compiled

inlined = compiled(forceinline=True, _nrt=False)
"""Compile a function that allocates nothing into its callers, without reference counting.

Counting the references to the arrays in the tables takes several times as long as a hop.
"""

uncounted = compiled(_nrt=False)
"""Compile a function that allocates nothing, without reference counting, as one of its own."""
