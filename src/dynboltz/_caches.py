"""Folders that compiled code can be kept in between runs, where the usual ones are not writable."""

from __future__ import annotations

import os
import stat
import tempfile
from pathlib import Path

PACKAGE = Path(__file__).parent
_told = False


def home_is_known() -> bool:
    """Whether there is a folder for the user's caches, be it writable or not.

    A user without an entry among the users of the system, as containers have, may have none.
    """
    return bool(os.environ.get("XDG_CACHE_HOME")) or os.path.expanduser("~") != "~"


def user_folder() -> Path | None:
    """Folder for caches of this package in the user's, `None` if it cannot be written to."""
    if not home_is_known():
        return None
    caches = Path(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"))
    folder = caches / "dynboltz"
    return folder if is_writable(folder) else None


def is_writable(folder: Path) -> bool:
    """Whether a folder can be written to, or made."""
    try:
        while not folder.exists() and folder != folder.parent:
            folder = folder.parent
    except OSError:
        return False
    return folder.is_dir() and os.access(folder, os.W_OK | os.X_OK)


def package_is_writable() -> bool:
    """Whether numba can keep compiled code beside the package."""
    return is_writable(PACKAGE / "lattices" / "__pycache__")


def temporary_folder() -> Path | None:
    """Folder of this user among the temporary ones, made if needed; `None` if there can be none.

    Nobody else may be able to write to it, since compiled code is read from it and run.
    """
    try:
        among = Path(tempfile.gettempdir())
        if among == Path.cwd():  # the last resort of `tempfile`, where no temporary folder works
            return None
        owner = os.getuid() if hasattr(os, "getuid") else 0
        folder = among / f"dynboltz-{owner}"
        folder.mkdir(mode=0o700, exist_ok=True)
        found = folder.lstat()
    except OSError:
        return None
    private = os.name == "nt" or (found.st_uid == owner and not found.st_mode & 0o022)
    return folder if stat.S_ISDIR(found.st_mode) and private and is_writable(folder) else None


def told_once(folder: Path | None) -> str | None:
    """Return the message about compiled code that has no usual place, once a process."""
    global _told  # noqa: PLW0603
    if _told:
        return None
    _told = True
    place = "is not kept, so that every run compiles" if folder is None else f"is kept in {folder}"
    return (
        f"Compiled code {place}, since the user's cache folder (~/.cache) cannot be written to. "
        "To choose another, set XDG_CACHE_HOME."
    )
