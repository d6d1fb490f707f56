"""Algorithm 1: its gradient against finite differences of the action, its steps, its errors."""

from __future__ import annotations

import itertools
from collections.abc import Mapping

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.special import expit

from dynboltz.distributions import ClampedStatistics, LatticeModel, TransferMatrix, sample_chain
from dynboltz.dynamics import HermiteField, HermiteGrid, OutsideBoxError
from dynboltz.lattices import Lattice
from dynboltz.learning import (
    ExactMoments,
    LearningSettings,
    LearningWarning,
    SampledMoments,
    Selection,
    TrainingData,
    VelocityPrior,
    summarise,
    train,
    window_at,
)
from dynboltz.learning._train import _update
from dynboltz.sampling import GibbsSampler

N = 12
RING = Lattice((N,))
MODEL = LatticeModel.from_names(RING, ["A"], ["b.A", "J.A.A"])
BIAS = LatticeModel.from_names(RING, ["A"], ["b.A"])
NAMES = MODEL.coefficients
SEED = np.random.SeedSequence(0)
STATES = np.array(list(itertools.product((0, 1), repeat=N)), dtype=float)
COUNTS = np.stack([STATES.sum(1), (STATES * np.roll(STATES, 1, axis=1)).sum(1)], axis=1)
# Uneven, so that quadrature and steps that ignore the intervals fail.
TIMES = np.array([0.0, 0.1, 0.3, 0.4, 0.7, 0.9])
STARTS = np.array([[0.35, -0.5], [-0.4, 0.3], [0.9, 0.2]])


def log_partition(theta: np.ndarray) -> np.ndarray:
    return np.log(np.exp(theta @ COUNTS.T).sum(axis=-1))


def moments(theta: np.ndarray) -> np.ndarray:
    """Moments per site by enumeration."""
    weights = np.exp(theta @ COUNTS.T)
    return weights @ COUNTS / weights.sum(axis=-1, keepdims=True) / N


def exact_data() -> TrainingData:
    path = STARTS[:, None] * np.exp(-0.8 * TIMES)[:, None] + 0.3 * TIMES[:, None]
    return TrainingData(TIMES, STARTS, moments(path))


def random_field(seed: int = 1, scale: float = 0.3) -> HermiteField:
    """One function of both coefficients, and one of J alone for J."""
    both = HermiteGrid(NAMES, (0.5, 0.4), (0.0, 0.0), (-2.0, -2.0), (2.0, 2.0))
    alone = HermiteGrid(NAMES[1:], (0.3,), (0.0,), (-2.1,), (2.1,))
    field = HermiteField.zeros(NAMES, dict(zip(NAMES, (both, alone), strict=True)))
    field = field.allocate(np.random.default_rng(0).uniform(-1.4, 1.4, (300, 2)))
    random = np.random.default_rng(seed)
    return with_values(field, [scale * random.normal(size=f.u.shape) for f in field.functions])


def units(grid: HermiteGrid) -> np.ndarray:
    bits = itertools.product((0, 1), repeat=grid.dim)
    return np.array(
        [np.prod([c for c, bit in zip(grid.cell, b, strict=True) if bit]) for b in bits]
    )


def values_of(field: HermiteField) -> list[np.ndarray]:
    """Degrees of freedom in units of the cells."""
    return [np.asarray(f.u) * units(f.grid)[None, :, None] for f in field.functions]


def with_values(field: HermiteField, values: list[np.ndarray]) -> HermiteField:
    u = [
        jnp.asarray(v / units(f.grid)[None, :, None])
        for v, f in zip(values, field.functions, strict=True)
    ]
    return eqx.tree_at(lambda f: [g.u for g in f.functions], field, u)


@jax.jit
def evaluate(field: HermiteField, thetas: jax.Array) -> jax.Array:
    return jax.vmap(field)(thetas)


def euler(field: HermiteField, starts: np.ndarray, times: np.ndarray) -> np.ndarray:
    theta = [starts]
    for interval in np.diff(times):
        theta.append(theta[-1] + interval * np.asarray(evaluate(field, jnp.asarray(theta[-1]))))
    return np.stack(theta, axis=1)


