"""What the plots draw: the data they were given, labelled, on the axes they were given."""

import sys

import matplotlib.style
import numpy as np
import pytest
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from mpl_toolkits.mplot3d.art3d import Poly3DCollection

from dynboltz import plot
from dynboltz.dynamics import HermiteField
from dynboltz.plot._cells import allocated_cells, allocated_vertices, function_of, slices, values_at
from dynboltz.plot._style import STYLE


def flat_lines(ax):
    """Data of the lines of axes of two dimensions."""
    return [np.asarray(line.get_ydata()) for line in ax.lines]


def drawn_box(ax):
    box = ax.get_tightbbox()
    assert box is not None
    return box


def solid_axes():
    return Figure().add_subplot(projection="3d")


def test_moments_of_the_simulations_are_drawn_for_some_initial_conditions(predictions):
    ax = plot.plot_moment(predictions, "A.A", initial_conditions=4)
    expected = predictions["simulated"].sel(part="train", moment="A.A").values[:4]
    np.testing.assert_array_equal(flat_lines(ax), expected)
    np.testing.assert_array_equal(ax.lines[0].get_xdata(), predictions["time"])
    assert ax.get_xlabel() == "time $t$ [s]"
    assert ax.get_ylabel() == "⟨A A⟩ [per site]"


def test_padding_of_the_shorter_part_is_not_drawn(predictions):
    ax = plot.plot_moment(predictions, "A", part="test", initial_conditions=100)
    assert len(ax.lines) == 5


def test_all_moments_have_a_panel_and_a_line_has_one_colour(predictions):
    axes = plot.plot_moments(predictions, initial_conditions=3)
    assert [ax.get_ylabel()[:-11] for ax in axes] == ["⟨A⟩", "⟨A A⟩", "⟨A A A⟩", "⟨A A A A⟩"]
    colours = [[line.get_color() for line in ax.lines] for ax in axes]
    assert all(np.array_equal(colours[0], other) for other in colours[1:])


def test_trajectories_are_drawn_in_the_space_of_the_coefficients(predictions):
    given = solid_axes()
    ax = plot.plot_trajectories(predictions, ax=given)
    theta = predictions["theta"].sel(part="train").values
    assert ax is given
    for line, path in zip(ax.lines, theta, strict=True):
        np.testing.assert_array_equal(np.stack(line.get_data_3d(), axis=-1), path)
    start, end = (np.stack(points._offsets3d, axis=-1) for points in ax.collections)
    np.testing.assert_array_equal(start, theta[:, 0])
    np.testing.assert_array_equal(end, theta[:, -1])
    assert [ax.get_xlabel(), ax.get_zlabel()] == [
        r"$b_{\mathrm{A}}$ [-]",
        r"$K_{\mathrm{A\,A\,A}}$ [-]",
    ]


def test_fewer_coefficients_are_drawn_in_the_plane(predictions, make):
    theta = predictions["theta"].sel(part="train")
    ax = plot.plot_trajectories(predictions, coefficients=["J.A.A", "b.A"])
    expected = theta.sel(coefficient=["J.A.A", "b.A"]).values[0]
    np.testing.assert_array_equal(ax.lines[0].get_xydata(), expected)
    single = plot.plot_trajectories(make.predictions(("b.A",)))
    assert single.get_xlabel() == "time $t$ [s]"
    assert single.get_ylabel() == r"$b_{\mathrm{A}}$ [-]"


@pytest.mark.parametrize("names", [("b.A",), ("b.A", "J.A.A"), ("b.A", "J.A.A", "K.A.A.A")])
def test_initial_conditions_are_coloured_by_the_moment_of_neighbours(make, names):
    predictions = make.predictions(names)
    ax = plot.plot_initial_moment(predictions)
    expected = predictions["simulated"].sel(part="train", moment="A.A").values[:, 0]
    np.testing.assert_array_equal(ax.collections[0].get_array(), expected)


def test_models_share_one_scale_of_initial_moments(results):
    learned = {name: results[name] for name in ("visible", "hidden")}
    axes = plot.plot_initial_moments(learned)
    assert [ax.get_title() for ax in axes] == ["visible", "hidden"]
    assert len({ax.collections[0].get_clim() for ax in axes}) == 1
    labels = [ax.get_ylabel() for ax in axes[0].figure.axes]
    assert "⟨A A⟩ [per site]" in labels


