"""Captions say what the figures show."""

import re

import numpy as np
import pytest
import xarray as xr

from dynboltz.particles import Box, random_particles
from dynboltz.plot import (
    plot_moments,
    plot_numbers,
    plot_pair_correlations,
    plot_pair_functions,
    plot_patterns,
    plot_profiles,
    plot_snapshots,
)
from dynboltz.report._captions import caption
from dynboltz.store import particles_dataset, trajectories_dataset

WORDS = ("none", "one", "two", "three", "four", "five", "six")
N_STARTS = 7
"""More initial conditions than any figure shows; the last ones have the largest values."""


def prediction(pairs=("A.A",), species=("A",), dim=1):
    start = 1.0 + np.arange(N_STARTS)
    n_bins, axes = 4, ("x", "y")[:dim]
    profile = np.ones((N_STARTS, 5, len(species), *(n_bins,) * dim))
    profile *= start.reshape(-1, *(1,) * (profile.ndim - 1))
    over = ("initial_condition", "time")
    by_species = profile.mean(axis=tuple(range(3, profile.ndim)))
    distance = np.ones((N_STARTS, 5, len(pairs), 6)) * start[:, None, None, None]
    quantities = {
        "number": ((*over, "species"), by_species),
        "dispersion": ((*over, "species"), by_species),
        "profile": ((*over, "species", *axes), profile),
        "pair_correlation": ((*over, "pair", "distance"), distance),
    }
    variables = dict(quantities)
    for name, (dims, values) in quantities.items():
        variables[f"simulated_{name}"] = (dims, values + 0.5)
        variables[f"error_{name}"] = (dims, np.full_like(values, 0.1))
    variables["pair_function"] = ((*over, "pair", "separation"), distance)
    if dim == 1:
        variables["density"] = ((*over, "species", "point"), profile)
    coords = {
        "time": ("time", np.arange(5.0), {"units": "1"}),
        "species": list(species),
        "pair": list(pairs),
        "distance": np.arange(6.0),
        "separation": np.arange(6.0),
        "position": ("point", np.arange(n_bins) + 0.5),
    } | {axis: np.arange(n_bins) + 0.5 for axis in axes}
    return xr.Dataset(variables, coords=coords, attrs={"box_lengths": [4.0] * dim})


def starts(axes):
    """Numbers of the initial conditions in the titles of panels."""
    found = [re.search(r"initial condition (\d+)", ax.get_title()) for ax in axes]
    return sorted({int(match[1]) for match in found if match})


def half_bars(axes):
    """Half the lengths of all error bars [value of the axis]."""
    bars = [bar for ax in axes for drawn in ax.containers for bar in drawn[2]]
    return (
        np.concatenate([np.ptp(np.array(bar.get_segments())[..., 1], axis=1) for bar in bars]) / 2
    )


@pytest.mark.parametrize(
    ("name", "draw", "phrase"),
    [
        ("pair-correlations", plot_pair_correlations, "Rows are the first {} held-out initial"),
        ("numbers", plot_numbers, "of the first {} held-out initial conditions"),
        ("profiles", plot_profiles, "for the first {} initial conditions and all models"),
        ("pair-functions", plot_pair_functions, "for the first {} held-out initial conditions"),
    ],
)
def test_captions_name_the_initial_conditions_that_are_drawn(name, draw, phrase):
    shown = starts(draw({"one": prediction(), "other": prediction()}))
    assert shown == list(range(len(shown)))
    assert phrase.format(WORDS[len(shown)]) in caption(name).text
    assert "largest" not in caption(name).text


def test_pairs_of_several_species_are_those_of_the_first_initial_condition():
    axes = plot_pair_correlations({"one": prediction(("A.A", "A.B", "B.B"), ("A", "B"))})
    assert starts(axes) == [0]
    assert [ax.get_ylabel() for ax in axes[::3]] == [
        f"$g_{{{p}}}(r)$ [-]" for p in ("AA", "AB", "BB")
    ]
    assert "these pairs in the first one; columns are times" in caption("pair-correlations").text