def bending(field: HermiteField) -> float:
    """Half the bending energy, by Gauss's rule for squares of second derivatives."""
    total = 0.0
    nodes, weights = np.polynomial.legendre.leggauss(4)  # exact for these polynomials
    for function in field.functions:
        grid, cell = function.grid, np.array(function.grid.cell)
        keys = set(np.asarray(function.keys)[: function.n_allocated].tolist())
        shape = tuple(n + 1 for n in grid.n_cells)
        cells = [
            c
            for c in itertools.product(*map(range, grid.n_cells))
            if all(
                int(np.ravel_multi_index(np.add(c, corner), shape)) in keys
                for corner in itertools.product((0, 1), repeat=grid.dim)
            )
        ]
        local = np.array(list(itertools.product((nodes + 1) / 2, repeat=grid.dim)))
        weight = np.prod(list(itertools.product(weights / 2, repeat=grid.dim)), axis=1)
        points = grid.box[0] + (np.array(cells)[:, None] + local) * cell
        hessian = np.asarray(hessians(function, jnp.asarray(points.reshape(-1, grid.dim))))
        squares = np.sum((hessian * np.outer(cell, cell)) ** 2, axis=(1, 2, 3))
        total += 0.5 * np.sum(squares.reshape(len(cells), -1) * weight)
    return total


@eqx.filter_jit
def hessians(function, points):
    return jax.vmap(jax.hessian(function))(points)


def action(
    field: HermiteField,
    starts: np.ndarray,
    summaries: np.ndarray,
    times: np.ndarray,
    settings: LearningSettings,
    prior: VelocityPrior | None,
) -> float:
    """The objective, written out: time average by trapezia, average over initial conditions."""
    theta = euler(field, starts, times)
    likelihood = log_partition(theta) / N - np.sum(theta * summaries, axis=-1)
    integrand = likelihood + settings.regularisation * np.sum(theta**2, axis=-1)
    total = np.mean(np.trapezoid(integrand, times, axis=1)) / (times[-1] - times[0])
    if settings.smoothness:
        total += settings.smoothness * bending(field)
    if prior is not None:
        error = np.asarray(evaluate(field, jnp.asarray(prior.points))) - prior.velocities
        squares = [e @ g @ e for e, g in zip(error, prior.metric, strict=True)]
        total += 0.5 * prior.duration**2 * np.mean(squares)
    return float(total)


def some_prior() -> VelocityPrior:
    random = np.random.default_rng(5)
    root = random.normal(size=(20, 2, 2))
    return VelocityPrior(
        random.uniform(-1.2, 1.2, (20, 2)),
        random.normal(size=(20, 2)),
        root @ np.swapaxes(root, 1, 2),
        0.7,
    )


def descend(field, data, settings, **options):
    source = ExactMoments(TransferMatrix(MODEL), data)
    return train(field, data, source, settings, seed=SEED, **options)


