"""Targets of the coverage-guided fuzzer atheris.

`python tests/faults/atheris_targets.py NAME [CORPUS] [-max_total_time=SECONDS ...]`, with a target
and what libFuzzer takes; inputs that lead to new branches are kept in the folder CORPUS. It stops
at the first input that ends in anything but an answer or the one message that is promised.
"""

from __future__ import annotations

import importlib
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

atheris: Any = importlib.import_module("atheris")
with atheris.instrument_imports(include=["dynboltz.reactions", "dynboltz.store", "tomllib"]):
    from dynboltz import reactions, store
    from dynboltz.particles import Box
with atheris.instrument_imports(include=["dynboltz.workflow"]):
    from dynboltz import workflow

FOLDER = tempfile.TemporaryDirectory()
ERRORS = (
    reactions.ReactionSyntaxError,
    reactions.NetworkImportError,
    store.StoreError,
    workflow.ExperimentError,
)


def of_text(parse: Callable[[str], Any]) -> Callable[[bytes], Any]:
    """Target that is given text."""
    return lambda data: parse(data.decode("utf-8", "surrogateescape"))


def of_file(name: str, read: Callable[[Path], Any]) -> Callable[[bytes], Any]:
    """Target that is given a file of some name."""
    path = Path(FOLDER.name, name)
    path.parent.mkdir(parents=True, exist_ok=True)

    def run(data: bytes) -> Any:
        path.write_bytes(data)
        return read(path)

    return run


TARGETS: dict[str, Callable[[bytes], Any]] = {
    "reactions": of_text(reactions.ReactionNetwork.parse),
    "antimony": of_text(lambda text: reactions.parse_antimony(text, "m")),
    "sbml": lambda data: reactions.parse_sbml(data, "m"),
    "experiment": of_file("experiment.toml", workflow.load_experiment),
    "npz": of_file("a.npz", lambda path: store.read_npz(path, species=["A", "B"])),
    "netcdf": of_file("a.nc", store.read_netcdf),
    "readdy": of_file("a.h5", lambda path: store.read_readdy(path, dt=0.1)),
    "smoldyn": of_file(
        "a.txt", lambda path: store.read_smoldyn(path, Box((2.0, 3.0)), ["A"], interval=0.5)
    ),
    "lattice-gillespie": of_file(
        "a/lattice_v1/lattice/1.txt",
        lambda path: store.read_lattice_gillespie(path.parents[2], (3, 2), ["A", "B"], dt=0.1),
    ),
    "model": of_file("model.nc", workflow.read_model_file),
}


def main() -> None:
    """Run one target until it fails or is stopped."""
    if len(sys.argv) < 2 or sys.argv[1] not in TARGETS:
        sys.exit(f"usage: {sys.argv[0]} {{{','.join(TARGETS)}}} [CORPUS] [-libFuzzer_options]")
    target = TARGETS[sys.argv[1]]

    def check(data: bytes) -> None:
        try:
            target(data)
        except ERRORS:
            return

    atheris.Setup([sys.argv[0], *sys.argv[2:]], check)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
