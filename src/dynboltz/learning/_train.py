"""Algorithm 1: gradient descent on the action through the adjoint of the solution."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Float, Float64

from dynboltz.dynamics import L2, HermiteField, check_solution, solve_fixed, time_weights

from ._data import TrainingData
from ._objective import MomentSource, Selection
from ._optimiser import optimiser_step
from ._parameters import Parameters, move_rows, parameters, with_parameters
from ._roughness import Roughness, roughness
from ._settings import LearningSettings
from ._static import Progress
from ._warm_start import VelocityPrior, field_values

_OPTIMISER_DECAYS = 0.9, 0.999


class Window(NamedTuple):
    """First and last index of the times that an optimisation step looks at, eq. (41)."""

    first: int
    last: int


class Penalties(NamedTuple):
    """What is added to the action, given the field.

    Attributes
    ----------
    smoothness
        Strength of the bending energy.
    bending
        Bending energy of each function of the field.
    prior
        Expected velocities, if any.
    bases
        Basis functions of the field at the points of the prior.
    """

    smoothness: float
    bending: tuple[Roughness, ...]
    prior: VelocityPrior | None
    bases: Any

    def value(self, field: HermiteField, values: Parameters) -> Float[Array, ""]:
        """Sum of all penalties."""
        energies = [r.value(v) for r, v in zip(self.bending, values, strict=True)]
        total = self.smoothness * jnp.sum(jnp.stack(energies))
        if self.prior is None:
            return total
        return total + self.prior.value(field_values(field, self.bases, values))


def window_at(settings: LearningSettings, step: int, n_times: int) -> Window:
    """The window of an optimisation step; it stops when it reaches the last time."""
    if settings.window is None:
        return Window(0, n_times - 1)
    width = min(settings.window, n_times - 1)
    first = min((step // settings.shift_every) * settings.shift_by, n_times - 1 - width)
    return Window(first, first + width)


def train(
    field: HermiteField,
    data: TrainingData,
    source: MomentSource,
    settings: LearningSettings,
    *,
    prior: VelocityPrior | None = None,
    seed: np.random.SeedSequence,
    progress: Progress | None = None,
) -> tuple[HermiteField, dict[str, Float64[np.ndarray, " steps"]]]:
    r"""Descend on the action, Ernst et al. (2019), Algorithm 1.

    Each update solves the differential equations for some initial conditions, asks for the
    differences of moments along the solutions, and pulls them back through the solution (the
    discrete adjoint). With a window, $\theta$ at its start is held fixed, eq. (41).

    Parameters
    ----------
    field
        Where to start; cells are allocated as trajectories visit them.
    data
        The trajectories.
    source
        Exact or sampled differences of moments.
    settings
        How to descend.
    prior
        Expected velocities, if any.
    seed
        Seed of the order of the initial conditions.
    progress
        Called after every optimisation step.

    Returns
    -------
    field
        The learned field.
    history
        One entry a step: `moment_error`, the root mean square difference of moments per site over
        what the step looked at, and for exact moments `negative_log_likelihood` per site.

    Raises
    ------
    OutsideBoxError
        If a trajectory leaves a box whose grid says "error".
    FloatingPointError
        If a trajectory is not finite.
    """
    n_initial, n_times = len(data.initial), len(data.times)
    order = np.random.default_rng(seed)
    batch = min(settings.batch or n_initial, n_initial)
    updates = settings.steps * -(-n_initial // batch)
    optimiser = _optimiser(settings, updates)
    memory = optimiser.init(parameters(field))
    history: list[dict[str, float]] = []
    rates = _rates(field, settings)
    solver = settings.method, settings.substeps
    penalties = None
    for step in range(settings.steps):
        window = window_at(settings, step, n_times)
        errors = []
        for chosen in _batches(order, n_initial, batch):
            initial = jnp.asarray(data.initial[chosen])
            theta = _solve(field, initial, jnp.asarray(data.times), *solver)
            inside = np.asarray(theta[:, window.first : window.last + 1])
            check_solution(field, inside, data.times[window.first : window.last + 1])
            bigger = field.allocate(inside.reshape(-1, inside.shape[-1]))
            if penalties is None or _grew(field, bigger):
                memory = _move_memory(memory, field, bigger)
                field, penalties = bigger, _penalties(bigger, settings.smoothness, prior)
            selection = Selection(chosen, np.arange(window.first, window.last + 1))
            moments = source(theta[:, window.first : window.last + 1], selection)
            gradient = _gradient(
                field,
                theta[:, window.first],
                jnp.asarray(data.times[window.first : window.last + 1]),
                theta[:, window.first : window.last + 1],
                moments.difference,
                penalties,
                settings.regularisation,
                *solver,
            )
            _check_gradient(gradient, step)
            field, memory = _update(field, gradient, memory, optimiser, rates)
            errors.append(_errors(moments))
        history.append({name: float(np.mean([e[name] for e in errors])) for name in errors[0]})
        if progress:
            progress({"stage": "train", "step": step + 1, "total": settings.steps, **history[-1]})
    columns = history[0] if history else {}
    return field, {name: np.array([row[name] for row in history]) for name in columns}


def _batches(order: np.random.Generator, n: int, size: int) -> Iterator[np.ndarray]:
    shuffled = order.permutation(n) if size < n else np.arange(n)
    for start in range(0, n, size):
        yield np.sort(shuffled[start : start + size])


@eqx.filter_jit
def _solve(field, initial, times, method, substeps):
    return solve_fixed(field, initial, times, method=method, substeps=substeps)


@eqx.filter_jit
def _gradient(
    field, initial, times, theta, difference, penalties, regularisation, method, substeps
):
    """Gradient of the action, averaged over the initial conditions, and of the penalties."""
    penalty = L2(regularisation, jnp.zeros((), theta.dtype))
    cotangents = difference + penalty.gradient(theta)
    weights = time_weights(times, "trapezoid") / (jnp.ptp(times) * len(initial))
    cotangents = cotangents * weights[None, :, None]

    def solution(values):
        return _solve(with_parameters(field, values), initial, times, method, substeps)

    values = parameters(field)
    (gradient,) = jax.vjp(solution, values)[1](cotangents)
    further = jax.grad(lambda v: penalties.value(field, v))(values)
    return jax.tree.map(jnp.add, gradient, further)


def _check_gradient(gradient: Parameters, step: int) -> None:
    if not all(bool(jnp.all(jnp.isfinite(part))) for part in gradient):
        raise FloatingPointError(
            f"train: at optimisation step {step + 1} the gradient is not finite: the field has "
            "become too steep. Lower `learning_rate`, or start from a warm start."
        )


@eqx.filter_jit
def _update(field, gradient, memory, optimiser, rates):
    changes, memory = optimiser_step(optimiser, gradient, memory)
    values = tuple(
        value - rate * change
        for value, rate, change in zip(parameters(field), rates, changes, strict=True)
    )
    return with_parameters(field, values), memory


def _optimiser(settings: LearningSettings, updates: int) -> optax.GradientTransformation:
    if settings.optimiser == "sgd":
        return optax.identity()
    return optax.chain(
        optax.scale_by_adam(*_OPTIMISER_DECAYS),
        optax.scale_by_schedule(optax.cosine_decay_schedule(1.0, max(updates, 1))),
    )


def _rates(field: HermiteField, settings: LearningSettings) -> tuple[Array, ...]:
    """Learning rate of each output of each function, shaped like the degrees of freedom."""
    rates = settings.learning_rate
    if isinstance(rates, Mapping) and set(rates) != set(field.coefficients):
        raise ValueError(
            "LearningSettings: `learning_rate` must be one number, or name each of the "
            f"coefficients {field.coefficients}; got {sorted(rates)}."
        )
    return tuple(
        jnp.array([[[rates[name] if isinstance(rates, Mapping) else rates for name in f.outputs]]])
        for f in field.functions
    )


def _penalties(field: HermiteField, smoothness: float, prior: VelocityPrior | None) -> Penalties:
    bending = tuple(roughness(function) for function in field.functions)
    bases = field.basis(prior.points) if prior is not None else None
    return Penalties(smoothness, bending, prior, bases)


def _grew(field: HermiteField, bigger: HermiteField) -> bool:
    pairs = zip(field.functions, bigger.functions, strict=True)
    return any(old is not new for old, new in pairs)


def _move_memory(memory: Any, old: HermiteField, new: HermiteField) -> Any:
    """Give the optimiser's memory of the old degrees of freedom to the same ones of the new."""

    def move(leaf):
        if not isinstance(leaf, tuple) or len(leaf) != len(old.functions):
            return leaf
        parts = zip(leaf, old.functions, new.functions, strict=True)
        return tuple(move_rows(array, o, n) for array, o, n in parts)

    def holds_parameters(leaf):
        return (
            type(leaf) is tuple
            and all(
                isinstance(a, jax.Array) and a.shape == f.u.shape
                for a, f in zip(leaf, old.functions, strict=False)
            )
            and len(leaf) == len(old.functions)
        )

    return jax.tree.map(move, memory, is_leaf=holds_parameters)


def _errors(moments) -> dict[str, float]:
    errors = {"moment_error": float(jnp.sqrt(jnp.mean(moments.difference[:, 1:] ** 2)))}
    likelihood = float(jnp.mean(moments.divergence))
    return errors if np.isnan(likelihood) else errors | {"negative_log_likelihood": likelihood}
