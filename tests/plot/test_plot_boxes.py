"""Figures of particles in a box, from made-up results."""

import matplotlib.colors
import numpy as np
import pytest
import xarray as xr

from dynboltz.particles import Box, random_particles
from dynboltz.plot import (
    plot_actions,
    plot_functions,
    plot_pair_functions,
    plot_patterns,
    plot_profiles,
)
from dynboltz.store import particles_dataset

LEAST = 0.2


def functions():
    nu = np.linspace(-6.0, -3.0, 30)
    share = np.exp(-((nu + 4.5) ** 2) / 0.2)
    value = np.stack([0.1 + 0.01 * nu, -0.1 + 0 * nu, 1.0 + 0 * nu])[None]
    names = ("species", "function", "bin")
    return xr.Dataset(
        {
            "nu": (("species", "bin"), nu[None]),
            "occupancy": (("species", "bin"), share[None]),
            "function_value": (names, value),
            "function_error": (names, 0.01 + 0 * value),
            "function_truth": (names, np.full_like(value, np.nan)),
        },
        coords={"species": ["A"], "function": ["F1", "F2", "F3"]},
        attrs={"least_occupancy": LEAST},
    )


def test_functions_are_drawn_where_they_were_visited_only():
    ds = functions()
    axes = plot_functions(ds)
    known = ds.occupancy.values[0] >= LEAST
    for ax, key in zip(axes, ("F1", "F2", "F3"), strict=True):
        (line,) = ax.get_lines()  # no truth is known
        np.testing.assert_allclose(line.get_xdata(), ds.nu.values[0][known])
        np.testing.assert_allclose(line.get_ydata(), ds.function_value.sel(function=key)[0][known])
        assert ax.get_ylabel().startswith(f"$F_{key[1]}$ [")


def profiles(dim):
    axes, n = ("x", "y", "z")[:dim], 5
    dims, shape = ("initial_condition", "time", "species", *axes), (2, 3, 1, *(n,) * dim)
    values = np.random.default_rng(1).random(shape)
    variables = {
        name: (dims, values + shift)
        for name, shift in (("profile", 0), ("simulated_profile", 1), ("error_profile", 2))
    }
    coords = {"time": ("time", [0.0, 0.1, 0.2], {"units": "s"}), "species": ["A"]}
    coords |= {axis: (np.arange(n) + 0.5) / n for axis in axes}
    ds = xr.Dataset(variables, coords=coords, attrs={"box_lengths": [1.0] * dim})
    if dim > 1:
        return ds
    fine = {"density": ((*dims[:-1], "point"), values), "position": ("point", ds.x.values)}
    return ds.assign(fine)


@pytest.mark.parametrize("dim", [2, 3])
def test_a_plane_is_an_image_of_the_simulation_above_the_prediction(dim):
    ds = profiles(dim)
    axes = plot_profiles({"model": ds})
    middle = {"z": 2} if dim == 3 else {}
    own = ds.isel(initial_condition=0, species=0, **middle)
    images = [ax.images[0] for ax in axes]
    for key, row in (("simulated_profile", images[:2]), ("profile", images[2:])):
        for time, image in enumerate(row):
            np.testing.assert_allclose(image.get_array(), own[key][time].values.T)
    assert axes[0].get_title() == "$t$ = 0 s"
    assert {image.norm for image in images} == {images[0].norm}


def test_a_line_has_a_curve_for_every_model_and_time():
    ds = profiles(1)
    axes = plot_profiles({"one": ds, "two": ds})
    assert len(axes) == 2
    dashes = [line for line in axes[1].get_lines() if line.get_linestyle() == "--"]
    # Two times of the first half, in which densities change most.
    assert len(dashes) == 2
    np.testing.assert_allclose(dashes[1].get_ydata(), ds.density[1, 1, 0])


def test_pairs_have_a_row_and_times_a_line_each():
    r = np.linspace(0.0, 1.2, 60)
    dims, pairs = ("initial_condition", "time", "pair", "separation"), ["A.A", "A.B"]
    values = np.random.default_rng(1).random((5, 11, 2, 60))
    coords = {"time": ("time", np.linspace(0.0, 1.0, 11), {"units": "1"}), "pair": pairs}
    ds = xr.Dataset({"pair_function": (dims, values)}, coords={**coords, "separation": r})
    only = ds.isel(pair=[0])
    axes = plot_pair_functions({"one": ds, "other": only})
    assert len(axes) == 2 * 3
    for place, ax in enumerate(axes):
        row, start = divmod(place, 3)
        drawn = [line for line in ax.get_lines() if len(line.get_xdata()) == 60]
        # Three times, of both models where both have the pair.
        assert len(drawn) == (6 if row == 0 else 3)
        for line, time in zip(drawn, (0, 5, 10), strict=False):
            np.testing.assert_array_equal(line.get_xdata(), r)
            np.testing.assert_array_equal(line.get_ydata(), values[start, time, row])
        assert ax.get_xlabel() == "distance $r$ [length]"
        assert ax.get_ylabel().endswith("(r)$ [-]")
    assert axes[4].get_ylabel() == r"$\nu_{\mathrm{A\,B}}(r)$ [-]"
    shown = [text.get_text() for text in axes[0].figure.legends[0].get_texts()]
    assert shown == ["$t$ = 0", "$t$ = 0.5", "$t$ = 1", "one", "other", "no interaction"]


@pytest.mark.parametrize("dim", [1, 2, 3])
def test_patterns_show_every_particle(dim):
    box = Box((1.0, 2.0, 1.5)[:dim])
    patterns = random_particles(box, ("A", "B"), {"A": 7, "B": 3}, 6, seed=1)
    batch = patterns.positions.reshape(2, 3, 10, dim), patterns.labels.reshape(2, 3, 10)
    again = type(patterns)(*batch, patterns.species, box)
    ds = particles_dataset(again, np.array([0.0, 1.0, 2.0]), np.array([0, 1]))
    axes = plot_patterns(ds)
    sizes = [[len(dots.get_offsets()) for dots in ax.collections] for ax in axes]
    assert sizes == [[21, 9]] * 2 if dim == 1 else [[7, 3]] * 3
    colours = {matplotlib.colors.to_hex(dots.get_facecolor()[0]) for dots in axes[0].collections}
    assert len(colours) == 2 or dim == 1


def test_the_action_is_drawn_window_by_window():
    history = {"action": np.array([9.0, 5.0, 4.0, 7.0, 6.0]), "window": np.array([0, 0, 0, 1, 1])}
    (ax,) = plot_actions({"model": history})
    first, last = ax.get_lines()
    np.testing.assert_allclose(first.get_ydata(), [5.0, 1.0])
    np.testing.assert_allclose(last.get_ydata(), [1.0])
    assert last.get_label() == "all times"
    assert ax.get_yscale() == "log"


def test_an_action_that_did_not_fall_has_no_logarithm():
    history = {"action": np.array([4.0, 4.0]), "window": np.array([0, 0])}
    (ax,) = plot_actions({"model": history})
    assert ax.get_yscale() == "linear"
