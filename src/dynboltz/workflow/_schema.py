"""The tables of an experiment file."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag, model_validator

from dynboltz._hints import did_you_mean

Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]*$")]
Finite = Annotated[float, Field(allow_inf_nan=False)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
NotNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Count = Annotated[int, Field(ge=1)]
Records = Annotated[int, Field(ge=1, le=10_000_000)]
Rates = Positive | dict[str, Positive]


RESERVED = (
    *("mean_field", "models", "noise_floor", "train", "moments", "times", "units", "warnings"),
    *("experiment", "fingerprint", "n_initial_conditions", "seed", "version", "wall_seconds"),
    *("prediction_seconds", "lineage"),
)
"""The baseline, and the keys of `metrics.json` beside which models and ceilings have theirs."""


AUTO = "auto"
"""Name of the model of a file that names none."""


TELL_TIMES = (".npz", ".nc", ".nc4", ".zarr")
"""Endings of files and stores of trajectories that may hold times."""


class Table(BaseModel):
    """A table without unknown keys whose values are not converted."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    @model_validator(mode="before")
    @classmethod
    def _refuse_unknown_keys(cls, data: Any) -> Any:
        unknown = [key for key in data if key not in cls.model_fields] if type(data) is dict else []
        if unknown:
            hint = did_you_mean(unknown[0], cls.model_fields)
            raise ValueError(
                f"unknown key `{unknown[0]}`.{hint} Allowed are {', '.join(cls.model_fields)}"
            )
        return data


class CommonTable(Table):
    """What the files of all kinds of experiments have."""

    name: Name
    title: str = ""
    seed: Annotated[int, Field(ge=0)] = 0
    network: Annotated[str, Field(min_length=1)]
    species: list[str] | None = None


def check_free(field: str, name: str, reserved: tuple[str, ...]) -> None:
    """Raise unless a name is not among the reserved ones."""
    if name in reserved:
        raise ValueError(
            f"the name of `{field}` is taken in `metrics.json`, as are "
            f"{', '.join(other for other in reserved if other != name)}; use another"
        )


class LatticeTable(Table):
    """The lattice: sites along each axis, and what lies beyond its edge."""

    shape: Annotated[list[Count], Field(min_length=1, max_length=3)]
    boundary: Literal["periodic", "closed"] = "periodic"


class CollisionTable(Table):
    """The collision kernel: `n_steps` steps of length `dt` [time]."""

    kind: Literal["collision"]
    dt: Positive = 0.01
    n_steps: Records


class ContinuousTimeTable(Table):
    """The continuous-time kernel: `n_steps` records, one every `interval` [time]."""

    kind: Literal["continuous-time"]
    hop_rate: NotNegative | dict[str, NotNegative]
    interval: Positive = 0.01
    n_steps: Records


KernelTable = Annotated[CollisionTable | ContinuousTimeTable, Field(discriminator="kind")]
Range = Annotated[list[Finite], Field(min_length=2, max_length=2)]
CountRange = Annotated[list[Annotated[int, Field(ge=0)]], Field(min_length=2, max_length=2)]


TRAIN, TEST, REPLICAS = 16, 8, 40
"""Initial conditions and replicas of each, unless a file says how many: with these, laws of two
species are at the noise floor between their training trajectories, after a minute."""


class DistributionInitial(Table):
    """Initial states drawn from a distribution with coefficients uniform in ranges.

    The distribution is that of a model, or has `terms` of its own.
    """

    source: Literal["distribution"]
    model: str | None = None
    terms: Annotated[list[str], Field(min_length=1)] | None = None
    coefficients: dict[str, Range]
    train: Count = TRAIN
    test: Count = TEST
    replicas: Annotated[int, Field(ge=2)] = REPLICAS

    def replicas_of(self, part: str) -> int:
        """Replicas of each initial condition, the same for both parts."""
        del part
        return self.replicas

    @model_validator(mode="after")
    def _check_distribution(self) -> DistributionInitial:
        if (self.model is None) == (self.terms is None):
            raise ValueError(
                "give either `model`, the name of a model of this file, or `terms` of a "
                'distribution, such as ["b.A", "J.A.A"]'
            )
        return self


