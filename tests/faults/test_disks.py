"""Disks that are full or become read-only."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from dynboltz import store, workflow

TINY = Path(__file__).parents[1] / "workflow" / "tiny.toml"


def mount(*arguments):
    return subprocess.run(["mount", *map(str, arguments)], check=False, capture_output=True)


@pytest.fixture
def disk(tmp_path):
    """A small disk of its own."""
    path = tmp_path / "disk"
    path.mkdir()
    try:
        mounted = mount("-t", "tmpfs", "-o", "size=4k", "tmpfs", path).returncode == 0
    except FileNotFoundError:
        mounted = False
    if not mounted:
        pytest.skip("only who may mount file systems can make a small disk")
    yield path
    subprocess.run(["umount", str(path)], check=True)


def resize(disk, kilobytes, more="rw"):
    mount("-o", f"remount,size={kilobytes}k,{more}", disk)


def everything(path):
    experiment = workflow.load_experiment(TINY)
    directory = workflow.claim(experiment, path)
    for stage in (workflow.simulate, workflow.fit, workflow.train, workflow.evaluate):
        stage(experiment, directory)


def products(path):
    return {
        str(file.relative_to(path)): file.read_bytes()
        for file in path.rglob("*.zarr/**/*")
        if file.is_file()
    }


@pytest.fixture(scope="module")
def right(tmp_path_factory):
    path = tmp_path_factory.mktemp("right") / "out"
    everything(path)
    return products(path)


def test_what_a_full_disk_stops_goes_on_when_there_is_room(disk, right):
    said, size = [], 4
    while "done" not in said:
        try:
            everything(disk / "out")
            said.append("done")
        except store.StoreError as error:
            said.append(str(error))
        size += 28
        resize(disk, size)
    assert len(said) > 5
    assert all("No space left on device" in line and str(disk) in line for line in said[:-1])
    assert products(disk / "out") == right


def test_a_disk_that_becomes_read_only_loses_nothing(disk, right):
    resize(disk, 4096)
    experiment = workflow.load_experiment(TINY)
    directory = workflow.claim(experiment, disk / "out")
    stages = workflow.simulate, workflow.fit, workflow.train, workflow.evaluate
    for stage in stages:
        resize(disk, 4096, "ro")
        before = products(disk / "out")
        with pytest.raises(store.StoreError, match="Read-only file system"):
            stage(experiment, directory)
        assert products(disk / "out") == before
        resize(disk, 4096)
        stage(experiment, directory)
    assert products(disk / "out") == right
    resize(disk, 4096, "ro")
    assert all(found.is_sound for _, found in workflow.verify(disk / "out"))
    resize(disk, 4096)
