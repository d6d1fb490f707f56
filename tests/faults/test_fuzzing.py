"""Random input: one message each, never a traceback, a hang or an execution."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from fuzzing import many, sizes
from hypothesis import given
from hypothesis import strategies as st

from dynboltz.experiments import shipped_experiments
from dynboltz.reactions import ReactionNetwork, ReactionSyntaxError
from dynboltz.workflow import ExperimentError, load_experiment

REACTION_TOKENS = [
    *(
        "A",
        "B",
        "0",
        "1",
        "2",
        "3",
        "+",
        "->",
        "-",
        ";",
        "=",
        "k",
        "p",
        "\n",
        "#",
        "∅",
        "e",
        ".",
        " ",
    ),
    *(
        "1e999",
        "-1",
        "nan",
        "inf",
        "A1",
        "_",
        "__import__('os')",
        "\x00",
        "\r",
        "9" * 50,
        "é",
        "🧪",
    ),
]
VALUES = [
    *("-1", "0", "1", "2", "1e308", "-1e308", "nan", "inf", "true", '""', '"A"', '"../x"', "[]"),
    *("[[]]", "{}", "[1, 2, 3, 4]", "[0]", "[-5]", "1979-05-27", "\"__import__('os')\"", "0x10"),
    *('"A + A -> 0 ; p = 2"', '"b.A"', '"J.A.A"', "99999999999999999999", "1000000000", "'<b>'"),
]
SOURCES = [path.read_text(encoding="utf-8") for path in shipped_experiments().values()]


def answer(function: Callable[[Any], Any], given: Any) -> Any:
    """What a function returns, or the message of the error that it may raise."""
    try:
        return function(given)
    except (ReactionSyntaxError, ExperimentError) as error:
        return str(error)


@sizes(200)
def test_reactions(n_inputs):
    tokens = st.lists(st.sampled_from(REACTION_TOKENS) | st.text(max_size=3), max_size=20)

    @many(n_inputs)
    @given(tokens.map(" ".join) | tokens.map("".join) | st.text())
    def check(text):
        network = answer(ReactionNetwork.parse, text)
        if not isinstance(network, str):
            assert ReactionNetwork.parse(network.to_text(), network.species) == network

    check()


@st.composite
def experiments(draw):
    """A shipped experiment with some values, lines or characters changed."""
    lines = draw(st.sampled_from(SOURCES)).splitlines()
    for _ in range(draw(st.integers(1, 3))):
        place = draw(st.integers(0, len(lines) - 1))
        key, equals, _ = lines[place].partition(" = ")
        change = draw(st.sampled_from(["value", "key", "drop", "repeat", "text"]))
        if change == "value" and equals:
            lines[place] = f"{key} = {draw(st.sampled_from(VALUES))}"
        elif change == "key":
            lines[place] = re.sub(
                r"\w+", draw(st.sampled_from(["x", "seed", "A"])), lines[place], count=1
            )
        elif change == "drop":
            del lines[place]
        elif change == "repeat":
            lines.insert(draw(st.integers(0, len(lines))), lines[place])
        else:
            lines[place] += draw(st.text(max_size=5))
        if not lines:
            break
    return "\n".join(lines)


@sizes(30)
def test_experiment_files(tmp_path, n_inputs):
    path: Path = tmp_path / "experiment.toml"
    for shipped in shipped_experiments().values():
        load_experiment(shipped)  # what is compiled once is no input's time

    @many(n_inputs)
    @given(experiments())
    def check(text):
        path.write_text(text, encoding="utf-8", errors="surrogatepass")
        said = answer(load_experiment, path)
        assert not isinstance(said, str) or str(path) in said

    check()
