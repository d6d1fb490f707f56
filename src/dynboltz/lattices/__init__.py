"""lattices."""
