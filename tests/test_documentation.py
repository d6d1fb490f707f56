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
