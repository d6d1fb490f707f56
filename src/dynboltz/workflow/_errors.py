"""Errors of experiments and of their result directories."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import final


@final
class ExperimentError(ValueError):
    """An experiment file, an override or a result directory that cannot be used.

    The message names the file, the field, what was given and what is allowed.
    """


@contextmanager
def in_field(source: Path | str, field: str) -> Iterator[None]:
    """Say in which field of which file a `ValueError` or `TypeError` arose."""
    try:
        yield
    except ExperimentError:
        raise
    except (ValueError, TypeError) as error:
        raise ExperimentError(f"{source}, `{field}`: {error}") from error