def test_coefficients_and_the_neighbouring_pairs_are_drawn_over_time(predictions):
    axes = plot.plot_coefficients(predictions)
    train = predictions.sel(part="train")
    for k, ax in enumerate(axes[:3]):
        np.testing.assert_array_equal(flat_lines(ax), train["theta"].values[..., k])
    expected = train["simulated"].sel(moment="A.A").values
    np.testing.assert_array_equal(flat_lines(axes[3]), expected)
    assert axes[3].get_ylabel() == "simulated ⟨A A⟩ [per site]"


def test_initial_conditions_say_how_many_of_the_coefficients_they_show(make):
    names = ("b.A", "J.A.A", "K.A.A.A", "W.A.X")
    models = {"all": make.predictions(), "some": make.predictions(names)}
    axes = plot.plot_initial_moments(models)
    assert [ax.get_title() for ax in axes] == ["all", "some: 3 of 4 coefficients"]


def test_errors_are_root_mean_squares_beside_the_noise(results):
    ax = plot.plot_error(results, "A.A.A")
    lines = {line.get_label(): np.asarray(line.get_ydata()) for line in ax.lines}
    assert list(lines) == ["visible", "hidden", "mean field", "noise floor"]
    for name, ds in results.items():
        test = ds.sel(part="test", moment="A.A.A").isel(initial_condition=slice(5))
        difference = test["moments"].values - test["simulated"].values
        expected = [np.sqrt(sum(d**2 for d in column) / 5) for column in difference.T]
        # Sums of five squares: rounding only.
        np.testing.assert_allclose(lines[name.replace("_", " ")], expected, rtol=1e-12)
    np.testing.assert_allclose(lines["noise floor"], 0.001, rtol=1e-12)
    assert ax.get_ylabel() == "RMSE of ⟨A A A⟩ [per site]"


def test_error_ratio_is_the_error_over_the_noise_and_skips_times_without(results):
    results["visible"]["standard_error"][:, :, -1] = 0.0
    error = flat_lines(plot.plot_error(results, "A"))[0]
    ratio = flat_lines(plot.plot_error_ratio(results, "A"))[0]
    # One division by 0.001, itself the root of a mean of squares: rounding only.
    np.testing.assert_allclose(ratio[:-1], error[:-1] / 0.001, rtol=1e-12)
    assert np.isnan(ratio[-1])


def test_errors_of_several_moments_share_a_legend(results):
    axes = plot.plot_errors(results, ["A", "A.A"])
    (legend,) = axes[0].figure.legends
    assert [text.get_text() for text in legend.get_texts()][-1] == "noise floor"
    assert len(axes) == 2


def test_histories_are_drawn_over_their_steps(make):
    histories = {"one": make.history(), "two": make.history(5, ("kl",))}
    axes = plot.plot_histories(histories)
    assert [(ax.get_title(), ax.get_ylabel()) for ax in axes] == [
        ("KL divergence", "[-]"),
        ("RMSE of ⟨A⟩", "[per site]"),
        ("RMSE of ⟨A A⟩", "[per site]"),
    ]
    np.testing.assert_array_equal(axes[0].lines[1].get_xdata(), histories["two"]["step"])
    np.testing.assert_array_equal(axes[0].lines[1].get_ydata(), histories["two"]["kl"])
    assert axes[0].get_yscale() == "log"


def test_history_with_negative_values_is_linear():
    ax = plot.plot_history({"one": {"kl": np.array([1.0, -1.0])}}, "kl")
    assert ax.get_yscale() == "linear"


def test_the_ratio_of_errors_to_next_to_no_noise_is_left_out(results):
    for ds in results.values():
        ds["standard_error"][{"time": 0}] *= 1e-6
        ds["moments"][{"time": 1}] = ds["simulated"][{"time": 1}]
    ax = plot.plot_error_ratio(results, "A")
    assert all(np.isnan(np.asarray(line.get_ydata())[0]) for line in ax.lines[:-1])
    assert ax.get_ylim()[0] >= 0.3


