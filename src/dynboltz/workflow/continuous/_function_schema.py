"""Tables of functions of the interaction functions, and of how they are learned."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag, model_validator

from .._schema import Count, Finite, NotNegative, Positive, Range, Table


class CurveTable(Table):
    """A free function of one interaction function: cubic on each cell, constant at the start."""

    kind: Literal["curve"]
    range: Range
    cells: Count
    start: Finite
    positive: bool = False
    of: str | None = None


class DictionaryTable(Table):
    """A sum of exponentials of the interaction functions with learned weights."""

    kind: Literal["dictionary"]
    exponents: Annotated[list[dict[str, Finite]], Field(min_length=1)]
    start: list[Finite]

    @model_validator(mode="after")
    def _check_start(self) -> DictionaryTable:
        if len(self.start) != len(self.exponents):
            raise ValueError(
                f"`start` must have one weight for each of the {len(self.exponents)} `exponents`, "
                f"got {len(self.start)}"
            )
        return self


def _kind_of_function(value: Any) -> str | None:
    if isinstance(value, dict):
        kind = value.get("kind")
        return kind if isinstance(kind, str) else None
    return getattr(value, "kind", "number")


FunctionTable = Annotated[
    Annotated[Finite, Tag("number")]
    | Annotated[CurveTable, Tag("curve")]
    | Annotated[DictionaryTable, Tag("dictionary")],
    Discriminator(_kind_of_function),
]


class LearningTable(Table):
    """Learning of the functions by Gauss-Newton."""

    steps: Annotated[int, Field(ge=0)] = 10
    damping: Positive = 1e-3
    tolerance: NotNegative = 1e-8
    windows: Annotated[list[Positive], Field(default_factory=list)]
    substeps: Count = 10
    start_from: str | None = None

    @model_validator(mode="after")
    def _check_windows(self) -> LearningTable:
        if sorted(set(self.windows)) != self.windows:
            raise ValueError(f"`windows` must increase, got {self.windows}")
        return self
