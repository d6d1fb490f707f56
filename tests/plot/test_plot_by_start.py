"""Predictions beside simulations for several initial conditions."""

import numpy as np
import pytest

from dynboltz import plot


def shown_line(ax, label):
    (line,) = [line for line in ax.lines if line.get_label() == label]
    return np.asarray(line.get_ydata())


def test_initial_conditions_are_spread_from_the_least_to_the_largest(results):
    axes = plot.plot_predictions_by_start(results, initial_conditions=3)
    first = results["visible"].sel(part="test").isel(initial_condition=slice(5))
    start = first["simulated"].sel(moment="A").values[:, 0]
    places = [sorted(start).index(value) for value in start]
    expected = [places.index(rank) for rank in (0, 2, 4)]
    assert [ax.get_title() for ax in axes[:3]] == [f"initial condition {k}" for k in expected]
    for ax, (moment, k) in zip(axes, [(m, k) for m in ("A", "A.A") for k in expected], strict=True):
        chosen = first.sel(moment=moment).isel(initial_condition=k)
        np.testing.assert_array_equal(shown_line(ax, "simulation"), chosen["simulated"])
        np.testing.assert_array_equal(shown_line(ax, "visible"), chosen["moments"])
    assert [ax.get_ylabel() for ax in axes] == [
        *("⟨A⟩ [per site]", "", ""),
        *("⟨A A⟩ [per site]", "", ""),
    ]
    assert len({ax.get_ylim() for ax in axes[:3]}) == 1
    (legend,) = axes[0].figure.legends
    labels = [text.get_text() for text in legend.get_texts()]
    assert labels == ["± 2 standard errors", "simulation", "visible", "hidden", "mean field"]


def test_fewer_initial_conditions_than_wanted_are_all_drawn(results):
    axes = plot.plot_predictions_by_start(results, ["A"], initial_conditions=9)
    names = {ax.get_title() for ax in axes}
    assert names == {f"initial condition {k}" for k in range(5)}


def test_fits_to_the_other_part_are_left_out_and_the_others_keep_their_colour(results, make):
    ceiling = make.predictions()
    ceiling["moments"].loc[{"part": "test"}] = np.nan
    (ax, *_) = plot.plot_predictions_by_start({"ceiling": ceiling} | results, ["A"])
    labels = [line.get_label() for line in ax.lines]
    assert labels == ["simulation", "visible", "hidden", "mean field"]
    known = plot.plot_prediction({"ceiling": make.predictions()} | results, "A")
    assert ax.lines[1].get_color() == known.lines[2].get_color()


def test_unknown_moments_are_refused(results):
    with pytest.raises(ValueError, match=r"no moment 'B'.*A, A\.A"):
        plot.plot_predictions_by_start(results, ["B"])
