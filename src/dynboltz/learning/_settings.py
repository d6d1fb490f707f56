"""What the user chooses about learning."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, final

from dynboltz._arguments import checked
from dynboltz._numbers import check_finite

FitMoments = Literal["exact", "contrastive-divergence", "persistent"]
FitOptimiser = Literal["natural", "adam", "sgd"]
TrainingMoments = Literal["exact", "gibbs", "contrastive-divergence", "short-run", "persistent"]
TrainingOptimiser = Literal["adam", "sgd"]
VelocityPriorKind = Literal["moment-regression", "entropic-matching", "none"]
Method = Literal["euler", "heun", "rk4"]


@final
@checked
@dataclass(frozen=True)
class FitSettings:
    """How the coefficients of single snapshots are learned.

    Parameters
    ----------
    moments
        `"exact"`; estimated by `"contrastive-divergence"` (CD-1); or by `"persistent"` chains that
        start from the data of each snapshot and go on while its coefficients are learned.
    optimiser
        `"natural"`: Newton-like steps in the Fisher metric, with exact moments damped until the
        likelihood rises, with persistent chains in the metric that the chains show; `"adam"` or
        `"sgd"`.
    learning_rate
        Of Adam or gradient descent, for moments per site; Adam's and the gradient's steps shrink to
        zero over the steps for exact moments, and stay constant for sampled ones. With persistent
        chains, the share of a natural step that is taken in the first half of the steps.
    steps
        Largest number of natural steps with exact moments; otherwise number of steps.
    batch
        Lattices in an estimate of sampled moments; all if left out.
    prior_strength
        Strength of a Gaussian prior around the coefficients where the fit started, per site. It
        decides between coefficients that the data cannot tell apart.
    weight_decay
        Strength of a Gaussian prior around 0 of the coefficients that couple units, per site, for
        persistent chains. It keeps lattices from condensing into one species.
    chains, sweeps
        Persistent chains of a snapshot, and their sweeps between two steps.
    start
        Coefficients to start from, 0 for those left out. Weights to hidden units need a start
        other than 0, where their gradient vanishes.

    Raises
    ------
    ValueError
        If a value is not allowed.
    """

    moments: FitMoments = "exact"
    optimiser: FitOptimiser = "natural"
    learning_rate: float = 0.1
    steps: int = 60
    batch: int | None = None
    prior_strength: float = 1e-6
    weight_decay: float = 0.0
    chains: int = 64
    sweeps: int = 5
    start: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        _check_positive("FitSettings", learning_rate=self.learning_rate, steps=self.steps)
        check_finite("FitSettings", "`learning_rate`", self.learning_rate)
        _check_positive("FitSettings", sweeps=self.sweeps)
        if self.chains < 2:
            raise ValueError(f"FitSettings: `chains` must be at least 2, got {self.chains}.")
        if self.batch is not None:
            _check_positive("FitSettings", batch=self.batch)
        for name in ("prior_strength", "weight_decay"):
            check_finite("FitSettings", f"`{name}`", getattr(self, name))
            if getattr(self, name) < 0:
                raise ValueError(
                    f"FitSettings: `{name}` must not be negative, got {getattr(self, name)}."
                )
        for name, value in self.start.items():
            check_finite("FitSettings", f"`start[{name!r}]`", value)
        if self.moments == "contrastive-divergence" and self.optimiser == "natural":
            raise ValueError(
                'FitSettings: the natural gradient needs `moments = "exact"` or "persistent"; '
                'choose the optimiser "adam" or "sgd" for contrastive divergence.'
            )
        if self.moments == "persistent" and self.optimiser != "natural":
            raise ValueError(
                'FitSettings: `moments = "persistent"` needs the optimiser "natural", got '
                f"{self.optimiser!r}."
            )


@final
@checked
@dataclass(frozen=True)
class LearningSettings:
    """How the right-hand sides of the differential equations are learned (Algorithm 1).

    The action is counted per visible site and averaged over the initial conditions of an update.
    The degrees of freedom that are updated are values and derivatives in units of the cells.

    Parameters
    ----------
    moments
        `"exact"`; `"gibbs"`: the model's moments after `sweeps` Gibbs sweeps from the data, for
        visible models; `"contrastive-divergence"`: both phases sampled, with `sweeps` steps from
        the data; `"short-run"`: the model's moments after `sweeps` steps from random units;
        `"persistent"`: from chains, one set for every snapshot, that go on from where they were.
        The last two count hidden units with their probabilities given the visible ones.
    warm_start
        Whether to fit the snapshots and solve for the right-hand sides by least squares first.
    velocity_prior
        What says how fast coefficients are expected to change beside the trajectories of a model
        with an exact solution: `"moment-regression"`, linear moment equations regressed on the
        trajectories, see `MomentRegression`, in the warm start and in training;
        `"entropic-matching"`, the field that `learn` is given, in the warm start; or `"none"`.
    smoothness
        Strength of the penalty on the curvature of the right-hand sides, see `Roughness`. It
        decides what they are where nothing else does.
    optimiser
        `"adam"`, with a rate that falls to zero along a cosine, or `"sgd"` with a constant rate.
    learning_rate
        One number, or one for each coefficient by name.
    steps
        Optimisation steps, each a pass over all initial conditions.
    batch
        Initial conditions in an update; all if left out.
    replicas
        Lattices of the data in an estimate of sampled moments; all if left out.
    chains
        Chains of a snapshot for `"short-run"` and `"persistent"` moments.
    until
        Time up to which the data are learned from; to the end if left out. Later data only serve to
        tell how well the model predicts what it has not seen.
    window
        Number of time steps that an optimisation step looks at, eq. (41); all if left out.
    shift_every, shift_by
        After how many optimisation steps the window moves on, and by how many time steps.
    sweeps
        Gibbs sweeps of sampled moments.
    method, substeps
        Integrator of the differential equations, see `dynboltz.dynamics.integrate`.
    regularisation
        Strength of the penalty on the coefficients themselves, eqs. (32) and (33), towards 0.

    Raises
    ------
    ValueError
        If a value is not allowed.
    """

    moments: TrainingMoments = "exact"
    warm_start: bool = True
    velocity_prior: VelocityPriorKind = "moment-regression"
    smoothness: float = 1e-10
    optimiser: TrainingOptimiser = "adam"
    learning_rate: float | Mapping[str, float] = 0.02
    steps: int = 150
    batch: int | None = None
    replicas: int | None = None
    chains: int = 32
    until: float | None = None
    window: int | None = None
    shift_every: int = 2
    shift_by: int = 1
    sweeps: int = 1
    method: Method = "euler"
    substeps: int = 1
    regularisation: float = 0.0

    def __post_init__(self) -> None:
        where = "LearningSettings"
        for name in ("batch", "replicas", "until", "window"):
            if getattr(self, name) is not None:
                _check_positive(where, **{name: getattr(self, name)})
        _check_positive(
            where,
            shift_every=self.shift_every,
            shift_by=self.shift_by,
            chains=self.chains,
            sweeps=self.sweeps,
            substeps=self.substeps,
        )
        rates = self.learning_rate
        for rate in rates.values() if isinstance(rates, Mapping) else [rates]:
            _check_positive(where, learning_rate=rate)
            check_finite(where, "`learning_rate`", rate)
        for name in ("smoothness", "regularisation", "steps"):
            check_finite(where, f"`{name}`", getattr(self, name))
            if getattr(self, name) < 0:
                raise ValueError(
                    f"{where}: `{name}` must not be negative, got {getattr(self, name)}."
                )


def _check_positive(where: str, **values: float | int) -> None:
    for name, value in values.items():
        if not value > 0:
            raise ValueError(f"{where}: `{name}` must be positive, got {value}.")