@pytest.mark.parametrize(
    ("options", "with_prior", "step"),
    [
        ({}, False, 0),
        ({"regularisation": 0.3, "smoothness": 0.02}, True, 0),
        ({"window": 2, "shift_every": 1, "shift_by": 2, "regularisation": 0.3}, False, 1),
    ],
)
def test_gradient_equals_finite_differences_of_the_action(options, with_prior, step):
    """A step of gradient descent with rate 1 is the gradient, so no private function is needed."""
    data, field = exact_data(), random_field()
    prior = some_prior() if with_prior else None
    options = {"smoothness": 0.0, "optimiser": "sgd", "learning_rate": 1.0, **options}
    for done in range(step):
        field, _ = descend(field, data, LearningSettings(**options, steps=done + 1), prior=prior)
    settings = LearningSettings(**options, steps=step + 1)
    after, _ = descend(random_field(), data, settings, prior=prior)
    assert [len(f.keys) for f in after.functions] == [len(f.keys) for f in field.functions]
    before = values_of(field)
    gradient = [b - a for b, a in zip(before, values_of(after), strict=True)]
    first, last = window_at(settings, step, len(TIMES))
    assert (first, last) == ((step * 2, step * 2 + 2) if settings.window else (0, 5))
    inside = slice(first, last + 1)
    # What comes before the window is held fixed, whatever the change of the field.
    starts = euler(field, STARTS, TIMES)[:, first]

    assert data.summaries is not None
    summaries = data.summaries[:, inside]

    def objective(change):
        moved = with_values(field, [b + c for b, c in zip(before, change, strict=True)])
        arguments = summaries, TIMES[inside], settings, prior
        return action(moved, starts, *arguments)

    random = np.random.default_rng(6)
    for _ in range(4):
        direction = [random.normal(size=b.shape) for b in before]
        h = 1e-4
        ends = [objective([sign * h * d for d in direction]) for sign in (1, -1)]
        expected = (ends[0] - ends[1]) / (2 * h)
        slope = sum(np.vdot(g, d) for g, d in zip(gradient, direction, strict=True))
        # Third derivatives over the step, (1e-4)^2 times order 1 to 10, and 1e-16 / 1e-4.
        assert slope == pytest.approx(expected, rel=1e-5, abs=1e-7)
    largest = max(range(2), key=lambda i: np.abs(gradient[i]).max())
    place = np.unravel_index(np.abs(gradient[largest]).argmax(), before[largest].shape)
    one = [np.zeros(b.shape) for b in before]
    one[largest][place] = 1e-4
    single = (objective(one) - objective([-o for o in one])) / 2e-4
    assert gradient[largest][place] == pytest.approx(single, rel=1e-5, abs=1e-8)


def test_moments_and_divergence_by_enumeration():
    data = exact_data()
    theta = np.random.default_rng(2).normal(size=(2, 3, 2))
    selection = Selection(np.array([0, 2]), np.array([1, 2, 4]))
    found = ExactMoments(TransferMatrix(MODEL), data)(jnp.asarray(theta), selection)
    assert data.summaries is not None
    summaries = data.summaries[[0, 2]][:, [1, 2, 4]]
    np.testing.assert_allclose(found.difference, moments(theta) - summaries, atol=1e-12)
    likelihood = log_partition(theta) / N - np.sum(theta * summaries, axis=-1)
    np.testing.assert_allclose(found.divergence, likelihood, rtol=1e-12)


@pytest.mark.parametrize(
    ("step", "expected"),
    [
        (0, (0, 4)),
        (1, (0, 4)),
        (2, (3, 7)),
        (4, (6, 10)),
        (5, (6, 10)),
        (6, (6, 10)),
        (99, (6, 10)),
    ],
)
def test_window_moves_on_and_stops_at_the_end(step, expected):
    settings = LearningSettings(window=4, shift_every=2, shift_by=3)
    assert window_at(settings, step, 11) == expected


def test_window_never_exceeds_the_times():
    assert window_at(LearningSettings(window=50), 7, 11) == (0, 10)
    assert window_at(LearningSettings(), 7, 11) == (0, 10)


def one_line(outside: str = "error", reach: float = 2.0) -> HermiteField:
    grid = HermiteGrid(("b.A",), (0.5,), (0.0,), (-reach,), (reach,), outside)  # type: ignore[arg-type]
    return HermiteField.zeros(("b.A",), {"b.A": grid})


def bias_source(data: TrainingData) -> ExactMoments:
    return ExactMoments(TransferMatrix(BIAS), data)