class CountsInitial(Table):
    """Given numbers of particles, or ranges of them, at random sites.

    `test_replicas` is for test sets with less noise than the training set has.
    """

    source: Literal["counts"]
    counts: dict[str, Annotated[int, Field(ge=0)] | CountRange]
    train: Count = TRAIN
    test: Count = TEST
    replicas: Annotated[int, Field(ge=2)] = REPLICAS
    test_replicas: Annotated[int, Field(ge=2)] | None = None

    def replicas_of(self, part: str) -> int:
        """Replicas of each initial condition of `"train"` or `"test"`."""
        return self.test_replicas or self.replicas if part == "test" else self.replicas


class StoreInitial(Table):
    """Trajectories that are there already, instead of simulated ones.

    Their times are those of the kernel, unless `times` lists them, or is `"file"` for those of the
    file of the training set.
    """

    source: Literal["store"]
    train: str
    test: str
    times: Literal["file"] | Annotated[list[Finite], Field(min_length=2)] | None = None


InitialTable = Annotated[
    DistributionInitial | CountsInitial | StoreInitial, Field(discriminator="source")
]


class LayerTable(Table):
    """A hidden layer: its species, and the offsets of the sites that a unit is connected to."""

    species: Annotated[list[str], Field(min_length=1)]
    stencil: Annotated[list[list[int]], Field(min_length=1)]


class AxisTable(Table):
    """Cells along one coefficient; `origin` is a vertex, `lower` and `upper` bound the box."""

    cell: Positive
    origin: Finite = 0.0
    lower: Finite
    upper: Finite

    @model_validator(mode="after")
    def _check_box(self) -> AxisTable:
        if self.lower >= self.upper:
            raise ValueError(f"`lower` must be less than `upper`, got {self.lower}, {self.upper}")
        return self


Arguments = Annotated[list[str], Field(min_length=1)]


class GridTable(Table):
    """Finite elements.

    `arguments` lists what derivatives depend on, if not on all coefficients: one list for all of
    them, or one for each of some coefficients.
    """

    outside: Literal["error", "clamp", "linear"] = "error"
    axes: dict[str, AxisTable]
    arguments: Arguments | dict[str, Arguments] = {}


class FitTable(Table):
    """Fits of single snapshots; see `dynboltz.learning.FitSettings`."""

    moments: Literal["exact", "contrastive-divergence", "persistent"] | None = None
    optimiser: Literal["natural", "sgd", "adam"] | None = None
    learning_rate: Positive | None = None
    steps: Count | None = None
    batch: Count | None = None
    prior_strength: NotNegative | None = None
    weight_decay: NotNegative | None = None
    chains: Annotated[int, Field(ge=2)] | None = None
    sweeps: Count | None = None
    start: dict[str, Finite] | None = None


class LearningTable(Table):
    """Learning of the differential equations; see `dynboltz.learning.LearningSettings`.

    What is left out has the default of the settings, here as in `FitTable`.
    """

    moments: (
        Literal["exact", "gibbs", "contrastive-divergence", "short-run", "persistent"] | None
    ) = None
    warm_start: bool | None = None
    velocity_prior: Literal["moment-regression", "entropic-matching", "none"] | None = None
    smoothness: NotNegative | None = None
    optimiser: Literal["adam", "sgd"] | None = None
    learning_rate: Rates | None = None
    steps: Annotated[int, Field(ge=0)] | None = None
    batch: Count | None = None
    replicas: Count | None = None
    chains: Count | None = None
    until: Positive | None = None
    window: Annotated[int, Field(ge=1)] | None = None
    shift_every: Count | None = None
    shift_by: Count | None = None
    sweeps: Count | None = None
    method: Literal["euler", "heun", "rk4"] | None = None
    substeps: Count | None = None
    regularisation: NotNegative | None = None


class LawTable(Table):
    """A law of moments: what it follows and how it is learned is chosen by itself."""

    family: Literal["auto"]


