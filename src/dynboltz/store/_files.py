"""Files and directories that appear under their name only when they are complete.

Everything is written under a second name beside the first, flushed to the disk and renamed. The
second name depends on the first only, so the remains of an interrupted writer are overwritten by
the next one. One writer a path.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ._errors import StoreError


def check_name(path: Path) -> None:
    """Raise `StoreError` if a path has no name, as the present and the root directory."""
    if not path.name:
        raise StoreError(path, "has no name; give the name of a file or directory.")


def unfinished(path: Path) -> Path:
    """Return the name under which `path` is written, or raise `StoreError` if `path` has none."""
    check_name(path)
    return path.with_name(f".{path.name}.partial")


@contextmanager
def os_errors(path: Path, action: str) -> Iterator[None]:
    """Turn an `OSError` into a `StoreError` that says that `path` cannot be `action`."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        blocker = _file_in_the_way(path)
        if isinstance(error, NotADirectoryError | FileExistsError) and blocker is not None:
            reason = f"{blocker} is a file, not a directory"
        elif error.filename not in (None, str(path)):
            reason = f"{reason}: {error.filename}"
        raise StoreError(path, f"cannot be {action}: {reason}.") from error


def _file_in_the_way(path: Path) -> Path | None:
    """Part of a path that is a file where a directory is needed."""
    return next((part for part in path.parents if os.path.isfile(part)), None)


def flush(path: Path) -> None:
    """Wait until a file or a directory's list of names is on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def flush_tree(directory: Path) -> None:
    """Flush all files below `directory`, then the directories that hold them."""
    for folder, _, names in os.walk(directory, topdown=False):
        for name in names:
            flush(Path(folder, name))
        flush(Path(folder))


@contextmanager
def replacing_file(path: Path) -> Iterator[Path]:
    """Yield a name to write to; on success it replaces `path` in one step."""
    temporary = unfinished(path)
    with os_errors(path, "written"):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            temporary.touch()  # libraries that write it have words of their own for what fails here
            yield temporary
            flush(temporary)
            os.replace(temporary, path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
        flush(path.parent)


@contextmanager
def new_directory(path: Path) -> Iterator[Path]:
    """Yield an empty directory to fill; on success it is renamed to `path`, which must be free."""
    temporary = unfinished(path)
    with os_errors(path, "written"):
        path.parent.mkdir(parents=True, exist_ok=True)
        if temporary.exists():
            shutil.rmtree(temporary)
        temporary.mkdir()
        try:
            yield temporary
            flush_tree(temporary)
            os.rename(temporary, path)
        except BaseException:
            shutil.rmtree(temporary, ignore_errors=True)
            raise
        flush(path.parent)
