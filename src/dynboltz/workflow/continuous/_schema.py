"""The tables of an experiment file with particles in a box."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag, model_validator

from dynboltz._hints import did_you_mean

from .._schema import CommonTable, Count, Name, NotNegative, Positive, Records, Table, check_free
from ._function_schema import FunctionTable, LearningTable
from ._homogeneous_schema import RadialTable, UniformTable

RESERVED = (
    *("noise_floor", "recovered", "truth", "standard_error", "held_out", "functions", "models"),
    *("times", "units", "warnings", "experiment", "fingerprint", "n_initial_conditions", "seed"),
    *("space", "version", "wall_seconds", "lineage"),
)
"""Keys of `metrics.json`, and of its tables in which models have theirs."""

NotNegativeRange = Annotated[list[NotNegative], Field(min_length=2, max_length=2)]
Share = Annotated[float, Field(ge=0, le=1)]
ShareRange = Annotated[list[Share], Field(min_length=2, max_length=2)]
PositiveRange = Annotated[list[Positive], Field(min_length=2, max_length=2)]


class BoxTable(Table):
    """The box: its sides [length], and what lies beyond its walls."""

    size: Annotated[list[Positive], Field(min_length=1, max_length=3)]
    boundary: Literal["periodic", "reflecting"] = "periodic"


class BrownianTable(Table):
    """Brownian dynamics: `n_steps` records, one every `interval` [time]."""

    kind: Literal["brownian"]
    diffusion: NotNegative | dict[str, NotNegative]
    reaction_radius: Positive | dict[str, Positive] | None = None
    dt: Positive | None = None
    interval: Positive = 0.1
    n_steps: Records
    max_particles: Count | None = None


class ProfilesInitial(Table):
    """Poisson patterns with the logarithm of the density a random smooth function."""

    source: Literal["profiles"]
    mean: Positive | dict[str, Positive]
    modes: Count = 2
    amplitude: NotNegative = 1.0
    train: Count
    test: Count
    replicas: Annotated[int, Field(ge=2)]


Pattern = Literal["random", "hard core", "pairs"]


class PatternTable(Table):
    """One kind of random patterns; a share of the particles is correlated, the others are not."""

    kind: Pattern
    density: Annotated[dict[str, Positive | PositiveRange], Field(min_length=1)]
    distance: Positive | PositiveRange | None = None
    share: Share | ShareRange = 1.0

    @model_validator(mode="after")
    def _check_distance(self) -> PatternTable:
        if self.kind == "random" and self.distance is not None:
            raise ValueError(f'`kind = "random"` has no `distance`, got {self.distance}')
        if self.kind != "random" and self.distance is None:
            raise ValueError(f'`kind = "{self.kind}"` needs a `distance`')
        return self


class PatternsInitial(Table):
    """Patterns with the same density everywhere; the kinds take turns over initial conditions."""

    source: Literal["patterns"]
    kinds: Annotated[list[PatternTable], Field(min_length=1)]
    train: Count
    test: Count
    replicas: Annotated[int, Field(ge=2)]


InitialTable = Annotated[ProfilesInitial | PatternsInitial, Field(discriminator="source")]


class ElementsTable(Table):
    """Finite elements of the interaction functions: cells along each side of the box."""

    kind: Literal["hermite", "p1"] = "hermite"
    cells: Annotated[list[Count], Field(min_length=1, max_length=3)]


class DynamicsTable(Table):
    """The three functions of one species, eq. (15) of the paper."""

    F1: FunctionTable
    F2: FunctionTable | None = None
    F3: FunctionTable = 0.0
    conserving: bool = False

    @model_validator(mode="after")
    def _check_transport(self) -> DynamicsTable:
        if self.conserving == (self.F2 is not None):
            raise ValueError(
                "give either `F2`, or `conserving = true`, with which F2 follows from F1"
            )
        return self


class FunctionalTable(Table):
    """A reduced model of order K = 1: the elements, the functions, and how they are learned."""

    order: Literal[1] = 1
    elements: ElementsTable
    dynamics: dict[str, DynamicsTable]
    learning: Annotated[LearningTable, Field(default_factory=dict, validate_default=True)]


def _kind_of_model(value: Any) -> str:
    elements = (
        value.get("elements") if isinstance(value, dict) else getattr(value, "elements", None)
    )
    kind = elements.get("kind") if isinstance(elements, dict) else getattr(elements, "kind", None)
    return kind if kind in ("uniform", "radial") else "functional"


ModelTable = Annotated[
    Annotated[FunctionalTable, Tag("functional")]
    | Annotated[UniformTable, Tag("uniform")]
    | Annotated[RadialTable, Tag("radial")],
    Discriminator(_kind_of_model),
]


class BoxEvaluationTable(Table):
    """What is compared with the held-out simulations, and where functions count as known."""

    profile_bins: Count = 24
    distance_bins: Count = 10
    reach: Positive | None = None
    samples: Annotated[int, Field(ge=20)] = 400
    least_occupancy: Annotated[float, Field(ge=0, lt=1)] = 0.2


class BoxExperimentTable(CommonTable):
    """An experiment file with a table `box`, its presets applied."""

    box: BoxTable
    kernel: BrownianTable
    initial: InitialTable
    models: Annotated[dict[Name, ModelTable], Field(min_length=1)]
    learn: Annotated[list[str], Field(min_length=1)] | None = None
    evaluation: BoxEvaluationTable = BoxEvaluationTable()

    @model_validator(mode="after")
    def _check_names(self) -> BoxExperimentTable:
        for name in self.learn or ():
            if name not in self.models:
                raise ValueError(
                    f"`learn` names the model {name!r}; there are {', '.join(self.models)}."
                    f"{did_you_mean(name, self.models)}".rstrip(".")
                )
        for name in self.models:
            check_free(f"models.{name}", name, RESERVED)
        return self
