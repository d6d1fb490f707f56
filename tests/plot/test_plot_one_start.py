"""Figures of experiments with one initial condition: paths, right-hand sides, predictions."""

# Artists of matplotlib give arrays that its stubs do not call arrays.
# pyright: reportIndexIssue=false, reportCallIssue=false, reportArgumentType=false
# pyright: reportOptionalSubscript=false, reportOptionalMemberAccess=false
# pyright: reportOptionalOperand=false, reportOperatorIssue=false

import matplotlib
import numpy as np
import pytest

from dynboltz import plot
from dynboltz.plot._cells import allocated_vertices, values_at
from dynboltz.plot._layout import new_axes
from dynboltz.plot._learned_path import independent_biases
from dynboltz.plot._paths import draw_paths, face
from dynboltz.plot._select import learned_times
from dynboltz.plot._style import STYLE

COEFFICIENTS = ("b.A", "J.A.A", "K.A.A.A", "W.A.X")


def path_of(line):
    return np.stack(line.get_data_3d(), axis=-1)


def lines_by_label(ax):
    return {line.get_label(): line for line in ax.lines if not line.get_label().startswith("_")}


def test_portrait_of_one_simulation_and_of_the_mean(make):
    trajectories = make.trajectories()
    moments = trajectories["moments"].values
    ax = plot.plot_phase_portrait(trajectories, replica=3)
    np.testing.assert_array_equal(path_of(ax.lines[0]), moments[3, :, :3])
    assert ax.get_zlabel() == "⟨C⟩ [per site]"
    ax = plot.plot_phase_portrait(trajectories, ["B.C", "A"], replica=None)
    # A mean of four numbers: rounding.
    expected = moments[..., [7, 0]].sum(axis=0) / 4
    np.testing.assert_allclose(ax.lines[0].get_xydata(), expected, rtol=1e-14)
    ax = plot.plot_phase_portrait(trajectories, ["C"])
    np.testing.assert_array_equal(ax.lines[0].get_xdata(), trajectories["time"])
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("time $t$ [-]", "⟨C⟩ [per site]")


def test_portraits_show_means_pairs_of_equal_species_and_averages(make):
    axes = plot.plot_phase_portraits(make.trajectories())
    assert [ax.get_xlabel() for ax in axes] == [f"⟨{m}⟩ [per site]" for m in ("A", "A A", "A")]
    assert axes[1].get_zlabel() == "⟨C C⟩ [per site]"
    flat = plot.plot_phase_portraits(make.trajectories(species=("A",)))
    assert [ax.get_ylabel() for ax in flat] == [f"⟨{m}⟩ [per site]" for m in ("A", "A A", "A")]


def test_relaxation_has_a_band_of_two_standard_errors(make):
    trajectories = make.trajectories()
    ax = plot.plot_relaxation(trajectories, replica=1)
    values = trajectories["moments"].values[..., :3]
    assert list(lines_by_label(ax)) == ["⟨A⟩", "⟨B⟩", "⟨C⟩"]
    for index, band in enumerate(ax.collections):
        mean = sum(values[:, 4, index]) / 4
        error = np.sqrt(sum((values[:, 4, index] - mean) ** 2) / 3 / 4)
        (vertices,) = [path.vertices for path in band.get_paths()]
        at_time = vertices[np.isclose(vertices[:, 0], trajectories["time"].values[4]), 1]
        # Sums of four numbers: rounding.
        np.testing.assert_allclose(
            [at_time.min(), at_time.max()], [mean - 2 * error, mean + 2 * error], rtol=1e-12
        )
    np.testing.assert_array_equal(ax.lines[0].get_ydata(), values[1, :, 0])
    single = plot.plot_relaxation(trajectories.isel(replica=[0]))
    assert not single.collections