def test_one_step_by_hand():
    """One coefficient, one interval: all that matters is the second time."""
    b, density, dt, rate = 0.2, 0.9, 0.25, 3.0
    summaries = np.array([[[0.5], [density]]])
    data = TrainingData(np.array([1.0, 1.0 + dt]), np.array([[b]]), summaries)
    settings = LearningSettings(optimiser="sgd", learning_rate=rate, steps=1, smoothness=0.0)
    learned, history = train(one_line(), data, bias_source(data), settings, seed=SEED)
    (function,) = learned.functions
    # b = 0.2 is at 0.4 of the cell from 0 to 0.5, vertices 4 and 5 of the box.
    assert np.asarray(function.keys).tolist() == [4, 5]
    x = 0.4
    basis = np.array(
        [
            [(1 + 2 * x) * (1 - x) ** 2, x * (1 - x) ** 2],
            [x**2 * (3 - 2 * x), -(x**2) * (1 - x)],
        ]
    )
    # F = 0, so b stays; half the weight of the interval, averaged over time: dt / 2 / dt.
    difference = expit(b) - density
    expected = -rate * 0.5 * difference * dt * basis
    np.testing.assert_allclose(values_of(learned)[0][:, :, 0], expected, rtol=1e-12)
    # The second entry is that of the field that is returned, after the step.
    later = b + dt * basis[:, 0] @ expected[:, 0] + dt * basis[:, 1] @ expected[:, 1]
    assert history["moment_error"] == pytest.approx([abs(difference), abs(expit(later) - density)])
    for found, at_end in zip(history["negative_log_likelihood"], (b, later), strict=True):
        likelihood = [np.log1p(np.exp(c)) - c * m for c, m in ((b, 0.5), (at_end, density))]
        assert found == pytest.approx(np.mean(likelihood))


def updates(rate: float | Mapping[str, float]) -> list[np.ndarray]:
    settings = LearningSettings(optimiser="sgd", learning_rate=rate, steps=1)
    field = random_field()
    learned, _ = descend(field, exact_data(), settings)
    return [a - b for a, b in zip(values_of(learned), values_of(field), strict=True)]


def test_each_coefficient_has_its_learning_rate():
    unit, own = updates(1.0), updates({"J.A.A": 3.0, "b.A": 0.2})
    assert min(np.abs(u).max() for u in unit) > 1e-4
    np.testing.assert_allclose(own[0], 0.2 * unit[0], atol=1e-14)
    np.testing.assert_allclose(own[1], 3.0 * unit[1], atol=1e-14)


def test_each_output_of_a_shared_function_has_its_learning_rate():
    grid = HermiteGrid(NAMES, (0.5, 0.5), (0.0, 0.0), (-2.0, -2.0), (2.0, 2.0))
    field = HermiteField.zeros(NAMES, dict.fromkeys(NAMES, grid))
    learned = []
    for rate in (1.0, {"b.A": 0.2, "J.A.A": 3.0}):
        settings = LearningSettings(optimiser="sgd", learning_rate=rate, steps=1)
        learned.append(values_of(descend(field, exact_data(), settings)[0])[0])
    np.testing.assert_allclose(learned[1], learned[0] * np.array([0.2, 3.0]), atol=1e-14)


def test_learning_rates_must_name_the_coefficients():
    settings = LearningSettings(learning_rate={"b.A": 0.1})
    with pytest.raises(ValueError, match=r"name each of the coefficients .*'b.A', 'J.A.A'.* got"):
        descend(random_field(), exact_data(), settings)


def test_cells_that_are_allocated_later_keep_the_memory_of_the_optimiser():
    """Starting with all cells is the same as allocating them when they are visited."""
    data = exact_data()
    settings = LearningSettings(learning_rate=0.4, steps=8, smoothness=0.0)
    grid = HermiteGrid(NAMES, (0.4, 0.4), (0.0, 0.0), (-2.0, -2.0), (2.0, 2.0))
    empty = HermiteField.zeros(NAMES, dict.fromkeys(NAMES, grid))
    everywhere = np.stack(np.meshgrid(*[np.arange(-1.8, 2.0, 0.4)] * 2), axis=-1).reshape(-1, 2)
    full = empty.allocate(everywhere)
    after_one, _ = descend(empty, data, LearningSettings(steps=1))
    grown, history = descend(empty, data, settings)
    assert grown.functions[0].n_allocated > after_one.functions[0].n_allocated
    reference, reference_history = descend(full, data, settings)
    visited = jnp.asarray(everywhere)
    # The same operations in another order of rows: rounding, carried through the steps.
    np.testing.assert_allclose(evaluate(grown, visited), evaluate(reference, visited), atol=1e-9)
    for name, column in history.items():
        np.testing.assert_allclose(column, reference_history[name], rtol=1e-9)
    assert history["moment_error"][-1] < history["moment_error"][0]


