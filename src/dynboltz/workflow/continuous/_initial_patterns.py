"""Initial patterns of the simulations, one initial condition at a time."""

from __future__ import annotations

import numpy as np

from dynboltz.lattices import child_seeds, numbered_seed
from dynboltz.particles import PointPatterns, random_arrivals, random_pairs, random_particles

from .._seeds import Purpose, derive_seed
from ._experiment import BoxExperiment
from ._profiles import random_profile
from ._schema import Pattern, PatternsInitial, PatternTable, ProfilesInitial


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
    random = np.random.default_rng(
        derive_seed(experiment, part, Purpose.COEFFICIENTS, number=number)
    )
    box = experiment.box
    profiles = {
        name: random_profile(box, mean, table.modes, table.amplitude, random)
        for name, mean in experiment.largest_means.items()
    }
    seed = derive_seed(experiment, part, Purpose.STATES, number=number)
    patterns = []
    for replica in range(table.replicas):
        own = np.random.default_rng(numbered_seed(seed, replica))
        patterns.append({name: profile.draw(own) for name, profile in profiles.items()})
    return PointPatterns.from_lists(patterns, experiment.species, box)


def known_densities(experiment: BoxExperiment, part: str, number: int) -> dict[str, float] | None:
    """Densities of an initial condition of independent, evenly spread particles, else `None`."""
    table = experiment.table.initial
    if isinstance(table, ProfilesInitial):
        return None
    kind = table.kinds[number % len(table.kinds)]
    if kind.kind != "random":
        return None
    return _drawn_densities(experiment, kind, part, number)[0]


def _drawn_densities(
    experiment: BoxExperiment, kind: PatternTable, part: str, number: int
) -> tuple[dict[str, float], np.random.Generator]:
    """Densities of one initial condition, the same whoever asks; the generator for what follows."""
    random = np.random.default_rng(
        derive_seed(experiment, part, Purpose.COEFFICIENTS, number=number)
    )
    return {name: _drawn(value, random) for name, value in kind.density.items()}, random


def _of_patterns(
    experiment: BoxExperiment, table: PatternsInitial, part: str, number: int
) -> PointPatterns:
    """Patterns of one kind; the kinds take turns over the initial conditions."""
    kind = table.kinds[number % len(table.kinds)]
    densities, random = _drawn_densities(experiment, kind, part, number)
    distance = 0.0 if kind.distance is None else _drawn(kind.distance, random)
    share = _drawn(kind.share, random)
    seed = derive_seed(experiment, part, Purpose.STATES, number=number)
    patterns = []
    for replica in range(table.replicas):
        loose, bound = child_seeds(numbered_seed(seed, replica), 2)
        rest = 1.0 if kind.kind == "random" else 1.0 - share
        parts = [_independent(experiment, densities, rest, loose)]
        if kind.kind != "random":
            correlated = {name: share * density for name, density in densities.items()}
            parts.append(_correlated(experiment, kind.kind, correlated, distance, bound))
        patterns.append(
            {
                name: np.concatenate([part.points(name, 0) for part in parts])
                for name in experiment.species
            }
        )
    return PointPatterns.from_lists(patterns, experiment.species, experiment.box)


def _independent(
    experiment: BoxExperiment,
    densities: dict[str, float],
    share: float,
    seed: np.random.SeedSequence,
) -> PointPatterns:
    """A Poisson pattern of a share of the particles."""
    for_numbers, for_places = child_seeds(seed, 2)
    random, volume = np.random.default_rng(for_numbers), experiment.box.volume
    counts = {name: int(random.poisson(share * rho * volume)) for name, rho in densities.items()}
    return random_particles(experiment.box, experiment.species, counts, 1, seed=for_places)


def _correlated(
    experiment: BoxExperiment,
    kind: Pattern,
    densities: dict[str, float],
    distance: float,
    seed: np.random.SeedSequence,
) -> PointPatterns:
    """Hard cores, or a Poisson number of pairs at exponentially distributed distances."""
    box, species = experiment.box, experiment.species
    if kind == "hard core":
        return random_arrivals(box, species, densities, 1, distance=distance, seed=seed)
    for_numbers, for_places = child_seeds(seed, 2)
    mean = sum(densities.values()) * box.volume / 2
    n_pairs = int(np.random.default_rng(for_numbers).poisson(mean))
    names = list(densities)
    return random_pairs(
        box,
        species,
        (names[0], names[-1]),
        n_pairs,
        1,
        distance=lambda random, n: random.exponential(distance, n),
        seed=for_places,
    )


def _drawn(value: float | list[float], random: np.random.Generator) -> float:
    low, high = value if isinstance(value, list) else (value, value)
    return float(random.uniform(low, high))
