"""Coefficients and lattice states of fitted models: laws whose motion is known in closed form."""

import numpy as np
import pytest
import xarray as xr
from scipy.special import expit, logit

from dynboltz import FittedModel, fit
from dynboltz._warnings import ExtrapolationWarning, LearningWarning
from dynboltz.distributions import LatticeModel, TransferMatrix
from dynboltz.lattices import Lattice, neighbour_moments
from dynboltz.laws import LearnedLaw, MomentLaw, known_part, moment_chart
from dynboltz.laws._law import SmoothFunction
from dynboltz.laws._training import Member
from dynboltz.reactions import ReactionNetwork

RATE = 0.7
TIMES = np.linspace(0.0, 2.0, 9)


def decay(lattice, species=("A",)):
    """Particles that decay independently: densities fall, correlation factors stay."""
    text = "\n".join(f"{name} -> 0 ; k = {RATE}" for name in species)
    chart = moment_chart(neighbour_moments(species, lattice.dim, 2), lattice, n_replicas=10)
    known = known_part(chart, lattice, ReactionNetwork.parse(text))
    n, n_learned = len(chart.names), len(chart.factors)
    function = SmoothFunction(
        np.zeros(n_learned * n + n_learned + n + 1 + n_learned), n, n_learned, 1
    )
    # Everywhere between the floor and full lattices something was seen.
    features = np.random.default_rng(0).uniform(-3, 3, (400, n))
    law = MomentLaw.untrained(chart, known, np.ones(n_learned), features, 0.25, function)
    member = Member(law, np.zeros((len(function.parameters), 1)), 0.0, 1.0, np.ones(2))
    grid = np.linspace(0, 2, 33)
    return FittedModel(LearnedLaw((member,), TIMES, grid, features, 2, 10), lattice, species)


@pytest.fixture(scope="module")
def ring():
    return decay(Lattice((60,)))


def test_coefficients_of_independent_decay_are_those_of_its_density(ring):
    prediction = ring.predict(theta={"b.A": [0.5, -1.0]})
    found = ring.theta(prediction)
    assert dict(found.sizes) == {"start": 2, "time": 9, "coefficient": 2, "moment": 2}
    density = expit([[0.5], [-1.0]]) * np.exp(-RATE * TIMES)
    # Runge-Kutta steps of 0.06, and Newton's last step.
    np.testing.assert_allclose(found.theta.sel(coefficient="b.A"), logit(density), atol=1e-6)
    np.testing.assert_allclose(found.theta.sel(coefficient="J.A.A"), 0.0, atol=1e-6)
    assert not found.error.any()
    assert not found.is_at_edge.any()


def test_coefficients_are_a_start(ring):
    theta = {"b.A": [-1.0, 0.3], "J.A.A": 0.8}
    solution = TransferMatrix(LatticeModel.from_names(ring.lattice, ["A"], list(theta)))
    prediction = ring.predict(theta=theta, times=[0.0, 1.0])
    expected = solution.batch_moments(np.array([[-1.0, 0.8], [0.3, 0.8]]))
    np.testing.assert_allclose(prediction.moment_mean.isel(time=0), expected, rtol=1e-10)
    again = ring.theta(prediction.isel(time=0))
    np.testing.assert_allclose(again.theta[:, 0], [[-1.0, 0.8], [0.3, 0.8]], atol=1e-6)


def test_fixed_numbers_of_particles_and_none_have_finite_coefficients(ring):
    with pytest.warns(ExtrapolationWarning):
        prediction = ring.predict({"A": [0.5, 0.0, 1.0, 1 / 60]}, times=[0.0, 1.0])
    found = ring.theta(prediction)
    assert np.isfinite(found.theta).all()
    # Of one particle there are no pairs, and too few are to be expected to say more.
    np.testing.assert_array_equal(found.is_at_edge[:, 0], [False, True, True, False])
    # Thirty of sixty sites: neighbours are correlated by -1 / 59.
    ratio = (29 * 29 - 0.0) / (30 * 30.0)
    assert float(found.theta[0, 0, 1]) == pytest.approx(np.log(ratio), abs=2e-3)
    np.testing.assert_allclose(found.theta[3, 0], [np.log(1 / 59), 0.0], atol=0.01)
    # Half a particle in the 600 sites of ten replicas.
    assert float(found.theta[1, 0, 0]) == pytest.approx(logit(0.5 / 600), abs=0.01)


