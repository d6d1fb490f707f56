"""Laws of processes that cannot tell species apart are learned from all images of the data."""

import numpy as np
import pytest

from dynboltz.lattices import Lattice, neighbour_moments
from dynboltz.laws import learn_law, moment_chart, nothing_known
from dynboltz.laws._learn import _shooting_data, _with_images

LATTICE = Lattice((200,))
CHART = moment_chart(neighbour_moments(("A", "B"), 1, 2), LATTICE, n_replicas=20)
TIMES = np.linspace(0, 1, 9)
SWAP = CHART.renamed({"A": "B", "B": "A"})


def replicas(a, b, rng):
    """Independent particles of two species that die at the same rate, 20 replicas."""
    alive = rng.exponential(size=(20, 1, 200)) > TIMES[:, None]
    drawn = rng.random((20, 1, 200))
    is_a, is_b = alive & (drawn < a), alive & (drawn >= a) & (drawn < a + b)
    next_a, next_b = (np.roll(one, -1, axis=2) for one in (is_a, is_b))
    mixed = (is_a & next_b).mean(axis=2) + (is_b & next_a).mean(axis=2)
    moments = {
        "A": is_a.mean(axis=2),
        "B": is_b.mean(axis=2),
        "A.A": (is_a & next_a).mean(axis=2),
        "A.B": mixed,
        "B.B": (is_b & next_b).mean(axis=2),
    }
    return np.stack([moments[name] for name in CHART.names], axis=-1)


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(4)
    densities = [(0.5, 0.2), (0.6, 0.1), (0.4, 0.3), (0.35, 0.1)]
    return densities, [replicas(a, b, rng) for a, b in densities]


def test_names_permute_the_moments():
    assert SWAP is not None
    assert [CHART.names[i] for i in SWAP] == ["B", "A", "B.B", "A.B", "A.A"]
    alone = moment_chart(neighbour_moments(("A", "B"), 1, 2)[:3], LATTICE)
    assert alone.renamed({"A": "B", "B": "A"}) is None


def test_images_follow_their_start_and_count_as_one(data):
    _, moments = data
    alone = _shooting_data(CHART, TIMES, moments, None)
    images = _with_images(CHART, alone, [(0, 1, 2, 3, 4), SWAP], moments)
    assert images.n_images == 2
    assert len(images.starts) == 2 * len(alone.starts)
    np.testing.assert_allclose(images.starts[::2], alone.starts)
    np.testing.assert_allclose(images.starts[1::2, :2], alone.starts[:, 1::-1])
    np.testing.assert_allclose(images.probabilities[1::2], alone.probabilities[..., list(SWAP)])


def test_a_law_knows_what_only_the_image_of_its_data_shows(data):
    densities, moments = data
    starts = CHART.uncorrelated(np.array(densities), 200)
    learned = learn_law(
        CHART,
        nothing_known(CHART),
        TIMES,
        moments,
        starts=starts,
        symmetries=[(0, 1, 2, 3, 4), SWAP],
    )
    assert learned.n_starts == 4
    assert learned.members[0].validation.shape == (4,)
    new = CHART.uncorrelated(np.array([[0.15, 0.5], [0.5, 0.15]]), 200)
    found = learned.predict(new, bands=True)
    exact = np.array([0.15, 0.5]) * np.exp(-TIMES)[:, None]
    # 80 lattices of 200 sites know densities to 0.003; the image counts no further.
    np.testing.assert_allclose(found.moments[0, :, :2], exact, atol=0.012)
    assert found.is_known.all()
    # Its mirror image moves in the same way, as far as sixteen steps can be symmetric.
    np.testing.assert_allclose(found.moments[0], found.moments[1][:, list(SWAP)], atol=0.005)
    assert np.all(found.error[0, 1:, :2] > 1e-4)
