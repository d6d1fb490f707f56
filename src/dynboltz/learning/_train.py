"""Algorithm 1: gradient descent on the action through the adjoint of the solution."""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Iterator, Mapping
from typing import Any, Literal, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Float, Float64

from dynboltz._arguments import check_range, checked
from dynboltz._numbers import check_precision
from dynboltz._warnings import LearningWarning, warn
from dynboltz.dynamics import (
    L2,
    HermiteField,
    HermiteFunction,
    HermiteSolver,
    OutsideBoxError,
    Path,
    StepGrid,
    check_solution,
    step_grid,
    time_weights,
)
from dynboltz.lattices import numbered_seed

from ._checkpoint import Checkpoint, join_groups, split_groups
from ._data import TrainingData, check_data
from ._objective import ExactMoments, MomentDifference, MomentSource, Selection
from ._optimiser import optimiser_step
from ._parameters import Parameters, dof_units, move_rows, parameters, with_parameters
from ._roughness import Roughness, roughness
from ._settings import LearningSettings
from ._static import Progress
from ._warm_start import VelocityPrior, checked_prior, field_values

_OPTIMISER_DECAYS = 0.9, 0.999
_EVALUATIONS = 10
"""Of a training whose steps do not look at all snapshots, or at samples, besides start and end."""
_EVALUATED = 16
"""Initial conditions, and times of each, at which sampled moments are evaluated."""
Criterion = Literal["moment_error", "negative_log_likelihood"]
"""What the best iterate has the least of, over all initial conditions and times."""


class Window(NamedTuple):
    """First and last index of the times that an optimisation step looks at, eq. (41)."""

    first: int
    last: int


@checked
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
        """Sum of all penalties.

        Raises
        ------
        ValueError
            If there is another number of functions, or their shapes do not fit.
        """
        shapes = [np.shape(f.u) for f in field.functions]
        if len(self.bending) != len(shapes) or [np.shape(v) for v in values] != shapes:
            raise ValueError(
                f"Penalties.value: `values` must have the shapes {shapes} of the degrees of "
                f"freedom of `field`, which these penalties must be made for; got "
                f"{[np.shape(v) for v in values]}."
            )
        energies = [r.value(v) for r, v in zip(self.bending, values, strict=True)]
        total = self.smoothness * jnp.sum(jnp.stack(energies))
        if self.prior is None:
            return total
        return total + self.prior.value(field_values(field, self.bases, values))