def test_samples_of_chains_have_the_predicted_moments(ring):
    theta = {"b.A": -0.5, "J.A.A": 1.0}
    drawn = ring.sample(theta=theta, time=1.0, n_samples=2000, moments=["A(0) A(2)"], seed=3)
    assert drawn.state.dims == ("replica", "time", "x")
    assert drawn.state.shape == (2000, 1, 60)
    names = ["A", "A.A", "A.A.A", "A.A.A.A", "A(0) A(2)"]
    assert sorted(drawn.moment.values) == sorted(names)
    predicted = ring.predict(theta=theta, times=[0.0, 1.0]).moment_mean[0, -1]
    own = drawn.moments.isel(time=0).sel(moment=["A", "A.A"])
    error = own.std("replica", ddof=1) / np.sqrt(2000)
    # Exceeded once in a hundred thousand samples, for each of two moments.
    assert np.all(np.abs(own.mean("replica") - predicted) < 4.5 * error)
    same = ring.sample(theta=theta, time=1.0, n_samples=10, seed=3)
    np.testing.assert_array_equal(same.state, drawn.state[:10])


def test_samples_at_the_first_time_are_of_the_given_coefficients(ring):
    """With a coefficient that the law does not follow."""
    theta = {"b.A": -0.5, "A(0) A(2)": 1.5}
    model = LatticeModel.from_names(ring.lattice, ["A"], list(theta))
    density, pairs = np.asarray(TransferMatrix(model).moments(np.array([-0.5, 1.5])))
    drawn = ring.sample(theta=theta, time=0.0, n_samples=2000, moments=["A(0) A(2)"])
    own = drawn.moments.isel(time=0).sel(moment=["A", "A(0) A(2)"])
    error = own.std("replica", ddof=1) / np.sqrt(2000)
    assert np.all(np.abs(own.mean("replica") - [density, pairs]) < 4.5 * error)


def test_planes_are_sampled():
    """Independent sites: moments in closed form, and chains that forget at once."""
    plane = decay(Lattice((12, 12)), ("A", "B"))
    theta = {"b.A": -0.2, "b.B": -1.0}
    weights = np.exp([-0.2, -1.0])
    density = weights / (1 + weights.sum())
    prediction = plane.predict(theta=theta, times=[0.0, 0.5])
    # 3200 states of 144 sites, each density with a deviation of at most one half.
    np.testing.assert_allclose(prediction.moment_mean[0, 0, :2], density, atol=5 * 0.5 / 678)
    coefficients = plane.theta(prediction)
    assert list(coefficients.coefficient.values) == ["b.A", "b.B", "J.A.A", "J.A.B", "J.B.B"]
    later = prediction.moment_mean[0, 1, :2].values
    expected = np.log(later / (1 - later.sum()))
    # The pairs of the start have the noise of its states, some 1e-2 of a coupling.
    away = np.abs(coefficients.theta[0, 1] - [*expected, 0.0, 0.0, 0.0])
    assert np.all(away < 4.5 * coefficients.error[0, 1] + 0.15)
    drawn = plane.sample({"A": 0.3, "B": 0.25}, time=0.5, n_samples=300)
    assert drawn.state.shape == (300, 1, 12, 12)
    means = drawn.moments.isel(time=0).mean("replica").sel(moment=["A", "B"])
    left = np.exp(-RATE * 0.5)
    np.testing.assert_allclose(means, [0.3 * left, 0.25 * left], atol=5 * 0.5 / np.sqrt(300 * 144))


def test_samples_are_starts_of_predictions(ring):
    drawn = ring.sample({"A": [0.6, 0.3]}, time=1.0, n_samples=50)
    np.testing.assert_array_equal(drawn.initial_condition, np.repeat([0, 1], 50))
    first = drawn.state.isel(time=0)[drawn.initial_condition.values == 0]
    found = ring.predict(states=first.values, times=[0.0, 0.5])
    assert float(found.moment_mean[0, 0, 0]) == pytest.approx(float((first > 0).mean()))


