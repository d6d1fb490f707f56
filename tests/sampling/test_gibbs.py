"""Gibbs sampling against enumeration, exact samples and conditional probabilities."""

import functools
import itertools

import numba
import numpy as np
import pytest
from scipy import special, stats

import dynboltz.sampling._field_tables as field_tables_module
import dynboltz.sampling._gibbs as gibbs_module
from dynboltz.distributions import Enumeration, LatticeModel, Layer, TransferMatrix, sample_chain
from dynboltz.lattices import Boundary, Factor, Lattice, Term
from dynboltz.sampling import (
    Chains,
    GibbsSampler,
    advance,
    record,
    start_from_data,
    start_random,
)
from dynboltz.sampling._field_kernels import fill_entries

PAIR = Layer(("X",), ((0,), (1,)))
SQUARE = Layer(("X", "Y"), tuple(itertools.product((0, 1), repeat=2)))
CUBE = tuple(itertools.product((0, 1), repeat=3))


def chain(boundary: Boundary) -> LatticeModel:
    return LatticeModel.from_names(Lattice((7,), boundary), ["A"], ["b.A", "J.A.A", "K.A.A.A"])


def pair_units(boundary: Boundary) -> LatticeModel:
    return LatticeModel.from_names(Lattice((5,), boundary), ["A"], ["b.A", "W.A.X", "b.X"], [PAIR])


def two_species() -> LatticeModel:
    names = ["b.A", "b.B", "J.A.A", "J.A.B", "J.B.B", "W.A.X", "W.B.X", "W.B.Y", "b.X", "b.Y"]
    return LatticeModel.from_names(Lattice((2, 3), "closed"), ["A", "B"], names, [SQUARE])


def unusual_terms(boundary: Boundary) -> LatticeModel:
    """Hidden units coupled with each other and in threes; products away from their anchor."""
    lattice = Lattice((4,), boundary)
    model = LatticeModel.from_names(lattice, ["A", "B"], ["b.A", "J.A.B", "W.B.X", "J.X.X"], [PAIR])
    return model.with_terms(
        (
            Term("off", ((Factor("A", (1,)), Factor("A", (2,))),)),
            Term("alone", ((Factor("B", (-1,)),), (Factor("B", (0,)),))),
            Term("three", ((Factor("A", (0,)), Factor("B", (1,)), Factor("X", (0,), 1)),)),
            Term("twice", ((Factor("A", (0,)), Factor("A", (2,))),) * 2),
        )
    )


def cube_unit(species: str, hidden: str) -> LatticeModel:
    """Eight sites, closed, and one hidden unit in their middle."""
    pairs = zip(species, hidden, strict=True)
    names = [f"b.{s}" for s in species + hidden] + [f"W.{v}.{h}" for v, h in pairs]
    names.append(f"W.{species[0]}.{hidden[1]}")
    layer = Layer(tuple(hidden), CUBE)
    return LatticeModel.from_names(Lattice((2, 2, 2), "closed"), list(species), names, [layer])


def two_hidden_layers(boundary: Boundary) -> LatticeModel:
    names = ["b.A", "W.A.X", "b.X", "W.X.Y", "b.Y"]
    layers = [PAIR, Layer(("Y",), ((0,), (1,)))]
    return LatticeModel.from_names(Lattice((4,), boundary), ["A"], names, layers)


MODELS = {
    "ring": chain("periodic"),
    "closed chain": chain("closed"),
    "pair units on a ring": pair_units("periodic"),
    "pair units on a closed chain": pair_units("closed"),
    "two species": two_species(),
    "unusual terms on a ring": unusual_terms("periodic"),
    "unusual terms on a closed chain": unusual_terms("closed"),
    "cube, two species": cube_unit("AB", "XY"),
    "cube, three species": cube_unit("ABC", "XYZ"),
    "two hidden layers on a ring": two_hidden_layers("periodic"),
    "two hidden layers on a closed chain": two_hidden_layers("closed"),
    "doubled bonds": LatticeModel.from_names(Lattice((2, 2, 2)), ["A"], ["b.A", "J.A.A"]),
}