def test_the_size_of_the_box_does_not_matter():
    """Neither for the cells that are allocated nor for what they learn."""
    data, settings = exact_data(), LearningSettings(learning_rate=0.4, steps=3, smoothness=0.0)
    learned = []
    for reach in (2.25, 22_500.0):
        grid = HermiteGrid(NAMES, (0.45, 0.45), (0.0, 0.0), (-reach,) * 2, (reach,) * 2)
        field = HermiteField.zeros(NAMES, dict.fromkeys(NAMES, grid))
        learned.append(descend(field, data, settings)[0].functions[0])
    small, large = learned
    assert large.grid.n_vertices > 10**7 * small.grid.n_vertices
    assert large.n_allocated == small.n_allocated
    assert np.abs(small.u).max() > 0.1
    # Coordinates of 2e4 are rounded to 4e-12, and Adam divides by the size of the gradient.
    np.testing.assert_allclose(large.u, small.u, rtol=0, atol=1e-6)


def test_leaving_the_box_says_where():
    data = TrainingData(np.arange(3.0), np.array([[0.4]]), np.full((1, 3, 1), 0.5))
    field = one_line().allocate(np.array([[0.4]]))
    field = with_values(field, [np.full(field.functions[0].u.shape, 5.0)])
    with pytest.raises(OutsideBoxError, match=r"at time 1, initial condition 0, .*b\.A"):
        train(field, data, bias_source(data), LearningSettings(steps=1), seed=SEED)


def test_a_solution_that_is_not_finite_says_where():
    data = TrainingData(np.arange(4.0), np.array([[0.4]]), np.full((1, 4, 1), 0.5))
    field = one_line("linear").allocate(np.array([[0.4]]))
    field = with_values(field, [np.full(field.functions[0].u.shape, np.nan)])
    with pytest.raises(FloatingPointError, match=r"coefficient `b\.A` is .*the solution diverged"):
        train(field, data, bias_source(data), LearningSettings(steps=1), seed=SEED)


def test_progress_and_history_have_one_entry_a_step_and_history_one_of_what_is_returned():
    reports: list[dict] = []
    settings = LearningSettings(steps=3, batch=2)
    _, history = descend(random_field(), exact_data(), settings, progress=reports.append)
    assert [(r["stage"], r["step"], r["total"]) for r in reports] == [
        ("train", step, 3) for step in (1, 2, 3)
    ]
    for name in ("moment_error", "negative_log_likelihood"):
        assert [r[name] for r in reports] == history[name][:-1].tolist()


def test_trainings_of_equal_length_share_what_is_compiled():
    settings = LearningSettings(steps=3, batch=2)
    descend(random_field(), exact_data(), settings)
    compiled = _update._cache_size()
    descend(random_field(), exact_data(), settings)
    assert _update._cache_size() == compiled


def test_no_steps_leave_the_field_alone():
    field = random_field()
    learned, history = descend(field, exact_data(), LearningSettings(steps=0))
    assert learned is field
    assert history == {}


def test_order_of_batches_comes_from_the_seed():
    data, settings = exact_data(), LearningSettings(steps=4, batch=1)
    source = ExactMoments(TransferMatrix(MODEL), data)

    def learned(seed):
        field, _ = train(random_field(), data, source, settings, seed=np.random.SeedSequence(seed))
        return b"".join(np.asarray(f.u).tobytes() for f in field.functions)

    assert learned(3) == learned(3)
    assert learned(3) != learned(4)


