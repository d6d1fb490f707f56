"""Algorithm 1: gradient descent on the action through the adjoint of the solution."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Float, Float64

from dynboltz._numbers import check_precision
from dynboltz.dynamics import (
    L2,
    HermiteField,
    HermiteFunction,
    HermiteSolver,
    Path,
    check_solution,
    time_weights,
)
from dynboltz.lattices import numbered_seed

from ._checkpoint import Checkpoint, join_groups, split_groups
from ._data import TrainingData, check_data
from ._objective import MomentSource, Selection
from ._optimiser import optimiser_step
from ._parameters import Parameters, dof_units, move_rows, parameters, with_parameters
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
    checkpoint: Checkpoint | None = None,
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
    checkpoint
        Where to go on from, and where to keep what there is. An interrupted training that goes on
        gives the same bytes as one that was not interrupted.

    Returns
    -------
    field
        The learned field.
    history
        One entry a step: `moment_error`, the root mean square difference of moments per site over
        what the step looked at, and for exact moments `negative_log_likelihood` per site.

    Raises
    ------
    ValueError
        If a number of the data is not finite, or JAX is in single precision.
    OutsideBoxError
        If a trajectory leaves a box whose grid says "error".
    FloatingPointError
        If a trajectory or a difference of moments is not finite.
    """
    check_precision("train")
    check_data("train", data)
    if not settings.steps:
        return field, {}
    n_initial, n_times = len(data.initial), len(data.times)
    batch = min(settings.batch or n_initial, n_initial)
    learner = _Learner(field, settings, settings.steps * -(-n_initial // batch), prior)
    history = _resume(learner, source, checkpoint)
    for step in range(len(history), settings.steps):
        window = window_at(settings, step, n_times)
        errors = []
        for chosen, following in _with_next(seed, step, n_initial, batch):
            if data.expect is not None:
                data.expect(chosen)
                data.expect(following)
            path = learner.solve(data.initial[chosen], data.times, window)
            selection = Selection(chosen, np.arange(window.first, window.last + 1))
            moments = source(path.theta[:, window.first :], selection)
            difference = np.asarray(moments.difference)
            _check_difference(difference, selection, step)
            learner.descend(path, data.times, window, difference, step)
            errors.append(_errors(moments))
        history.append({name: float(np.mean([e[name] for e in errors])) for name in errors[0]})
        if progress:
            progress({"stage": "train", "step": step + 1, "total": settings.steps, **history[-1]})
        if checkpoint is not None and checkpoint.is_due():
            checkpoint.save(_state(learner, source, history))
    return learner.field, {name: np.array([row[name] for row in history]) for name in history[0]}


class _Learner:
    """The field that is learned, with what belongs to its present vertices."""

    def __init__(
        self,
        field: HermiteField,
        settings: LearningSettings,
        updates: int,
        prior: VelocityPrior | None,
    ) -> None:
        self._settings, self._prior = settings, prior
        strength = settings.regularisation
        self._regularisation = L2(strength, np.zeros(())) if strength else None
        self._optimiser = _optimiser(settings.optimiser, updates)
        self._rates = _rates(field, settings)
        self._values = parameters(field)
        self._memory = self._optimiser.init(self._values)
        self._use(field)

    @property
    def field(self) -> HermiteField:
        """The field as learned so far."""
        return with_parameters(self._cells, self._values)

    def solve(
        self,
        initial: Float64[np.ndarray, "initial_conditions coefficients"],
        times: Float64[np.ndarray, " times"],
        window: Window,
    ) -> Path:
        """Solutions up to the end of the window, in which all cells are then allocated."""
        path = self._solver.solve(self._u(), initial, times[: window.last + 1])
        inside = path.theta[:, window.first :]
        if not np.all(np.isfinite(inside) & (inside >= self._lower) & (inside <= self._upper)):
            check_solution(self._cells, inside, times[window.first : window.last + 1])
        first = window.first * path.substeps
        if not path.complete[:, first:].all():
            visited = path.steps[:, first:]
            bigger = self._cells.allocate(visited.reshape(-1, visited.shape[-1]))
            if _grew(self._cells, bigger):
                self._memory = _move_memory(self._memory, self._cells, bigger)
                moves = zip(self._values, self._cells.functions, bigger.functions, strict=True)
                self._values = tuple(move_rows(*move) for move in moves)
                self._use(bigger)
        return path

    def descend(
        self,
        path: Path,
        times: Float64[np.ndarray, " times"],
        window: Window,
        difference: Float64[np.ndarray, "initial_conditions inside coefficients"],
        step: int,
    ) -> None:
        """Change the degrees of freedom against the gradient."""
        inside = times[window.first : window.last + 1]
        theta = path.theta[:, window.first :]
        weights = time_weights(inside, "trapezoid") / np.ptp(inside) / len(theta)
        pull = difference
        if self._regularisation is not None:
            pull = pull + self._regularisation.gradient(theta)
        parts = self._solver.pull_back(
            self._u(), path, window.first, inside, pull * weights[:, None]
        )
        gradient = tuple(part * unit for part, unit in zip(parts, self._units, strict=True))
        if self._penalties is not None:
            further = _penalty_gradient(self._penalties, self._cells, self._values)
            gradient = tuple(g + np.asarray(f) for g, f in zip(gradient, further, strict=True))
        _check_gradient(gradient, step)
        if self._settings.optimiser == "sgd":
            moved = zip(self._values, self._rates, gradient, strict=True)
            self._values = tuple(np.asarray(v) - np.asarray(r) * g for v, r, g in moved)
            return
        self._values, self._memory = _update(
            self._values, gradient, self._memory, self._rates, self._optimiser
        )

    def state(self) -> dict[str, dict[str, np.ndarray]]:
        """Vertices, degrees of freedom and the memory of the optimiser."""
        field = {f"keys {i}": np.asarray(f.keys) for i, f in enumerate(self._cells.functions)}
        field |= {f"values {i}": np.asarray(value) for i, value in enumerate(self._values)}
        leaves = enumerate(jax.tree.leaves(self._memory))
        return {"field": field, "memory": {str(i): np.asarray(leaf) for i, leaf in leaves}}

    def restore(self, field: Mapping[str, np.ndarray], memory: Mapping[str, np.ndarray]) -> None:
        """Take up a state."""
        functions = tuple(
            HermiteFunction(f.grid, f.outputs, jnp.asarray(keys), jnp.zeros(values.shape))
            for i, f in enumerate(self._cells.functions)
            for keys, values in [(field[f"keys {i}"], field[f"values {i}"])]
        )
        self._values = tuple(jnp.asarray(field[f"values {i}"]) for i in range(len(functions)))
        structure = jax.tree.structure(self._memory)
        leaves = [jnp.asarray(memory[str(i)]) for i in range(structure.num_leaves)]
        self._memory = jax.tree.unflatten(structure, leaves)
        self._use(HermiteField(self._cells.coefficients, functions))

    def _use(self, cells: HermiteField) -> None:
        settings = self._settings
        self._cells = cells
        self._lower, self._upper = cells.limits()
        self._units = [dof_units(f.grid)[None, :, None] for f in cells.functions]
        self._solver = HermiteSolver(cells, method=settings.method, substeps=settings.substeps)
        self._penalties = None
        if settings.smoothness or self._prior is not None:
            self._penalties = _penalties(cells, settings.smoothness, self._prior)

    def _u(self) -> Float64[np.ndarray, " dofs"]:
        parts = zip(self._values, self._units, strict=True)
        return self._solver.flatten(tuple(np.asarray(value) * unit for value, unit in parts))


def _resume(
    learner: _Learner, source: MomentSource, checkpoint: Checkpoint | None
) -> list[dict[str, float]]:
    """Take up what a checkpoint holds; the history tells how many steps are done."""
    saved = checkpoint.load() if checkpoint is not None else None
    if saved is None:
        return []
    groups = split_groups(saved)
    learner.restore(groups["field"], groups.get("memory", {}))
    source.restore(groups.get("source", {}))
    columns = groups["history"]
    n_steps = len(next(iter(columns.values())))
    return [{name: float(values[i]) for name, values in columns.items()} for i in range(n_steps)]


def _state(
    learner: _Learner, source: MomentSource, history: list[dict[str, float]]
) -> dict[str, np.ndarray]:
    columns = {name: np.array([row[name] for row in history]) for name in history[0]}
    return join_groups({**learner.state(), "source": source.state(), "history": columns})


def _batches(seed: np.random.SeedSequence, step: int, n: int, size: int) -> Iterator[np.ndarray]:
    order = np.arange(n)
    if size < n:
        order = np.random.default_rng(numbered_seed(seed, step)).permutation(n)
    for start in range(0, n, size):
        yield np.sort(order[start : start + size])


def _with_next(
    seed: np.random.SeedSequence, step: int, n: int, size: int
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Initial conditions of each update of a step, and those of the update that follows."""
    following = next(_batches(seed, step + 1, n, size))
    return itertools.pairwise([*_batches(seed, step, n, size), following])


def _check_difference(
    difference: Float64[np.ndarray, "initial_conditions inside coefficients"],
    selection: Selection,
    step: int,
) -> None:
    wrong = ~np.isfinite(difference).all(axis=2)
    if wrong.any():
        i, j = np.argwhere(wrong)[0]
        raise FloatingPointError(
            f"train: at optimisation step {step + 1} the moments are not finite for initial "
            f"condition {selection.initial_conditions[i]} at time {selection.times[j]} (both "
            "counted from 0). Look at the data there; if they are finite, lower `learning_rate`."
        )


def _check_gradient(gradient: tuple[np.ndarray, ...], step: int) -> None:
    if not all(np.all(np.isfinite(part)) for part in gradient):
        raise FloatingPointError(
            f"train: at optimisation step {step + 1} the gradient is not finite: the field has "
            "become too steep. Lower `learning_rate`, or start from a warm start."
        )


@eqx.filter_jit
def _penalty_gradient(penalties, field, values):
    return jax.grad(lambda v: penalties.value(field, v))(values)


@functools.partial(jax.jit, static_argnames="optimiser")
def _update(values, gradient, memory, rates, optimiser):
    changes, memory = optimiser_step(optimiser, gradient, memory)
    moved = zip(values, rates, changes, strict=True)
    return tuple(value - rate * change for value, rate, change in moved), memory


@functools.cache
def _optimiser(name: str, updates: int) -> optax.GradientTransformation:
    """Optimiser of a name and a number of updates; equal ones share what is compiled for them."""
    if name == "sgd":
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
    errors = {"moment_error": float(np.sqrt(np.mean(np.asarray(moments.difference)[:, 1:] ** 2)))}
    likelihood = float(np.mean(np.asarray(moments.divergence)))
    return errors if np.isnan(likelihood) else errors | {"negative_log_likelihood": likelihood}
