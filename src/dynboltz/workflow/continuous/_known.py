"""Coefficients at time 0 that are known: those of independent particles, evenly spread."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float64

from ._experiment import BoxExperiment, FunctionalPlan
from ._initial_patterns import known_densities


def known_start(
    experiment: BoxExperiment, plan: FunctionalPlan, part: str, number: int
) -> Float64[np.ndarray, " coefficients"] | None:
    r"""Coefficients of an initial condition, if its particles are independent and evenly spread.

    Their numbers are Poisson numbers, so the distribution is exactly that with
    $\nu_\alpha = -\ln \rho_\alpha$ and $\nu_{\alpha\beta} = 0$. `None` for other patterns, and
    where a species without particles would need an infinite $\nu$.
    """
    densities = known_densities(experiment, part, number)
    if densities is None or any(not densities.get(name, 0.0) > 0 for name in plan.model.species):
        return None
    theta = np.zeros(len(plan.model.coefficients))
    for name in plan.model.species:
        space = plan.model.single[name]
        points, _ = space.quadrature()
        ones = np.linalg.lstsq(space.evaluate(points), np.ones(len(points)), rcond=None)[0]
        theta[plan.model.slices[f"nu.{name}"]] = -np.log(densities[name]) * ones
    return theta


def with_known(
    experiment: BoxExperiment,
    plan: FunctionalPlan,
    initial: dict[str, np.ndarray],
    of_halves: np.ndarray,
) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Put known coefficients of held-out initial conditions in the place of fitted ones."""
    test, halves = initial["test"].copy(), of_halves.copy()
    for number in range(len(test)):
        known = known_start(experiment, plan, "test", number)
        if known is not None:
            test[number] = halves[:, number] = known
    return initial | {"test": test}, halves