def sampled_data(n_replicas: int) -> TrainingData:
    """Exact samples of given coefficients over time."""
    solution, clamped = TransferMatrix(MODEL), ClampedStatistics(MODEL)
    path = STARTS[:2, None] * np.exp(-0.8 * TIMES)[:, None] + 0.5 * TIMES[:, None]
    states = np.array(
        [
            [
                sample_chain(solution, theta, n_replicas, seed=100 * i + t)
                for t, theta in enumerate(p)
            ]
            for i, p in enumerate(path)
        ]
    )

    def read(initial: int, times: np.ndarray, replicas: np.ndarray) -> np.ndarray:
        return states[initial][np.ix_(times, replicas)]

    summaries = np.array([summarise(clamped, np.swapaxes(s, 0, 1)) for s in states])
    return TrainingData(TIMES, STARTS[:2], summaries, read, n_replicas)


def test_sampled_moments_tend_to_the_exact_ones():
    data = sampled_data(3000)
    source = SampledMoments(GibbsSampler(MODEL), data, None, 30, np.random.SeedSequence(1))
    selection = Selection(np.array([1, 0]), np.array([1, 4]))
    theta = jnp.asarray(np.random.default_rng(3).normal(0, 0.5, (2, 2, 2)))
    sampled = source(theta, selection)
    exact = ExactMoments(TransferMatrix(MODEL), data)(theta, selection)
    # After 30 sweeps the samples are those of the model: a variance of at most 0.5 / N a state
    # and site, 3000 states; the largest of 8 normal errors exceeds 5 sigma once in 10^5 seeds.
    sigma = np.sqrt(0.5 / N / 3000)
    np.testing.assert_allclose(sampled.difference, exact.difference, atol=5 * sigma)
    assert np.abs(exact.difference).max() > 20 * sigma
    assert np.all(np.isnan(sampled.divergence))


def test_few_replicas_are_drawn_anew_each_time():
    data = sampled_data(50)
    source = SampledMoments(GibbsSampler(MODEL), data, 5, 1, np.random.SeedSequence(1))
    selection = Selection(np.array([0]), np.array([0, 1]))
    theta = jnp.zeros((1, 2, 2))
    assert not np.array_equal(source(theta, selection)[0], source(theta, selection)[0])


def test_training_with_sampled_moments_reduces_the_exact_error():
    data = sampled_data(200)
    settings = LearningSettings("gibbs", steps=30, learning_rate=0.05, sweeps=2, replicas=100)
    grid = HermiteGrid(NAMES, (0.5, 0.5), (0.0, 0.0), (-2.0, -2.0), (2.0, 2.0))
    field = HermiteField.zeros(NAMES, dict.fromkeys(NAMES, grid))
    learned = []
    for _ in range(2):
        source = SampledMoments(
            GibbsSampler(MODEL), data, settings.replicas, settings.sweeps, np.random.SeedSequence(2)
        )
        learned.append(train(field, data, source, settings, seed=SEED))
    (found, history), (again, _) = learned
    assert all(
        np.asarray(a.u).tobytes() == np.asarray(b.u).tobytes()
        for a, b in zip(found.functions, again.functions, strict=True)
    )
    assert list(history) == ["moment_error"]
    theta = euler(found, STARTS[:2], TIMES)
    before = np.sqrt(np.mean((moments(STARTS[:2])[:, None] - data.summaries) ** 2))
    after = np.sqrt(np.mean((moments(theta) - data.summaries) ** 2))
    # The data's own noise is sqrt(0.3 / (12 * 200)) = 0.01, the error before 0.07.
    assert after < 0.4 * before


def test_sampled_moments_need_states():
    data = exact_data()
    with pytest.raises(ValueError, match=r"SampledMoments: `data.states` is needed"):
        SampledMoments(GibbsSampler(MODEL), data, None, 1, SEED)


def error_of(field: HermiteField, data: TrainingData) -> float:
    """Root mean square error of the moments after the first time, by Euler and enumeration."""
    assert data.summaries is not None
    theta = euler(field, np.asarray(data.initial), data.times)
    return float(np.sqrt(np.mean((moments(theta) - data.summaries)[:, 1:] ** 2)))


