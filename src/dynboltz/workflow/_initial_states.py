"""Initial states of the simulations, one initial condition at a time."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float64, UInt8

from dynboltz.distributions import sample_chain
from dynboltz.simulation import random_counts

from ._experiment import CoefficientLawPlan, Experiment, ReducedModelPlan
from ._schema import CountsInitial, DistributionInitial
from ._seeds import Purpose, derive_seed


def initial_coefficients(
    experiment: Experiment, part: str
) -> Float64[np.ndarray, "initial_conditions coefficients"] | None:
    """Coefficients of the distributions that initial states are drawn from.

    Initial condition `i` does not depend on how many there are. `None` if initial states do not
    come from distributions.
    """
    table = experiment.table.initial
    if not isinstance(table, DistributionInitial) or experiment.generator is None:
        return None
    ranges = np.array([table.coefficients[c] for c in experiment.generator.model.coefficients])
    generators = [
        np.random.default_rng(derive_seed(experiment, part, Purpose.COEFFICIENTS, number=number))
        for number in range(getattr(table, part))
    ]
    return np.array([generator.uniform(*ranges.T) for generator in generators])


def known_coefficients(
    experiment: Experiment, plan: ReducedModelPlan | CoefficientLawPlan, part: str
) -> Float64[np.ndarray, "initial_conditions coefficients"]:
    r"""Coefficients of a model at time 0 that follow from how initial states are made.

    Those of the distribution that they are drawn from, and 0 for terms that this distribution
    lacks. For particles at random sites, $b_A = \ln(\rho_A / \rho_0)$ with the densities
    $\rho_A$ and the share $\rho_0$ of empty sites, and 0 for everything else: exactly the
    distribution of independent sites with the same mean densities. That numbers do not fluctuate
    leaves pairs of sites with the correlation $-1/(N - 1)$.

    `Experiment.check` has seen to it that they are known.
    """
    table, names = experiment.table.initial, plan.model.coefficients
    theta = np.zeros((getattr(table, part), len(names)))
    if isinstance(table, CountsInitial):
        for row, number in zip(theta, range(len(theta)), strict=True):
            counts = initial_counts(experiment, table, part, number)
            empty = experiment.lattice.n_sites - sum(counts.values())
            for species in experiment.network.species:
                ratio = counts.get(species, 0) / empty
                row[names.index(f"b.{species}")] = np.log(ratio)
        return theta
    drawn = initial_coefficients(experiment, part)
    assert drawn is not None
    assert experiment.generator is not None
    places = [names.index(name) for name in experiment.generator.model.coefficients]
    theta[:, places] = drawn
    return theta


def initial_states(
    experiment: Experiment, part: str, number: int
) -> UInt8[np.ndarray, "replicas sites"]:
    """Initial states of all replicas of one initial condition."""
    table = experiment.table.initial
    seed = derive_seed(experiment, part, Purpose.STATES, number=number)
    if isinstance(table, CountsInitial):
        counts = initial_counts(experiment, table, part, number)
        return random_counts(
            experiment.lattice,
            experiment.network.species,
            counts,
            table.replicas_of(part),
            seed=seed,
        )
    coefficients = initial_coefficients(experiment, part)
    assert isinstance(table, DistributionInitial)
    assert coefficients is not None
    assert experiment.generator is not None
    return sample_chain(
        experiment.generator, coefficients[number], table.replicas_of(part), seed=seed
    )


def initial_counts(
    experiment: Experiment, table: CountsInitial, part: str, number: int
) -> dict[str, int]:
    """Numbers of particles of one initial condition."""
    random = np.random.default_rng(
        derive_seed(experiment, part, Purpose.COEFFICIENTS, number=number)
    )
    ranges = {n: v if isinstance(v, list) else [v, v] for n, v in table.counts.items()}
    return {n: int(random.integers(low, high + 1)) for n, (low, high) in ranges.items()}