@checked
def window_at(settings: LearningSettings, step: int, n_times: int) -> Window:
    """The window of an optimisation step; it stops when it reaches the last time.

    Raises
    ------
    ValueError
        If there is no such step or no time.
    """
    check_range("window_at", "step", step, least=0)
    check_range("window_at", "n_times", n_times, least=1)
    if settings.window is None:
        return Window(0, n_times - 1)
    width = min(settings.window, n_times - 1)
    first = min((step // settings.shift_every) * settings.shift_by, n_times - 1 - width)
    return Window(first, first + width)


@checked
def train(
    field: HermiteField,
    data: TrainingData,
    source: MomentSource,
    settings: LearningSettings,
    *,
    prior: VelocityPrior | None = None,
    judge: MomentSource | None = None,
    criterion: Criterion = "moment_error",
    time_step: float | None = None,
    seed: np.random.SeedSequence,
    progress: Progress | None = None,
    checkpoint: Checkpoint | None = None,
) -> tuple[HermiteField, dict[str, Float64[np.ndarray, " entries"]]]:
    r"""Descend on the action, Ernst et al. (2019), Algorithm 1, and return the best iterate.

    Each update solves the differential equations for some initial conditions, asks for the
    differences of moments along the solutions, and pulls them back through the solution (the
    discrete adjoint). With a window, $\theta$ at its start is held fixed, eq. (41).

    The field that training starts from and those after each step are iterates. The best one has
    the least error over all initial conditions and the whole time axis, never that of a window or a
    batch. Where steps look at everything with exact moments, their errors are those. Otherwise the
    start, the last iterate and about ten between them are evaluated, sampled moments always at the
    same snapshots with the same random numbers, so that iterates can be compared.

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
    judge
        Differences of moments by which iterates are compared, always in the state that it has now;
        by default `source`.
    criterion
        Which error: the root mean square difference of moments, or the negative log likelihood,
        which only exact moments have.
    time_step
        Length of the steps between the times of the data, each of `settings.substeps` substeps,
        see `step_grid`; by default one step between successive times.
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
        The best iterate. If a later one leaves its box or is not finite, training ends there.
    history
        One entry a step, of the iterate that the step begins with over what the step looks at, and
        a last one of the field that is returned, as it is compared with others: `moment_error`, the
        root mean square difference of moments per site, and for exact moments
        `negative_log_likelihood` per site. Empty without steps.

    Raises
    ------
    ValueError
        If a number of the data or of the prior is not finite, or JAX is in single precision.
    OutsideBoxError
        If a trajectory leaves a box whose grid says "error" before any iterate was sound.
    FloatingPointError
        If a trajectory or a difference of moments is not finite, likewise.

    Warns
    -----
    LearningWarning
        If no step improved on the start, if training ended worse than the start, or early.
    """
    check_precision("train")
    data = check_data("train", data, field.coefficients)
    if prior is not None:
        prior = checked_prior("train", prior, field)
    if not settings.steps:
        return field, {}
    n_initial, n_times = len(data.initial), len(data.times)
    batch = min(settings.batch or n_initial, n_initial)
    grid = step_grid(data.times, time_step)
    learner = _Learner(field, settings, settings.steps * -(-n_initial // batch), prior, grid)
    judged = _Judge(source if judge is None else judge, data, settings, criterion)
    history, best = _resume(learner, source, checkpoint)
    stopped = None
    for step in range(len(history), settings.steps):
        window = window_at(settings, step, n_times)
        errors = []
        try:
            if judged.is_due(step):
                best = judged.compare(best, learner, step)
            for chosen, following in _with_next(seed, step, n_initial, batch):
                if data.expect is not None:
                    data.expect(chosen)
                    data.expect(following)
                path, theta = learner.solve(data.initial[chosen], window)
                selection = Selection(chosen, np.arange(window.first, window.last + 1))
                moments = source(theta, selection)
                difference = np.asarray(moments.difference)
                _check_difference(difference, selection, step)
                errors.append(_errors(moments))
                if not judged.is_apart:
                    best = judged.better(best, learner, step, errors[-1])
                learner.descend(path, window, difference, step)
        except (OutsideBoxError, FloatingPointError) as error:
            if best is None or not best.is_sound:
                raise
            stopped = f"ended at step {step + 1}: {error}"
            break
        row = {name: float(np.mean([e[name] for e in errors])) for name in errors[0]}
        if progress:
            progress({"stage": "train", "step": step + 1, "total": settings.steps, **row})
        history.append(row)
        if checkpoint is not None and checkpoint.is_due():
            assert best is not None
            checkpoint.save(_state(learner, source, history, best))
    if stopped is None:
        best = judged.compare(best, learner, settings.steps)
    assert best is not None
    if not best.is_sound:  # Every iterate failed on the whole time axis: raise what the last does.
        learner.follow(data.initial)
    _warn_of(best, criterion, settings.steps, stopped)
    history.append(best.errors)
    return best.field, {name: np.array([row[name] for row in history]) for name in history[0]}


class _Best(NamedTuple):
    """The best iterate so far.

    Attributes
    ----------
    step
        Steps before it.
    score, errors
        What it is compared by, and all its errors.
    first, last
        Scores of the start, and of the iterate that was evaluated last.
    cells, values
        Field and degrees of freedom of the best iterate.
    """

    step: int
    score: float
    errors: dict[str, float]
    first: float
    last: float
    cells: HermiteField
    values: Parameters

    @property
    def field(self) -> HermiteField:
        """The best iterate."""
        return with_parameters(self.cells, self.values)

    @property
    def is_sound(self) -> bool:
        """Whether its solutions exist."""
        return math.isfinite(self.score)

    def state(self) -> dict[str, np.ndarray]:
        """Everything, as arrays."""
        numbers = {name: np.array(getattr(self, name), dtype=np.float64) for name in _NUMBERS}
        errors = {f"error {name}": np.array(value) for name, value in self.errors.items()}
        return numbers | errors | _field_state(self.cells, self.values)


_NUMBERS = ("step", "score", "first", "last")


def _restored(cells: HermiteField, state: Mapping[str, np.ndarray]) -> _Best:
    numbers = {name: float(state[name]) for name in _NUMBERS}
    step = int(numbers.pop("step"))
    prefix = "error "
    errors = {k.removeprefix(prefix): float(v) for k, v in state.items() if k.startswith(prefix)}
    cells, values = _field_of(cells, state)
    return _Best(step, **numbers, errors=errors, cells=cells, values=values)


class _Judge:
    """Errors of iterates over all initial conditions and times, which can be compared."""

    def __init__(
        self,
        source: MomentSource,
        data: TrainingData,
        settings: LearningSettings,
        criterion: Criterion,
    ) -> None:
        self._source, self._data, self._criterion = source, data, criterion
        n_initial, n_times = len(data.initial), len(data.times)
        exact = isinstance(source, ExactMoments)
        batch = settings.batch is not None and settings.batch < n_initial
        window = settings.window is not None and settings.window < n_times - 1
        self.is_apart = batch or window or not exact
        self._every = -(-settings.steps // _EVALUATIONS) if self.is_apart else settings.steps + 1
        everything = Selection(np.arange(n_initial), np.arange(n_times))
        self._selection = everything if exact else _some(n_initial, n_times)
        self._state = {} if exact else _copied(source.state())

    def is_due(self, step: int) -> bool:
        """Whether the iterate that a step begins with is evaluated."""
        return self.is_apart and step % self._every == 0

    def compare(self, best: _Best | None, learner: _Learner, step: int) -> _Best:
        """Evaluate the present iterate; infinitely bad where its solutions fail."""
        chosen, times = self._selection
        try:
            theta = learner.follow(self._data.initial[chosen])
            now = {} if not self._state else _copied(self._source.state())
            self._source.restore(self._state)
            moments = self._source(theta[:, times], self._selection)
            self._source.restore(now)
            errors = _errors(moments, without_first=len(times) == len(self._data.times))
        except (OutsideBoxError, FloatingPointError):
            errors = {"moment_error": math.inf, self._criterion: math.inf}
        return self.better(best, learner, step, errors)

    def better(
        self, best: _Best | None, learner: _Learner, step: int, errors: dict[str, float]
    ) -> _Best:
        """The better one of the best so far and the present iterate."""
        score = errors[self._criterion]
        score = score if math.isfinite(score) else math.inf
        first = score if best is None else best.first
        if best is not None and best.score <= score:
            return best._replace(last=score)
        return _Best(step, score, errors, first, score, learner.cells, learner.values)


def _some(n_initial: int, n_times: int) -> Selection:
    """Initial conditions and later times, evenly spread, that stand for all."""
    chosen = np.linspace(0, n_initial - 1, min(_EVALUATED, n_initial))
    times = np.linspace(1, n_times - 1, min(_EVALUATED, n_times - 1))
    return Selection(*(np.unique(places.round().astype(int)) for places in (chosen, times)))


def _copied(state: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    return {name: np.array(value) for name, value in state.items()}


def _warn_of(best: _Best, criterion: Criterion, n_steps: int, stopped: str | None) -> None:
    """Say that training did harm, or nothing."""
    measure = criterion.replace("_", " ")
    remedy = "Lower `learning_rate`, or look for a better start."
    if stopped is not None:
        warn(
            f"train: training {stopped} The best iterate, of step {best.step} with a {measure} of "
            f"{best.score:.3g} per site, is returned. {remedy}",
            LearningWarning,
        )
    elif best.step == 0:
        warn(
            f"train: none of the {n_steps} optimisation steps improved on the start of the "
            f"training (its {measure} over the training set is {best.first:.3g} per site, that "
            f"after the last step {best.last:.3g}); the start is returned. {remedy}",
            LearningWarning,
        )
    elif best.last > best.first:
        warn(
            f"train: training ended worse than it started (its {measure} over the training set "
            f"rose from {best.first:.3g} to {best.last:.3g} per site); the iterate after step "
            f"{best.step}, with {best.score:.3g}, is returned. {remedy}",
            LearningWarning,
        )


class _Learner:
    """The field that is learned, with what belongs to its present vertices."""

    def __init__(
        self,
        field: HermiteField,
        settings: LearningSettings,
        updates: int,
        prior: VelocityPrior | None,
        grid: StepGrid,
    ) -> None:
        self._settings, self._prior, self._grid = settings, prior, grid
        strength = settings.regularisation
        self._regularisation = L2(strength, np.zeros(())) if strength else None
        self._optimiser = _optimiser(settings.optimiser, updates)
        self._rates = _rates(field, settings)
        self._values = parameters(field)
        self._memory = self._optimiser.init(self._values)
        self._use(field)

    @property
    def cells(self) -> HermiteField:
        """The cells that are allocated; their values are `values`."""
        return self._cells

    @property
    def values(self) -> Parameters:
        """The degrees of freedom as learned so far."""
        return self._values

    def follow(
        self, initial: Float64[np.ndarray, "initial_conditions coefficients"]
    ) -> Float64[np.ndarray, "initial_conditions times coefficients"]:
        """Checked solutions at all times; allocates nothing."""
        times, places = self._grid
        theta = self._solver.solve(self._u(), initial, times).theta[:, places]
        check_solution(self._cells, theta, times[places])
        return theta

    def solve(
        self,
        initial: Float64[np.ndarray, "initial_conditions coefficients"],
        window: Window,
    ) -> tuple[Path, Float64[np.ndarray, "initial_conditions inside coefficients"]]:
        """Solutions up to the end of the window, in which all cells are then allocated.

        Returns all steps, and the coefficients at the times of the window.
        """
        times, places = self._grid
        path = self._solver.solve(self._u(), initial, times[: places[window.last] + 1])
        inside = path.theta[:, places[window.first : window.last + 1]]
        if not np.all(np.isfinite(inside) & (inside >= self._lower) & (inside <= self._upper)):
            check_solution(self._cells, inside, times[places[window.first : window.last + 1]])
        first = places[window.first] * path.substeps
        if not path.complete[:, first:].all():
            visited = path.steps[:, first:]
            bigger = self._cells.allocate(visited.reshape(-1, visited.shape[-1]))
            if _grew(self._cells, bigger):
                self._memory = _move_memory(self._memory, self._cells, bigger)
                moves = zip(self._values, self._cells.functions, bigger.functions, strict=True)
                self._values = tuple(move_rows(*move) for move in moves)
                self._use(bigger)
        return path, inside

    def descend(
        self,
        path: Path,
        window: Window,
        difference: Float64[np.ndarray, "initial_conditions inside coefficients"],
        step: int,
    ) -> None:
        """Change the degrees of freedom against the gradient."""
        places = self._grid.places[window.first : window.last + 1]
        inside, theta = self._grid.times[places], path.theta[:, places]
        weights = time_weights(inside, "trapezoid") / np.ptp(inside) / len(theta)
        pull = difference
        if self._regularisation is not None:
            pull = pull + self._regularisation.gradient(theta)
        first, last = int(places[0]), int(places[-1])
        cotangents = np.zeros((len(pull), last - first + 1, pull.shape[-1]))
        cotangents[:, places - first] = pull * weights[:, None]
        steps = self._grid.times[first : last + 1]
        parts = self._solver.pull_back(self._u(), path, first, steps, cotangents)
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
        leaves = enumerate(jax.tree.leaves(self._memory))
        memory = {str(i): np.asarray(leaf) for i, leaf in leaves}
        return {"field": _field_state(self._cells, self._values), "memory": memory}

    def restore(self, field: Mapping[str, np.ndarray], memory: Mapping[str, np.ndarray]) -> None:
        """Take up a state."""
        cells, self._values = _field_of(self._cells, field)
        structure = jax.tree.structure(self._memory)
        leaves = [jnp.asarray(memory[str(i)]) for i in range(structure.num_leaves)]
        self._memory = jax.tree.unflatten(structure, leaves)
        self._use(cells)

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


def _field_state(cells: HermiteField, values: Parameters) -> dict[str, np.ndarray]:
    """Vertices and degrees of freedom as arrays."""
    keys = {f"keys {i}": np.asarray(f.keys) for i, f in enumerate(cells.functions)}
    return keys | {f"values {i}": np.asarray(value) for i, value in enumerate(values)}


def _field_of(
    cells: HermiteField, state: Mapping[str, np.ndarray]
) -> tuple[HermiteField, Parameters]:
    """Cells like those given, and degrees of freedom, of the arrays of `_field_state`."""
    functions = tuple(
        HermiteFunction(f.grid, f.outputs, jnp.asarray(keys), jnp.zeros(values.shape))
        for i, f in enumerate(cells.functions)
        for keys, values in [(state[f"keys {i}"], state[f"values {i}"])]
    )
    values = tuple(jnp.asarray(state[f"values {i}"]) for i in range(len(functions)))
    return HermiteField(cells.coefficients, functions), values


def _resume(
    learner: _Learner, source: MomentSource, checkpoint: Checkpoint | None
) -> tuple[list[dict[str, float]], _Best | None]:
    """Take up what a checkpoint holds; the history tells how many steps are done."""
    saved = checkpoint.load() if checkpoint is not None else None
    groups = {} if saved is None else split_groups(saved)
    if "best" not in groups:  # None, or of a version that returned the last iterate.
        return [], None
    learner.restore(groups["field"], groups.get("memory", {}))
    source.restore(groups.get("source", {}))
    columns = groups["history"]
    n_steps = len(next(iter(columns.values())))
    rows = [{name: float(values[i]) for name, values in columns.items()} for i in range(n_steps)]
    return rows, _restored(learner.cells, groups["best"])


def _state(
    learner: _Learner, source: MomentSource, history: list[dict[str, float]], best: _Best
) -> dict[str, np.ndarray]:
    columns = {name: np.array([row[name] for row in history]) for name in history[0]}
    groups = {**learner.state(), "source": source.state(), "history": columns}
    return join_groups({**groups, "best": best.state()})


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


def _errors(moments: MomentDifference, *, without_first: bool = True) -> dict[str, float]:
    """Errors of snapshots, by default without the first time, which the field does not move."""
    difference = np.asarray(moments.difference)[:, int(without_first) :]
    errors = {"moment_error": float(np.sqrt(np.mean(difference**2)))}
    likelihood = float(np.mean(np.asarray(moments.divergence)))
    return errors if np.isnan(likelihood) else errors | {"negative_log_likelihood": likelihood}