def test_independent_biases_give_the_means_back():
    generator = np.random.default_rng(1)
    means = generator.dirichlet(np.ones(4), size=5)[:, :3]
    weights = np.exp(independent_biases(means))
    # Eq. (46) per site; logarithm and exponential round.
    np.testing.assert_allclose(
        weights / (1 + weights.sum(axis=1, keepdims=True)), means, rtol=1e-12
    )
    impossible = independent_biases(np.array([[0.0, 0.5], [0.5, 0.5]]))
    assert np.isnan(impossible[0, 0])
    assert impossible[0, 1] == 0.0
    assert np.isnan(impossible[1]).all()


def test_learned_path_ends_with_the_training(make):
    predictions, field = make.single(COEFFICIENTS), make.narrow_field(COEFFICIENTS)
    means, biases, path, vertices = plot.plot_learned_path(predictions, field)
    simulated = predictions["simulated"].values[0, 0, :6, :3]
    np.testing.assert_array_equal([line.get_ydata() for line in means.lines], simulated.T)
    np.testing.assert_array_equal(path_of(biases.lines[0]), independent_biases(simulated))
    assert biases.get_zlabel() == r"$b_{\mathrm{C}}$ [-]"
    theta = predictions["theta"].values[0, 0, :6, :3]
    for ax in (path, vertices):
        np.testing.assert_array_equal(path_of(ax.lines[0]), theta)
    stored = np.stack(vertices.collections[0]._offsets3d, axis=-1)
    assert len(stored) == field.functions[0].n_allocated
    assert path.azim == vertices.azim


def test_path_without_a_known_end_stops_where_it_is_known(make):
    ax = plot.plot_trajectories(make.single(COEFFICIENTS, fitted=4))
    theta = make.single(COEFFICIENTS)["theta"].values[0, 0, :4, :3]
    np.testing.assert_array_equal(path_of(ax.lines[0]), theta)
    np.testing.assert_array_equal(np.ravel(ax.collections[1]._offsets3d), theta[-1])
    blank = new_axes(None, 3)
    draw_paths(blank, [np.full((3, 3), np.nan)])
    assert not blank.lines


@pytest.mark.parametrize("normal", [(1.0, 1.0, 1.0), (1.0, -2.0, 2.0), (-1.0, -1.0, -1.0)])
def test_a_path_in_a_plane_is_seen_from_its_normal(normal):
    normal = np.array(normal) / np.linalg.norm(normal)
    first = np.cross(normal, [0.0, 0.0, 1.0])
    angle = np.linspace(0.0, 2.0 * np.pi, 50)[:, None]
    circle = np.cos(angle) * first / np.linalg.norm(first)
    circle = circle + np.sin(angle) * np.cross(normal, first) / np.linalg.norm(first)
    ax = new_axes(None, 3)
    face(ax, circle)
    upward = normal * np.sign(normal[2])
    scaled = upward * np.ptp(circle, axis=0)  # normals scale inversely to points
    azimuth = np.degrees(np.arctan2(scaled[1], scaled[0]))
    elevation = np.degrees(np.arctan2(scaled[2], np.hypot(*scaled[:2])))
    # Steps of five degrees; 50 points of a closed circle weigh one of them twice.
    assert abs((ax.azim - azimuth + 180) % 360 - 180) <= 4.0
    assert abs(ax.elev - min(elevation, 45.0)) <= 4.0


def test_right_hand_sides_are_drawn_at_the_allocated_vertices(make):
    predictions, field = make.single(COEFFICIENTS), make.narrow_field(COEFFICIENTS)
    axes = plot.plot_derivatives(predictions, field)
    (function,) = field.functions
    assert [ax.get_title() for ax in axes][3] == r"$F$ of $W_{\mathrm{A\,X}}$ [1/time]"
    inside = allocated_vertices(function)
    for name, ax in zip(COEFFICIENTS, axes, strict=True):
        points, *_ = ax.collections
        np.testing.assert_array_equal(np.stack(points._offsets3d, axis=-1), inside)
        # The interpolant at a vertex is the value stored there, up to rounding.
        values = values_at(function, name, inside)
        np.testing.assert_allclose(points.get_array(), values, atol=1e-12)
        assert points.norm.vmin == -points.norm.vmax
        np.testing.assert_array_equal(
            path_of(ax.lines[0]), predictions["theta"].values[0, 0, :6, :3]
        )