def coefficients(model: LatticeModel) -> np.ndarray:
    return np.random.default_rng(5).uniform(-0.7, 0.7, len(model.terms))


@pytest.fixture(params=["fields", "units"])
def kernel(request, monkeypatch):
    """Force one of the two kernels, whatever suits the model."""
    limit = 10**9 if request.param == "fields" else 0
    monkeypatch.setattr(field_tables_module, "CODES_PER_UNIT", limit)
    return request.param


def sampled(model: LatticeModel, n_chains: int, n_sweeps: int, theta=None) -> np.ndarray:
    sampler = GibbsSampler(model)
    chains = start_random(model, n_chains, seed=11)
    theta = coefficients(model) if theta is None else theta
    return advance(sampler, chains, theta, n_sweeps).states


@functools.cache
def independent_states(name: str, kernel: str) -> np.ndarray:
    """One state of each of many chains; coefficients below 0.7 mix in fewer sweeps."""
    model = MODELS[name]
    assert (GibbsSampler(model)._fields is not None) == (kernel == "fields")
    return sampled(model, n_chains=60_000, n_sweeps=15)


@functools.cache
def enumeration(name: str) -> Enumeration:
    return Enumeration(MODELS[name])


def keys(states: np.ndarray) -> np.ndarray:
    """One integer a state, for labels 0 to 3."""
    units = np.moveaxis(states, 1, 0).reshape(states.shape[1], -1).astype(np.int64)
    return units @ 4 ** np.arange(units.shape[1])


def p_value(states: np.ndarray, exact_states: np.ndarray, probabilities: np.ndarray) -> float:
    """Chi-square test of independent states against exact probabilities."""
    order = np.argsort(keys(exact_states))
    place = np.searchsorted(keys(exact_states)[order], keys(states))
    observed = np.bincount(place, minlength=len(order))
    expected = probabilities[order] * states.shape[1] / probabilities.sum()
    rare = expected < 10
    if rare.any():
        observed = np.append(observed[~rare], observed[rare].sum())
        expected = np.append(expected[~rare], expected[rare].sum())
    return stats.chisquare(observed[expected > 0], expected[expected > 0]).pvalue


@pytest.mark.parametrize("name", MODELS)
def test_states_have_the_enumerated_distribution(name, kernel):
    model = MODELS[name]
    exact = enumeration(name)
    probabilities = np.asarray(exact.probabilities(coefficients(model)))
    # Independent chains; fails for one seed in 10^4, the seed is fixed.
    assert p_value(independent_states(name, kernel), exact.states, probabilities) > 1e-4


@pytest.mark.parametrize("name", MODELS)
def test_moments_match_enumeration(name, kernel):
    model = MODELS[name]
    values = model.statistics(independent_states(name, kernel))
    error = values.std(axis=0) / np.sqrt(len(values))
    exact = enumeration(name)
    exact = np.asarray(exact.probabilities(coefficients(model))) @ model.statistics(exact.states)
    # Independent chains; 4 standard errors fail for one moment and seed in 16 000.
    assert np.all(np.abs(values.mean(axis=0) - exact) < 4 * error)


@pytest.mark.parametrize("name", MODELS)
def test_tabulated_and_summed_fields_draw_the_same_states(name, monkeypatch):
    model = MODELS[name]
    monkeypatch.setattr(field_tables_module, "CODES_PER_UNIT", 0)
    tabulated = sampled(model, n_chains=3000, n_sweeps=5)
    monkeypatch.setattr(gibbs_module, "MAX_THRESHOLDS", 0)
    summed = sampled(model, n_chains=3000, n_sweeps=5)
    # The probabilities differ by rounding, 1e-16, so a draw differs with that probability.
    np.testing.assert_array_equal(tabulated, summed)


