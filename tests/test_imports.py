"""The direction of imports, and that importing does nothing visible."""

from __future__ import annotations

import ast
import json
import pkgutil
import subprocess
import sys
from pathlib import Path

import pytest

import dynboltz

ROOT = Path(dynboltz.__file__).parent
NUMERICS = (
    "lattices",
    "reactions",
    "moments",
    "particles",
    "elements",
    "simulation",
    "distributions",
    "sampling",
    "dynamics",
    "laws",
    "learning",
    "closures",
    "interpretation",
    "evaluation",
)
OUTER = {"store", "plot", "report", "cli", "workflow"}


def absolute_name(path: Path, node: ast.ImportFrom) -> str:
    """Module that a `from` import names, with leading dots resolved."""
    if not node.level:
        return node.module or ""
    package = ["dynboltz", *path.relative_to(ROOT).parent.parts]
    base = package[: len(package) - node.level + 1]
    return ".".join([*base, *([node.module] if node.module else [])])


def imported_modules(path: Path) -> set[str]:
    """Every module or name that a file imports, anywhere in it, by its full dotted name."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            module = absolute_name(path, node)
            found |= {f"{module}.{alias.name}" for alias in node.names}
    return found


def rooms(path: Path) -> set[str]:
    """Rooms of the package that a file imports from."""
    own = (name.split(".") for name in imported_modules(path))
    return {parts[1] for parts in own if parts[0] == "dynboltz" and len(parts) > 1}


@pytest.mark.parametrize("room", NUMERICS)
def test_numerics_do_not_import_what_is_around_them(room):
    files = sorted((ROOT / room).rglob("*.py"))
    assert files
    offenders = {str(path.relative_to(ROOT)): rooms(path) & OUTER for path in files}
    assert {name: found for name, found in offenders.items() if found} == {}


def test_relative_and_nested_imports_are_seen(tmp_path, monkeypatch):
    monkeypatch.setattr(sys.modules[__name__], "ROOT", tmp_path)
    (tmp_path / "learning").mkdir()
    path = tmp_path / "learning" / "_x.py"
    path.write_text(
        "from ..store import read\n"
        "from .. import plot\n"
        "from ._y import z\n"
        "def f():\n    import dynboltz.cli._main\n"
    )
    assert rooms(path) == {"store", "plot", "learning", "cli"}


def test_rooms_know_each_other_in_one_direction():
    depends = {room: set().union(*map(rooms, (ROOT / room).rglob("*.py"))) for room in NUMERICS}
    depends = {room: (found - {room}) & set(NUMERICS) for room, found in depends.items()}
    remaining = dict(depends)
    while remaining:
        free = [room for room, needs in remaining.items() if not needs & set(remaining)]
        assert free, f"these rooms import each other in a circle: {remaining}"
        for room in free:
            del remaining[room]


SCRIPT = """
import importlib, json, sys
import jax
names = ("jax_enable_x64", "jax_numpy_dtype_promotion", "jax_numpy_rank_promotion", "jax_platforms")
before = {n: getattr(jax.config, n) for n in names}
import jax._src.xla_bridge as bridge
for module in json.loads(sys.argv[1]):
    importlib.import_module(module)
after = {n: getattr(jax.config, n) for n in names}
assert before == after, (before, after)
assert not bridge._backends, "importing asked for a device"
"""


def test_importing_does_nothing_visible():
    modules = ["dynboltz"]
    for module in pkgutil.walk_packages([str(ROOT)], "dynboltz."):
        if not module.name.endswith("__main__"):
            modules.append(module.name)
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", SCRIPT, json.dumps(modules)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