@pytest.mark.parametrize("arguments", [1, 2])
def test_functions_of_few_arguments_are_heat_maps_and_lines(make, arguments):
    field = make.narrow_field(COEFFICIENTS[:3], arguments=arguments)
    predictions = make.single(COEFFICIENTS[:3])
    axes = plot.plot_derivatives(predictions, field)
    assert len(axes) == 3
    assert len(plot.plot_learned_path(predictions, field)) == 4
    with pytest.raises(ValueError, match=r"three or more arguments, it has b\.A.*`plot_field`"):
        plot.plot_vertex_values(field, "b.A")


def test_predictions_are_drawn_beside_the_simulations(make):
    models = {
        "hidden": make.single(),
        "ceiling": make.single(fitted=4),
        "mean_field": make.single((), sampled=False),
    }
    ax = plot.plot_prediction(models, "A.B", part="test")
    lines = lines_by_label(ax)
    assert list(lines) == [
        "simulation",
        "hidden",
        "hidden, equilibrium",
        "ceiling",
        "ceiling, equilibrium",
        "mean field",
        "metastable",
    ]
    simulated = models["hidden"]["simulated"].sel(part="test", moment="A.B").values[0]
    time = models["hidden"]["time"].values
    np.testing.assert_array_equal(lines["simulation"].get_ydata(), simulated)
    np.testing.assert_array_equal(lines["hidden"].get_ydata(), 1.1 * simulated)
    np.testing.assert_array_equal(lines["ceiling"].get_xdata(), time[:4])
    np.testing.assert_array_equal(
        lines["hidden, equilibrium"].get_xydata(), np.stack([time, 0.9 * simulated], axis=1)[::2]
    )
    np.testing.assert_array_equal(
        lines["metastable"].get_xydata(),
        np.tile(np.stack([time, 0.9 * simulated], axis=1)[[2, 4]], (2, 1)),
    )
    (end,) = [line for line in ax.lines if len(set(line.get_xdata())) == 1]
    assert end.get_xdata()[0] == time[5]
    assert lines["mean field"].get_color() == "#808080"


def test_predictions_have_a_row_of_means_above_those_of_pairs(make):
    models = {"hidden": make.single(sampled=False)}
    axes = plot.plot_predictions(models)
    assert [ax.get_ylabel()[:-11] for ax in axes] == [
        "⟨A⟩",
        "⟨B⟩",
        "⟨C⟩",
        "⟨A A⟩",
        "⟨A B⟩",
        "⟨A C⟩",
        "⟨B B⟩",
        "⟨B C⟩",
        "⟨C C⟩",
    ]
    rows = [ax.get_subplotspec().rowspan.start for ax in axes]
    assert rows == [0, 0, 0, 1, 1, 1, 2, 2, 2]
    (legend,) = axes[0].figure.legends
    labels = [text.get_text() for text in legend.get_texts()]
    assert labels == ["± 2 standard errors", "simulation", "hidden"]
    with pytest.raises(ValueError, match="`initial_condition` must be 0 to 0, got 1"):
        plot.plot_predictions(models, ["A"], initial_condition=1)


def test_equilibrium_that_was_not_computed_has_no_line(make):
    ds = make.single()
    ds["equilibrium"] = ds["equilibrium"] * np.nan
    ax = plot.plot_prediction({"hidden": ds}, "A")
    assert list(lines_by_label(ax)) == ["simulation", "hidden"]


