"""Lattices as they are drawn: which colour stands where."""

# Artists of matplotlib give arrays that its stubs do not call arrays.
# pyright: reportIndexIssue=false, reportCallIssue=false, reportArgumentType=false
# pyright: reportOptionalSubscript=false, reportOptionalMemberAccess=false
# pyright: reportOptionalOperand=false, reportOperatorIssue=false

import itertools

import numpy as np
import pytest
from matplotlib.colors import to_rgb

from dynboltz import plot
from dynboltz.plot._style import EMPTY, MODEL_COLOURS, SPECIES_COLOURS

PALETTE = [to_rgb(colour) for colour in (EMPTY, *SPECIES_COLOURS[:3])]


def legend_of(ax):
    (legend,) = ax.figure.legends
    return [text.get_text() for text in legend.get_texts()]


def particles(ax):
    """Sites of each species, by the order in which they are drawn."""
    return [np.stack(points._offsets3d, axis=-1) for points in ax.collections]


def test_chain_is_drawn_over_time(make):
    trajectories = make.trajectories(1)
    ax = plot.plot_raster(trajectories, replica=2)
    state = trajectories["state"].values[2]
    drawn = ax.images[0].get_array()
    for time, site in np.ndindex(state.shape):
        np.testing.assert_array_equal(drawn[site, time], PALETTE[state[time, site]])
    assert ax.images[0].get_extent() == [0.0, 2.0, -0.5, 3.5]
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("time $t$ [-]", "$x$ [site]")
    assert legend_of(ax) == ["A", "B", "C"]


def test_plane_is_an_image_with_x_across_and_y_up(make):
    trajectories = make.trajectories(2)
    axes = plot.plot_snapshots(trajectories, replica=1, times=[0.0, 1.02])
    assert [ax.get_title() for ax in axes] == ["$t$ = 0", "$t$ = 1"]
    state = trajectories["state"].values[1, 5]
    drawn = axes[1].images[0].get_array()
    for x, y in np.ndindex(state.shape):
        np.testing.assert_array_equal(drawn[y, x], PALETTE[state[x, y]])
    assert axes[1].images[0].get_extent() == [-0.5, 3.5, -0.5, 2.5]
    assert axes[1].images[0].origin == "lower"
    assert axes[1].get_ylabel() == "$y$ [site]"


def test_cube_shows_the_particles_of_each_species(make):
    trajectories = make.trajectories(3)
    axes = plot.plot_snapshots(trajectories)
    assert [ax.get_title() for ax in axes] == [f"$t$ = {t:g}" for t in (0, 0.4, 0.8, 1.2, 1.6, 2)]
    for ax, time in zip(axes, (0, 2, 4, 6, 8, 10), strict=True):
        state = trajectories["state"].values[0, time]
        for index, sites in enumerate(particles(ax)):
            expected = {s for s in np.ndindex(state.shape) if state[s] == index + 1}
            assert {tuple(site) for site in sites} == expected
        assert ax.get_zlim() == (-0.5, 1.5)
    colours = [points.get_facecolor()[0, :3] for points in axes[0].collections]
    np.testing.assert_allclose(colours, [to_rgb(c) for c in SPECIES_COLOURS[:3]])
    assert legend_of(axes[0]) == ["A", "B", "C"]


def test_species_without_names_are_numbered(make):
    trajectories = make.trajectories(1)
    del trajectories.attrs["species"]
    assert legend_of(plot.plot_raster(trajectories)) == ["1", "2", "3"]


def test_sample_of_a_cube_leaves_out_units_that_are_not_there(make):
    sample = make.sample(3)
    axes = plot.plot_sample(sample, replica=1)
    titles = [ax.get_title() for ax in axes]
    assert titles == ["visible layer, $t$ = 0.2 s", "activation of X", "activation of Y"]
    visible = sample["state"].values[0, 1]
    assert sum(map(len, particles(axes[0]))) == np.count_nonzero(visible)
    for ax, values in zip(axes[1:], sample["probability"].values[:, 1], strict=True):
        (units,) = particles(ax)
        assert {tuple(u) for u in units} == set(itertools.product(range(4), range(3), range(1)))
        drawn = values[tuple(units.astype(int).T)]
        area = ax.collections[0]._sizes3d
        np.testing.assert_allclose(area / area.max(), drawn / drawn.max())  # rounding
    labels = [ax.get_ylabel() for ax in axes[0].figure.axes]
    assert "probability of activation [-]" in labels