@pytest.mark.parametrize(
    ("theta", "match"),
    [
        ({"J.A.A": 1.0}, "b.A is missing"),
        ({"b.a": 1.0}, "b.A is missing. Did you mean `b.A`"),
        ({"b.A": 1.0, "J.A.B": 1.0}, "names the species 'B'"),
        ({"b.A": np.inf}, "`theta` must be finite"),
        ({"b.A": "much"}, "one number for each coefficient"),
        ({"b.A": [0.1, 0.2], "J.A.A": [0.1, 0.2, 0.3]}, "one number for each coefficient"),
        ({"b.A": [[0.1]]}, "arrays of 2 axes"),
    ],
)
def test_starts_from_coefficients_refuse(ring, theta, match):
    with pytest.raises(ValueError, match=match):
        ring.predict(theta=theta)


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        ({}, "give either `densities`"),
        ({"densities": {"A": 0.2}, "theta": {"b.A": 0.0}}, "give either `densities`"),
        ({"densities": {"A": 0.2}, "time": -1.0}, "`time` must be at least 0"),
        ({"densities": {"A": 0.2}, "time": np.nan}, "`time` must be finite"),
        ({"densities": {"A": 0.2}, "n_samples": 0}, "`n_samples` must be at least 1"),
        ({"densities": {"A": 0.2}, "moments": ["A.B"]}, "write a pattern of species at offsets"),
        ({"densities": {"A": 0.2}, "moments": ["A(0,0) A(0,1)"]}, "have 2 entries"),
        ({"densities": {"A": 0.2}, "moments": ["A(0) B(1)"]}, "has the species 'B'"),
    ],
)
def test_samples_refuse(ring, arguments, match):
    with pytest.raises(ValueError, match=match):
        ring.sample(**arguments)


def test_coefficients_refuse_other_predictions(ring):
    prediction = ring.predict({"A": 0.4})
    with pytest.raises(ValueError, match="must hold `moment_mean"):
        ring.theta(xr.Dataset())
    with pytest.raises(ValueError, match=r"'A\.A' is missing"):
        ring.theta(prediction.sel(moment=["A"]))
    with pytest.raises(ValueError, match="must be finite"):
        ring.theta(prediction.assign(moment_mean=prediction.moment_mean * np.nan))


def test_moments_that_no_distribution_has_are_warned_of():
    """Three in a row more often than two."""
    lattice = Lattice((30,))
    chart = moment_chart(neighbour_moments(("A",), 1, 3), lattice)
    model = decay(lattice)
    from dynboltz._states import chart_model, theta_dataset  # noqa: PLC0415

    moments = np.array([[[0.5, 0.25, 0.26]]])
    with pytest.warns(LearningWarning, match="no distribution with these coefficients"):
        found = theta_dataset(
            "theta", chart, chart_model(chart, lattice, model.species), moments, TIMES[:1], 1
        )
    assert np.isfinite(found.theta).all()


def glauber(starts, coupling, n_replicas, n_sites, rng):
    r"""States of an Ising ring whose spins are drawn anew at rate 1 given their neighbours.

    At 41 times up to 8, two relaxation times $1 / (1 - \tanh 2 K)$; even spins in short steps,
    then odd ones.
    """
    up = rng.random((len(starts) * n_replicas, n_sites)) < np.repeat(starts, n_replicas)[:, None]
    records, step = [up.astype(np.uint8)], 0.02
    for _ in range(40):
        for half in range(20):
            first = half % 2
            beside = 2.0 * up[:, 1 - first :: 2] - 1
            field = coupling * (beside + np.roll(beside, 1 - 2 * first, axis=1))
            own = up[:, first::2]
            renewed = rng.random(own.shape) < step
            drawn = rng.random(own.shape) < expit(2 * field)
            up[:, first::2] = np.where(renewed, drawn, own)
        records.append(up.astype(np.uint8))
    return np.stack(records, axis=1), 0.2 * np.arange(41), np.repeat(range(len(starts)), n_replicas)


@pytest.mark.slow
def test_the_fixed_point_of_glauber_dynamics_is_its_equilibrium():
    """Detailed balance: exp(K sum s s') of spins s = 2 n - 1 has b = -4 K and J = 4 K."""
    coupling = 0.5
    states, times, numbers = glauber(
        np.linspace(0.05, 0.95, 16), coupling, 40, 500, np.random.default_rng(1)
    )
    model = fit(states, times=times, initial_condition=numbers, progress=False)
    with pytest.warns(ExtrapolationWarning, match="learned up to"):
        late = model.predict({"A": [0.2, 0.5, 0.8]}, times=np.linspace(0, 80, 401))
    theta = model.theta(late.isel(time=[-1])).theta.values[:, 0]
    # Three seeds gave at most 0.2 %.
    np.testing.assert_allclose(theta, [[-4 * coupling, 4 * coupling]] * 3, rtol=0.02)