@pytest.mark.parametrize("names", [("b.A",), ("b.A", "J.A.A"), ("b.A", "J.A.A", "K.A.A.A")])
def test_slices_lie_in_allocated_cells_and_carry_the_values_of_the_field(make, names):
    function = function_of(make.field(names), names[-1])
    rate = {1: -0.9, 2: -2.0, 3: -3.0}[len(names)]
    cells = {tuple(cell) for cell in allocated_cells(function)}
    planes = slices(function)
    points = np.concatenate([plane.points for plane in planes])
    centres = np.concatenate([plane.patches.mean(axis=1) for plane in planes])
    assert {tuple(i) for i in np.floor((points + 2.0) / 0.5).astype(int)} <= cells
    np.testing.assert_allclose(centres, points, atol=1e-12)  # rounding
    # The field is linear, which Hermite elements reproduce up to rounding.
    values = values_at(function, names[-1], points)
    np.testing.assert_allclose(values, rate * points[:, -1], atol=1e-12)


def test_every_visited_cell_is_known_and_a_lone_vertex_is_no_cell(make):
    field = make.field(("b.A", "J.A.A"))
    (function,) = field.functions
    theta = make.predictions(("b.A", "J.A.A"))["theta"].sel(part="train").values.reshape(-1, 2)
    cells = {tuple(cell) for cell in allocated_cells(function)}
    visited = {tuple(i) for i in np.floor((theta + 2.0) / 0.5).astype(int)}
    assert visited <= cells
    vertices = {tuple(v) for v in np.rint((allocated_vertices(function) + 2.0) / 0.5).astype(int)}
    complete = {
        (i, j)
        for i in range(8)
        for j in range(8)
        if {(i, j), (i + 1, j), (i, j + 1), (i + 1, j + 1)} <= vertices
    }
    assert cells == complete


def test_heat_map_is_symmetric_about_zero_and_labelled(field):
    ax = plot.plot_field(field, "J.A.A", time_unit="s")
    (heat,) = ax.collections
    assert isinstance(heat, Poly3DCollection)
    assert ax.get_title() == r"$F$ of $J_{\mathrm{A\,A}}$ [1/s]"
    bar = next(other for other in ax.figure.axes if other is not ax)
    low, high = bar.get_ylim()
    assert low == -high


def test_colours_of_the_heat_map_are_those_of_the_values(make):
    field = make.field(("b.A", "J.A.A"))
    ax = plot.plot_field(field, "b.A")
    (plane,) = slices(function_of(field, "b.A"))
    values = -0.9 * plane.points[:, 0]
    limit = np.percentile(np.abs(values), 99)
    scale = Normalize(-limit, limit)
    expected = matplotlib.colormaps["coolwarm"](scale(values))
    # A colour map has 256 steps: rounding of F may move a value on an edge by one of them.
    np.testing.assert_allclose(np.asarray(ax.collections[0].get_facecolor()), expected, atol=0.02)


def test_field_of_one_argument_is_a_line(make):
    ax = plot.plot_field(make.field(("b.A",)), "b.A")
    x, y = ax.lines[1].get_xydata().T
    np.testing.assert_allclose(y, -0.9 * x, atol=1e-12)  # rounding
    assert ax.get_ylabel() == r"$F$ of $b_{\mathrm{A}}$ [1/time]"


def test_more_than_three_arguments_show_the_first_three(make):
    names = ("b.A", "J.A.A", "K.A.A.A", "W.A.X")
    field = make.field(names)
    ax = plot.plot_field(field, "W.A.X")
    assert ax.get_zlabel() == r"$K_{\mathrm{A\,A\,A}}$ [-]"
    assert len(plot.plot_dynamics(make.predictions(names), field)) == 6


def test_vertices_are_those_that_are_stored(field):
    ax = plot.plot_vertices(field, "b.A")
    drawn = np.stack(ax.collections[0]._offsets3d, axis=-1)
    stored = allocated_vertices(field.functions[0])
    np.testing.assert_array_equal(drawn, np.unique(stored, axis=0))
    assert ax.get_title() == f"{field.functions[0].n_allocated} vertices"


