"""Valid calls of `dynboltz.store`."""

from __future__ import annotations

import itertools
import os
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from bad_arguments import call
from test_fuzzing_readers import readdy_bytes

from dynboltz import store
from dynboltz.particles import Box, PointPatterns

TIMES, STARTS = np.array([0.0, 1.0, 2.0]), np.array([0, 0])
STATE, MOMENTS = np.ones((2, 3, 4), np.uint8), np.zeros((2, 3, 1))
BOX = Box((1.0, 1.0))
NUMBERS = itertools.count()


class New(str):
    """A name that nothing has, another one whenever a path is made of it."""

    __slots__ = ()

    def __str__(self):
        return f"new{next(NUMBERS)}"


def calls() -> dict[str, Any]:
    os.chdir(tempfile.mkdtemp())  # bad paths may be those of files that are made
    attrs = {"species": ["A"], "boundary": "periodic"}
    lattice = store.trajectories_dataset(STATE, MOMENTS, TIMES, ["A"], STARTS, attrs=attrs)
    patterns = PointPatterns(np.full((2, 3, 4, 2), 0.5), np.ones((2, 3, 4), np.uint8), ("A",), BOX)
    particles = store.particles_dataset(patterns, TIMES, STARTS)
    labelled = xr.Dataset({"x": ("y", np.arange(3.0))}, attrs={"kind": "k"})
    of_lattice = store.write_trajectories(lattice, "lattice", block_replicas=1)
    copy = store.write_trajectories(lattice, "copy", block_replicas=1)
    of_particles = store.write_particles(particles, "particles", block_replicas=1)
    other = store.write_particles(particles, "other", block_replicas=1)
    store.write_dataset(labelled, "labelled")
    store.export_netcdf(labelled, "labelled.nc")
    store.export_netcdf(lattice, "lattice.nc")
    np.savez("state.npz", state=STATE)
    store.write_json("file.json", {"a": 1})
    Path("smoldyn.txt").write_text("1 1 0 0.5 0.5 1\n")
    readdy_bytes(Path("readdy.h5"), "trajectory")
    folder = Path("gillespie/lattice_v001/lattice")
    folder.mkdir(parents=True)
    (folder / "0000.txt").write_text("1 A\n")
    new = {"n_replicas": 2, "times": TIMES, "initial_condition": STARTS, "attrs": {"seed": 1}}
    entries = {
        "Verification": call(damaged=("a chunk",), missing=()),
        "TrajectoryStore.write_block": call(
            of_lattice, index=0, state=STATE[:1], moments=MOMENTS[:1]
        ),
        "ParticleStore.write_block": call(of_particles, index=0, patterns=patterns[:1]),
        "TrajectoryStore.copy_block": call(of_lattice, index=0, source=copy),
        "ParticleStore.copy_block": call(of_particles, index=0, source=other),
        "create_particles": call(
            path=New("new"),
            n_slots=4,
            species=["A"],
            box=BOX,
            block_replicas=1,
            **new,
            time_units="s",
        ),
        "create_trajectories": call(
            path=New("new"),
            lattice_shape=(4,),
            moment_names=["A"],
            block_replicas=1,
            **new,
            time_units="s",
        ),
        "discard_damaged_blocks": call(path="lattice"),
        "export_csv": [
            call(trajectories=lattice, path="lattice.csv", replica=0),
            call(trajectories=particles, path="particles.csv", replica=None),
        ],
        "export_extended_xyz": [
            call(trajectories=lattice, path="lattice.xyz", replica=0),
            call(trajectories=particles, path="particles.xyz", replica=0),
        ],
        "export_netcdf": call(ds=labelled, path="exported.nc"),
        "import_netcdf": call(path="labelled.nc"),
        "is_block_store": call(path=Path("lattice")),
        "load_patterns": call(trajectories=particles),
        "open_particles": call(path="particles", allow_incomplete=False, expect={}),
        "open_trajectories": call(path="lattice", allow_incomplete=False, expect={}),
        "particles_dataset": call(
            patterns=patterns, times=TIMES, initial_condition=STARTS, attrs={}, time_units="s"
        ),
        "read_dataset": call(path="labelled", kind="k"),
        "read_json": call(path="file.json"),
        "read_lattice_gillespie": call(
            directory="gillespie", shape=(4,), species=["A"], dt=0.1, boundary="closed"
        ),
        "read_netcdf": call(path="lattice.nc", species=["A"], boundary="periodic"),
        "read_npz": call(path="state.npz", species=["A"], boundary="periodic"),
        "read_readdy": call(paths=["readdy.h5"], dt=0.1, name="", time_units="s"),
        "read_times": [
            call(path=name, dt=0.1) for name in ("state.npz", "lattice.nc", "lattice", "gillespie")
        ],
        "read_smoldyn": call(
            paths=["smoldyn.txt"],
            box=BOX,
            species=["A"],
            interval=1.0,
            first_time=0.0,
            lower=(0.0, 0.0),
            n_times=2,
            time_units="s",
            _waits="n_times",
        ),
        "resume_particles": call(path="particles", expect={}),
        "resume_trajectories": call(path="lattice", expect={}),
        "store_checksum": call(path="lattice"),
        "trajectories_dataset": call(
            state=STATE,
            moments=MOMENTS,
            times=TIMES,
            moment_names=["A"],
            initial_condition=STARTS,
            attrs=attrs,
            time_units="s",
        ),
        "verify_store": call(path="lattice"),
        "write_dataset": call(ds=labelled, path="written"),
        "write_json": call(path="written.json", obj={"a": [1.0, None]}),
        "write_particles": call(trajectories=particles, path=New("new"), block_replicas=1),
        "write_trajectories": call(trajectories=lattice, path=New("new"), block_replicas=1),
    }
    for opened in (of_lattice, of_particles):
        name = type(opened).__name__
        entries[name] = call(path=opened.path, attrs=opened.attrs)
        for method in ("block", "fault", "is_written", "keys", "uncommit"):
            entries[f"{name}.{method}"] = call(opened, index=0)
    return entries


def others() -> list[Any]:
    box = Box((2.0,), "periodic")
    return [
        box,
        PointPatterns(np.zeros((1, 1, 2, 1)), np.ones((1, 1, 2), np.uint8), ("B",), box),
        xr.Dataset(),
        xr.Dataset({"state": ("replica", np.zeros(2))}, attrs={"species": 3, "kind": "x"}),
        xr.Dataset({"x": ("y", np.array([None, object()], dtype=object))}, attrs={"kind": "x"}),
    ]