@pytest.mark.parametrize(("dim", "label"), [(1, "replica [-]"), (2, "$y$ [site]")])
def test_sample_of_a_chain_or_a_plane_is_an_image(make, dim, label):
    sample = make.sample(dim)
    axes = plot.plot_sample(sample, replica=0)
    drawn = axes[2].images[0].get_array()
    values = sample["probability"].values[1]
    values = values if dim == 1 else values[0].T
    viridis = plot._style.colours("viridis")
    np.testing.assert_array_equal(drawn[1, 0], viridis(values[1, 0]))
    state = sample["state"].values[0]
    state = state if dim == 1 else state[0].T
    np.testing.assert_array_equal(axes[0].images[0].get_array()[1, 0], PALETTE[state[1, 0]])
    assert [ax.get_ylabel() for ax in axes] == [label] * 3
    absent = drawn[..., -1, 3] if dim == 1 else drawn[-1, :, 3]
    assert not absent.any()
    assert all(tick == round(tick) for ax in axes for tick in ax.get_xticks())


def test_sample_of_a_visible_model_has_one_panel(make):
    sample = make.sample(2).drop_vars("probability").assign_attrs(species=[["A", "B", "C"]])
    (ax,) = plot.plot_sample(sample)
    assert ax.figure.axes == [ax]


@pytest.mark.parametrize(("dim", "edges"), [(1, 1), (2, 4), (3, 12)])
def test_hidden_unit_is_joined_to_all_units_of_its_stencil(make, dim, edges):
    ax = plot.plot_connectivity(make.model(dim))
    below, unit = ax.collections
    if dim == 1:
        below, unit = below.get_offsets(), unit.get_offsets()
    else:
        below, unit = (np.stack(points._offsets3d, axis=-1) for points in (below, unit))
    lifted = [] if dim == 3 else [0.0]
    assert {tuple(site) for site in below.tolist()} == {
        (*map(float, offset), *lifted) for offset in itertools.product((0, 1), repeat=dim)
    }
    centre = [0.5] * dim + ([] if dim == 3 else [1.0])
    np.testing.assert_array_equal(unit, [centre])
    joined = [line for line in ax.lines if line.get_linewidth() > 1]
    assert (len(joined), len(ax.lines) - len(joined)) == (2**dim, edges)
    for line in joined:
        data = line.get_xydata() if dim == 1 else np.stack(line.get_data_3d(), axis=-1)
        np.testing.assert_array_equal(data[1], centre)
    assert [text.get_text() for text in ax.get_legend().get_texts()] == [
        "visible units",
        "hidden unit",
    ]


def test_layers_above_the_first_hidden_one_can_be_drawn(make):
    model = make.model(1)
    deep = type(model).from_names(
        model.lattice,
        ("A",),
        ("b.A", "W.A.X", "W.X.Y"),
        [model.layers[1], type(model.layers[1])(("Y",), ((0,), (1,), (2,)))],
    )
    ax = plot.plot_connectivity(deep, 2)
    assert [tick.get_text() for tick in ax.get_yticklabels()] == ["1", "2"]
    assert ax.get_legend().get_texts()[0].get_text() == "units of layer 1"
    both = plot.plot_connections(deep)
    entries = [[text.get_text() for text in ax.get_legend().get_texts()] for ax in both]
    assert entries == [
        ["visible units", "unit of layer 1"],
        ["units of layer 1", "unit of layer 2"],
    ]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda make: plot.plot_raster(make.trajectories(2)), "use `plot_snapshots`"),
        (lambda make: plot.plot_snapshots(make.trajectories(1)), "use `plot_raster`"),
        (lambda make: plot.plot_raster(make.trajectories(1), replica=4), "0 to 3, got 4"),
        (lambda make: plot.plot_sample(make.sample(1), replica=-1), "0 to 3, got -1"),
        (lambda make: plot.plot_connectivity(make.model(1), 2), "1 to 1.*got 2"),
    ],
    ids=map(str, range(5)),
)
def test_what_cannot_be_drawn_is_refused(make, call, message):
    with pytest.raises(ValueError, match=message):
        call(make)


def test_species_have_colours_of_the_set_for_the_colour_blind():
    assert sorted(SPECIES_COLOURS) == sorted(MODEL_COLOURS)