@pytest.mark.parametrize("options", [{}, {"batch": 2}, {"window": 2, "shift_every": 1}])
def test_the_best_iterate_is_returned_and_the_last_entry_of_the_history_is_its_error(options):
    """At this rate the error falls at first and then swings."""
    data = exact_data()
    settings = LearningSettings(learning_rate=0.6, steps=12, **options)
    start = random_field()
    learned, history = descend(start, data, settings)
    found = error_of(learned, data)
    assert history["moment_error"][-1] == pytest.approx(found, rel=1e-12)
    assert found < error_of(start, data)
    if not options:
        assert found == pytest.approx(history["moment_error"].min(), rel=1e-12)


@pytest.mark.parametrize("options", [{}, {"batch": 1}, {"window": 2}])
def test_training_that_only_does_harm_returns_its_start_and_says_so(options):
    data = exact_data()
    # A field that solves the problem: theta' as the data have it is no function of theta alone, so
    # the solution itself is taken for the data.
    start = random_field()
    data = data._replace(summaries=moments(euler(start, STARTS, TIMES)))
    settings = LearningSettings(learning_rate=1.0, steps=3, **options)
    with pytest.warns(LearningWarning, match="none of the 3 optimisation steps improved"):
        learned, history = descend(start, data, settings)
    for before, after in zip(values_of(start), values_of(learned), strict=True):
        np.testing.assert_allclose(after[: len(before)], before, atol=1e-14)
    assert history["moment_error"][-1] < 1e-12


def test_training_that_diverges_returns_the_best_iterate_and_says_so():
    data = TrainingData(np.arange(4.0), np.array([[0.4]]), np.full((1, 4, 1), 0.45))
    settings = LearningSettings(optimiser="sgd", learning_rate=300.0, steps=30, smoothness=0.0)
    with pytest.warns(LearningWarning, match=r"ended at step \d+: .* is returned"):
        learned, history = train(one_line(), data, bias_source(data), settings, seed=SEED)
    assert history["moment_error"][-1] == history["moment_error"].min()
    assert np.all(np.isfinite(learned.functions[0].u))


def test_sampled_iterates_are_compared_with_the_same_random_numbers():
    """The chains of the training go on; those that judge do not, and disturb nothing."""
    data = sampled_data(50)
    settings = LearningSettings("gibbs", steps=12, learning_rate=2.0, replicas=10)

    def trained(judge):
        source = SampledMoments(GibbsSampler(MODEL), data, 10, 1, np.random.SeedSequence(2))
        return train(random_field(), data, source, settings, judge=judge, seed=SEED)[1]

    exact = ExactMoments(TransferMatrix(MODEL), data)
    by_exact, by_samples = trained(exact), trained(None)
    np.testing.assert_array_equal(by_exact["moment_error"][:-1], by_samples["moment_error"][:-1])


class Memory:
    """A checkpoint that is kept at every step, and may end the training."""

    def __init__(self, last: int | None = None) -> None:
        self.saved: dict[str, np.ndarray] | None = None
        self.last, self.count = last, 0

    def load(self):
        return self.saved

    def is_due(self):
        return True

    def save(self, arrays):
        self.saved = {name: np.array(array) for name, array in arrays.items()}
        self.count += 1
        if self.count == self.last:
            raise KeyboardInterrupt


@pytest.mark.parametrize("options", [{}, {"batch": 2}, {"window": 2, "shift_every": 1}])
def test_a_resumed_training_returns_the_same_bytes_though_the_best_iterate_was_before(options):
    data = exact_data()
    settings = LearningSettings(learning_rate=0.6, steps=12, **options)
    straight, history = descend(random_field(), data, settings)
    memory = Memory(last=8)
    with pytest.raises(KeyboardInterrupt):
        descend(random_field(), data, settings, checkpoint=memory)
    resumed, again = descend(random_field(), data, settings, checkpoint=memory)
    for name, column in history.items():
        assert column.tobytes() == again[name].tobytes()
    for one, other in zip(straight.functions, resumed.functions, strict=True):
        assert np.asarray(one.u).tobytes() == np.asarray(other.u).tobytes()
        assert np.asarray(one.keys).tobytes() == np.asarray(other.keys).tobytes()
