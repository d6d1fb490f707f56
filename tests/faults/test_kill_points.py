"""Writers that are killed at each of their operations on the file system in turn."""

import io
import itertools
import multiprocessing
import os
import shutil
import signal
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from dynboltz.store import (
    create_trajectories,
    read_dataset,
    resume_trajectories,
    write_dataset,
)

PROCESSES = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload(["dynboltz.store"])
OPERATIONS = ("replace", "rename", "fsync", "open", "mkdir", "unlink", "rmdir")
N_BLOCKS, SIZE, N_TIMES, N_SITES = 3, 2, 2, 5
INTERRUPTED = 1


def block(number):
    random = np.random.default_rng(number)
    state = random.integers(0, 2, (SIZE, N_TIMES, N_SITES), dtype=np.uint8)
    return state, state.mean(axis=2)[..., None]


def new_store(path, numbers):
    store = create_trajectories(
        path,
        n_replicas=N_BLOCKS * SIZE,
        times=np.arange(float(N_TIMES)),
        lattice_shape=(N_SITES,),
        moment_names=["A"],
        initial_condition=np.zeros(N_BLOCKS * SIZE, dtype=np.int64),
        attrs={"species": ["A"]},
        block_replicas=SIZE,
    )
    for number in numbers:
        store.write_block(number, *block(number))


def dataset(value):
    return xr.Dataset({"x": ("place", np.full(4, value))}, attrs={"kind": "test"})


class WriteBlock:
    """A block of a simulation, between others."""

    def prepare(self, folder):
        new_store(folder / "out", [0, 2])

    def act(self, folder):
        resume_trajectories(folder / "out").write_block(INTERRUPTED, *block(INTERRUPTED))

    def check(self, folder):
        store = resume_trajectories(folder / "out")
        assert set(store.missing_blocks()) <= {INTERRUPTED}


class CopyBlock(WriteBlock):
    """A block that is merged from a shard."""

    def prepare(self, folder):
        super().prepare(folder)
        new_store(folder / "shard", [INTERRUPTED])

    def act(self, folder):
        shard = resume_trajectories(folder / "shard")
        resume_trajectories(folder / "out").copy_block(INTERRUPTED, shard)


class ReplaceDataset:
    """A fit, a model, a checkpoint or a prediction that replaces another one."""

    def prepare(self, folder):
        write_dataset(dataset(1.0), folder / "out")

    def act(self, folder):
        write_dataset(dataset(2.0), folder / "out")

    def check(self, folder):
        found = read_dataset(folder / "out", "test")
        assert any(found.equals(dataset(value)) for value in (1.0, 2.0))


def contents(folder):
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def act_until(deadly, writer, folder):
    """Act, and be killed just before the operation number `deadly`."""
    count = itertools.count(1)

    def counted(operation):
        def call(*args, **options):
            if next(count) == deadly:
                os.kill(os.getpid(), signal.SIGKILL)
            return operation(*args, **options)

        return call

    for module, name in [(io, "open"), *((os, name) for name in OPERATIONS)]:
        setattr(module, name, counted(getattr(module, name)))
    writer.act(folder)


def every(stride, *writers):
    return [pytest.param(writer, stride, id=type(writer).__name__) for writer in writers]


def each(*writers):
    slow = pytest.mark.slow
    return [pytest.param(w, 1, id=f"{type(w).__name__}, all", marks=slow) for w in writers]


@pytest.mark.parametrize(
    ("writer", "stride"),
    [
        *every(7, WriteBlock(), CopyBlock()),
        *every(40, ReplaceDataset()),
        *each(WriteBlock(), CopyBlock(), ReplaceDataset()),
    ],
)
def test_nothing_but_the_write_in_flight_is_lost(writer, stride, tmp_path):
    start, whole = tmp_path / "start", tmp_path / "whole"
    writer.prepare(start)
    shutil.copytree(start, whole)
    writer.act(whole)
    for deadly in itertools.count(1, stride):
        folder = Path(shutil.copytree(start, tmp_path / str(deadly)))
        process = PROCESSES.Process(target=act_until, args=(deadly, writer, folder))
        process.start()
        process.join()
        writer.check(folder)
        if process.exitcode == 0:
            break
        assert process.exitcode == -signal.SIGKILL
        writer.act(folder)
        assert contents(folder) == contents(whole)
    assert deadly > stride
