"""Experiments: the objects that an experiment file describes."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, final

import numpy as np
from jaxtyping import Float64

from dynboltz._hints import did_you_mean
from dynboltz.distributions import LatticeModel, Layer, TransferMatrix
from dynboltz.dynamics import HermiteGrid
from dynboltz.lattices import Lattice, Term, neighbour_moments
from dynboltz.laws import coefficient_chart
from dynboltz.laws._snapshots import reference_of
from dynboltz.learning import FitSettings, LearningSettings
from dynboltz.simulation import AbstractKernel, CollisionKernel, ContinuousTimeKernel

from ._base import AbstractExperiment, check_duration
from ._errors import in_field
from ._schema import (
    CollisionTable,
    CountsInitial,
    DistributionInitial,
    ExperimentTable,
    LawTable,
    ModelTable,
    StoreInitial,
)
from ._toml import dotted

BASELINE = "mean_field"
"""Name of the baseline among the models."""

MOST_REPLICAS = 0.25
"""Of the number of sites, up to which fixed numbers of particles count as independent sites.

The correlation of two sites is then off by $-1/(N - 1)$, which for neighbouring pairs of a species
is $\\sqrt{R/N}$ of the standard error of their mean over $R$ replicas: at most half of it."""

MOST_TUPLES = 512
"""States of three sites, or of fewer, up to which moments of one site more are compared: exact ones
are products of matrices between these states, a tenth of a second for each time at this size."""

MATCHING = "_entropic_matching"
"""End of the names of predictions by entropic matching, behind the name of the model."""


@final
@dataclass(frozen=True)
class ReducedModelPlan:
    """A reduced model to learn.

    Attributes
    ----------
    name
        Its name.
    model
        Terms and layers.
    grids
        Finite elements of the derivative of each coefficient.
    initial
        Coefficients at time 0: `"known"`, those that follow from how the initial states are made;
        `"fitted"`; or given by name.
    fit, learning
        Settings.
    follows_snapshots
        Whether the coefficients of all snapshots are fitted.
    """

    name: str
    model: LatticeModel
    grids: dict[str, HermiteGrid]
    initial: Literal["known", "fitted"] | dict[str, float]
    fit: FitSettings
    learning: LearningSettings
    follows_snapshots: bool

    @functools.cached_property
    def is_solvable(self) -> bool:
        """Whether the model has an exact solution."""
        return _is_solvable(self.model)

    @property
    def exact_settings(self) -> dict[str, str]:
        """Settings that need the exact solution of the model, and their values."""
        fitted = self.initial == "fitted" and self.fit.moments == "exact"
        followed = self.follows_snapshots and self.fit.moments != "persistent"
        found = {"fit.moments": self.fit.moments} if fitted or followed else {}
        if self.learning.moments == "exact":
            found["learning.moments"] = self.learning.moments
        return found

    @property
    def start(self) -> Literal["known", "fitted", "given"]:
        """Where coefficients at time 0 come from."""
        return "given" if isinstance(self.initial, dict) else self.initial

    @property
    def given_initial(self) -> Float64[np.ndarray, " coefficients"] | None:
        """Coefficients at time 0 if they are given by name."""
        return _given_initial(self)

    def learned_times(
        self, times: Float64[np.ndarray, " times"]
    ) -> Float64[np.ndarray, " learned_times"]:
        """The times that the model is learned from."""
        until = self.learning.until
        return times if until is None else times[times <= until * (1 + 1e-9)]


@final
@dataclass(frozen=True)
class CoefficientLawPlan:
    """A Boltzmann machine whose law is a smooth function of its coordinates.

    Attributes
    ----------
    name
        Its name.
    model
        Terms and layers.
    initial
        Coefficients at time 0, as for `ReducedModelPlan`.
    reference
        Coefficients that fits of snapshots are pulled to, by name.
    """

    name: str
    model: LatticeModel
    initial: Literal["known", "fitted"] | dict[str, float]
    reference: dict[str, float]

    @property
    def given_initial(self) -> Float64[np.ndarray, " coefficients"] | None:
        """Coefficients at time 0 if they are given by name."""
        return _given_initial(self)

    @functools.cached_property
    def is_solvable(self) -> bool:
        """Whether the model has an exact solution."""
        return _is_solvable(self.model)


@final
@dataclass(frozen=True)
class Experiment(AbstractExperiment[ExperimentTable]):
    """An experiment: a reaction network on a lattice, its initial states and reduced models.

    Made by `load_experiment`, which checks everything.
    """

    @functools.cached_property
    def lattice(self) -> Lattice:
        """The lattice."""
        with in_field(self.source, "lattice"):
            return Lattice(tuple(self.table.lattice.shape), self.table.lattice.boundary)

    @functools.cached_property
    def kernel(self) -> AbstractKernel:
        """The simulator."""
        table = self.table.kernel
        with in_field(self.source, "kernel"):
            if isinstance(table, CollisionTable):
                kernel: AbstractKernel = CollisionKernel(table.dt)
            else:
                kernel = ContinuousTimeKernel(table.hop_rate, table.interval)
            kernel.check(self.network)
            return kernel

    @functools.cached_property
    def times(self) -> Float64[np.ndarray, " times"]:
        """Times of the recorded states: of the kernel, or as given trajectories have them."""
        initial = self.table.initial
        if isinstance(initial, StoreInitial) and isinstance(initial.times, list):
            return np.array(initial.times)
        return self.kernel.time_step * np.arange(self.table.kernel.n_steps + 1)

    @functools.cached_property
    def moments(self) -> tuple[Term, ...]:
        """Moments that models are compared by: neighbouring sites, orders 1 to 4 if they fit.

        They must fit on the lattice and, on chains, into exact solutions: from eight species on
        only up to order 3, from 22 on up to order 2.
        """
        order, n_labels = min(4, *self.lattice.shape), len(self.network.species) + 1
        while self.lattice.dim == 1 and order > 2 and n_labels ** (order - 1) > MOST_TUPLES:
            order -= 1
        return neighbour_moments(self.network.species, self.lattice.dim, order)

    @functools.cached_property
    def plans(self) -> dict[str, ReducedModelPlan]:
        """The reduced models with finite elements, by name."""
        return {
            name: self._plan(name, table)
            for name, table in self.table.models.items()
            if isinstance(table, ModelTable) and table.grid is not None
        }

    @functools.cached_property
    def coefficient_laws(self) -> dict[str, CoefficientLawPlan]:
        """The models with terms whose law is a smooth function, by name."""
        return {
            name: self._coefficient_law(name, table)
            for name, table in self.table.models.items()
            if isinstance(table, ModelTable) and table.grid is None
        }

    @functools.cached_property
    def laws(self) -> tuple[str, ...]:
        """Names of the models that are laws of moments."""
        tables = self.table.models.items()
        return tuple(name for name, table in tables if isinstance(table, LawTable))

    @property
    def law_names(self) -> tuple[str, ...]:
        """Names of the laws, of moments and of models with terms."""
        return (*self.laws, *self.coefficient_laws)

    @functools.cached_property
    def generator(self) -> TransferMatrix | None:
        """Distribution that initial states are drawn from, if any."""
        table = self.table.initial
        if not isinstance(table, DistributionInitial):
            return None
        field = "initial.model" if table.model is not None else "initial.terms"
        with in_field(self.source, field):
            with_terms = [name for name in self.table.models if name not in self.laws]
            if table.model is not None and table.model not in with_terms:
                raise ValueError(
                    f"there is no model {table.model!r}; there are "
                    f"{', '.join(with_terms) or 'none'}."
                    f"{did_you_mean(table.model, with_terms)}"
                )
            solution = TransferMatrix(self._generating(table))
        with in_field(self.source, "initial.coefficients"):
            _check_ranges(table.coefficients, solution.model.coefficients)
        return solution

    @property
    def stored_names(self) -> set[str]:
        """Names that stores of models and predictions may have."""
        return {
            *self.table.models,
            *([BASELINE] if self.has_network else []),
            *self.table.evaluation.ceilings,
            *self.table.evaluation.closures,
            *self.matchings,
        }

    @property
    def matchings(self) -> dict[str, str]:
        """Names of the predictions by entropic matching, and the models in whose families."""
        return {f"{name}{MATCHING}": name for name in self.table.evaluation.entropic_matching}

    def _plan(self, name: str, table: ModelTable) -> ReducedModelPlan:
        field = dotted(("models", name))
        lattice = Lattice(self.lattice.shape, table.boundary or self.lattice.boundary)
        model = self._model(name, table, lattice)
        with in_field(self.source, f"{field}.grid"):
            grids = _grids(table, model.coefficients)
        with in_field(self.source, f"{field}.fit"):
            _check_names("start", table.fit.start or (), model.coefficients)
            fit = FitSettings(**_given(table.fit))
        with in_field(self.source, f"{field}.learning"):
            if isinstance(table.learning.learning_rate, dict):
                _check_names("learning_rate", table.learning.learning_rate, model.coefficients)
            learning = LearningSettings(**_given(table.learning))
        sampled_ceiling = name in self.table.evaluation.ceilings.values() and not _is_solvable(
            model
        )
        followed = learning.warm_start or sampled_ceiling
        initial = table.initial
        if initial is None:
            initial = "known" if self._starts_known(model) else "fitted"
        return ReducedModelPlan(name, model, grids, initial, fit, learning, followed)

    def _coefficient_law(self, name: str, table: ModelTable) -> CoefficientLawPlan:
        lattice = Lattice(self.lattice.shape, table.boundary or self.lattice.boundary)
        model = self._model(name, table, lattice)
        initial = table.initial
        if initial is None:
            initial = "known" if self._starts_known(model) else "fitted"
        return CoefficientLawPlan(name, model, initial, dict(table.fit.start or {}))

    def _model(self, name: str, table: ModelTable, lattice: Lattice) -> LatticeModel:
        field = dotted(("models", name))
        with in_field(self.source, f"{field}.layers"):
            layers = [
                Layer(tuple(layer.species), tuple(tuple(offset) for offset in layer.stencil))
                for layer in table.layers
            ]
            for layer in layers:
                layer.check(lattice)
        with in_field(self.source, f"{field}.terms"):
            return LatticeModel.from_names(lattice, self.network.species, table.terms, layers)

    def _generating(self, table: DistributionInitial) -> LatticeModel:
        """The distribution that initial states are drawn from."""
        if table.terms is not None:
            return LatticeModel.from_names(self.lattice, self.network.species, table.terms)
        model = self.table.models[str(table.model)]
        assert isinstance(model, ModelTable)
        lattice = Lattice(self.lattice.shape, model.boundary or self.lattice.boundary)
        return self._model(str(table.model), model, lattice)

    def _starts_known(self, model: LatticeModel) -> bool:
        """Whether coefficients at time 0 are known if nothing is said about them."""
        if not model.is_visible or self.why_unknown(model):
            return False
        return not self.has_too_many_replicas

    @property
    def has_too_many_replicas(self) -> bool:
        """Whether means over replicas show that numbers of particles at time 0 are fixed."""
        table = self.table.initial
        if not isinstance(table, CountsInitial):
            return False
        return table.replicas > MOST_REPLICAS * self.lattice.n_sites

    def why_unknown(self, model: LatticeModel) -> str:
        """Why the coefficients of a model at time 0 are not known; empty if they are."""
        table = self.table.initial
        if isinstance(table, CountsInitial):
            return self._why_unknown_counts(model, table)
        if not isinstance(table, DistributionInitial):
            return (
                '"known" needs initial states that are made here, from a distribution or as '
                'counts at random sites; write "fitted".'
            )
        if table.model is not None and not isinstance(
            self.table.models.get(table.model), ModelTable
        ):
            return f"there is no model {table.model!r} with terms."
        generator = self._generating(table)
        lattice = generator.lattice
        same = generator.layers == model.layers[: len(generator.layers)]
        if same and lattice == model.lattice and set(generator.terms) <= set(model.terms):
            return ""
        return (
            '"known" needs the terms of the model that initial states are drawn from, '
            f'{generator.coefficients}, and its lattice; write "fitted".'
        )

    def _why_unknown_counts(self, model: LatticeModel, table: CountsInitial) -> str:
        lacking = [s for s in self.network.species if f"b.{s}" not in model.coefficients]
        if lacking:
            return f'"known" needs the bias of every species, also b.{lacking[0]}; write "fitted".'
        ranges = [table.counts.get(species, 0) for species in self.network.species]
        lowest = min(value[0] if isinstance(value, list) else value for value in ranges)
        most = sum(value[1] if isinstance(value, list) else value for value in ranges)
        if lowest > 0 and most < self.lattice.n_sites:
            return ""
        return (
            '"known" needs at least one particle of each species and one empty site in all initial '
            'conditions, as coefficients would be infinite otherwise; write "fitted".'
        )

    def check(self) -> None:
        """Raise `ExperimentError` unless every part of the experiment fits the others."""
        _ = self.kernel, self.generator  # built once, and so checked
        with in_field(self.source, "kernel.n_steps"):
            check_duration(self.kernel.time_step, self.table.kernel.n_steps)
        with in_field(self.source, "initial.times"):
            self._check_times()
        for name, plan in self.plans.items():
            with in_field(self.source, f"{dotted(('models', name))}.initial"):
                self._check_initial(plan)
            for key, value in plan.exact_settings.items():
                with in_field(self.source, f"{dotted(('models', name))}.{key}"):
                    _check_solvable(plan.model, value)
            with in_field(self.source, f"{dotted(('models', name))}.boundary"):
                self._check_boundary(plan)
            with in_field(self.source, f"{dotted(('models', name))}.learning.until"):
                if len(plan.learned_times(self.times)) < 2:
                    raise ValueError(
                        f"must be at least {self.times[:2][-1]:g}, the second time, got "
                        f"{plan.learning.until}."
                    )
            with in_field(self.source, f"{dotted(('models', name))}.learning.velocity_prior"):
                self._check_velocity_prior(plan)
        for name, law in self.coefficient_laws.items():
            field = dotted(("models", name))
            with in_field(self.source, f"{field}.initial"):
                self._check_initial(law)
            with in_field(self.source, f"{field}.terms"):
                coefficient_chart(law.model, self.moments)
            with in_field(self.source, f"{field}.fit.start"):
                _check_names("start", law.reference, law.model.coefficients)
                reference_of("fit", law.model, law.reference)
        if isinstance(self.table.initial, CountsInitial):
            with in_field(self.source, "initial.counts"):
                self._check_counts(self.table.initial)
        with in_field(self.source, "evaluation.ceilings"):
            self._check_ceilings()
        with in_field(self.source, "evaluation.closures"):
            self._check_references(self.table.evaluation.closures)
        with in_field(self.source, "evaluation.entropic_matching"):
            self._check_references(self.matchings)
            self._check_matchings()
        with in_field(self.source, "evaluation.transfer"):
            self._check_transfer()

    def _check_times(self) -> None:
        """Raise unless times increase and, with collisions, are whole numbers of steps apart."""
        times, step = self.times, self.kernel.time_step
        if np.any(np.diff(times) <= 0):
            place = int(np.argmax(np.diff(times) <= 0)) + 1
            raise ValueError(
                f"must increase, got {times[place]:g} after {times[place - 1]:g} at {place}."
            )
        since = (times - times[0]) / step
        if isinstance(self.kernel, CollisionKernel) and np.any(
            np.abs(since - since.round()) > 0.01
        ):
            place = int(np.argmax(np.abs(since - since.round()) > 0.01))
            raise ValueError(
                f"must be whole numbers of steps `kernel.dt` = {step:g} after the first one, "
                f"{times[0]:g}; got {times[place]:g}. Set `kernel.dt` to the time between two "
                "attempts to hop."
            )

    def _check_boundary(self, plan: ReducedModelPlan) -> None:
        if plan.model.lattice.boundary != self.lattice.boundary and plan.is_solvable:
            raise ValueError(
                "a boundary other than the lattice's is for models without an exact solution; "
                "leave it out."
            )

    def _check_ceilings(self) -> None:
        for ceiling, name in self.table.evaluation.ceilings.items():
            with_terms = (*self.plans, *self.coefficient_laws)
            if name not in with_terms:
                raise ValueError(
                    f"{ceiling} names the model {name!r}; there are {', '.join(with_terms)}."
                    f"{did_you_mean(name, with_terms)}"
                )
            if name in self.coefficient_laws and not self.coefficient_laws[name].is_solvable:
                raise ValueError(
                    f"{ceiling} names {name!r}, a model without a table `grid` and without an "
                    "exact solution, whose static fits are not compared; leave it out."
                )
            if ceiling in self.table.models:
                raise ValueError(f"the name {ceiling!r} is taken by a model; use another.")

    def _check_references(self, names: Iterable[str]) -> None:
        """Raise unless predictions without learning are possible, and their names free."""
        for name in names:
            if name in self.plans or name in self.table.evaluation.ceilings:
                raise ValueError(f"the name {name!r} is taken by a model or ceiling; rename that.")
            self._check_process()

    @property
    def has_network(self) -> bool:
        """Whether the reactions are known; those of given trajectories need not be."""
        return self.table.network is not None

    def _check_process(self) -> None:
        """Raise unless moment equations of the process are known."""
        if not self.has_network:
            raise ValueError("needs `network`, the reactions.")
        if not isinstance(self.kernel, ContinuousTimeKernel):
            raise ValueError('needs the kernel of kind = "continuous-time".')
        if self.lattice.boundary != "periodic":
            raise ValueError('needs a lattice with boundary = "periodic".')

    def _check_velocity_prior(self, plan: ReducedModelPlan) -> None:
        if plan.learning.velocity_prior == "entropic-matching":
            self._check_process()
            if not (plan.model.is_visible and plan.is_solvable):
                raise ValueError(
                    '"entropic-matching" needs a model without hidden layers that has an exact '
                    'solution; write "none".'
                )

    def _check_matchings(self) -> None:
        for name in self.matchings.values():
            if name not in self.plans:
                raise ValueError(
                    f"names the model {name!r}; there are {', '.join(self.plans)}."
                    f"{did_you_mean(name, self.plans)}"
                )
            plan = self.plans[name]
            if not plan.model.is_visible or plan.model.lattice != self.lattice:
                raise ValueError(
                    f"names {name!r}; its family must have no hidden layers and the boundary of "
                    "the lattice."
                )

    def _check_transfer(self) -> None:
        transfer = self.table.evaluation.transfer
        if transfer is None:
            return
        if len(transfer.shape) != self.lattice.dim:
            raise ValueError(
                f"`shape` must have {self.lattice.dim} entries as the lattice has, got "
                f"{transfer.shape}."
            )
        if not isinstance(self.table.initial, CountsInitial):
            raise ValueError('needs initial states with source = "counts".')

    def _check_initial(self, plan: ReducedModelPlan | CoefficientLawPlan) -> None:
        if isinstance(plan.initial, dict):
            _check_names("initial", plan.initial, plan.model.coefficients)
            lacking = [name for name in plan.model.coefficients if name not in plan.initial]
            if lacking:
                raise ValueError(f"give a value for {lacking[0]!r} as well.")
        if plan.initial != "known":
            return
        reason = self.why_unknown(plan.model)
        if reason:
            raise ValueError(reason)

    def _check_counts(self, table: CountsInitial) -> None:
        _check_names("counts", table.counts, self.network.species)
        for name, value in table.counts.items():
            if isinstance(value, list) and value[0] > value[1]:
                raise ValueError(f"the range of {name} must be [lowest, highest], got {value}.")
        most = sum(v[1] if isinstance(v, list) else v for v in table.counts.values())
        if most > self.lattice.n_sites:
            raise ValueError(f"up to {most} particles do not fit on {self.lattice.n_sites} sites.")


def _check_solvable(model: LatticeModel, moments: str) -> None:
    try:
        TransferMatrix(model)
    except ValueError as error:
        raise ValueError(
            f'"{moments}" needs an exact solution here, which this model lacks; write '
            f'"persistent". {error}'
        ) from error


def _given_initial(
    plan: ReducedModelPlan | CoefficientLawPlan,
) -> Float64[np.ndarray, " coefficients"] | None:
    if not isinstance(plan.initial, dict):
        return None
    return np.array([plan.initial[name] for name in plan.model.coefficients])


def _is_solvable(model: LatticeModel) -> bool:
    try:
        TransferMatrix(model)
    except ValueError:
        return False
    return True


def _given(table: Any) -> dict[str, Any]:
    return table.model_dump(exclude_none=True)


def _check_names(what: str, given: Any, known: Sequence[str]) -> None:
    unknown = [name for name in given if name not in known]
    if unknown:
        raise ValueError(
            f"`{what}` names {unknown[0]!r}; allowed are {', '.join(known)}."
            f"{did_you_mean(unknown[0], known)}"
        )


def _check_ranges(ranges: dict[str, list[float]], coefficients: tuple[str, ...]) -> None:
    strange = [name for name in ranges if name not in coefficients]
    near = did_you_mean(strange[0], coefficients) if strange else ""
    if set(ranges) != set(coefficients):
        raise ValueError(
            f"give a range for each of {', '.join(coefficients)}, got "
            f"{', '.join(ranges) or 'none'}.{near}"
        )
    for name, (low, high) in ranges.items():
        if low > high:
            raise ValueError(f"the range of {name} must be [lowest, highest], got {[low, high]}.")


def _grids(table: ModelTable, coefficients: tuple[str, ...]) -> dict[str, HermiteGrid]:
    assert table.grid is not None
    axes, arguments = table.grid.axes, table.grid.arguments
    if isinstance(arguments, list):
        arguments = dict.fromkeys(coefficients, arguments)
    _check_names("axes", axes, coefficients)
    _check_names("arguments", arguments, coefficients)
    grids = {}
    for name in coefficients:
        chosen = arguments.get(name, list(coefficients))
        lacking = [argument for argument in chosen if argument not in axes]
        if lacking:
            raise ValueError(
                f"`axes` has no entry for {lacking[0]!r}, which the derivative of {name} depends "
                f"on; it has {', '.join(axes) or 'none'}.{did_you_mean(lacking[0], axes)}"
            )
        grids[name] = HermiteGrid(
            tuple(chosen),
            *(
                tuple(float(getattr(axes[argument], side)) for argument in chosen)
                for side in ("cell", "origin", "lower", "upper")
            ),
            outside=table.grid.outside,
        )
    return grids
