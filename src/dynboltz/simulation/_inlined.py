"""How the parts of a kernel's inner loop are compiled."""

from dynboltz.lattices import inlined

__all__ = ["inlined"]