@pytest.mark.parametrize("name", MODELS)
def test_chains_side_by_side_draw_what_each_draws_alone(name, monkeypatch):
    """Twenty chains fill the lanes once and leave a few over; rows of theta differ within both."""
    monkeypatch.setattr(field_tables_module, "CODES_PER_UNIT", 10**9)
    model = MODELS[name]
    sampler = GibbsSampler(model)
    chains = start_random(model, 20, seed=3)
    theta = np.random.default_rng(4).uniform(-1, 1, (10, len(model.terms)))
    together, after = record(sampler, chains, theta, 3, 2)
    for c in range(20):
        one = Chains(chains.states[:, c : c + 1], chains.random[c : c + 1])
        alone, one = record(sampler, one, theta[c // 2], 3, 2)
        np.testing.assert_array_equal(together[:, :, c], alone[:, :, 0])
        np.testing.assert_array_equal(after.random[c], one.random[0])


@pytest.mark.parametrize("scale", [1.0, 30.0])
def test_alias_tables_hold_the_conditional_probabilities(scale, monkeypatch):
    """Hidden units of a cube of three species, for every content of the cube."""
    model = MODELS["cube, three species"]
    theta = scale * coefficients(model)
    monkeypatch.setattr(field_tables_module, "CODES_PER_UNIT", 10**9)
    sampler = GibbsSampler(model)
    tables = sampler._fields
    assert tables is not None
    entries = np.zeros((1, tables.code_pointers[-1]), dtype=np.uint32)
    fill_entries(theta[None], sampler._tables, tables, entries)
    hidden = entries[0, tables.code_pointers[1] :].reshape(-1, 4).astype(np.int64)
    # Of the 2^30 draws that end in a column's number, those below its entry get that number.
    columns = np.arange(4)
    own = np.clip(-((columns - hidden) // 4), 0, 2**30)
    shares = np.zeros((len(hidden), 4))
    for column in columns:
        shares[:, column] += own[:, column]
        np.add.at(shares, (np.arange(len(hidden)), hidden[:, column] % 4), 2**30 - own[:, column])
    low, high = sampler._tables.partner_pointers[1:3]
    value = dict(zip(model.coefficients, theta, strict=True))
    for counts in itertools.product(range(9), repeat=3):
        if sum(counts) > 8:
            continue
        labels = np.repeat([0, 1, 2, 3], [8 - sum(counts), *counts])
        code = sampler._tables.increments[np.arange(low, high), labels].sum() // 3
        a, b, c = counts
        fields = np.array([0, value["b.X"], value["b.Y"], value["b.Z"]])
        fields[1:] += [value["W.A.X"] * a, value["W.B.Y"] * b, value["W.C.Z"] * c]
        fields[2] += value["W.A.Y"] * a
        expected = np.exp(fields - special.logsumexp(fields))
        # Bounds of cumulative probabilities are rounded to 2^-32, and entries to a draw a column.
        np.testing.assert_allclose(shares[code] / 2**32, expected, rtol=0, atol=5 * 2.0**-32)


def test_a_model_without_tables_is_sampled():
    # 12 partners with a digit of their own and 3 labels are too many codes.
    names = ["b.A", "b.B", "K.A.A.A", "K.B.B.B", "J.A.B"]
    model = LatticeModel.from_names(Lattice((6, 6, 6)), ["A", "B"], names)
    theta = np.array([-0.4, 0.3, 0.0, 0.0, 0.0])
    sampler = GibbsSampler(model)
    assert not sampler._conditionals(theta[None], 10**9).by_code.any()
    states = sampled(model, n_chains=400, n_sweeps=2, theta=theta)
    weights = np.array([1.0, np.exp(-0.4), np.exp(0.3)])
    # Independent sites, chi-square over three labels; fails for one seed in 10^4.
    observed = np.bincount(states.ravel(), minlength=3)
    assert stats.chisquare(observed, weights / weights.sum() * states.size).pvalue > 1e-4


@pytest.mark.parametrize("model", [chain("periodic"), pair_units("closed")])
def test_exact_samples_stay_exact_after_a_sweep(model):
    theta = 2 * coefficients(model)
    visible = sample_chain(TransferMatrix(model), theta, 100_000, seed=3)
    after = advance(GibbsSampler(model), start_from_data(model, visible, seed=4), theta, n_sweeps=1)
    exact = Enumeration(model)
    # One sweep leaves the distribution as it is however slowly it mixes; one seed in 10^4 fails.
    assert p_value(after.states, exact.states, np.asarray(exact.probabilities(theta))) > 1e-4


@pytest.mark.usefixtures("kernel")
def test_hidden_units_are_drawn_from_their_conditional_distribution():
    model = pair_units("closed")
    theta = np.array([0.3, 1.1, -0.8])
    row = np.array([1, 1, 0, 0, 1], dtype=np.uint8)
    visible = np.tile(row, (40_000, 1))
    states = GibbsSampler(model).sample_hidden(visible, theta, seed=8)
    np.testing.assert_array_equal(states[0], visible)
    expected = 1 / (1 + np.exp(-(-0.8 + 1.1 * (row[:-1] + row[1:]).astype(float))))
    error = np.sqrt(expected * (1 - expected) / len(visible))
    # 4 standard errors of a binomial frequency.
    assert np.all(np.abs(states[1, :, :-1].mean(axis=0) - expected) < 4 * error)


@pytest.mark.parametrize("name", MODELS)
def test_the_units_of_a_block_share_no_product(name):
    model = MODELS[name]
    sampler = GibbsSampler(model)
    theta = np.random.default_rng(2).normal(size=len(model.terms))
    rest = sampled(model, n_chains=20, n_sweeps=1)
    starts = np.cumsum([0, *sampler.block_sizes])
    for start, stop in itertools.pairwise(starts):
        units = [divmod(int(u), model.lattice.n_sites) for u in sampler._tables.units[start:stop]]
        assert len({layer for layer, _ in units}) == 1
        for first, second in itertools.combinations(units, 2):
            energies = []
            for labels in [(0, 0), (0, 1), (1, 0), (1, 1)]:
                states = rest.copy()
                for (layer, site), label in zip((first, second), labels, strict=True):
                    states[layer, :, site] = label
                energies.append(model.counter.count(states) @ theta)
            # No product names both, so their contributions add up; rounding only.
            mixed = energies[0] - energies[1] - energies[2] + energies[3]
            np.testing.assert_allclose(mixed, 0, atol=1e-12)


def test_blocks_are_few_and_cover_every_unit_once():
    ring = LatticeModel.from_names(Lattice((9,)), ["A"], ["b.A", "J.A.A", "K.A.A.A"])
    assert GibbsSampler(ring).block_sizes == (3, 3, 3)
    assert GibbsSampler(pair_units("closed")).block_sizes == (4, 5)
    checkerboard = LatticeModel.from_names(Lattice((4, 6)), ["A"], ["b.A", "J.A.A"])
    assert GibbsSampler(checkerboard).block_sizes == (12, 12)
    for model in MODELS.values():
        sampler = GibbsSampler(model)
        n_units = sum(layer.exists(model.lattice).sum() for layer in model.layers)
        assert len(set(sampler._tables.units)) == sum(sampler.block_sizes) == n_units


@pytest.mark.usefixtures("kernel")
def test_results_do_not_depend_on_the_number_of_threads():
    model = MODELS["unusual terms on a closed chain"]
    results = []
    for n_threads in (1, numba.config.NUMBA_NUM_THREADS):  # pyright: ignore[reportPrivateImportUsage]
        numba.set_num_threads(n_threads)
        results.append(sampled(model, n_chains=37, n_sweeps=4).tobytes())
    assert results[0] == results[1]


@pytest.mark.usefixtures("kernel")
def test_every_chain_has_its_own_row_of_theta():
    model = chain("periodic")
    sampler = GibbsSampler(model)
    states = np.zeros((1, 40, 7), dtype=np.uint8)
    rows = np.random.default_rng(1).normal(size=(2, 3))
    mixed = sampler.sweep(states, np.tile(rows, (20, 1)), seed=6, n_sweeps=5)
    groups = sampler.sweep(states, rows, seed=6, n_sweeps=5)
    for row, group in zip(rows, (slice(20), slice(20, 40)), strict=True):
        alone = sampler.sweep(states, row, seed=6, n_sweeps=5)
        np.testing.assert_array_equal(groups[:, group], alone[:, group])
    for parity in (0, 1):
        alone = sampler.sweep(states, rows[parity], seed=6, n_sweeps=5)
        np.testing.assert_array_equal(mixed[:, parity::2], alone[:, parity::2])
    assert not np.array_equal(
        sampler.sweep(states, rows[0], seed=6), sampler.sweep(states, rows[1], seed=6)
    )


def test_arguments_are_left_as_they_are():
    model = pair_units("periodic")
    sampler = GibbsSampler(model)
    chains = start_random(model, 10, seed=1)
    kept = chains.states.copy(), chains.random.copy()
    theta = coefficients(model)
    advance(sampler, chains, theta, 3)
    sampler.sweep(chains.states, theta, seed=1)
    sampler.sample_hidden(chains.visible, theta, seed=1)
    np.testing.assert_array_equal(chains.states, kept[0])
    np.testing.assert_array_equal(chains.random, kept[1])
    np.testing.assert_array_equal(theta, coefficients(model))


@pytest.mark.usefixtures("kernel")
def test_units_that_do_not_exist_stay_empty():
    model = pair_units("closed")
    theta = np.array([1.0, 2.0, 5.0])
    assert not start_random(model, 200, seed=0).states[1, :, -1].any()
    states = sampled(model, n_chains=200, n_sweeps=3, theta=theta)
    assert not states[1, :, -1].any()
    assert states[1, :, :-1].any()
    states[1, 0, -1] = 1
    with pytest.raises(ValueError, match="layer 1 are occupied though their stencil"):
        GibbsSampler(model).sweep(states, theta, seed=0)


@pytest.mark.usefixtures("kernel")
def test_chains_go_on_where_they_were():
    model = pair_units("periodic")
    sampler, theta = GibbsSampler(model), coefficients(model)
    start = start_random(model, 30, seed=2)
    once = advance(sampler, start, theta, 5)
    twice = advance(sampler, advance(sampler, start, theta, 2), theta, 3)
    np.testing.assert_array_equal(once.states, twice.states)
    np.testing.assert_array_equal(once.random, twice.random)
    assert len(once) == 30


def test_chains_start_uniformly_or_from_data():
    model = two_species()
    states = start_random(model, 30_000, seed=7).states
    # Three labels, equally likely; fails for one seed in 10^4.
    assert stats.chisquare(np.bincount(states[0].ravel(), minlength=3)).pvalue > 1e-4
    chains = start_from_data(model, states[0, :5], seed=0)
    np.testing.assert_array_equal(chains.visible, states[0, :5])
    assert not chains.states[1].any()


@pytest.mark.usefixtures("kernel")
def test_large_coefficients_do_not_overflow():
    model = two_species()
    theta = np.where(np.arange(len(model.terms)) == 0, 2000.0, 0.0)
    assert np.all(sampled(model, n_chains=10, n_sweeps=1, theta=theta)[0] == 1)
    assert np.all(sampled(model, n_chains=10, n_sweeps=1, theta=-theta)[0] != 1)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"theta": np.zeros(2)}, r"`theta` must have shape \(\*rows, 3\), .*got \(2,\)"),
        ({"theta": np.zeros((4, 3))}, r"equal groups of the 2 chains; got shape \(4, 3\)"),
        ({"theta": np.array([0, 0, np.nan])}, "not finite"),
        ({"states": np.zeros((2, 2, 7), np.uint8)}, r"must have shape \(1, chains, 7\)"),
        ({"states": np.full((1, 2, 7), 2, np.uint8)}, r"hold 0 \(empty\) to 1 \(A\), got 2"),
        ({"n_sweeps": -1}, "`n_sweeps` must not be negative"),
        ({"seed": -1}, "`seed` must not be negative"),
    ],
)
def test_bad_input_is_explained(change, message):
    good = {"states": np.zeros((1, 2, 7), np.uint8), "theta": np.zeros(3), "seed": 0}
    with pytest.raises(ValueError, match=message):
        GibbsSampler(chain("periodic")).sweep(**(good | change))


def test_bad_starts_are_explained():
    with pytest.raises(ValueError, match="`n_chains` must be at least 1"):
        start_random(chain("periodic"), 0, seed=0)
    with pytest.raises(ValueError, match=r"must have shape \(chains, 7\)"):
        start_from_data(chain("periodic"), np.zeros((3, 6), np.uint8), seed=0)
