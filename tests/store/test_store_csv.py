"""Moments and numbers of particles as CSV."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from dynboltz.particles import Box, PointPatterns
from dynboltz.store import StoreError, export_csv, particles_dataset, trajectories_dataset

SPECIES = ("A", 'B "two", 2')
TIMES = np.array([0.0, 0.1 + 0.2, 1e-7 + 1])
STARTS = np.array([4, 4, 7])
STATES = np.random.default_rng(1).integers(0, 3, size=(3, 3, 5, 2), dtype=np.uint8)


def on_lattice(moment_names=(*SPECIES, "A.A")):
    moments = np.zeros((3, 3, len(moment_names)))
    for place, name in enumerate(moment_names):
        if name in SPECIES:
            moments[..., place] = np.mean(np.equal(STATES, SPECIES.index(name) + 1), axis=(2, 3))
        else:
            moments[..., place] = np.random.default_rng(2).uniform(size=(3, 3))
    return trajectories_dataset(
        STATES,
        moments,
        TIMES,
        moment_names,
        STARTS,
        attrs={"species": list(SPECIES), "boundary": "closed", "lineage": {"seed": 3}},
        time_units="s",
    )


def in_box():
    lists = [
        [{"A": [[0.1]] * (i + 1), SPECIES[1]: [[0.2]] * j} for j in range(3)] for i in range(2)
    ]
    flat = PointPatterns.from_lists([p for row in lists for p in row], SPECIES, Box((1.0,)))
    patterns = PointPatterns(
        flat.positions.reshape(2, 3, -1, 1), flat.labels.reshape(2, 3, -1), SPECIES, flat.box
    )
    return particles_dataset(patterns, TIMES, attrs={})


@pytest.mark.parametrize("moment_names", [(*SPECIES, "A.A"), ("A.A",)])
def test_every_value_is_a_line(tmp_path, moment_names):
    ds = on_lattice(moment_names)
    export_csv(ds, tmp_path / "a.csv")
    table = pd.read_csv(tmp_path / "a.csv", dtype={"time": str, "value": str})
    table = table.assign(time=table.time.map(float), value=table.value.map(float))
    assert list(table) == ["initial_condition", "replica", "time", "quantity", "name", "value"]
    assert len(table) == 3 * 3 * (len(moment_names) + len(SPECIES))
    wide = table.pivot(index=["replica", "time"], columns=["quantity", "name"], values="value")
    for name in moment_names:
        expected = ds.moments.sel(moment=name).values.ravel()
        np.testing.assert_array_equal(wide["moment", name], expected)  # the same bits
    for place, name in enumerate(SPECIES):
        expected = np.equal(STATES, place + 1).sum(axis=(2, 3)).ravel()
        np.testing.assert_array_equal(wide["count", name], expected)
    np.testing.assert_array_equal(table.time.unique(), TIMES)
    starts = table.groupby("replica").initial_condition.unique().map(list).tolist()
    assert starts == [[4], [4], [7]]


def test_units_and_lineage_stand_beside_it(tmp_path):
    export_csv(on_lattice(), tmp_path / "a.csv")
    beside = json.loads((tmp_path / "a.csv.json").read_text())
    assert beside["units"] == {"moment": "per site", "count": "particles", "time": "s"}
    assert beside["lineage"] == {"seed": 3}
    assert beside["columns"][:3] == ["initial_condition", "replica", "time"]


def test_one_replica_of_particles_in_a_box_is_counted(tmp_path):
    export_csv(in_box(), tmp_path / "a.csv", replica=1)
    table = pd.read_csv(tmp_path / "a.csv")
    assert set(table.replica) == {1}
    assert set(table.quantity) == {"count"}
    assert table.value.tolist() == [2, 0, 2, 1, 2, 2]
    assert "moment" not in json.loads((tmp_path / "a.csv.json").read_text())["units"]


def test_what_cannot_be_written_leaves_nothing(tmp_path):
    with pytest.raises(StoreError, match="there is no replica 3; there are 0 to 2"):
        export_csv(on_lattice(), tmp_path / "a.csv", replica=3)
    damaged = on_lattice().assign_attrs(lineage=np.nan)
    with pytest.raises(StoreError):
        export_csv(damaged, tmp_path / "a.csv")
    assert not list(tmp_path.iterdir())
