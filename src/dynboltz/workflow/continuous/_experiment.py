"""Experiments in continuous space: the objects that an experiment file describes."""

from __future__ import annotations

import functools
import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, final

import jax
import numpy as np
from jaxtyping import Float64

from dynboltz._hints import did_you_mean
from dynboltz.distributions import PointProcessModel
from dynboltz.dynamics import FunctionalField, PairField
from dynboltz.elements import ElementSpace, Family
from dynboltz.learning import GaussNewtonSettings, SampledGaussNewtonSettings
from dynboltz.particles import Box
from dynboltz.simulation import simulate_particles

from .._base import AbstractExperiment, check_duration
from .._errors import in_field
from .._toml import dotted
from ._function_schema import LearningTable
from ._functions import functional_field
from ._homogeneous import homogeneous_field, homogeneous_model, pair_equations
from ._homogeneous_schema import RadialTable
from ._schema import (
    BoxExperimentTable,
    ElementsTable,
    FunctionalTable,
    ModelTable,
    ProfilesInitial,
)

FAMILIES: dict[str, Family] = {"hermite": "Hermite", "p1": "P1"}
DEVIATIONS = 8.0
"""Standard deviations of a Poisson number that the slots of a pattern leave room for."""


@final
@dataclass(frozen=True)
class FunctionalPlan:
    """A reduced model to learn.

    Attributes
    ----------
    name
        Its name.
    model
        The distribution.
    field
        The functional, or the equations in homogeneous space, with the functions at their start.
    table
        The settings.
    """

    name: str
    model: PointProcessModel
    field: FunctionalField | PairField
    table: ModelTable

    @property
    def has_pairs(self) -> bool:
        """Whether particles interact in pairs, K = 2, so that moments have to be sampled."""
        return isinstance(self.table, RadialTable)

    @property
    def learning(self) -> LearningTable:
        """How the functions of a model without pairs are learned."""
        assert not isinstance(self.table, RadialTable)
        return self.table.learning

    @property
    def settings(self) -> GaussNewtonSettings:
        """How to descend without pairs."""
        table = self.learning
        return GaussNewtonSettings(table.steps, table.damping, table.tolerance)

    @property
    def sampled_settings(self) -> SampledGaussNewtonSettings:
        """How to descend with pairs."""
        given = self.table.learning.model_dump(exclude_none=True, exclude={"substeps"})
        return SampledGaussNewtonSettings(**given)

    def windows(self, times: Float64[np.ndarray, " times"]) -> list[int]:
        """Numbers of times that are learned from, one after the other; the last one is all."""
        ends = [] if self.has_pairs else self.learning.windows
        counts = [int(np.sum(times <= end * (1 + 1e-9))) for end in ends]
        return list(dict.fromkeys([*counts, len(times)]))


