"""Tables of reduced models in homogeneous space: densities, and functions of pairs."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag, model_validator

from .._schema import Count, Finite, Positive, Table
from ._function_schema import FunctionTable, LearningTable


class PairTermTable(Table):
    """A term of a function of a pair, zero from a distance on, with a learned weight.

    `exponents` are those of the interaction functions of the species and, under `pair`, of the
    pair; a correlation has the factor exp(-nu) - 1 with the nu of the pair.
    """

    kind: Literal["exponential", "correlation"] = "exponential"
    exponents: Annotated[dict[str, Finite], Field(default_factory=dict)]
    within: Positive
    start: Finite


PairTerms = Annotated[list[PairTermTable], Field(min_length=1)]


def _kind_of_function(value: Any) -> str:
    return "terms" if isinstance(value, list) else "number"


PairFunctionTable = Annotated[
    Annotated[Finite, Tag("number")] | Annotated[PairTerms, Tag("terms")],
    Discriminator(_kind_of_function),
]


class PairDynamicsTable(Table):
    """The three functions of one pair of species, eq. (15) of the paper with K = 2."""

    F1: PairFunctionTable
    F2: PairFunctionTable
    F3: PairFunctionTable = 0.0


class SingleDynamicsTable(Table):
    """The equation of one species: a function of all, and integrals over the distance of pairs."""

    F: FunctionTable | None = None
    integrals: Annotated[dict[str, PairTerms], Field(default_factory=dict)]


class UniformElements(Table):
    """One value for the whole box."""

    kind: Literal["uniform"]


class RadialElements(Table):
    """Elements of the distance, up to a cutoff [length] from which on pairs do not interact."""

    kind: Literal["radial"]
    cutoff: Positive
    cells: Count


class SampledLearningTable(Table):
    """Gauss-Newton with sampled moments; see `dynboltz.learning.SampledGaussNewtonSettings`."""

    steps: Count | None = None
    learning_rate: Positive | None = None
    largest_step: Positive | None = None
    damping: Positive | None = None
    chains: Annotated[int, Field(ge=2)] | None = None
    samples: Count | None = None
    proposals: Positive | None = None
    ridge: Positive | None = None
    substeps: Count = 4


class UniformTable(Table):
    """A reduced model of order K = 1 in homogeneous space: densities only."""

    order: Literal[1] = 1
    elements: UniformElements
    dynamics: dict[str, SingleDynamicsTable]
    learning: Annotated[LearningTable, Field(default_factory=dict, validate_default=True)]


class RadialTable(Table):
    """A reduced model of order K = 2 in homogeneous space: densities and functions of pairs."""

    order: Literal[2]
    elements: RadialElements
    dynamics: dict[str, SingleDynamicsTable]
    pairs: Annotated[dict[str, PairDynamicsTable], Field(min_length=1)]
    learning: SampledLearningTable = SampledLearningTable()

    @model_validator(mode="after")
    def _check_distances(self) -> RadialTable:
        lists = [own for one in self.dynamics.values() for own in one.integrals.values()]
        given = (getattr(own, key) for own in self.pairs.values() for key in ("F1", "F2", "F3"))
        lists += [terms for terms in given if isinstance(terms, list)]
        furthest = max((term.within for terms in lists for term in terms), default=0.0)
        if furthest > self.elements.cutoff:
            raise ValueError(
                f"`within` of a term must be at most `elements.cutoff`, {self.elements.cutoff:g}, "
                f"got {furthest:g}"
            )
        return self
