"""The reference of experiment files names every key, with its default."""

import re
import shlex
import tomllib
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from dynboltz.cli import app
from dynboltz.learning import FitSettings, LearningSettings
from dynboltz.workflow import _schema, load_experiment

REFERENCE = Path(__file__).parents[1] / "docs" / "experiment-files.md"


MOMENT_EQUATIONS = REFERENCE.with_name("moment-equations.md")


def section(title: str) -> str:
    """Text below a heading, up to the next one."""
    text = REFERENCE.read_text(encoding="utf-8")
    found = re.search(rf"^#+ {re.escape(title)}\n(.*?)(?=^#|\Z)", text, re.M | re.S)
    assert found, title
    return found[1]


@pytest.mark.parametrize(
    ("title", "table"),
    [
        ("Top level", _schema.ExperimentTable),
        ("`lattice`", _schema.LatticeTable),
        ("`kernel`", _schema.CollisionTable),
        ("`kernel`", _schema.ContinuousTimeTable),
        ("`initial`", _schema.DistributionInitial),
        ("`initial`", _schema.CountsInitial),
        ("`initial`", _schema.StoreInitial),
        ("A law of moments", _schema.LawTable),
        ("Models with terms", _schema.LayerTable),
        ("`models.NAME.grid`", _schema.GridTable),
        ("`models.NAME.fit`", _schema.FitTable),
        ("`models.NAME.learning`", _schema.LearningTable),
        ("`evaluation`", _schema.EvaluationTable),
        ("`evaluation.transfer`", _schema.TransferTable),
    ],
)
def test_every_key_is_documented(title, table):
    named = set(re.findall(r"`(\w+)(?:\.NAME)?`", section(title)))
    assert set(table.model_fields) <= named


@pytest.mark.parametrize(
    ("title", "settings"),
    [("`models.NAME.fit`", FitSettings()), ("`models.NAME.learning`", LearningSettings())],
)
def test_defaults_are_those_of_the_settings(title, settings):
    rows = re.findall(r"^\| (`[^|]+`) \|[^|]+\| ([^|]+) \|$", section(title), re.M)
    assert rows
    for keys, defaults in rows:
        names = re.findall(r"`(\w+)`", keys)
        values = [tomllib.loads(f"x = {v}")["x"] for v in re.findall(r"`([^`]+)`", defaults)]
        if names == ["start"] or defaults == "all":
            assert not getattr(settings, names[0])
        else:
            assert [getattr(settings, name) for name in names] == values


def test_the_deep_model_is_a_complete_file(tmp_path):
    path = tmp_path / "deep.toml"
    (code,) = re.findall(r"^```toml\n(.*?)^```", section("A deep model"), re.M | re.S)
    path.write_text(code)
    plan = load_experiment(path).coefficient_laws["deep"]
    assert len(plan.model.layers) == 3
    assert not plan.is_solvable


def blocks(language):
    """Blocks of code of the page on moment equations."""
    text = MOMENT_EQUATIONS.read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.M | re.S)


def test_the_command_of_the_moment_equations_prints_what_the_page_shows():
    command, printed = *blocks("sh"), *blocks("text")
    result = CliRunner().invoke(app, shlex.split(command)[1:])
    assert result.stdout == printed


def test_the_python_of_the_moment_equations_runs_and_says_what_moves(capsys):
    names: dict = {}
    for code in blocks("python"):
        exec(compile(code, str(MOMENT_EQUATIONS), "exec"), names)
    assert "d/dt A^2 = -2*k1 A + 4*k1 A^2 - 2*k1 A^3\n" in capsys.readouterr().out
    assert names["terms"] == ("b.A", "J.A.A", "A(0) A(2)", "K.A.A.A")
    assert names["stencil"] == ((0,), (1,))
    # In the time 0.2 at most 0.05 reactions a site change the number of pairs by at most 3, and as
    # many hops by 1: on 200 lattices of 1000 sites the sum of these jumps has a standard deviation
    # below 1.6e-3. Five of them fail less than once in 10^6.
    velocity, known = names["velocity"], names["known"]
    predicted = 0.01 * (velocity[1:] + velocity[:-1]).sum(axis=0) / 2
    np.testing.assert_allclose(known[-1, :2] - known[0, :2], predicted, atol=8e-3)


def test_the_python_of_the_interpretation_prints_what_the_page_says(capsys):
    page = REFERENCE.with_name("interpretation.md")
    (code,) = re.findall(r"^```python\n(.*?)^```", page.read_text(encoding="utf-8"), re.M | re.S)
    exec(compile(code, str(page), "exec"), {})
    printed = capsys.readouterr().out
    assert "d/dt b.A = -1 e^b\n" in printed
    assert "d/dt J.A.A = 0.5 b.A - 1 J.A.A\n" in printed
