"""Initial patterns of the simulations, one initial condition at a time."""

from __future__ import annotations

import numpy as np

from dynboltz.lattices import numbered_seed
from dynboltz.particles import PointPatterns, random_hard_core, random_pairs, random_particles

from .._seeds import COEFFICIENTS, STATES, seed_for
from ._experiment import BoxExperiment
from ._profiles import random_profile
from ._schema import Pattern, PatternsInitial, ProfilesInitial


def initial_patterns(experiment: BoxExperiment, part: str, number: int) -> PointPatterns:
    """Initial patterns of all replicas of one initial condition.

    Initial condition `number` does not depend on how many there are.
    """
    table = experiment.table.initial
    if isinstance(table, ProfilesInitial):
        return _of_profiles(experiment, table, part, number)
    return _of_patterns(experiment, table, part, number)


def _of_profiles(
    experiment: BoxExperiment, table: ProfilesInitial, part: str, number: int
) -> PointPatterns:
    random = np.random.default_rng(seed_for(experiment, part, COEFFICIENTS, number))
    box = experiment.box
    profiles = {
        name: random_profile(box, mean, table.modes, table.amplitude, random)
        for name, mean in experiment.largest_means.items()
    }
    seed = seed_for(experiment, part, STATES, number)
    patterns = []
    for replica in range(table.replicas):
        own = np.random.default_rng(numbered_seed(seed, replica))
        patterns.append({name: profile.draw(own) for name, profile in profiles.items()})
    return PointPatterns.from_lists(patterns, experiment.species, box)


def _of_patterns(
    experiment: BoxExperiment, table: PatternsInitial, part: str, number: int
) -> PointPatterns:
    """Patterns of one kind; the kinds take turns over the initial conditions."""
    random = np.random.default_rng(seed_for(experiment, part, COEFFICIENTS, number))
    means = {
        name: _drawn(value, random) * experiment.box.volume for name, value in table.density.items()
    }
    distance = 0.0 if table.distance is None else _drawn(table.distance, random)
    kind = table.kinds[number % len(table.kinds)]
    seed = seed_for(experiment, part, STATES, number)
    patterns = [
        _pattern(experiment, kind, means, distance, numbered_seed(seed, replica))
        for replica in range(table.replicas)
    ]
    lists = [{name: pattern.points(name, 0) for name in experiment.species} for pattern in patterns]
    return PointPatterns.from_lists(lists, experiment.species, experiment.box)


def _pattern(
    experiment: BoxExperiment,
    kind: Pattern,
    means: dict[str, float],
    distance: float,
    seed: np.random.SeedSequence,
) -> PointPatterns:
    """One pattern: hard cores of a given number of particles, others of a Poisson number."""
    box, species = experiment.box, experiment.species
    random = np.random.default_rng(numbered_seed(seed, 0))
    places = numbered_seed(seed, 1)
    if kind == "hard core":
        counts = {name: round(mean) for name, mean in means.items()}
        return random_hard_core(box, species, counts, 1, distance=distance, seed=places)
    if kind == "random":
        counts = {name: int(random.poisson(mean)) for name, mean in means.items()}
        return random_particles(box, species, counts, 1, seed=places)
    first, last = next(iter(means)), list(means)[-1]
    n_pairs = int(random.poisson(sum(means.values()) / 2))
    return random_pairs(box, species, (first, last), n_pairs, 1, distance=distance, seed=places)


def _drawn(value: float | list[float], random: np.random.Generator) -> float:
    low, high = value if isinstance(value, list) else (value, value)
    return float(random.uniform(low, high))
