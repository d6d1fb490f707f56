"""What is said about wrong settings, at every key of every table."""

import copy
import datetime
import re
import tomllib
from pathlib import Path

import pytest

from dynboltz.experiments import shipped_experiments
from dynboltz.workflow import ExperimentError
from dynboltz.workflow._allowed import kinds_at
from dynboltz.workflow._read import checked
from dynboltz.workflow._schema import ExperimentTable
from dynboltz.workflow.continuous._schema import BoxExperimentTable

WRONG = (
    *(
        "text",
        "",
        3,
        -2,
        0.5,
        float("nan"),
        float("inf"),
        True,
        [],
        [[]],
        ["x", 1.5],
        [-1, 2, 3, 4],
    ),
    *({}, {"x": 1}, {"kind": "x"}, {"kind": []}, datetime.date(2020, 1, 1)),
)
OF_PYDANTIC = re.compile(
    r"[Ii]nput|Field |valid (list|string|dict|integer|number|bool)|Extra|discriminator|pydantic"
    r"|expected tags|instance of|items after validation|should (be|have|match)|NoneType|<class"
)
PATH = Path("file.toml")


def _sources():
    """Every shipped experiment with each preset, and the complete files of the documentation."""
    for path in shipped_experiments().values():
        yield path.read_text()
    page = Path(__file__).parents[2] / "docs" / "experiment-files.md"
    blocks = re.findall(r"```toml\n(.*?)```", page.read_text(), flags=re.DOTALL)
    yield from (block for block in blocks if block.startswith("name ="))
    yield Path(__file__).with_name("tiny.toml").read_text()


def _places(table, raw, keys=()):
    """All keys that a file has or may have, and one place of every list."""
    value = raw
    for key in keys:
        value = value[key]
    inner = dict.fromkeys(value) if isinstance(value, dict) else {}
    for kind in kinds_at(table, keys, raw) if isinstance(value, dict) else ():
        inner |= dict.fromkeys(kind.bare.model_fields if kind.is_table else ())
    if isinstance(value, list) and value:
        inner = {0: None}
    for key in inner:
        yield (*keys, key)
        if isinstance(value, list) or key in value:
            yield from _places(table, raw, (*keys, key))


def _changed(raw, keys, value):
    changed = copy.deepcopy(raw)
    inside = changed
    for key in keys[:-1]:
        inside = inside[key]
    if value is KeyError:
        if isinstance(inside, list) or keys[-1] in inside:
            del inside[keys[-1]]
    else:
        inside[keys[-1]] = value
    return changed


def _message(table, raw):
    try:
        checked(PATH, raw, table)
    except ExperimentError as error:
        return str(error)
    return None


@pytest.mark.parametrize("text", list(_sources()), ids=lambda text: text.split('"')[1])
def test_no_wrong_value_anywhere_is_answered_in_the_words_of_a_library(text):
    raw = tomllib.loads(text)
    raw.pop("presets", None)
    table = BoxExperimentTable if "box" in raw else ExperimentTable
    assert _message(table, raw) is None
    n_places = n_messages = 0
    for keys in _places(table, raw):
        n_places += 1
        for value in (*WRONG, KeyError):
            message = _message(table, _changed(raw, keys, value))
            if message is None:
                continue
            n_messages += 1
            where = (keys, value, message)
            assert not OF_PYDANTIC.search(message), where
            for line in message.splitlines():
                assert line.startswith((f"{PATH}, `", f"{PATH}: ", "... and")), where
                assert line.endswith(("?", ".")) or "Allowed are" in line, where
            field = re.match(r"file\.toml, `([A-Za-z]+)", message)
            assert (field[1] if field else keys[0]) == keys[0], where
    assert n_places > 30
    assert n_messages > 8 * n_places


@pytest.mark.parametrize(
    ("keys", "value", "message"),
    [
        (
            ("kernel", "kind"),
            "colision",
            "`kernel.kind`: must be 'collision' or 'continuous-time'; got 'colision'. Did you mean "
            "`collision`?",
        ),
        (
            ("kernel", "kind"),
            KeyError,
            "`kernel.kind`: is required: 'collision' or 'continuous-time'.",
        ),
        (
            ("kernel",),
            3,
            "`kernel`: must be a table with kind = 'collision' or 'continuous-time'; got 3.",
        ),
        (
            ("lattice", "shape"),
            50,
            "`lattice.shape`: must be a list of 1 to 3 entries, each a whole number of at least 1; "
            "got 50.",
        ),
        (
            ("lattice", "shape"),
            KeyError,
            "`lattice.shape`: is required: a list of 1 to 3 entries, each a whole number of at "
            "least 1.",
        ),
        (
            ("models", "visible", "learning", "learning_rate"),
            "fast",
            "`models.visible.learning.learning_rate`: must be a finite number greater than 0, or a "
            "table of values by name, each a finite number greater than 0; got 'fast'.",
        ),
        (
            ("models", "visible", "learning", "learning_rate"),
            {"b.A": True},
            '`models.visible.learning.learning_rate."b.A"`: must be a finite number greater than '
            "0; got true.",
        ),
        (
            ("models", "visible", "initial"),
            "knwon",
            "`models.visible.initial`: must be 'known' or 'fitted', or a table of values by name, "
            "each a finite number; got 'knwon'. Did you mean `known`?",
        ),
        (
            ("kernel", "n_steps"),
            10**8,
            "`kernel.n_steps`: must be a whole number of at least 1 and at most 10000000; got "
            "100000000.",
        ),
        (
            ("models", "a model"),
            {},
            '`models."a model"`: must be a name of letters, digits, - and _ that begins with a '
            "letter or digit.",
        ),
    ],
)
def test_messages_say_where_what_is_allowed_and_what_was_given(keys, value, message):
    raw = tomllib.loads(Path(__file__).with_name("tiny.toml").read_text())
    raw.pop("presets")
    found = _message(ExperimentTable, _changed(raw, keys, value))
    assert found is not None
    assert found.splitlines()[0] == f"file.toml, {message}"


def test_functions_in_a_box_say_which_kinds_there_are():
    raw = tomllib.loads(shipped_experiments()["diffusion-decay"].read_text())
    raw.pop("presets")
    name, model = next(iter(raw["models"].items()))
    species = next(iter(model["dynamics"]))
    keys = ("models", name, "dynamics", species, "F1")
    found = _message(BoxExperimentTable, _changed(raw, keys, {"kind": "curv"}))
    assert found is not None
    assert found.startswith(
        f"file.toml, `models.{name}.dynamics.{species}.F1.kind`: must be 'curve' or 'dictionary'; "
        "got 'curv'. Did you mean `curve`?"
    )