class ModelTable(Table):
    """A reduced model: energy terms, hidden layers, finite elements and how it is learned.

    Without a table `grid` its law is a smooth function, learned like a law of moments; with one it
    is made of finite elements, and `learning` says how it is learned.
    """

    family: Literal["boltzmann"] = "boltzmann"
    terms: Annotated[list[str], Field(min_length=1)]
    layers: list[LayerTable] = []
    boundary: Literal["periodic", "closed"] | None = None
    initial: Literal["known", "fitted"] | dict[str, Finite] | None = None
    grid: GridTable | None = None
    fit: FitTable = FitTable()
    learning: LearningTable = LearningTable()

    @model_validator(mode="after")
    def _check_learning(self) -> ModelTable:
        if self.grid is not None:
            return self
        if self.learning.model_fields_set:
            raise ValueError(
                "`learning` belongs to finite elements: give a table `grid`, or leave `learning` "
                "out, and the law of the model is learned by itself"
            )
        others = self.fit.model_fields_set - {"start"}
        if others:
            raise ValueError(
                f"`fit.{min(others)}` belongs to models with a table `grid`; without one, only "
                "`fit.start` may be given, the coefficients that fits are pulled to"
            )
        return self


def _family(table: Any) -> str:
    """Which table describes a model; other values than the known ones are those of `family`."""
    given = table.get("family") if isinstance(table, dict) else getattr(table, "family", None)
    return "auto" if given == "auto" else "boltzmann"


AnyModelTable = Annotated[
    Annotated[LawTable, Tag("auto")] | Annotated[ModelTable, Tag("boltzmann")],
    Discriminator(_family),
]
"""Table of a model on a lattice."""


class TransferTable(Table):
    """Another lattice that models are asked about, with simulations to compare with."""

    shape: Annotated[list[Count], Field(min_length=1, max_length=3)]
    replicas: Annotated[int, Field(ge=2)]


class EvaluationTable(Table):
    """Sampled moments of models without an exact solution, and the check of their equilibrium.

    `ceilings` names predictions by the static fits of a model, snapshot by snapshot. `closures` and
    `entropic_matching` are predictions that nothing is learned for, the latter in the families of
    the models it names.
    """

    samples: Count = 100
    sweeps: Count = 25
    chains: Annotated[int, Field(ge=2)] = 8
    long_sweeps: Annotated[int, Field(ge=8)] = 500
    equilibrium_times: Annotated[int, Field(ge=2)] = 11
    ceilings: dict[Name, str] = {}
    closures: list[Literal["pair", "kirkwood"]] = []
    entropic_matching: list[str] = []
    transfer: TransferTable | None = None


class ExperimentTable(CommonTable):
    """An experiment file, its presets applied."""

    network: Annotated[str, Field(min_length=1)] | None = None
    lattice: LatticeTable
    kernel: KernelTable
    initial: InitialTable
    models: Annotated[dict[Name, AnyModelTable], Field(min_length=1)] = {
        AUTO: LawTable(family="auto")
    }
    evaluation: EvaluationTable = EvaluationTable()

    @model_validator(mode="after")
    def _check_names(self) -> ExperimentTable:
        named = [(f"models.{name}", name) for name in self.models]
        named += [(f"evaluation.ceilings.{name}", name) for name in self.evaluation.ceilings]
        for field, name in named:
            check_free(field, name, RESERVED)
        return self

    @model_validator(mode="before")
    @classmethod
    def _without_kernel(cls, data: Any) -> Any:
        """Let trajectories of an unknown process, with times of their own, do without a kernel."""
        if not isinstance(data, dict) or "kernel" in data or data.get("network") is not None:
            return data
        initial = data.get("initial")
        if not isinstance(initial, dict) or initial.get("source") != "store":
            return data
        # Directories of LatticeGillespieCpp number their times, which need `dt`.
        if "times" not in initial or not str(initial.get("train")).endswith(TELL_TIMES):
            return data
        # Of which only the time between records of samples is ever used.
        return {**data, "kernel": {"kind": "continuous-time", "hop_rate": 0.0, "n_steps": 1}}

    @model_validator(mode="after")
    def _check_network(self) -> ExperimentTable:
        if self.network is None and not (isinstance(self.initial, StoreInitial) and self.species):
            raise ValueError(
                '`network` is required, the reactions; only given trajectories (`source = "store"`)'
                " do without it, with `species`, the names of their species"
            )
        return self
