"""Texts of `--help`."""

from __future__ import annotations


def flowing(text: str) -> str:
    """Join the lines of each paragraph, so that the terminal's width breaks them."""
    return "\n\n".join(" ".join(paragraph.split()) for paragraph in text.strip().split("\n\n"))
