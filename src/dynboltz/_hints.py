"""Names that are almost right."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def did_you_mean(name: str, names: Iterable[str]) -> str:
    """Return a question with the names that come near, after a space; empty if none does."""
    known = {other.casefold(): other for other in names}
    near = [known[one] for one in difflib.get_close_matches(name.casefold(), list(known), n=2)]
    return f" Did you mean `{'` or `'.join(near)}`?" if near else ""