def test_field_without_vertices_is_blank(make):
    field = make.field()
    grids = {name: function.grid for function in field.functions for name in function.outputs}
    empty = HermiteField.zeros(field.coefficients, grids)
    ax = plot.plot_field(empty, "b.A")
    ax.figure.figure.draw_without_rendering()
    assert plot.plot_vertices(empty, "b.A").get_title() == "0 vertices"


def test_single_initial_condition_can_be_drawn(predictions):
    one = predictions.isel(initial_condition=[0])
    for axes in (
        plot.plot_coefficients(one),
        plot.plot_initial_moments({"visible": one}),
        plot.plot_moments(one),
        plot.plot_errors({"visible": one}),
    ):
        axes[0].figure.figure.draw_without_rendering()


def test_dynamics_have_a_panel_for_each_coefficient(predictions, field):
    figure = Figure()
    axes = plot.plot_dynamics(predictions, field, figure=figure)
    assert len(axes) == 5
    assert all(ax.figure is figure for ax in axes)


def test_dynamics_in_few_arguments_are_flat_and_show_every_coefficient(make):
    names = ("b.A", "J.A.A", "K.A.A.A", "W.A.X")
    field, predictions = make.narrow_field(names, arguments=2), make.predictions(names)
    with matplotlib.style.context([dict(STYLE)]):
        axes = plot.plot_dynamics(predictions, field)
        figure = axes[0].figure
        figure.draw_without_rendering()
        boxes = [drawn_box(ax) for ax in axes]
        bars = [drawn_box(ax) for ax in figure.axes if ax not in axes]
    assert [ax.name for ax in axes] == ["rectilinear"] * 6
    assert [ax.get_title()[:7] for ax in axes[1:5]] == ["$F$ of "] * 4
    theta = predictions["theta"].sel(part="train", coefficient=["b.A", "J.A.A"]).values
    np.testing.assert_array_equal(axes[0].lines[0].get_xydata(), theta[0])
    assert len(bars) == 4
    assert not any(bar.overlaps(box) for bar in bars for box in boxes)
    assert not any(
        box.overlaps(other) for place, box in enumerate(boxes) for other in boxes[:place]
    )
    assert min(box.x0 for box in boxes) >= 0
    assert max(bar.x1 for bar in bars) <= figure.bbox.width


def test_names_with_markup_are_drawn_literally(make):
    ds = make.predictions().assign_coords(moment=["$x", "$x.$x", "$x.$x.$x", "$x.$x.$x.$x"])
    ax = plot.plot_moment(ds, "$x.$x")
    assert ax.get_ylabel() == r"⟨\$x \$x⟩ [per site]"
    ax.figure.figure.draw_without_rendering()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda ds, _: plot.plot_moment(ds, "B"), "no moment 'B'.*A, A.A, A.A.A"),
        (lambda ds, _: plot.plot_moment(ds, "A", part="all"), "no part 'all'.*train, test"),
        (lambda ds, _: plot.plot_coefficient(ds, "x"), "no coefficient 'x'.*b.A, J.A.A"),
        (lambda ds, _: plot.plot_neighbour_moment(ds, "A"), r"two sites.*\['A.A'\]; got 'A'"),
        (lambda ds, _: plot.plot_trajectories(ds, coefficients=[]), "one to three of"),
        (lambda _, field: plot.plot_field(field, "x"), "no coefficient 'x'.*b.A, J.A.A"),
        (lambda *_: plot.plot_history({"m": {"kl": np.ones(2)}}, "x"), "no history.*x.*kl"),
    ],
    ids=map(str, range(7)),
)
def test_unknown_names_are_refused_with_what_there_is(predictions, field, call, message):
    with pytest.raises(ValueError, match=f"(?i){message}"):
        call(predictions, field)


def test_baseline_has_no_coefficients_to_draw(results):
    with pytest.raises(ValueError, match="has no coefficients `theta`"):
        plot.plot_trajectories(results["mean_field"])


def test_pyplot_is_not_used():
    assert (
        "matplotlib.pyplot" not in sys.modules or not sys.modules["matplotlib.pyplot"].get_fignums()
    )
