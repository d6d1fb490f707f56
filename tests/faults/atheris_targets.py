"""Targets of the coverage-guided fuzzer atheris.

`python tests/faults/atheris_targets.py NAME [CORPUS] [-max_total_time=SECONDS ...]`, with a target
and what libFuzzer takes; inputs that lead to new branches are kept in the folder CORPUS, which
begins with sound texts if it is empty. It stops at the first input that ends in anything but an
answer or the one message that is promised.
"""

from __future__ import annotations

import importlib
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

atheris: Any = importlib.import_module("atheris")
with atheris.instrument_imports(include=["dynboltz", "tomllib"]):
    from dynboltz import reactions
for room in ("evaluation", "particles", "sampling", "simulation"):  # what numba compiles
    importlib.import_module(f"dynboltz.{room}")
with atheris.instrument_imports(include=["dynboltz"]):
    from dynboltz import store, workflow
    from dynboltz.experiments import shipped_experiments
    from dynboltz.particles import Box

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

ANTIMONY = b"""model m
  compartment c = 2; species X in c, Y in c; substanceOnly species Z in c
  J0: X => 2 X; a*X*c
  J1: X + Y -> 2 Y; b*X*Y*c
  J2: Z => X; k*Z*(Z - 1)/2
  a = 1; b := 2*a; k = 1e-3; X = 50; Y = 20; Z = 4
end"""


def sound_texts(name: str) -> list[bytes]:
    """What a corpus begins with."""
    if name == "experiment":
        return [path.read_bytes() for path in shipped_experiments().values()]
    if name == "sbml":
        antimony = importlib.import_module("antimony")
        antimony.loadAntimonyString(ANTIMONY.decode())
        return [antimony.getSBMLString("m").encode()]
    texts = {"reactions": b"A + B -> 2 C ; k = 0.5 # text\n0 -> A ; p = 1e-3", "antimony": ANTIMONY}
    return [texts[name]] if name in texts else []


def begin(name: str, corpus: Path) -> None:
    """Put sound texts into an empty corpus."""
    if corpus.is_dir() and not any(corpus.iterdir()):
        for number, text in enumerate(sound_texts(name)):
            (corpus / f"sound-{number}").write_bytes(text)


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

    for option in sys.argv[2:]:
        begin(sys.argv[1], Path(option))
    atheris.Setup([sys.argv[0], *sys.argv[2:]], check)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
