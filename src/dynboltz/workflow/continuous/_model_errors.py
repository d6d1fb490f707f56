"""Errors of learning and prediction that say which model they are about."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from dynboltz.sampling import CondensationError

from .._errors import ExperimentError


@contextmanager
def about_model(name: str) -> Iterator[None]:
    """Name the model in errors of its chains and solutions."""
    try:
        yield
    except (CondensationError, FloatingPointError) as error:
        raise ExperimentError(f"models.{name}: {error}") from error
