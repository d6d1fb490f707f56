"""reactions."""
