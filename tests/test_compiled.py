"""Compiled code is kept where it can be, also in containers without a writable folder."""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import numba
import numpy as np
import pytest

import dynboltz
from dynboltz import _caches
from dynboltz._compiled import compiled

UNSHARE = ("unshare", "--user", "--map-user=12345", "--map-group=12345")
"""Run as a user that the system does not know; files belong to it as before."""
COMPILE = """
import sys
import numpy as np
from dynboltz.lattices._random import _rotate_left
print("imported", file=sys.stderr)
print(_rotate_left(np.uint64(1), np.uint64(3)), sum(_rotate_left.stats.cache_hits.values()))
"""


def can_unshare():
    if shutil.which("unshare") is None or not hasattr(os, "getuid"):
        return False
    return subprocess.run([*UNSHARE, "true"], capture_output=True, check=False).returncode == 0


needs_users = pytest.mark.skipif(
    not can_unshare(), reason="needs the command unshare and leave to make user namespaces"
)


@pytest.fixture(scope="module")
def read_only_package(tmp_path_factory):
    """Folder with a copy of the package that cannot be written to."""
    folder = tmp_path_factory.mktemp("package")
    source = Path(dynboltz.__file__).parent
    shutil.copytree(source, folder / "dynboltz", ignore=shutil.ignore_patterns("__pycache__"))
    paths = [folder, *folder.rglob("*")]
    for path in paths:
        path.chmod(path.stat().st_mode & ~0o222)
    yield folder
    for path in paths:
        path.chmod(path.stat().st_mode | 0o200)


@pytest.fixture
def container(read_only_package, tmp_path):
    """Run Python without a home, as an unknown user, with a read-only package."""
    (tmp_path / "tmp").mkdir()
    (tmp_path / "work").mkdir()
    dropped = ("HOME", "XDG_CACHE_HOME", "NUMBA_CACHE_DIR", "JAX_COMPILATION_CACHE_DIR")
    environment = {name: value for name, value in os.environ.items() if name not in dropped}
    environment |= {"PYTHONPATH": str(read_only_package), "PYTHONDONTWRITEBYTECODE": "1"}

    def run(*arguments, **more):
        return subprocess.run(
            [*UNSHARE, sys.executable, *arguments],
            capture_output=True,
            text=True,
            check=False,
            cwd=tmp_path / "work",
            env=environment | {"TMPDIR": str(tmp_path / "tmp")} | more,
        )

    return run


@needs_users
def test_importing_shows_nothing_and_makes_nothing(container, tmp_path):
    done = container("-W", "error", "-c", "import dynboltz.store, dynboltz.sampling")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert not list((tmp_path / "work").iterdir())  # such as a folder called `~`
    assert not list((tmp_path / "tmp").iterdir())


@needs_users
def test_kernels_are_kept_in_a_private_temporary_folder(container, tmp_path):
    folder = tmp_path / "tmp" / "dynboltz-12345"
    for hits in (0, 1):
        done = container("-c", COMPILE)
        assert done.stdout == f"8 {hits}\n", done.stderr
        before, after = done.stderr.split("imported\n")
        assert before == ""
        assert after.count(f"UserWarning: Compiled code is kept in {folder}, since the user's") == 1
    assert folder.stat().st_mode & 0o777 == 0o700


@needs_users
def test_without_any_folder_kernels_are_compiled_each_time(container, tmp_path):
    (tmp_path / "tmp" / "dynboltz-12345").mkdir()
    (tmp_path / "tmp" / "dynboltz-12345").chmod(0o777)  # anybody could put code there
    done = container("-c", COMPILE)
    assert done.stdout == "8 0\n", done.stderr
    assert "Compiled code is not kept, so that every run compiles, since" in done.stderr
    assert not list((tmp_path / "tmp" / "dynboltz-12345").iterdir())


@needs_users
@pytest.mark.parametrize("arguments", [("--help",), ("experiments",)])
def test_commands_say_in_one_line_where_code_is_kept(container, tmp_path, arguments):
    (tmp_path / "work").chmod(0o500)
    done = container("-m", "dynboltz", *arguments, LC_ALL="C")
    assert done.returncode == 0, done.stderr
    told = [] if arguments == ("--help",) else [f"Compiled code is kept in {tmp_path / 'tmp'}"]
    assert len(done.stderr.splitlines()) == len(told)
    assert all(done.stderr.startswith(line) for line in told)


def test_kernels_are_kept_where_numba_is_told_to(tmp_path):
    for hits in (0, 1):
        done = subprocess.run(
            [sys.executable, "-W", "error", "-c", COMPILE],
            capture_output=True,
            text=True,
            check=True,
            env=os.environ | {"NUMBA_CACHE_DIR": str(tmp_path)},
        )
        assert (done.stdout, done.stderr) == (f"8 {hits}\n", "imported\n")
    assert list(tmp_path.rglob("_random._rotate_left*.nbc"))


def test_options_reach_numba():
    @compiled(parallel=True)
    def total(values):
        result = 0.0
        for i in numba.prange(values.size):
            result += values[i]
        return result

    assert total(np.arange(4.0)) == 6.0
    assert total.targetoptions["nogil"] is True
    assert total.targetoptions["parallel"] is not False


@pytest.fixture
def temporary(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path / f"dynboltz-{os.getuid()}"


def test_temporary_folder_is_private(temporary):
    assert _caches.temporary_folder() == temporary
    assert temporary.stat().st_mode & 0o777 == 0o700
    temporary.chmod(0o770)
    assert _caches.temporary_folder() is None


def test_links_and_files_are_no_temporary_folders(temporary, tmp_path):
    (tmp_path / "elsewhere").mkdir(mode=0o700)
    temporary.symlink_to(tmp_path / "elsewhere")
    assert _caches.temporary_folder() is None
    temporary.unlink()
    temporary.write_text("")
    assert _caches.temporary_folder() is None


def test_working_folder_is_no_temporary_folder(temporary, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert _caches.temporary_folder() is None
    assert not temporary.exists()