@final
@dataclass(frozen=True)
class BoxExperiment(AbstractExperiment[BoxExperimentTable]):
    """An experiment: reacting particles in a box, their initial patterns and reduced models.

    Made by `load_experiment`, which checks everything.
    """

    @functools.cached_property
    def box(self) -> Box:
        """The box."""
        with in_field(self.source, "box"):
            return Box(tuple(map(float, self.table.box.size)), self.table.box.boundary)

    @functools.cached_property
    def times(self) -> Float64[np.ndarray, " times"]:
        """Times of the recorded patterns."""
        return self.table.kernel.interval * np.arange(self.table.kernel.n_steps + 1)

    @property
    def diffusion(self) -> dict[str, float]:
        """Diffusion constant of each species [length^2/time]."""
        given = self.table.kernel.diffusion
        return dict(given) if isinstance(given, dict) else dict.fromkeys(self.species, given)

    @property
    def species(self) -> tuple[str, ...]:
        """Names of the species."""
        return self.network.species

    @property
    def dynamics(self) -> dict[str, Any]:
        """Arguments of `simulate_particles` that say how particles move and react."""
        kernel = self.table.kernel
        return {
            "diffusion": self.diffusion,
            "reaction_radius": {} if kernel.reaction_radius is None else kernel.reaction_radius,
            "dt": kernel.interval if kernel.dt is None else kernel.dt,
            "max_particles": self.n_slots,
        }

    @functools.cached_property
    def n_slots(self) -> int:
        """Number of particles that a pattern has room for."""
        if self.table.kernel.max_particles is not None:
            return self.table.kernel.max_particles
        most = math.fsum(self.largest_means.values())
        return math.ceil(most + DEVIATIONS * math.sqrt(most) + DEVIATIONS)

    @functools.cached_property
    def largest_means(self) -> dict[str, float]:
        """Largest mean number of particles of each species at time 0."""
        table = self.table.initial
        if isinstance(table, ProfilesInitial):
            given = table.mean
            return dict(given) if isinstance(given, dict) else dict.fromkeys(self.species, given)
        most: dict[str, float] = {}
        for kind in table.kinds:
            for name, value in kind.density.items():
                highest = value[1] if isinstance(value, list) else value
                most[name] = max(most.get(name, 0.0), highest * self.box.volume)
        return most

    @functools.cached_property
    def plans(self) -> dict[str, FunctionalPlan]:
        """The reduced models that are learned, by name, in the order of the file."""
        tables = self.table.models
        chosen = tables if self.table.learn is None else self.table.learn
        with jax.enable_x64(True):
            return {name: self._plan(name, tables[name]) for name in tables if name in chosen}

    @property
    def stored_names(self) -> set[str]:
        """Names that stores of models and predictions may have."""
        return set(self.plans)

    def check(self) -> None:
        """Raise `ExperimentError` unless every part of the experiment fits the others."""
        with in_field(self.source, "kernel.n_steps"):
            check_duration(self.table.kernel.interval, self.table.kernel.n_steps)
        self._check_kernel()
        self._check_initial()
        for name, plan in self.plans.items():
            field = dotted(("models", name))
            with in_field(self.source, f"{field}.learning.start_from"):
                self._check_start(plan)
            with in_field(self.source, f"{field}.learning.windows"):
                if min(plan.windows(self.times)) < 2:
                    raise ValueError(
                        f"must be at least the time step {self.table.kernel.interval:g}, got "
                        f"{plan.learning.windows}."
                    )
        with in_field(self.source, "evaluation.reach"):
            _ = self.reach

    @property
    def reach(self) -> float:
        """Largest distance that pair correlations are compared at [length]."""
        most = min(self.box.lengths) / 2
        given = self.table.evaluation.reach
        if given is not None and given > most:
            raise ValueError(f"must be at most half the shortest side, {most:g}, got {given}.")
        return most / 2 if given is None else given

    def _check_kernel(self) -> None:
        network, box = self.network, self.box
        names = dict.fromkeys(network.species, 0)
        start = np.array([self.times[0]])
        with in_field(self.source, "kernel"):
            simulate_particles(
                network, box, names, times=start, seed=0, replicas=1, **self.dynamics
            )

    def _check_initial(self) -> None:
        table = self.table.initial
        if isinstance(table, ProfilesInitial):
            with in_field(self.source, "initial.mean"):
                self._check_species(self.largest_means)
            return
        for number, kind in enumerate(table.kinds):
            field = f"initial.kinds.{number}"
            with in_field(self.source, f"{field}.density"):
                self._check_species(kind.density)
                for value in kind.density.values():
                    _check_order(value)
            for key in ("distance", "share"):
                with in_field(self.source, f"{field}.{key}"):
                    _check_order(getattr(kind, key))

    def _check_species(self, given: Iterable[str]) -> None:
        unknown = [name for name in given if name not in self.species]
        if unknown:
            raise ValueError(
                f"names {unknown[0]!r}; allowed are {', '.join(self.species)}."
                f"{did_you_mean(unknown[0], self.species)}"
            )

    def _check_start(self, plan: FunctionalPlan) -> None:
        names = list(self.plans)
        earlier = names[: names.index(plan.name)]
        start = None if plan.has_pairs else plan.learning.start_from
        if start is not None and (start not in earlier or isinstance(plan.field, PairField)):
            raise ValueError(
                "must name a model with profiles that stands before this one "
                f"({', '.join(earlier) or 'none'}), and this one must have profiles too; got "
                f"{start!r}.{did_you_mean(start, earlier)}"
            )

    def _plan(self, name: str, table: ModelTable) -> FunctionalPlan:
        field = dotted(("models", name))
        if not isinstance(table, FunctionalTable):
            with in_field(self.source, f"{field}.pairs"):
                pair_equations(self.species, table)
        with in_field(self.source, f"{field}.elements"):
            model = build_model(self.box, self.species, table)
        with in_field(self.source, f"{field}.dynamics"):
            functional = build_field(self.box, self.species, table)
        return FunctionalPlan(name, model, functional, table)


def build_model(box: Box, species: tuple[str, ...], table: ModelTable) -> PointProcessModel:
    """Distribution of a model."""
    if not isinstance(table, FunctionalTable):
        return homogeneous_model(box, species, table)
    space = element_space(box, table.elements)
    return PointProcessModel(box, species, dict.fromkeys(species, space))


def build_field(
    box: Box, species: tuple[str, ...], table: ModelTable
) -> FunctionalField | PairField:
    """Functional of a model, or its equations in homogeneous space, with functions at the start."""
    if not isinstance(table, FunctionalTable):
        return homogeneous_field(box, species, table)
    return functional_field(element_space(box, table.elements), species, table.dynamics)


def element_space(box: Box, table: ElementsTable) -> ElementSpace:
    """Elements in the box."""
    return ElementSpace(box, tuple(table.cells), FAMILIES[table.kind])


def _check_order(value: Any) -> None:
    if isinstance(value, list) and value[0] > value[1]:
        raise ValueError(f"a range must be [lowest, highest], got {value}.")