def test_legend_of_many_models_takes_rows_above_the_panels(make):
    models = {f"a_model_with_a_name_{k}": make.single(sampled=False) for k in range(9)}
    with matplotlib.rc_context(dict(STYLE)):
        axes = plot.plot_predictions(models, ["A", "B"])
        figure = axes[0].figure
        figure.draw_without_rendering()
    legend = figure.legends[0].get_window_extent()
    assert legend.y0 > axes[0].get_window_extent().y1
    assert legend.x0 >= 0
    assert legend.x1 <= figure.bbox.width


def test_larger_lattices_without_coefficients_are_no_baselines(make):
    groups = {"one": make.single((), sampled=False), "two": make.single((), sampled=False)}
    first, second = (lines_by_label(plot.plot_prediction(groups, "A"))[n] for n in groups)
    assert first.get_color() != second.get_color()
    assert first.get_linestyle() != second.get_linestyle()
    styles = {"one": {"color": "#111111"}, "two": {"color": "#222222"}}
    lines = lines_by_label(plot.plot_prediction(groups, "A", styles=styles))
    assert [lines[name].get_color() for name in groups] == ["#111111", "#222222"]


def test_a_line_marks_the_end_of_training_only_if_times_go_beyond(make):
    ds = make.single()
    for draw in (plot.plot_error, plot.plot_error_ratio, plot.plot_prediction):
        for shown, ends in ((ds, [1.0]), (learned_times(ds), [])):
            ax = draw({"hidden": shown}, "A")
            upright = [line for line in ax.lines if tuple(line.get_ydata()) == (0, 1)]
            assert [line.get_xdata()[0] for line in upright] == ends


def test_errors_have_no_entry_for_a_model_that_predicts_nothing_there(make):
    ceiling = make.single()
    ceiling["moments"].loc[{"part": "test"}] = np.nan
    models = {"ceiling": ceiling, "hidden": make.single()}
    for ratio in (False, True):
        axes = plot.plot_errors(models, ["A"], ratio=ratio)
        (legend,) = axes[0].figure.legends
        assert [text.get_text() for text in legend.get_texts()] == ["hidden", "noise floor"]
        expected = lines_by_label(plot.plot_error(models | {"ceiling": make.single()}, "A"))
        assert axes[0].lines[0].get_color() == expected["hidden"].get_color()


def test_errors_leave_out_times_without_a_prediction(make):
    ax = plot.plot_error({"ceiling": make.single(fitted=4)}, "B")
    simulated = make.single()["simulated"].sel(part="test", moment="B").values[0]
    error = np.asarray(ax.lines[0].get_ydata())
    np.testing.assert_allclose(error[:4], 0.1 * simulated[:4], rtol=1e-12)  # rounding
    assert np.isnan(error[4:]).all()


def test_coefficients_of_a_single_start_need_no_bar_of_colours(make):
    axes = plot.plot_coefficients(make.single())
    assert len(axes[0].figure.axes) == len(axes) == 4


def test_coefficients_end_where_the_fits_do_and_so_do_the_pairs(make):
    axes = plot.plot_coefficients(make.single(fitted=4))
    assert all(len(ax.lines[0].get_xdata()) == 4 for ax in axes)
    beyond = plot.plot_coefficients(make.single())
    assert [len(ax.lines) for ax in beyond] == [2] * 4
    unknown = plot.plot_coefficients(make.single(fitted=0))
    assert len(unknown[0].lines[0].get_xdata()) == 11


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda t: plot.plot_phase_portrait(t, ["D"]), "no moment 'D'.*A, B, C"),
        (lambda t: plot.plot_phase_portrait(t, ["A", "B", "C", "A.A"]), "one to three names"),
        (lambda t: plot.plot_phase_portrait(t, replica=9), "0 to 3, got 9"),
        (lambda t: plot.plot_relaxation(t, ["D"]), "no moment 'D'"),
        (lambda t: plot.plot_relaxation(t, replica=4), "0 to 3, got 4"),
    ],
    ids=map(str, range(5)),
)
def test_unknown_moments_and_simulations_are_refused(make, call, message):
    with pytest.raises(ValueError, match=message):
        call(make.trajectories())