@pytest.mark.parametrize(
    ("name", "draw"),
    [
        ("pair-correlations", plot_pair_correlations),
        ("numbers", plot_numbers),
        ("profiles", plot_profiles),
    ],
)
def test_bars_are_two_standard_errors(name, draw):
    axes = draw({"one": prediction()})
    # The last panel of the numbers is a mean over independent initial conditions.
    mean = 0.2 / np.sqrt(N_STARTS)
    found = half_bars(axes)
    assert np.all(np.isclose(found, 0.2) | np.isclose(found, mean))
    assert "two standard errors" in re.sub(r"\s+", " ", caption(name).text)


def test_the_spread_of_numbers_is_that_of_the_first_species():
    ds = prediction(species=("A", "B"))
    ds["dispersion"][..., 1] = 100.0
    *_, last = plot_numbers({"one": ds})
    (line,) = [line for line in last.get_lines() if line.get_label() == "one"]
    np.testing.assert_allclose(line.get_ydata(), (1 + N_STARTS) / 2)
    assert "of the first species and averaged over all held-out initial" in caption("numbers").text


def test_images_of_densities_are_those_of_the_first_model():
    first, other = prediction(dim=2), prediction(dim=2)
    other["profile"][:] = 99.0
    axes = plot_profiles({"first": first, "other": other})
    drawn = [np.asarray(ax.images[0].get_array()).mean() for ax in axes]
    np.testing.assert_allclose(drawn, [1.5] * (len(axes) // 2) + [1.0] * (len(axes) // 2))
    text = caption("profiles").text
    assert (
        "for the first initial condition: the simulation above the prediction of the first" in text
    )
    # Times 0 to 2 of 0 to 4.
    assert axes[len(axes) // 2 - 1].get_title() == "$t$ = 2"
    assert "at some times of the first half" in text


def test_particles_on_a_line_are_those_of_the_first_initial_conditions():
    box = Box((1.0,))
    times = np.array([0.0, 1.0])
    patterns = random_particles(box, ("A",), {"A": 3}, 20, seed=1)
    replicas = patterns[np.arange(20).reshape(10, 2)]
    ds = particles_dataset(replicas, times, np.repeat(np.arange(5), 2))
    shown = starts(plot_patterns(ds))
    assert f"each of the first {WORDS[len(shown)]} initial conditions" in caption("patterns").text


def test_snapshots_are_as_many_as_the_caption_says():
    state = np.zeros((1, 21, 4, 4), dtype=np.uint8)
    ds = trajectories_dataset(
        state,
        np.zeros((1, 21, 1)),
        np.arange(21.0),
        ["A"],
        np.zeros(1, dtype=np.int64),
        attrs={"species": ["A"]},
    )
    axes = plot_snapshots(ds)
    assert f"at {WORDS[len(axes)]} times" in caption("fig4a-snapshots").text


def test_moments_are_those_of_the_first_ten_initial_conditions():
    dims = ("part", "initial_condition", "time", "moment")
    values = np.arange(12.0)[None, :, None, None] * np.ones((1, 12, 3, 1))
    ds = xr.Dataset(
        {"simulated": (dims, values)},
        coords={"part": ["train"], "time": np.arange(3.0), "moment": ["A"]},
    )
    (ax,) = plot_moments(ds)
    np.testing.assert_allclose(
        [np.asarray(line.get_ydata())[0] for line in ax.get_lines()], np.arange(10.0)
    )
    assert "of the first ten of the initial conditions" in caption("fig1e-moments").text


def test_captions_of_transfers_fit_any_lattice_and_what_is_drawn():
    text = caption("transfer-8x8").text
    assert "another lattice" in text
    assert "larger" not in text
    assert "equilibrium" not in text  # there is none of other lattices
